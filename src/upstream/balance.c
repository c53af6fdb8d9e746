// SPDX-License-Identifier: Apache-2.0
#include "upstream/balance.h"

#include "rt/clock.h"

// --- in turn ---

#define ANY_COST UINT64_MAX

// Smooth weighted turns: with weights 3, 1, 1 the order is a b a c a, never a burst for the heavy
// one. Among all that fit, or those of them that have this cost.
ALWAYS_INLINE struct roster_entry *turn(struct roster *r, const struct pick *p, uint64_t cost)
{
    struct roster_entry *best = NULL;
    int64_t total = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct roster_entry *e = &r->entries[i];
        if (cost == ANY_COST ? !pick_fits(p, e) : e->cost != cost)
            continue;
        uint32_t weight = pick_weight(p, e);
        e->current += weight;
        total += weight;
        if (!best || e->current > best->current)
            best = e;
    }
    if (best)
        best->current -= total;
    return best;
}

struct roster_entry *balance_in_turn(struct roster *r, const struct pick *p)
{
    return turn(r, p, ANY_COST);
}

// --- the cheapest ---

typedef uint64_t cost_fn(const struct roster_entry *e, const struct pick *p);

// Of several that are as cheap, in turn.
ALWAYS_INLINE struct roster_entry *cheapest(struct roster *r, const struct pick *p,
                                            cost_fn *cost_of)
{
    uint64_t least = ANY_COST;
    for (size_t i = 0; i < r->n; i++) {
        struct roster_entry *e = &r->entries[i];
        e->cost = pick_fits(p, e) ? cost_of(e, p) : ANY_COST;
        least = MIN(least, e->cost);
    }
    return least == ANY_COST ? NULL : turn(r, p, least);
}

// Per weight; an idle one is free, whatever its weight.
static uint64_t cost_in_exchanges(const struct roster_entry *e, const struct pick *p)
{
    return ((uint64_t)slot_n_active(e->slot) << 24) / pick_weight(p, e);
}

static uint64_t cost_in_time(const struct roster_entry *e, const struct pick *p)
{
    return slot_cost(e->slot, p->now_ms) * BALANCE_WEIGHT_ONE / pick_weight(p, e);
}

static struct roster_entry *choose_least_connections(struct roster *r, const struct pick *p)
{
    return cheapest(r, p, cost_in_exchanges);
}

static struct roster_entry *choose_least_time(struct roster *r, const struct pick *p)
{
    return cheapest(r, p, cost_in_time);
}

// --- by chance ---

// One that fits and isn't `but`, by weight; or NULL.
static struct roster_entry *draw(struct roster *r, const struct pick *p,
                                 const struct roster_entry *but)
{
    uint64_t total = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct roster_entry *e = &r->entries[i];
        e->cost = e != but && pick_fits(p, e) ? pick_weight(p, e) : 0;
        total += e->cost;
    }
    if (total == 0)
        return NULL;
    uint64_t at = upstream_worker_random(p->worker) % total;
    size_t i = 0;
    for (; at >= r->entries[i].cost; i++)
        at -= r->entries[i].cost;
    return &r->entries[i];
}

// The one of two with fewer exchanges: nearly as even as the least of all, and workers that decide
// at the same time don't all run to the same server.
static struct roster_entry *choose_random_two(struct roster *r, const struct pick *p)
{
    struct roster_entry *a = draw(r, p, NULL), *b = draw(r, p, a);
    return b && cost_in_exchanges(b, p) < cost_in_exchanges(a, p) ? b : a;
}

// --- the first that will do ---

static struct roster_entry *choose_first(struct roster *r, const struct pick *p)
{
    for (size_t i = 0; i < r->n; i++)
        if (pick_fits(p, &r->entries[i]))
            return &r->entries[i];
    return NULL;
}

const struct balance_method balance_methods[] = {
    [SERVICE_BALANCE_ROUND_ROBIN] = {.choose = balance_in_turn},
    [SERVICE_BALANCE_LEAST_CONNECTIONS] = {.choose = choose_least_connections, .counts = true},
    [SERVICE_BALANCE_LEAST_TIME] = {.choose = choose_least_time, .counts = true, .measures = true},
    [SERVICE_BALANCE_RANDOM_TWO] = {.choose = choose_random_two, .counts = true},
    [SERVICE_BALANCE_HASH] = {.choose = balance_hash, .counts = true},
    [SERVICE_BALANCE_SOURCE] = {.choose = balance_hash, .counts = true},
    [SERVICE_BALANCE_FIRST] = {.choose = choose_first},
};

// --- who may be chosen ---

void balance_turn_to_start(struct roster *r, struct upstream_worker *w, const struct service *s)
{
    struct pick p = {.service = s, .worker = w, .now_ms = clock_now_ms(), .takes_full = true};
    for (; p.tier < r->n_tiers; p.tier++)
        for (unsigned i = 0; i < w->index; i++)
            (void)balance_in_turn(r, &p);
}

// All are skipped: the one that failed the longest ago, primaries before backups.
COLD static struct roster_entry *least_recently_failed(const struct pick *p, struct roster *r)
{
    struct roster_entry *best = NULL;
    int64_t best_ms = 0;
    for (size_t i = 0; i < r->n; i++) {
        struct roster_entry *e = &r->entries[i];
        int64_t until_ms = atomic_load_explicit(&e->slot->skip_until_ms, memory_order_relaxed);
        if (e->weight == 0 || pick_was_tried(p, e) || !pick_is_well(p, e) ||
            (best && e->tier > best->tier))
            continue;
        if (!best || e->tier < best->tier || until_ms < best_ms) {
            best = e;
            best_ms = until_ms;
        }
    }
    return best;
}

// When a server's time of being skipped is over, one exchange finds out whether it is back, and
// the others go on skipping it meanwhile.
static bool may_try(const struct pick *p, struct server_slot *slot)
{
    int64_t until = atomic_load_explicit(&slot->skip_until_ms, memory_order_relaxed);
    return LIKELY(until == 0) ||
           atomic_compare_exchange_strong_explicit(&slot->skip_until_ms, &until,
                                                   p->now_ms + p->service->conf->connect_ms,
                                                   memory_order_relaxed, memory_order_relaxed);
}

static struct roster_entry *choose_among_usable(struct pick *p, struct roster *r)
{
    balance_fn *choose = balance_methods[p->service->conf->balance].choose;
    for (p->tier = 0; p->tier < r->n_tiers; p->tier++) {
        p->takes_full = false;
        struct roster_entry *e = choose(r, p);
        if (LIKELY(e != NULL))
            return e;
        p->takes_full = true;
        e = choose(r, p);
        if (e)
            return e;
    }
    return NULL;
}

// The one that the client had before, whatever its weight, tier and load.
static struct roster_entry *stuck_to(const struct pick *p, struct roster *r)
{
    for (size_t i = 0; i < r->n; i++) {
        struct roster_entry *e = &r->entries[i];
        if (sticky_is(p->shown, e->token))
            return server_is_usable(e->slot, p->now_ms) && pick_is_well(p, e) &&
                           !pick_was_tried(p, e)
                       ? e
                       : NULL;
    }
    return NULL;
}

size_t pick_count(const struct pick *p, const struct roster *r, size_t *ret_n_well)
{
    size_t n = 0, n_well = 0;
    for (size_t i = 0; i < r->n; i++) {
        const struct roster_entry *e = &r->entries[i];
        n += e->weight > 0 && !health_is_drained(e->health);
        n_well += e->weight > 0 && health_is_well(e->health, p->now_ms);
    }
    *ret_n_well = n_well;
    return n;
}

bool pick_has_next(struct pick *p, const struct roster *r)
{
    p->now_ms = clock_now_ms();
    for (size_t i = 0; i < r->n; i++) {
        const struct roster_entry *e = &r->entries[i];
        if (e->weight > 0 && !pick_was_tried(p, e) && pick_is_well(p, e) &&
            server_is_usable(e->slot, p->now_ms))
            return true;
    }
    return false;
}

// So few of those that aren't drained are well that what says so is hardly right, or none is left.
static bool must_panic(const struct pick *p, const struct roster *r)
{
    const struct service_conf *conf = p->service->conf;
    size_t n_well;
    if (LIKELY(!conf->health.is_on && !conf->eject.is_on))
        return false;
    size_t n = pick_count(p, r, &n_well);
    return n_well * 100 < n * conf->panic_percent;
}

struct roster_entry *pick_next(struct pick *p, struct roster *r)
{
    p->now_ms = clock_now_ms();
    p->is_panic = must_panic(p, r);
    for (;;) {
        struct roster_entry *e = p->shown.len > 0 && r->cookie_version > 0 ? stuck_to(p, r) : NULL;
        if (!e)
            e = choose_among_usable(p, r);
        if (!e)
            return least_recently_failed(p, r);
        if (may_try(p, e->slot))
            return e;
    }
}

size_t pick_seats(const struct pick *p, const struct roster *r, const struct roster_entry *e,
                  struct room_seat *ret, size_t max)
{
    size_t n = 0;
    ret[n++] = pick_seat(p, e);
    if (p->shown.len > 0 && sticky_is(p->shown, e->token)) // no other is its server
        return n;
    for (size_t i = 0; i < r->n && n < max; i++) {
        const struct roster_entry *other = &r->entries[i];
        const struct room_seat seat = pick_seat(p, other);
        if (other != e && other->tier == e->tier && other->weight > 0 && seat.max > 0 &&
            server_is_usable(other->slot, p->now_ms) && pick_is_well(p, other) &&
            !pick_was_tried(p, other))
            ret[n++] = seat;
    }
    return n;
}

bool pick_is_still_well(struct pick *p, const struct roster *r, const struct roster_entry *e)
{
    p->now_ms = clock_now_ms();
    p->is_panic = must_panic(p, r);
    return pick_is_well(p, e);
}

bool pick_must_wait(struct pick *p, const struct roster *r)
{
    bool would_any_do = false;
    p->now_ms = clock_now_ms();
    p->takes_full = true;
    for (p->tier = 0; p->tier < r->n_tiers; p->tier++) {
        for (size_t i = 0; i < r->n; i++) {
            if (!pick_fits(p, &r->entries[i]))
                continue;
            if (pick_has_room(p, &r->entries[i]))
                return false;
            would_any_do = true;
        }
        if (would_any_do) // backups aren't there for those
            return true;
    }
    return false;
}
