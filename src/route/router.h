// SPDX-License-Identifier: Apache-2.0
// Finds the route of an exchange. Names are found by hash, so that 10 000 sites cost no more than
// one. Immutable after building; part of a snapshot.
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/diag.h"
#include "http/handler.h"
#include "route/rule.h"

struct route {
    struct str name;    // "api", "my-app.example.com", "my-app.example.com/2"
    struct place place; // where it is configured
    struct str rule_text;
    struct rule *rule; // owns through router_fini; NULL: matches nothing
    int64_t priority;  // 0: the length of rule_text (as Traefik's)
    uint64_t entries;  // bit i: reachable through entrypoint i
    // First filter or the service. NULL: broken, the route is off: router_find then gives a copy
    // whose handler answers 503, so that its requests don't reach a route with fewer filters.
    const struct handler *handler;
    struct str off_why; // why it is off, where that isn't a mistake in the settings; empty: it is
    struct str service_name;
    uint32_t meter; // whoever builds it: what its exchanges are counted for
};

struct router;

// routes are borrowed and live as long as the router (both in the snapshot's arena). Order of
// equals: higher priority, then the one that was given first. NULL: the arena is full.
struct router *router_build(const struct route *routes, size_t n, struct arena *mem);
// Also releases the routes' rules. Accepts NULL.
void router_fini(struct router *r);

// The route with the highest priority whose rule matches, or NULL. x->req and x->client are filled.
// An expression that gives up (its limit of steps) ends the search: NULL.
const struct route *router_find(const struct router *r, unsigned entry_index,
                                const struct exchange *x);

// All routes that were considered, best first, and why each matched or not: calls fn for each until
// it returns false.
typedef bool router_explain_fn(void *arg, const struct route *route, bool matches, struct str why);
void router_explain(const struct router *r, unsigned entry_index, const struct exchange *x,
                    struct arena *mem, router_explain_fn *fn, void *arg);

// Warns of routes that can never match: shadowed by one that is tried earlier on the same
// entrypoints, with conditions that exclude each other, or without an entrypoint. mem: scratch.
void router_check(const struct router *r, struct arena *mem, struct diags *diags);
