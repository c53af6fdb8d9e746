// SPDX-License-Identifier: Apache-2.0
// What reading nginx's file and finding the files that it includes share.
#pragma once

#include "dialect/nginx_words.h"

#define NGINX_WORDS_MAX 1024 // of a directive: a line of server names is long

// A file in a dump of `nginx -T`.
struct nginx_dumped {
    struct str name, text;
    unsigned line; // of its first
};

struct nginx_reader {
    const struct dialect_input *in;
    struct draft *d;
    struct diags *diags;
    struct nginx_dumped *dumped; // the first is the main one
    size_t n_dumped;
    size_t n_directives;
    unsigned n_includes; // open ones
    struct nginx_word words[NGINX_WORDS_MAX];
};

// Text that is being read.
struct nginx_cursor {
    const char *at, *end, *line_start;
    struct place place; // of the line
};

struct nginx_cursor nginx_cursor(const struct nginx_dumped *file, struct place place);

// An error with its place; false.
bool nginx_fail(struct nginx_reader *r, struct place place, const char *what);

// The directives of a whole file, behind those that the parent has.
bool nginx_read_file(struct nginx_reader *r, struct nginx_cursor *c, struct nginx_directive *parent,
                     unsigned depth);

// --- nginx_include.c ---

// What is included stands where the directive stands. False: an error.
bool nginx_include(struct nginx_reader *r, struct nginx_directive *d, unsigned depth);

// The files of a dump. What stands before the first is nginx's own talk.
void nginx_find_dumped(struct nginx_reader *r, struct str text);
