// SPDX-License-Identifier: Apache-2.0
// Regular expressions of rules and filters: PCRE2 with its JIT, bounded so that no expression and
// no input can make a match run long. Compiled ones are immutable and shared; what a match needs is
// cached per thread, so matching allocates nothing and uses little of a fiber's stack.
#pragma once

#include "base/arena.h"
#include "base/str.h"

struct regex;

enum regex_result {
    REGEX_NO,
    REGEX_YES,
    REGEX_BROKEN, // gave up: the text is over 16 KiB, or a limit of steps or memory was reached
};

#define REGEX_WHY_BYTES 160

#define REGEX_IGNORE_CASE 1u
#define REGEX_WHOLE 2u // the expression is to fit the whole text, not to be found in it

#define REGEX_GROUPS_MAX 10 // the match itself, and \1 to \9

// The struct lives in mem, the code on the heap: regex_fini. NULL: *ret_at is the offset inside of
// pattern, why says what is wrong (ret_at SIZE_MAX: the arena is full).
struct regex *regex_compile(struct str pattern, unsigned flags, struct arena *mem, size_t *ret_at,
                            char why[static REGEX_WHY_BYTES]);
// Accepts NULL.
void regex_fini(struct regex *re);

// A search: unanchored unless the expression says ^ or $ (which mean the ends of the text).
enum regex_result regex_match(const struct regex *re, struct str subject);

// The first match at or behind `from`, which is at most subject.len. The groups borrow from
// subject; ptr is NULL of those that took no part.
enum regex_result regex_find(const struct regex *re, struct str subject, size_t from,
                             struct str ret_groups[static REGEX_GROUPS_MAX]);

// The number of a group by its number or name: "1", "user"; -1: there is none, or it is beyond 9.
int regex_group(const struct regex *re, struct str name);
