// SPDX-License-Identifier: Apache-2.0
// Rules of a proxy, in the order in which HAProxy asks them, as routes. What was decided so far on
// the way to a route is its state: the condition under which it is reached, and the filters that
// act there.
#pragma once

#include "dialect/haproxy_priv.h"

#define HAPROXY_FORKS_MAX 64 // of one frontend and bind

// One filter that a route uses.
struct haproxy_use {
    const struct haproxy_use *before;
    struct str name;
    bool is_guard; // keeps requests away: before answers of our own, too
};

// One change of a header field that isn't in a filter yet.
struct haproxy_change {
    const struct haproxy_change *before;
    bool is_response;
    char how; // 's'et, 'a'dd, 'd'elete
    struct str name, value;
    struct place place;
};

// By value: a branch has its own.
struct haproxy_state {
    const struct haproxy_expr *cond;
    const struct haproxy_use *uses;       // the last one
    const struct haproxy_change *changes; // the last one
    unsigned changed;                     // HAPROXY_CHANGED_…
    const struct haproxy_names *fields;   // changed, too
    struct str host;                      // what servers get as Host; empty: the client's
    struct place host_place;
    struct place also[12]; // lines that lead here
    unsigned n_also;
};

// A frontend, seen from those of its binds for which conditions have the same answers.
struct haproxy_run {
    struct haproxy *h;
    struct haproxy_proxy *front;
    struct haproxy_proxy *proxy; // whose rules these are: the frontend, or the backend behind it
    const struct haproxy_bind *bind;
    bool used_bind;
    bool in_backend;
    const struct haproxy_expr *seen; // what the last route asked, for the obvious end
    unsigned n_forks;
};

// What a rule did.
enum haproxy_step {
    HAPROXY_STEP_NEXT,  // it is in the state, or was noted
    HAPROXY_STEP_END,   // it answers
    HAPROXY_STEP_ALLOW, // the rest of the request's rules isn't asked
};

struct haproxy_asked haproxy_asking(struct haproxy_run *r, const struct haproxy_state *s,
                                    bool is_answer);

void haproxy_state_use(struct haproxy_run *r, struct haproxy_state *s, struct str filter,
                       bool is_guard);
// Changes that wait become a filter.
void haproxy_state_flush(struct haproxy_run *r, struct haproxy_state *s);

// A route under the state's condition with its filters; answer: a filter that answers, or empty;
// service: or empty.
void haproxy_put_route(struct haproxy_run *r, const struct haproxy_state *s, struct haproxy_line *l,
                       struct str answer, struct str service);

// --- where requests go (haproxy_serve.c) ---

// The backend's service, whose servers get the Host of this state.
struct str haproxy_service(struct haproxy_run *r, const struct haproxy_state *s);

// The page of statistics: a route to the API behind the same password. True: nobody gets past it.
bool haproxy_stats(struct haproxy_run *r, const struct haproxy_state *s, struct haproxy_line *l);

// --- what rules do (haproxy_actions.c, haproxy_answers.c, haproxy_guards.c) ---

// A filter that refuses with this status.
struct str haproxy_refusal(struct haproxy *h, unsigned status, struct haproxy_line *l);

// The filter of a redirect: words from `at` on. Empty: there is none that does the same; noted.
struct str haproxy_redirect(struct haproxy_run *r, struct haproxy_line *l, unsigned at);

// The filter of "return" or "deny": what it answers.
struct str haproxy_answer(struct haproxy_run *r, struct haproxy_line *l, unsigned at,
                          unsigned status);

// An action that changes the request or the answer. False: it isn't known.
bool haproxy_change(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                    bool is_response);

// One of these, for the path (haproxy_paths.c).
bool haproxy_change_path(struct haproxy_run *r, struct haproxy_state *s, struct haproxy_line *l,
                         bool is_response);

// For whom a replace-header does something, beside its condition.
const struct haproxy_expr *haproxy_replaces(struct haproxy_asked *asked, struct haproxy_line *l);

// "auth", or "deny" for want of a password, as a filter that asks for it.
struct str haproxy_password(struct haproxy_run *r, struct haproxy_line *l,
                            const struct haproxy_expr *auth);

// A limit as a filter.
struct str haproxy_limit(struct haproxy_run *r, struct haproxy_line *l,
                         const struct haproxy_expr *rate, unsigned status);

// Filters that a proxy has for all that it serves: pages for errors, compression (haproxy_pages.c).
void haproxy_proxy_filters(struct haproxy_run *r, struct haproxy_state *s);

// A text with %[…]: what it is, when that is the same for all requests.
bool haproxy_constant(struct haproxy_run *r, struct str format, struct str *ret);
