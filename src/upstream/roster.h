// SPDX-License-Identifier: Apache-2.0
// The servers of a service that exchanges are balanced over, as one worker has them: each address
// an entry. It outlives snapshots while the service's list of servers stays the same.
#pragma once

#include "upstream/service_priv.h"
#include "upstream/worker.h"

struct roster_entry {
    struct target *target;            // borrows: good until the worker's next wait
    struct server_slot *slot;         // borrows: the target's
    const struct health_slot *health; // borrows: of the service's server
    uint32_t key;                     // of server and address: good for the exchange
    uint32_t weight;                  // 0: only for clients who stick to it
    uint8_t tier;                     // 0, or 1: a backup
    uint64_t id;                      // the same for this address at all times, in every process
    int64_t current;                  // of its turn: see balance.c
    char token[STICKY_TOKEN_CHARS];   // of sticky services, when there is a key
    uint64_t cost;                    // of the choice that is being made
};

struct roster {
    struct worker_item item;
    uint32_t generation;     // the worker's when this was built
    uint32_t cookie_version; // of the key that tokens are made with; 0: there are none
    size_t n;
    size_t n_taking; // whose weight isn't 0
    unsigned n_tiers;
    struct retry_budget budget;   // of this worker's exchanges
    struct roster_entry *entries; // owns
};

// Up to date with this worker's targets.
struct roster *roster_of(struct upstream_worker *w, const struct service *s);

// The index of the service's server that an entry belongs to.
static inline size_t roster_server(const struct roster_entry *e)
{
    return e->key / DNS_ADDRS_MAX;
}
