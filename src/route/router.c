// SPDX-License-Identifier: Apache-2.0
// Each route stands in the list of every host that it needs, or in the list of those for any host;
// lists are in order of rank. A match merges three of them: the host's, the wildcard's, the rest.
#include "route/router.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/map.h"
#include "base/mem.h"
#include "http/exchange.h"
#include "route/rule_priv.h"

// Routes compared with each one by router_check at most: bounds its time with many routes for any
// host.
#define CHECKED_MAX 1000

#define SCRATCH_BYTES 4096

// What a look-up needs of a route, so that those that don't match are not even touched.
struct candidate {
    const struct route *route;
    struct candidate *next;
    uint64_t entries;
    uint32_t rank;        // 0 is tried first
    bool needs_only_host; // standing in a host's list it matches
};

struct host_list {
    struct candidate *first, *last;
};

struct router {
    const struct route *routes; // borrows
    size_t n_routes;
    struct map exact; // host → struct host_list; owns its table, lists are in the arena
    struct map wild;  // ".example.com" → struct host_list
    struct host_list rest;
};

// A route that is off takes its requests all the same, so that they don't fall through to a route
// with a wider rule and fewer filters.
struct off {
    struct handler handler;
    struct str why;
};

static enum err serve_off(const struct handler *h, struct exchange *x)
{
    const struct off *off = (const struct off *)(const void *)h;
    exchange_fail(x, 503, EXCHANGE_END_NO_SERVER, "the route " STR_FMT " is off: " STR_FMT,
                  STR_ARG(h->name), STR_ARG(off->why));
    return ERR_OK;
}

static struct str explain_off(const struct handler *h, struct exchange *x)
{
    (void)x;
    return ((const struct off *)(const void *)h)->why;
}

static const struct handler_type off_type = {
    .name = "off", .serve = serve_off, .explain = explain_off};

static const struct route *route_off(const struct route *route, struct arena *mem)
{
    struct route *copy = ARENA_NEW(mem, struct route);
    struct off *off = ARENA_NEW(mem, struct off);
    if (!copy || !off)
        return NULL;
    *off = (struct off){.handler = {.type = &off_type, .name = route->name},
                        .why = route->off_why.len > 0 ? route->off_why : STR("see its settings")};
    *copy = *route;
    copy->handler = &off->handler;
    return copy;
}

static bool append(struct host_list *list, const struct route *route, uint32_t rank,
                   struct arena *mem)
{
    if (list->last && list->last->rank == rank)
        return true; // a rule that names a host twice
    struct candidate *c = ARENA_NEW(mem, struct candidate);
    if (!c)
        return false;
    *c = (struct candidate){
        .route = route,
        .entries = route->entries,
        .rank = rank,
        .needs_only_host = rule_needs_only_host(route->rule),
    };
    if (list->last)
        list->last->next = c;
    else
        list->first = c;
    list->last = c;
    return true;
}

static struct host_list *list_of(struct map *map, struct str host, struct arena *mem)
{
    struct host_list *list = map_get(map, host);
    if (list)
        return list;
    list = ARENA_NEW(mem, struct host_list);
    if (list)
        map_set(map, host, list);
    return list;
}

// scratch: for what isn't needed afterwards.
static bool add_route(struct router *r, const struct route *route, uint32_t rank, struct arena *mem,
                      struct arena *scratch)
{
    if (!route->handler && !(route = route_off(route, mem)))
        return false;
    struct rule_hosts hosts;
    if (!rule_hosts(route->rule, scratch, &hosts))
        return false;
    if (hosts.is_any)
        return append(&r->rest, route, rank, mem);
    for (size_t i = 0; i < hosts.n; i++) {
        const struct rule_value *v = hosts.items[i];
        struct host_list *list = list_of(v->is_wildcard ? &r->wild : &r->exact, v->text, mem);
        if (!list || !append(list, route, rank, mem))
            return false;
    }
    return true;
}

static int64_t priority_of(const struct route *route)
{
    return route->priority != 0 ? route->priority : (int64_t)route->rule_text.len;
}

// Best first; of equals the one that was given first (it has the lower address: one array).
static int compare(const void *left, const void *right)
{
    const struct route *a = *(const struct route *const *)left;
    const struct route *b = *(const struct route *const *)right;
    int64_t pa = priority_of(a), pb = priority_of(b);
    if (pa != pb)
        return pa > pb ? -1 : 1;
    return a < b ? -1 : a > b;
}

struct router *router_build(const struct route *routes, size_t n, struct arena *mem)
{
    ASSERT(n < UINT32_MAX);
    struct router *r = ARENA_NEW(mem, struct router);
    if (!r)
        return NULL;
    r->routes = routes;
    r->n_routes = n;
    const struct route **order = MEM_ARRAY(const struct route *, n + 1);
    for (size_t i = 0; i < n; i++)
        order[i] = &routes[i];
    qsort(order, n, sizeof *order, compare);
    struct arena scratch;
    char scratch_home[SCRATCH_BYTES];
    arena_init(&scratch, mem->limit_bytes, scratch_home, sizeof scratch_home);
    bool is_good = true;
    for (size_t i = 0; is_good && i < n; i++) {
        if (order[i]->rule)
            is_good = add_route(r, order[i], (uint32_t)i, mem, &scratch);
        arena_reset(&scratch);
    }
    arena_fini(&scratch);
    mem_free(order);
    if (is_good)
        return r;
    map_fini(&r->exact);
    map_fini(&r->wild);
    return NULL;
}

void router_fini(struct router *r)
{
    if (!r)
        return;
    map_fini(&r->exact);
    map_fini(&r->wild);
    for (size_t i = 0; i < r->n_routes; i++)
        rule_fini(r->routes[i].rule);
    r->n_routes = 0;
}

// --- matching ---

// The lists of a host, merged by rank: those that have something left.
struct merge {
    const struct candidate *heads[3];
    size_t n;
};

static void merge_add(struct merge *m, const struct candidate *first)
{
    if (first)
        m->heads[m->n++] = first;
}

static const struct candidate *first_of(const struct map *map, struct str key)
{
    const struct host_list *list = map_get(map, key);
    return list ? list->first : NULL;
}

static struct merge merge_start(const struct router *r, struct str host)
{
    struct merge m = {.n = 0};
    if (r->exact.n > 0)
        merge_add(&m, first_of(&r->exact, host));
    size_t dot = r->wild.n > 0 ? str_find(host, '.') : STR_NPOS;
    if (dot != STR_NPOS && dot > 0)
        merge_add(&m, first_of(&r->wild, str_skip(host, dot)));
    merge_add(&m, r->rest.first);
    return m;
}

// The best candidate that is left, each route once; NULL at the end.
static const struct candidate *merge_next(struct merge *m)
{
    if (m->n == 0)
        return NULL;
    const struct candidate *best = m->heads[0];
    for (size_t i = 1; i < m->n; i++)
        if (m->heads[i]->rank < best->rank)
            best = m->heads[i];
    size_t n = 0;
    for (size_t i = 0; i < m->n; i++) {
        const struct candidate *c = m->heads[i];
        if (c->rank == best->rank)
            c = c->next;
        if (c)
            m->heads[n++] = c;
    }
    m->n = n;
    return best;
}

static bool has_entry(const struct candidate *c, unsigned entry_index)
{
    return entry_index < 64 && (c->entries >> entry_index & 1) != 0;
}

const struct route *router_find(const struct router *r, unsigned entry_index,
                                const struct exchange *x)
{
    struct merge m = merge_start(r, x->req.host);
    for (const struct candidate *c = merge_next(&m); c; c = merge_next(&m)) {
        if (!has_entry(c, entry_index))
            continue;
        if (c->needs_only_host)
            return c->route;
        switch (rule_eval(c->route->rule, x)) {
        case RULE_YES:
            return c->route;
        case RULE_BROKEN:
            // WHY: whoever makes an expression give up must not reach a route of lower rank.
            return NULL;
        case RULE_NO:
            break;
        }
    }
    return NULL;
}

void router_explain(const struct router *r, unsigned entry_index, const struct exchange *x,
                    struct arena *mem, router_explain_fn *fn, void *arg)
{
    struct merge m = merge_start(r, x->req.host);
    for (const struct candidate *c = merge_next(&m); c; c = merge_next(&m)) {
        const struct route *route = c->route;
        bool is_here = has_entry(c, entry_index);
        struct str why =
            is_here ? rule_why(route->rule, x, mem) : STR("not reachable through this entrypoint");
        if (!fn(arg, route, is_here && rule_matches(route->rule, x), why))
            return;
    }
}

// --- checking ---

// The first route before `route` in rank that takes everything that `route` would match.
static const struct route *shadow_of(const struct router *r, const struct route *route,
                                     const struct rule_hosts *hosts)
{
    // Whatever covers the whole rule covers each of its hosts: one list is enough.
    const struct rule_value *v = !hosts->is_any && hosts->n > 0 ? hosts->items[0] : NULL;
    struct merge m = {.n = 0};
    if (v && !v->is_wildcard) {
        m = merge_start(r, v->text);
    } else {
        if (v)
            merge_add(&m, first_of(&r->wild, v->text));
        merge_add(&m, r->rest.first);
    }
    unsigned left = CHECKED_MAX;
    for (const struct candidate *c = merge_next(&m); c && left > 0; c = merge_next(&m), left--) {
        if (c->route->rule == route->rule)
            return NULL;
        if ((c->entries & route->entries) == route->entries &&
            rule_implies(route->rule, c->route->rule))
            return c->route;
    }
    return NULL;
}

void router_check(const struct router *r, struct arena *mem, struct diags *diags)
{
    for (size_t i = 0; i < r->n_routes; i++) {
        const struct route *route = &r->routes[i];
        struct rule_hosts hosts;
        if (!route->rule || !rule_hosts(route->rule, mem, &hosts))
            continue;
        if (route->entries == 0) {
            diag_warn(diags, route->place, "the route " STR_FMT " has no entrypoint",
                      STR_ARG(route->name));
            continue;
        }
        if (rule_is_impossible(route->rule)) {
            diag_warn(diags, route->place,
                      "the route " STR_FMT " can never match: its conditions exclude each other",
                      STR_ARG(route->name));
            continue;
        }
        const struct route *shadow = shadow_of(r, route, &hosts);
        if (shadow)
            diag_warn(diags, route->place,
                      "the route " STR_FMT " can never match: " STR_FMT
                      " takes its requests first (priority %lld before %lld)",
                      STR_ARG(route->name), STR_ARG(shadow->name), (long long)priority_of(shadow),
                      (long long)priority_of(route));
    }
}
