// SPDX-License-Identifier: Apache-2.0
// A service of a snapshot: immutable, read by all workers.
#pragma once

#include "http/request_key.h"
#include "upstream/registry.h"
#include "upstream/service.h"
#include "upstream/sticky.h"

struct mirror;

// What became of copies, since the service is known. Of all workers.
struct mirror_stats {
    _Atomic uint64_t n_sent;
    _Atomic uint64_t n_dropped; // too large, or too many were on their way
    _Atomic uint64_t n_failed;  // of those sent: no answer came about
};

struct service_server {
    struct server_state *state;  // shares: registry_drop in service_release
    struct health_state *health; // shares: the same
    uint32_t weight;
    uint8_t tier;         // 0, or 1: a backup
    uint32_t active_max;  // 0: any number
    struct str text;      // as the user wrote it
    struct str authority; // what its own Host field would say
};

enum service_host {
    SERVICE_HOST_KEEP,   // as the client sent it
    SERVICE_HOST_SERVER, // the server's own
    SERVICE_HOST_FIXED,
};

// What all snapshots and workers share of a service.
struct service_state {
    struct shared shared; // of kind SHARED_SERVICE
    struct breaker breaker;
    struct room_queue queue; // of those who wait for a place at one of its servers
    struct mirror_stats mirrored;
};

static inline struct service_state *service_state_of(struct shared *shared)
{
    ASSERT(shared->kind == SHARED_SERVICE);
    return CONTAINER_OF(shared, struct service_state, shared);
}

struct service {
    struct handler handler;
    struct str who;                  // "service app": in trails
    const struct service_conf *conf; // borrows: the snapshot's
    enum service_host host;
    enum server_protocol protocol;
    struct request_key hash_key; // of hash and source
    struct sticky sticky;
    struct outcomes retry_on, eject_on, breaker_on;
    struct shared *shared; // shares: a service_state's, the identity of the balancing
    struct mirror *mirror; // NULL: none
    bool has_limits;       // a server has an active_max
    struct service_server *servers;
    size_t n_servers;
};

extern const struct handler_type service_handler_type; // serve.c

static inline const struct service *service_of(const struct handler *h)
{
    ASSERT(h->type == &service_handler_type);
    _Static_assert(offsetof(struct service, handler) == 0, "a handler is its service");
    return (const struct service *)(const void *)h;
}
