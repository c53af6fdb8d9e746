// SPDX-License-Identifier: Apache-2.0
// Services that are made of services: a weighted split, or the first that can be used. They pass
// exchanges on, and know nothing of servers.
#pragma once

#include "upstream/service_priv.h"

struct group_member {
    const struct handler *service; // borrows: the snapshot's
    struct str name;
    uint32_t weight;
};

struct group {
    struct handler handler;
    struct str who; // "service app": in trails
    bool is_failover;
    enum server_protocol protocol;
    struct sticky sticky;
    struct mirror *mirror; // NULL: none
    struct shared *shared; // shares
    struct group_member *members;
    size_t n;
};

// As service_build, of conf with `split` or `failover`.
struct handler *group_build(struct str name, const struct service_conf *conf,
                            struct upstream_registry *registry, struct arena *mem,
                            struct diags *diags);
void group_release(struct group *g);

// "95 of 100 to stable, 5 to canary", in mem.
struct str group_describe(const struct group *g, struct arena *mem);

extern const struct handler_type group_handler_type;

// NULL: it isn't one.
static inline const struct group *group_of(const struct handler *h)
{
    _Static_assert(offsetof(struct group, handler) == 0, "a handler is its group");
    return h->type == &group_handler_type ? (const struct group *)(const void *)h : NULL;
}
