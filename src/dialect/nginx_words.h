// SPDX-License-Identifier: Apache-2.0
// nginx's file as a tree of directives: words, quotes, escapes, comments, blocks and includes are
// done with here, as nginx's own reader does. What `nginx -T` prints is understood, too: there each
// file follows a line "# configuration file NAME:", and includes are looked for among them.
#pragma once

#include "dialect/dialect.h"

struct nginx_word {
    struct str text;
    bool is_quoted;
};

struct nginx_directive {
    struct place place;
    struct str missing;       // why what "include" names isn't there; empty: it is
    struct nginx_word *words; // at least one: its name
    size_t n_words;
    bool is_block;
    bool is_done;                         // it has become something, or a note
    bool is_noted;                        // a note says something of it
    struct nginx_directive *first, *last; // of a block
    struct nginx_directive *next, *parent;
    struct nginx_directive *kinds;     // of a block: the first of each name
    struct nginx_directive *next_kind; // of these: the first of another name
    struct nginx_directive *same;      // the next of this name in its block
    struct nginx_directive *last_same; // of the first of a name
    size_t index;                      // the order in which it was read
};

// The directives of the file and of what it includes, under a block without a name; in the draft's
// arena. NULL with an error: it isn't nginx's file.
struct nginx_directive *nginx_read(const struct dialect_input *in, struct draft *d,
                                   struct diags *diags);

// A word of a directive, the first argument being 1; empty behind the end.
static inline struct str nginx_word(const struct nginx_directive *d, size_t i)
{
    return i < d->n_words ? d->words[i].text : STR("");
}
