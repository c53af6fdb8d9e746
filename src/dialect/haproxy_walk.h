// SPDX-License-Identifier: Apache-2.0
// The walk along the rules of a proxy.
#pragma once

#include "dialect/haproxy_rules.h"

struct haproxy_rule_step {
    struct haproxy_line *line;
    bool is_action; // http-request: "allow" goes on behind them
};

struct haproxy_steps {
    struct haproxy_rule_step *items;
    size_t n, cap;
};

static inline bool haproxy_is_word(const struct haproxy_line *l, unsigned i, const char *word)
{
    return str_eq(haproxy_word(l, i), str_of(word));
}

// From the i-th rule on to where requests go (haproxy_routes.c).
void haproxy_walk(struct haproxy_run *r, const struct haproxy_steps *steps, size_t i,
                  struct haproxy_state s);

// --- haproxy_state.c ---

// The lines that a condition was made of lead to what follows.
void haproxy_state_remember(struct haproxy_state *s, const struct haproxy_asked *a);

// Where a condition's unknown part is, and what becomes of it.
void haproxy_note_unknown(struct haproxy_run *r, struct haproxy_line *l,
                          const struct haproxy_expr *e, enum draft_fate fate, const char *what);

// Puts a route unless no request can come so far. True: none gets past it.
bool haproxy_put_answer(struct haproxy_run *r, const struct haproxy_state *s,
                        const struct haproxy_expr *cond, struct haproxy_line *l, struct str filter);

// --- haproxy_refuse.c ---

// "status" or "deny_status" of a line.
unsigned haproxy_status(const struct haproxy_line *l, unsigned otherwise);

// deny, reject, tarpit, auth. True: nobody gets past it.
bool haproxy_refuse(struct haproxy_run *r, const struct haproxy_steps *steps, size_t i,
                    struct haproxy_state *s);
