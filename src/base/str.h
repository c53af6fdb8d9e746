// SPDX-License-Identifier: Apache-2.0
// Borrowed slices of bytes. Passed by value; they own nothing and end without a NUL.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/attr.h"

struct str {
    const char *ptr; // NULL only when len == 0
    size_t len;
};

#define STR_INIT(lit)                                                                              \
    {                                                                                              \
        "" lit "", sizeof(lit) - 1                                                                 \
    }
#define STR(lit) ((struct str)STR_INIT(lit))
#define STR_NONE ((struct str){NULL, 0})
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).len, (s).len > 0 ? (s).ptr : ""

static inline struct str str_of(const char *cstr)
{
    return (struct str){cstr, cstr ? strlen(cstr) : 0};
}

static inline struct str str_from(const char *ptr, size_t len)
{
    return (struct str){ptr, len};
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

// ASCII case is ignored.
bool str_ieq(struct str a, struct str b);

// memcmp order, the shorter first.
int str_cmp(struct str a, struct str b);

static inline bool str_starts(struct str s, struct str prefix)
{
    return s.len >= prefix.len && (prefix.len == 0 || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool str_ends(struct str s, struct str suffix)
{
    return s.len >= suffix.len &&
           (suffix.len == 0 || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

bool str_istarts(struct str s, struct str prefix);

// The first n bytes, or all.
static inline struct str str_first(struct str s, size_t n)
{
    return (struct str){s.ptr, MIN(n, s.len)};
}

// All but the first n bytes.
static inline struct str str_skip(struct str s, size_t n)
{
    n = MIN(n, s.len);
    return (struct str){s.len > 0 ? s.ptr + n : s.ptr, s.len - n};
}

#define STR_NPOS SIZE_MAX
// The index of the first c, or STR_NPOS.
static inline size_t str_find(struct str s, char c)
{
    const char *hit = s.len > 0 ? memchr(s.ptr, c, s.len) : NULL;
    return hit ? (size_t)(hit - s.ptr) : STR_NPOS;
}

// The index of the last c, or STR_NPOS.
static inline size_t str_rfind(struct str s, char c)
{
    const char *hit = s.len > 0 ? memrchr(s.ptr, c, s.len) : NULL;
    return hit ? (size_t)(hit - s.ptr) : STR_NPOS;
}

// The index of the first needle, or STR_NPOS.
static inline size_t str_search(struct str s, struct str needle)
{
    if (needle.len == 0)
        return 0;
    const char *hit = s.len > 0 ? memmem(s.ptr, s.len, needle.ptr, needle.len) : NULL;
    return hit ? (size_t)(hit - s.ptr) : STR_NPOS;
}

// Copies s to `at` and returns what is behind the copy. Short ones without a call: in two halves
// that may overlap.
static inline char *str_copy(char *at, struct str s)
{
    if (s.len > 16) {
        memcpy(at, s.ptr, s.len);
    } else if (s.len >= 8) {
        memcpy(at, s.ptr, 8);
        memcpy(at + s.len - 8, s.ptr + s.len - 8, 8);
    } else if (s.len >= 4) {
        memcpy(at, s.ptr, 4);
        memcpy(at + s.len - 4, s.ptr + s.len - 4, 4);
    } else {
        for (size_t i = 0; i < s.len; i++)
            at[i] = s.ptr[i];
    }
    return at + s.len;
}

// Splits at the first sep: true, head before it and tail after. Without one: false, head is all
// of s, tail is empty. ret_head and ret_tail may be NULL.
bool str_cut(struct str s, char sep, struct str *ret_head, struct str *ret_tail);

// Without spaces and tabs (RFC 9110 5.6.3 OWS) at both ends.
struct str str_trim(struct str s);

// Takes the next element of a list separated by sep off *rest, trimmed; false at the end.
// Empty elements are skipped (RFC 9110 5.6.1.2).
bool str_next_item(struct str *rest, char sep, struct str *ret_item);

// Takes the next word off *rest: what stands between spaces, tabs and carriage returns. Empty at
// the end.
struct str str_next_word(struct str *rest);
