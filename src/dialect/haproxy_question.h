// SPDX-License-Identifier: Apache-2.0
// One question of a condition as it is written, and its values as expressions.
#pragma once

#include "dialect/haproxy_cond.h"

enum haproxy_source {
    HAPROXY_SOURCE_NONE,
    HAPROXY_SOURCE_TRUE,
    HAPROXY_SOURCE_FALSE,
    HAPROXY_SOURCE_PATH,
    HAPROXY_SOURCE_HEADER, // each value of a list
    HAPROXY_SOURCE_FIELD,  // a whole line
    HAPROXY_SOURCE_HEADER_COUNT,
    HAPROXY_SOURCE_COOKIE,
    HAPROXY_SOURCE_PARAM,
    HAPROXY_SOURCE_METHOD,
    HAPROXY_SOURCE_CLIENT,
    HAPROXY_SOURCE_HAS_TLS,
    HAPROXY_SOURCE_PORT,
    HAPROXY_SOURCE_NAME, // SNI
    HAPROXY_SOURCE_TCP,  // true while a connection is looked into
    HAPROXY_SOURCE_HTTP,
    HAPROXY_SOURCE_USER,
    HAPROXY_SOURCE_GROUP,
    HAPROXY_SOURCE_RATE,
};

enum haproxy_match {
    HAPROXY_MATCH_STR,
    HAPROXY_MATCH_BEG,
    HAPROXY_MATCH_END,
    HAPROXY_MATCH_SUB,
    HAPROXY_MATCH_DIR,
    HAPROXY_MATCH_DOM,
    HAPROXY_MATCH_REG,
    HAPROXY_MATCH_FOUND,
    HAPROXY_MATCH_OTHER, // bool, int, ip: as the source has it
    HAPROXY_MATCH_NONE,  // there is no such thing here
};

struct haproxy_question {
    struct haproxy_asked *asked;
    struct draft *d;
    enum haproxy_source source;
    enum haproxy_rate_kind rate;
    unsigned counter;
    struct str arg; // in parentheses
    enum haproxy_match match;
    bool ignore_case;
    struct str *values;
    size_t n, cap;
};

// How an element of what is looked at begins and ends: "^" and "$", but for lists.
struct haproxy_bounds {
    const char *begin, *end, *any; // any: what may stand inside an element
};

// The fetch with its converters, flags and values. Why it can't be asked; empty: it can.
struct str haproxy_question_read(struct haproxy_question *q, const struct str *words, unsigned n);

// --- haproxy_pattern.c ---

// What is no part of an expression's language stays, the rest is escaped; '{' by its number, since
// rules take "{name:" for a mistake.
void haproxy_put_literal(struct str s, struct text *to);

// All values as one expression, behind what is before them.
struct str haproxy_pattern(const struct haproxy_question *q, struct str before,
                           struct haproxy_bounds b);

// Name(`a`, `b`) of all values; Name(`key`, `value`), without a key Name(`value`).
struct str haproxy_call(const struct haproxy_question *q, const char *name);
struct str haproxy_call_with(const struct haproxy_question *q, const char *name, struct str key,
                             struct str value);
