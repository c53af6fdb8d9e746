// SPDX-License-Identifier: Apache-2.0
// The methods of balancing. One is a function that chooses among those servers of a roster that an
// exchange may go to; who may be chosen at all is decided here, once for all methods.
#pragma once

#include "upstream/conn.h"
#include "upstream/roster.h"

// What one exchange asks of a balancing.
struct pick {
    const struct service *service;   // borrows
    struct upstream_worker *worker;  // borrows
    const struct exchange *exchange; // borrows
    uint32_t tried[SERVICE_TRIES_MAX];
    uint32_t n_tried; // keys of entries that aren't to be chosen again
    struct str shown; // the sticky cookie of the client; empty: none
    // Of the choice that is being made:
    int64_t now_ms;
    unsigned tier;
    bool takes_full; // also those where it would have to wait
    bool is_panic;   // health doesn't count: so few are well that all are used
};

// One of those that pick_fits, or NULL.
typedef struct roster_entry *balance_fn(struct roster *r, const struct pick *p);

struct balance_method {
    balance_fn *choose;
    bool counts;   // needs to know how many exchanges each server has
    bool measures; // needs to know how long answers take
};
// By enum service_balance.
extern const struct balance_method balance_methods[];

// The next server for an exchange, with what the method, its state and what was tried say: usable
// ones before those that are skipped, primaries before backups, those with room before full ones.
// NULL: all that are well were tried, or none is. The roster has entries.
struct roster_entry *pick_next(struct pick *p, struct roster *r);

// Whether there is one that works, as far as is known, and wasn't tried.
bool pick_has_next(struct pick *p, const struct roster *r);

// How many servers there are that aren't drained; *ret_n_well: those of them that are well.
size_t pick_count(const struct pick *p, const struct roster *r, size_t *ret_n_well);

// The places that would do as well as that at e, which has none: at most max of them.
size_t pick_seats(const struct pick *p, const struct roster *r, const struct roster_entry *e,
                  struct room_seat *ret, size_t max);

// Whether e, for which it has waited, may still be gone to: it isn't down or drained by now.
bool pick_is_still_well(struct pick *p, const struct roster *r, const struct roster_entry *e);

// Servers would do, and none of them has room.
bool pick_must_wait(struct pick *p, const struct roster *r);

// Workers don't all begin with the same server.
void balance_turn_to_start(struct roster *r, struct upstream_worker *w, const struct service *s);

// --- for methods ---

#define BALANCE_WEIGHT_ONE 256 // a weight of 1, so that there are parts of it

static inline bool pick_was_tried(const struct pick *p, const struct roster_entry *e)
{
    for (uint32_t i = 0; i < p->n_tried; i++)
        if (p->tried[i] == e->key)
            return true;
    return false;
}

// The place that it would need, all of its kind counted; max is 0: it needs none.
static inline struct room_seat pick_seat(const struct pick *p, const struct roster_entry *e)
{
    uint32_t max = p->service->has_limits ? p->service->servers[roster_server(e)].active_max : 0;
    return (struct room_seat){.slot = e->slot, .max = max};
}

static inline bool pick_has_room(const struct pick *p, const struct roster_entry *e)
{
    const struct room_seat seat = pick_seat(p, e);
    return !target_is_full(e->target, p->service->conf->conns_max) &&
           (LIKELY(seat.max == 0) || room_has_place(&seat));
}

static inline bool pick_is_well(const struct pick *p, const struct roster_entry *e)
{
    return p->is_panic ? !health_is_drained(e->health)
                       : LIKELY(health_is_well(e->health, p->now_ms));
}

static inline bool pick_fits(const struct pick *p, const struct roster_entry *e)
{
    return e->tier == p->tier && e->weight > 0 && server_is_usable(e->slot, p->now_ms) &&
           pick_is_well(p, e) && !pick_was_tried(p, e) && (p->takes_full || pick_has_room(p, e));
}

// The weight that counts now: > 0, in parts of BALANCE_WEIGHT_ONE; less during a slow start.
static inline uint32_t pick_weight(const struct pick *p, const struct roster_entry *e)
{
    uint32_t full = e->weight * BALANCE_WEIGHT_ONE;
    int64_t slow_ms = p->service->conf->slow_start_ms;
    if (LIKELY(slow_ms == 0))
        return full;
    int64_t since_ms = p->now_ms - atomic_load_explicit(&e->slot->risen_ms, memory_order_relaxed);
    if (since_ms >= slow_ms)
        return full;
    return (uint32_t)MAX((int64_t)full * MAX(since_ms, 0) / slow_ms, 1);
}

// Smooth weighted turns.
struct roster_entry *balance_in_turn(struct roster *r, const struct pick *p);
// Rendezvous hashing: balance_hash.c.
struct roster_entry *balance_hash(struct roster *r, const struct pick *p);
