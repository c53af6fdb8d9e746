// SPDX-License-Identifier: Apache-2.0
// HAProxy's file as sections of lines of words: quotes, escapes, variables and comments are done
// with here, as its own parser does (configuration manual, 2.2 to 2.4).
#pragma once

#include "dialect/dialect.h"

#define HAPROXY_WORDS_MAX 64 // on one line, as in HAProxy (MAX_LINE_ARGS)

#define HAPROXY_SECTION_LIST(X)                                                                    \
    X(GLOBAL, "global")                                                                            \
    X(DEFAULTS, "defaults")                                                                        \
    X(FRONTEND, "frontend")                                                                        \
    X(BACKEND, "backend")                                                                          \
    X(LISTEN, "listen")                                                                            \
    X(USERLIST, "userlist")                                                                        \
    X(RESOLVERS, "resolvers")                                                                      \
    X(PEERS, "peers")                                                                              \
    X(MAILERS, "mailers")                                                                          \
    X(CACHE, "cache")                                                                              \
    X(PROGRAM, "program")                                                                          \
    X(RING, "ring")                                                                                \
    X(HTTP_ERRORS, "http-errors")                                                                  \
    X(FCGI_APP, "fcgi-app")

enum haproxy_section_kind {
#define X(id, name) HAPROXY_##id,
    HAPROXY_SECTION_LIST(X)
#undef X
};

struct haproxy_line {
    struct place place;
    struct str *words; // at least one
    unsigned n;
    bool is_done; // it has become something, or a note
};

struct haproxy_section {
    enum haproxy_section_kind kind;
    struct str name; // empty: none
    struct place place;
    struct haproxy_line *lines;
    size_t n, cap;
    struct haproxy_section *defaults; // of a proxy, or of other defaults: what it is based on
};

struct haproxy_file {
    struct haproxy_section *sections;
    size_t n, cap;
};

// All in the draft's arena. False with an error: it isn't HAProxy's file, or it has what only
// HAProxy can decide (.if).
bool haproxy_read(const struct dialect_input *in, struct draft *d, struct diags *diags,
                  struct haproxy_file *ret);

// A word of a line; empty behind its end.
static inline struct str haproxy_word(const struct haproxy_line *l, unsigned i)
{
    return i < l->n ? l->words[i] : STR("");
}
