// SPDX-License-Identifier: Apache-2.0
// Conditions as expressions over parts of our rules, in which a part may be unknown: something that
// rules can't ask. What is decided before a request comes (whether a bind speaks TLS) is folded
// away.
#pragma once

#include "dialect/draft.h"

enum haproxy_expr_kind {
    HAPROXY_FALSE,
    HAPROXY_TRUE,
    HAPROXY_UNKNOWN, // text: why
    HAPROXY_RULE,    // text: a part of a rule
    HAPROXY_NOT,
    HAPROXY_AND,
    HAPROXY_OR,
    HAPROXY_AUTH, // the password is right; only `auth` and `deny` can do something with it
    HAPROXY_RATE, // more than so much was counted: the same
};

enum haproxy_rate_kind {
    HAPROXY_RATE_REQUESTS,
    HAPROXY_RATE_CONNS,
    HAPROXY_RATE_CONNS_NOW,
    HAPROXY_RATE_ERRORS,
};

struct haproxy_expr {
    enum haproxy_expr_kind kind;
    struct str text;
    const struct haproxy_expr *a, *b; // NOT: a
    struct str list, group;           // AUTH: userlist; RATE: table (empty: the tracked one)
    enum haproxy_rate_kind rate;
    unsigned counter; // RATE: of sc0, sc1 …; UINT_MAX: src_…
    uint64_t max;     // RATE: true beyond it
};

extern const struct haproxy_expr haproxy_true, haproxy_false;

const struct haproxy_expr *haproxy_unknown(struct draft *d, struct str why);
const struct haproxy_expr *haproxy_rule(struct draft *d, struct str text);
const struct haproxy_expr *haproxy_not(struct draft *d, const struct haproxy_expr *e);
const struct haproxy_expr *haproxy_and(struct draft *d, const struct haproxy_expr *a,
                                       const struct haproxy_expr *b);
const struct haproxy_expr *haproxy_or(struct draft *d, const struct haproxy_expr *a,
                                      const struct haproxy_expr *b);

// The first part that no rule can ask, or NULL.
const struct haproxy_expr *haproxy_unknown_part(const struct haproxy_expr *e);

// What is true at least whenever e may be: unknown parts are taken for true, and under "not" for
// false. e itself when it has none.
const struct haproxy_expr *haproxy_at_most(struct draft *d, const struct haproxy_expr *e);

// Whether a is the contrary of b as it is written.
bool haproxy_is_contrary(const struct haproxy_expr *a, const struct haproxy_expr *b);

// As a rule, for requests or for connections. e has no unknown part, and isn't FALSE; TRUE is
// everything.
struct str haproxy_expr_text(struct draft *d, const struct haproxy_expr *e, bool is_tcp);
