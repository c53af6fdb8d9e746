// SPDX-License-Identifier: Apache-2.0
// What `sallyport import` can read: a table of foreign configurations and how each becomes settings
// of ours. Text in, draft out; only files that the text names are read, by the caller's functions.
#pragma once

#include "dialect/draft.h"

#define DIALECT_FILE_MAX_BYTES ((size_t)4 << 20) // of a configuration, and of each file it names

struct dialect_input {
    struct str path; // of the file, for messages
    struct str text;
    const struct conf_resolver *files; // read_file, read_env
    // The files that a pattern with '*' fits, by their names, in mem; none is fine. False: too
    // many. NULL: only files with names can be asked for.
    bool (*find_files)(void *arg, struct str pattern, struct arena *mem, struct str **ret,
                       size_t *ret_n);
};

struct dialect {
    const char *name;  // "haproxy"
    const char *title; // "HAProxy"
    // Fills the draft. False, with an error in diags: the text is none of this language.
    bool (*convert)(const struct dialect_input *in, struct draft *d, struct diags *diags);
};

// NULL-terminated.
extern const struct dialect *const dialects[];

// Converts, and checks what no dialect should have to: UTF-8, no NUL, size, a full draft.
bool dialect_convert(const struct dialect *dialect, const struct dialect_input *in, struct draft *d,
                     struct diags *diags) MUST_CHECK;

extern const struct dialect dialect_caddy;
extern const struct dialect dialect_haproxy;
extern const struct dialect dialect_nginx;
