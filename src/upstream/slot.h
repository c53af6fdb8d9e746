// SPDX-License-Identifier: Apache-2.0
// One address of a server, as all workers see it: what balancing, health and limits know of it.
// Atomics, each right by itself; nothing here waits for another thread.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/attr.h"

struct server_slot {
    // Until then it is skipped, on the monotonic clock. 0: it works, as far as is known. In the
    // past: it is due for a try, which one exchange takes upon itself.
    _Atomic int64_t skip_until_ms;
    _Atomic uint64_t n_failures; // since it is known
    // Since when it takes requests: as it is new, or has come back. For slow starts.
    _Atomic int64_t risen_ms;
    // Exchanges and tunnels that have a place on it, of all workers; only while something asks
    // for the number (server_state.is_counted).
    _Atomic uint32_t n_active;
    _Atomic uint32_t n_waiting; // for a place there: see room.h
    _Atomic uint64_t latency;   // see slot_cost
    // Until then it gets HTTP/1.1 where it may choose: it has asked for that (RFC 9113 7).
    _Atomic int64_t http_1_until_ms;
    _Atomic int64_t no_tunnel_until_ms; // the same of WebSockets: it takes none by HTTP/2
    uint8_t unused[8];                  // the next one's are on another cache line
};
_Static_assert(sizeof(struct server_slot) == 64, "one cache line each");

// Whether requests may go there now: the one place that says so.
static inline bool server_is_usable(const struct server_slot *s, int64_t now_ms)
{
    return atomic_load_explicit(&s->skip_until_ms, memory_order_relaxed) <= now_ms;
}

// It has come back, or is new: a slow start begins.
static inline void slot_rise(struct server_slot *s, int64_t now_ms)
{
    atomic_store_explicit(&s->risen_ms, now_ms, memory_order_relaxed);
}

// --- places ---

static inline uint32_t slot_n_active(const struct server_slot *s)
{
    return atomic_load_explicit(&s->n_active, memory_order_relaxed);
}

static inline void slot_take(struct server_slot *s)
{
    atomic_fetch_add_explicit(&s->n_active, 1, memory_order_relaxed);
}

static inline void slot_give(struct server_slot *s)
{
    uint32_t n_before = atomic_fetch_sub(&s->n_active, 1); // in order with n_waiting
    ASSERT(n_before > 0);
}

// Takes a place unless there are max already.
static inline bool slot_try_take(struct server_slot *s, uint32_t max)
{
    uint32_t n = atomic_load(&s->n_active);
    while (n < max)
        if (atomic_compare_exchange_weak(&s->n_active, &n, n + 1))
            return true;
    return false;
}

// --- how long answers take: a peak EWMA ---
//
// A slower answer than the average counts at once, a faster one by and by: a server that gets into
// trouble is left within one answer, and what was is forgotten with the time that passes, requests
// or none. (In use elsewhere: Finagle's and Linkerd's balancers.)

#define SLOT_LATENCY_FADES_MS 10000

static inline uint32_t slot_fade(uint64_t latency, uint32_t now_ms)
{
    uint32_t us = (uint32_t)(latency >> 32), age_ms = now_ms - (uint32_t)latency;
    if (age_ms > INT32_MAX) // another thread's clock is ahead
        age_ms = 0;
    return (uint32_t)((uint64_t)us * SLOT_LATENCY_FADES_MS / (SLOT_LATENCY_FADES_MS + age_ms));
}

// An answer has taken so long. Of two threads at once one may be lost, which is no harm.
static inline void slot_observe(struct server_slot *s, int64_t latency_ns, int64_t now_ms)
{
    uint64_t old = atomic_load_explicit(&s->latency, memory_order_relaxed);
    uint32_t us = (uint32_t)MAX(1, MIN(latency_ns / 1000, INT32_MAX));
    uint32_t was = (uint32_t)(old >> 32), faded = slot_fade(old, (uint32_t)now_ms);
    // What has faded of the old one is taken by the new one.
    uint32_t is = us >= was ? us : faded + (uint32_t)((uint64_t)us * (was - faded) / was);
    atomic_store_explicit(&s->latency, (uint64_t)MAX(is, us) << 32 | (uint32_t)now_ms,
                          memory_order_relaxed);
}

#define SLOT_COST_UNKNOWN (UINT64_C(1) << 40)

// What one more exchange there is to wait, in µs: the faded average, for it and for each that is
// there before it. A server that nobody has heard of gets one exchange to find out.
static inline uint64_t slot_cost(const struct server_slot *s, int64_t now_ms)
{
    uint64_t n = slot_n_active(s);
    uint64_t latency = atomic_load_explicit(&s->latency, memory_order_relaxed);
    if (latency == 0)
        return n == 0 ? 0 : SLOT_COST_UNKNOWN + n;
    return (slot_fade(latency, (uint32_t)now_ms) + UINT64_C(1)) * (n + 1);
}
