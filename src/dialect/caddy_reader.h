// SPDX-License-Identifier: Apache-2.0
// What reading a Caddyfile's words and putting imports into their places share.
#pragma once

#include "dialect/caddy_words.h"

#define CADDY_WORDS_MAX 512 // of a line

struct caddy_reader {
    const struct dialect_input *in;
    struct draft *d;
    struct diags *diags;
    struct caddy_line **snippets; // of all files
    size_t n_snippets, cap_snippets;
    size_t n_lines;
    struct caddy_word words[CADDY_WORDS_MAX]; // of the line that is read
    size_t n_words;
};

// Says why, unless an error was told before. Returns false.
bool caddy_read_fail(struct caddy_reader *r, struct place place, const char *why);

// A line at the end of a block; parent may be NULL. NULL: there are too many.
struct caddy_line *caddy_add_line(struct caddy_reader *r, struct caddy_line *parent,
                                  struct place place, const struct caddy_word *words,
                                  size_t n_words);

// A file's lines as they stand, under one without words. NULL: it is none of Caddy's, or there are
// too many.
struct caddy_line *caddy_read_text(struct caddy_reader *r, struct str name, struct str text);
