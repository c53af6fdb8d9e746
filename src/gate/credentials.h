// SPDX-License-Identifier: Apache-2.0
// What a gate has been given to speak TLS with: certificates with their keys, and the keys of
// session tickets. Independent of snapshots: a new set is built on the aux thread and goes to all
// workers by mail. All calls on the aux thread.
#pragma once

#include <stdint.h>

#include "gate/challenges.h"
#include "tls/replay.h"
#include "tls/store.h"
#include "tls/tickets.h"

struct crew;
struct demand;
struct upstream_registry;

struct credentials {
    struct tls_store *store;       // shares; NULL: none came yet
    struct challenges *challenges; // shares: proofs for authorities; NULL: none
    struct tls_tickets *tickets;   // shares; NULL: sessions aren't resumed
    struct demand *demand;         // borrows: the gate's; NULL: no certificates on demand
    struct tls_replay *replay;     // shares: of this process; NULL: no early data is taken
};

// GATE_CERTS, GATE_TICKETS, GATE_CHALLENGES: a sealed memfd (borrowed). What can't be used changes
// nothing, and is logged. crew: NULL: it starts later, with crew_equip.
void credentials_take_certs(struct credentials *c, int fd, struct crew *crew);
void credentials_take_tickets(struct credentials *c, int fd, struct crew *crew);
// GATE_COOKIE_KEY, the same: services have it of the registry.
void credentials_take_cookie_key(int fd, struct upstream_registry *registry);
void credentials_take_challenges(struct credentials *c, int fd, struct crew *crew);

// A copy that holds a ref of each, and its end.
struct credentials credentials_ref(const struct credentials *c);
void credentials_unref(struct credentials *c);
