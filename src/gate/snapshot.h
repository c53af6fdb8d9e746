// SPDX-License-Identifier: Apache-2.0
// A snapshot: one complete, checked, immutable configuration. Built off the workers (gate's aux
// thread; keeper and commands for checking), then only read. Freed when the last worker has
// finished the last exchange that began with it.
#pragma once

#include <stdatomic.h>

#include "base/map.h"
#include "gate/access_log.h"
#include "gate/demand.h"
#include "gate/door.h"
#include "gate/meters.h"
#include "gate/proxy_in.h"
#include "gate/settings.h"
#include "gate/tcp.h"
#include "http/env.h"
#include "route/router.h"
#include "rt/loop.h"

struct filter_states;
struct offload;
struct upstream_registry;

#define SNAPSHOT_WORKERS_MAX 256

// Handlers to be ended with the snapshot; the array is in its arena.
struct handler_set {
    struct handler **items;
    size_t n, cap;
};

struct snapshot_site {
    const struct conf_map_item *item; // borrows: its value is a struct site_conf
    struct str *names;                // in lower case and A-labels; with "*." for any one label
    size_t n_names;
    uint64_t tls_entries; // bits: where it is served by TLS
};

// A name in the rules of free routes that needs a certificate: it is asked for by TLS, and is no
// site's.
struct snapshot_host {
    struct str name;                 // as of a site
    const struct conf_texts *issuer; // borrows: who is to sign; may be empty
    struct snapshot_host *next;
};

struct snapshot {
    struct arena mem;
    uint64_t seq;      // counts up with every one the keeper hands over
    struct str bytes;  // owns: the mapping that texts borrow from; empty: none
    struct arena tree; // owns: the tree of settings that texts and places borrow from; may be empty
    const struct conf_node *root; // borrows: of the settings
    struct settings settings;
    struct http_entry *entries; // in mem
    unsigned n_entries;
    struct ban_rules bans;
    struct geo geo;
    struct proxy_in *proxy_in;    // in mem: one for each entrypoint; n_from is 0: none
    struct door_conf *doors;      // in mem: one for each entrypoint; NULL: none speaks TLS
    struct tls_policy **policies; // in mem: owns those that doors borrow
    size_t n_policies;
    struct snapshot_site *sites; // in mem: as in the settings
    size_t n_sites;
    struct demand_rules *demand; // in mem; NULL: no certificates on demand
    struct snapshot_host *hosts; // in mem: in the order of routes; NULL: none
    size_t n_hosts;
    struct route *routes; // in mem
    size_t n_routes;
    struct router *router;
    struct tcp_entry *tcp;    // in mem: one for each entrypoint; NULL: none is for TCP
    struct route *tcp_routes; // in mem
    size_t n_tcp_routes;
    struct router *tcp_router;       // NULL: there are no TCP routes
    struct map services;             // owns: names to handlers
    struct handler_set all_services; // inline ones too
    struct handler_set all_filters;
    const struct handler **entry_chains; // in mem: of each entrypoint; the last is routing_handler
    struct access_log *access_log;       // NULL: off
    struct tracing *tracing;             // in mem; NULL: off
    struct meter_list meters;            // owns: what routes and filters are counted for
    struct map filter_meters;            // owns: names of filters to their meters

    // Lifetime. A worker counts its uses in its own cell and holds one of refs while that isn't 0.
    _Atomic uint32_t refs;
    uint32_t worker_uses[SNAPSHOT_WORKERS_MAX];
    struct rt_loop *home; // where it is freed: mail goes there; NULL: freed at once
    struct rt_mail free_mail;
};

struct snapshot_env {
    struct upstream_registry *registry;
    struct offload *offload;      // NULL: only checked, nothing will be served
    struct filter_states *states; // NULL, too
    struct meters *meters;        // the same: nothing is counted
};

// Reads settings from the tree and builds everything. Texts borrow from the tree's memory, which
// must outlive the snapshot. NULL when there was an error. The caller holds one ref.
struct snapshot *snapshot_build(const struct conf_node *root, const struct snapshot_env *env,
                                struct diags *diags);

// Gives one ref back; the last one frees it (on home's thread when it has one). Any thread.
void snapshot_unref(struct snapshot *s);

// A worker's use of it, on that worker's thread: begins with the first, ends with the last.
static inline void snapshot_use(struct snapshot *s, unsigned worker)
{
    if (s->worker_uses[worker]++ == 0)
        atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

static inline void snapshot_unuse(struct snapshot *s, unsigned worker)
{
    ASSERT(s->worker_uses[worker] > 0);
    if (--s->worker_uses[worker] == 0)
        snapshot_unref(s);
}

// The entrypoint of this name, or -1.
int snapshot_find_entry(const struct snapshot *s, struct str name);
