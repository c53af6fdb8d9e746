// SPDX-License-Identifier: Apache-2.0
// Builds text in a caller's buffer. What does not fit is dropped and remembered: check
// `overflowed` once, at the end.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct writer {
    char *ptr; // borrows
    size_t cap;
    size_t len;
    bool overflowed;
};

static inline void writer_init(struct writer *w, void *ptr, size_t cap)
{
    *w = (struct writer){.ptr = ptr, .cap = cap};
}

static inline void writer_put(struct writer *w, struct str s)
{
    if (UNLIKELY(s.len > w->cap - w->len)) {
        w->overflowed = true;
        return;
    }
    if (s.len > 0)
        memcpy(w->ptr + w->len, s.ptr, s.len);
    w->len += s.len;
}

static inline void writer_byte(struct writer *w, char c)
{
    if (UNLIKELY(w->len == w->cap)) {
        w->overflowed = true;
        return;
    }
    w->ptr[w->len++] = c;
}

void writer_dec(struct writer *w, uint64_t value);
void writer_hex(struct writer *w, uint64_t value);
// At most 1023 bytes at a time; more counts as overflow. Not for the data path.
void writer_printf(struct writer *w, const char *fmt, ...) PRINTF(2, 3);

static inline struct str writer_str(const struct writer *w)
{
    return (struct str){w->ptr, w->len};
}
