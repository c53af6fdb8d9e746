// SPDX-License-Identifier: Apache-2.0
// Templates with the groups of an expression: "/new/$1", "${name}", "$$" for a dollar (as Go's).
#pragma once

#include "filter/common.h"

struct substitute_part {
    struct str text; // of a text
    int group;       // -1: a text
};

#define SUBSTITUTE_PARTS_MAX 32
#define SUBSTITUTE_MAX_BYTES ((size_t)16 * 1024) // of what is made

struct substitute {
    struct substitute_part parts[SUBSTITUTE_PARTS_MAX];
    size_t n_parts;
};

// Takes what a '$' begins off *rest: *ret_group, or -1 and *ret_text ("$"). False: there is no such
// group.
bool substitute_take(struct str *rest, const struct regex *re, int *ret_group,
                     struct str *ret_text);

// Parses a template for re. An error tells which groups there may be.
enum err substitute_parse(const struct conf_text *template, const struct regex *re,
                          const struct filter_env *env, struct substitute *ret) MUST_CHECK;

enum substitute_end {
    SUBSTITUTE_DONE,
    SUBSTITUTE_NONE,    // the expression isn't found
    SUBSTITUTE_BROKEN,  // the expression gave up, or the result would be too long
    SUBSTITUTE_NO_ROOM, // mem is full
};

// The subject with each match replaced, in one pass; an empty match right behind another is none.
// escapes: in a query, what comes from the subject keeps from being more than one value ("&=+;" are
// escaped); the query is what follows the template's '?'.
enum substitute_end substitute_all(const struct substitute *s, const struct regex *re,
                                   struct str subject, bool escapes, struct arena *mem,
                                   struct str *ret);
