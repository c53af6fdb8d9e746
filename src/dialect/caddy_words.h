// SPDX-License-Identifier: Apache-2.0
// A Caddyfile as a tree of lines: words, quotes, heredocs, comments, blocks, variables of the
// environment, snippets and imports are done with here, as Caddy's own reader does.
#pragma once

#include "dialect/dialect.h"

struct caddy_word {
    struct str text;
    bool is_quoted;
};

struct caddy_line {
    struct place place;
    struct caddy_word *words; // none: the global options
    size_t n_words;
    bool is_block;
    struct caddy_line *first, *last; // of a block
    struct caddy_line *next, *parent;
    // What routes keep with a line: the filter and the service that came of it.
    struct str filter, service;
    bool is_refused; // it can't be had
};

// The blocks of the file under a line without words, with all imports in their places; in the
// draft's arena. NULL with an error: it isn't Caddy's file.
struct caddy_line *caddy_read(const struct dialect_input *in, struct draft *d, struct diags *diags);

// A word of a line; empty behind the end.
static inline struct str caddy_word(const struct caddy_line *l, size_t i)
{
    return i < l->n_words ? l->words[i].text : STR_NONE;
}

static inline bool caddy_is(const struct caddy_line *l, const char *name)
{
    return str_eq(caddy_word(l, 0), str_of(name));
}
