// SPDX-License-Identifier: Apache-2.0
// Building a snapshot: shared by snapshot.c and snapshot_routes.c.
#pragma once

#include "filter/filter.h"
#include "gate/internal.h"
#include "gate/snapshot.h"
#include "upstream/service.h"

struct builder {
    uint64_t tcp_entries;   // entrypoints with `protocol: tcp`
    uint64_t metrics_entry; // the one of `metrics`: no route of others leads there by default
    size_t tcp_routes_cap;
    struct snapshot *s;
    const struct snapshot_env *env;
    struct diags *diags;
    struct map names;                 // host names to the site that has them
    struct map hosts;                 // names to struct snapshot_host
    struct snapshot_host **hosts_end; // where the next one goes
    size_t routes_cap;
    const struct conf_node *root; // of the settings
    uint64_t tls_entries;         // entrypoints that speak TLS
    struct map policies;          // texts of what they say to struct tls_policy
    size_t policies_cap;
    const struct tls_authorities *authorities; // of settings, for services
    const struct service_conf *inline_conf;    // of the services made of URLs alone; NULL: none yet
    struct filter_services services;           // for filters
    struct service_names service_names;        // for services
    struct service_chain *chain;               // the service that is being built, and its users
    struct map asked;                          // URLs to the services that were made for filters
};

// Makes all routes of sites and of the list, in order, and their chains.
void snapshot_build_routes(struct builder *b);

// Adds one, without its chain's building.
void snapshot_put_route(struct builder *b, const struct route *route);

// The entrypoint of `metrics`, if it wants one, behind the others; and its route.
void snapshot_add_metrics_entrypoint(struct builder *b);
void snapshot_add_metrics_route(struct builder *b);

// Policies of entrypoints, when the entries are there; and, when these and the sites are and were
// read without an error, of sites.
void snapshot_build_doors(struct builder *b);
void snapshot_build_site_policies(struct builder *b);

// The names in a free route's rule that need certificates; when all sites are there. node: what the
// route was read from.
void snapshot_build_hosts(struct builder *b, const struct route_conf *r,
                          const struct conf_node *node, const struct rule *rule, uint64_t entries);

// What a free route says of TLS, for its names, of which no site has one.
void snapshot_build_route_policies(struct builder *b, const struct conf_node *tls,
                                   const struct str *names, size_t n, uint64_t entries);

// All under `services`, and those that are made of others behind these.
void snapshot_build_services(struct builder *b);

// When sites and doors are there.
void snapshot_build_demand(struct builder *b);

// Entrypoints for TCP, after those with TLS; each route of the list that is for TCP (false: it
// isn't); and when all are there, their router.
void snapshot_build_tcp_entries(struct builder *b);
bool snapshot_build_tcp_route(struct builder *b, const struct route_conf *r, struct str name);
void snapshot_build_tcp_router(struct builder *b);

// Filters of these names in front of next; those that are broken are left out, with errors.
const struct handler *snapshot_build_filters(struct builder *b, const struct conf_texts *use,
                                             const struct handler *next);
// Whether one of these filters keeps strangers out.
bool snapshot_keeps_strangers_out(struct builder *b, const struct conf_texts *use);
// Filters that no route uses are checked as well: what is written down works, or it is an error.
void snapshot_check_filters(struct builder *b);
// What clients may not say anywhere: RFC 9440's fields, and the names that filters have.
void snapshot_reserve_fields(struct builder *b);
// What their decisions are counted for.
void snapshot_count_filters(struct builder *b);
// Of entrypoints, in front of the router.
void snapshot_build_entry_filters(struct builder *b);

// The entrypoint of this name, or -1 with an error.
int snapshot_entry_named(struct builder *b, const struct conf_text *name);
// The service that `to` (not empty) names or writes down, or NULL with an error.
const struct handler *snapshot_service_of(struct builder *b, const struct conf_texts *to);

// The internal service that `to` names, or NULL with an error.
const struct internal_type *snapshot_internal_of(struct builder *b, const struct conf_texts *to);
// No service of the settings has such a name.
void snapshot_check_service_names(struct builder *b);
// A route without a filter that keeps strangers out leads there from these entrypoints.
void snapshot_warn_if_open(struct builder *b, const struct internal_type *type, struct str route,
                           struct place place, uint64_t entries);

// Why requests can't be sent to a service ("servers for TCP routes"); NULL: they can.
const char *snapshot_service_fault(const struct handler *service);

// What filters may use while they are built.
struct filter_env snapshot_filter_env(struct builder *b);

// Remembers a handler that must be ended with the snapshot.
void snapshot_remember(struct builder *b, struct handler_set *set, struct handler *h);
