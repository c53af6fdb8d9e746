// SPDX-License-Identifier: Apache-2.0
// Text that grows on the heap: for documents, reports and command output, not for the data path.
#pragma once

#include "base/str.h"

struct text {
    char *ptr; // owns; NUL-terminated once anything was put
    size_t len;
    size_t cap;
};

void text_put(struct text *t, struct str s);
void text_byte(struct text *t, char c);
void text_printf(struct text *t, const char *fmt, ...) PRINTF(2, 3);
// Room for n more bytes, so that putting them moves nothing: a secret leaves no copy behind.
void text_reserve(struct text *t, size_t n);
// Accepts a zeroed text; leaves one.
void text_fini(struct text *t);
// The same, and what was in it is overwritten first.
void text_wipe(struct text *t);

static inline struct str text_str(const struct text *t)
{
    return (struct str){t->ptr, t->len};
}
