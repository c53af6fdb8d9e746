// SPDX-License-Identifier: Apache-2.0
// Smooth weighted round robin over the targets of a service, one ring per worker. With weights
// 3, 1, 1 the order is a b a c a: never a burst for the heavy one. A ring outlives snapshots
// while the service's list of servers stays the same.
#pragma once

#include "upstream/service_priv.h"
#include "upstream/worker.h"

struct ring_entry {
    struct target *target; // borrows: good until the worker's next wait
    uint32_t key;          // of server and address: good for the exchange
    uint32_t weight;       // > 0
    int64_t current;
};

struct ring {
    struct worker_item item;
    uint32_t generation; // the worker's when this was built
    size_t n;
    struct ring_entry *entries; // owns
};

// Up to date with this worker's targets.
struct ring *ring_of(struct upstream_worker *w, const struct service *s);
void ring_free(struct worker_item *item);

// The index of the service's server that an entry belongs to.
static inline size_t ring_server(const struct ring_entry *e)
{
    return e->key / DNS_ADDRS_MAX;
}

// The next entry in turn among those of which is_fit says so, or NULL.
typedef bool ring_fit_fn(const void *arg, const struct ring_entry *e);
struct ring_entry *ring_next(struct ring *ring, ring_fit_fn *is_fit, const void *arg);
