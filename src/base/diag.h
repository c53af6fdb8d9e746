// SPDX-License-Identifier: Apache-2.0
// What to tell a person: a collector of messages, each with a place. Library code fills it and
// never logs. Not thread safe.
#pragma once

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

// A place in a source of settings. Zeroed: no place.
struct place {
    const char *source; // borrows: a file name, "command line" … ; lives as long as the diags
    unsigned line;      // from 1; 0: unknown
    unsigned column;    // from 1; 0: unknown
};

enum diag_severity {
    DIAG_ERROR,
    DIAG_WARNING,
};

struct diag {
    enum diag_severity severity;
    struct place place;
    char *text; // owns
};

struct diags {
    struct diag *items; // owns
    size_t n, cap;
    size_t n_errors;
    size_t n_dropped; // beyond DIAGS_MAX
};

#define DIAGS_MAX 1000

// Adds an error and returns err, so that a caller can return at once. d may be NULL. What was said
// of this place already is not said again: a filter is built once for each route that uses it.
enum err diag_fail(struct diags *d, enum err err, struct place place, const char *fmt, ...)
    PRINTF(4, 5);
void diag_warn(struct diags *d, struct place place, const char *fmt, ...) PRINTF(3, 4);

// "file.yaml:3:7: error: text" as one line without its end, into a buffer; cut when too long.
struct str diag_text(const struct diag *d, char *buf, size_t buf_bytes);

void diags_fini(struct diags *d);
