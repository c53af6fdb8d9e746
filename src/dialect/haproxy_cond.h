// SPDX-License-Identifier: Apache-2.0
// Conditions of HAProxy's lines ("if is_app !{ src 10.0.0.0/8 } or is_admin") as expressions.
#pragma once

#include "dialect/haproxy_expr.h"
#include "dialect/haproxy_words.h"

#define HAPROXY_TERMS_MAX 64
#define HAPROXY_ACL_LINES_MAX 256 // of one name

// What was changed before the condition is asked: it would see the new value, and rules see the old
// one.
enum haproxy_changed {
    HAPROXY_CHANGED_PATH = 1,
    HAPROXY_CHANGED_QUERY = 2,
    HAPROXY_CHANGED_HOST = 4,
    HAPROXY_CHANGED_METHOD = 8,
};

// Names of other fields that were changed: a list.
struct haproxy_names {
    const struct haproxy_names *before;
    struct str name;
};

// What a condition is asked of.
struct haproxy_asked {
    struct draft *d;
    const struct conf_resolver *files;
    struct haproxy_section *proxy; // whose acl lines count
    bool is_tcp;
    bool is_answer; // the condition of a http-response rule: the request can't be asked any more
    bool has_tls;   // of the binds in question
    unsigned port;
    unsigned changed;                   // HAPROXY_CHANGED_…
    const struct haproxy_names *fields; // changed, too
    bool used_bind;                     // out: has_tls or port were asked
    struct place also[8];               // out: the acl lines that were asked
    unsigned n_also;
};

// A condition is true when all parts of one of its terms are.
struct haproxy_cond {
    struct {
        const struct haproxy_expr **parts;
        size_t n;
    } terms[HAPROXY_TERMS_MAX];
    size_t n;
};

// The words of a line from `if` or `unless` on; none: TRUE. "unless" gives one term with one part.
void haproxy_cond_read(struct haproxy_asked *asked, const struct haproxy_line *l, unsigned from,
                       struct haproxy_cond *ret);
const struct haproxy_expr *haproxy_term(struct draft *d, const struct haproxy_cond *c, size_t i);
const struct haproxy_expr *haproxy_cond_expr(struct draft *d, const struct haproxy_cond *c);

// Both of the above.
const struct haproxy_expr *haproxy_cond(struct haproxy_asked *asked, const struct haproxy_line *l,
                                        unsigned from);

// The index of `if` or `unless`, or l->n.
unsigned haproxy_find_if(const struct haproxy_line *l, unsigned from);

// --- one question: fetch, flags, values (haproxy_fetch.c) ---

const struct haproxy_expr *haproxy_ask(struct haproxy_asked *asked, const struct str *words,
                                       unsigned n);

// A text as a value in a rule, quoted.
struct str haproxy_quote(struct draft *d, struct str text);

// A time such as 5s or 500 (milliseconds). False: it is none.
bool haproxy_time(struct str s, uint64_t *ret_us);
