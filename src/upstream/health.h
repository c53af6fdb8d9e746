// SPDX-License-Identifier: Apache-2.0
// How the servers of a service are, as far as checks and orders of people know: for each server of
// each service a state that outlives snapshots (registry.h), with a slot for each of its addresses.
// What requests need of it is atomic; the rest is the aux thread's, where checks are made
// (checker.h), settings are built and the status is told.
#pragma once

#include <stdatomic.h>

#include "base/arena.h"
#include "http/regex.h"
#include "tls/client.h"
#include "upstream/eject.h"
#include "upstream/health_conf.h"
#include "upstream/server_url.h"

#define HEALTH_LIST(X)                                                                             \
    X(UNKNOWN, "unchecked")                                                                        \
    X(UP, "up")                                                                                    \
    X(DOWN, "down")

enum health {
#define X(id, name) HEALTH_##id,
    HEALTH_LIST(X)
#undef X
};
const char *health_name(enum health h);

// What checks have found, one after the other.
struct health_record {
    enum health health;
    uint32_t n_against; // in a row, that speak for the other state
};

// Takes the result of a check. Returns whether the state is another one now.
bool health_take(struct health_record *r, bool is_good, uint32_t rise, uint32_t fall);

#define HEALTH_WHY_BYTES 120

// One address of a server.
struct health_slot {
    _Atomic bool is_down;    // checks say so: it gets no requests
    _Atomic bool is_drained; // somebody wants so
    struct eject eject;      // requests say so
    // The aux thread's.
    struct health_record record;
    bool is_first_awaited;      // it counts as down until the first check
    int64_t since_ms;           // monotonic: of this state; 0: nothing is known
    char why[HEALTH_WHY_BYTES]; // of the last bad check; empty: there was none
};

// As of an address that is new; whether it is drained stays.
void health_slot_reset(struct health_slot *s, bool is_first_awaited);

static inline bool health_is_drained(const struct health_slot *s)
{
    return atomic_load_explicit(&s->is_drained, memory_order_relaxed);
}

// It may get requests, as far as is known here.
static inline bool health_is_well(const struct health_slot *s, int64_t now_ms)
{
    return !atomic_load_explicit(&s->is_down, memory_order_relaxed) && !health_is_drained(s) &&
           !eject_is_out(&s->eject, now_ms);
}

// How one server is to be checked. Immutable, counted; it outlives the snapshot that it was built
// from.
struct health_plan {
    _Atomic uint32_t n_refs;
    struct arena mem;
    struct health_conf conf; // texts in mem, without places
    enum health_kind kind;   // not AUTO
    enum server_http http;   // AUTO: by ALPN
    struct str host;
    struct tls_client *tls;   // shares; NULL: in plain
    struct tls_peer peer;     // with tls
    struct regex *body_regex; // owns; NULL: none
};

// What a plan is made of; all borrowed.
struct health_plan_of {
    const struct health_conf *conf;
    const struct server_url *url;
    enum server_http http;
    struct tls_client *tls;
    struct str host;
};

// With one ref. What isn't possible is told to diags, and NULL returned.
struct health_plan *health_plan_new(const struct health_plan_of *of, struct diags *diags);
struct health_plan *health_plan_ref(struct health_plan *p);
// Accepts NULL. Any thread.
void health_plan_unref(struct health_plan *p);

bool health_plan_wants_status(const struct health_plan *p, unsigned status);
