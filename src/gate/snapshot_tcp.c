// SPDX-License-Identifier: Apache-2.0
// TCP routes of a snapshot, and the entrypoints that are for them.
#include "gate/snapshot_priv.h"
#include "upstream/service.h"

void snapshot_build_tcp_entries(struct builder *b)
{
    struct snapshot *s = b->s;
    const struct conf_map *map = &s->settings.entrypoints;
    for (unsigned i = 0; i < s->n_entries; i++) {
        const struct entrypoint_conf *c = map->items[i].value;
        if (c->protocol != ENTRYPOINT_TCP)
            continue;
        if (!s->tcp)
            s->tcp = (struct tcp_entry *)arena_zalloc(&s->mem, s->n_entries, sizeof *s->tcp,
                                                      alignof(struct tcp_entry));
        s->tcp[i].is_on = true;
        s->tcp[i].door.handshake_ms = c->head_ms;
        b->tcp_entries |= (uint64_t)1 << i;
        if (c->tls.is_on)
            diag_fail(b->diags, ERR_SYNTAX, c->place,
                      "the entrypoint '" STR_FMT "' is for TCP, which passes TLS through: leave "
                      "out 'tls', or 'protocol: tcp' to terminate it",
                      STR_ARG(map->items[i].name));
    }
}

// --- where a route is reached ---

static uint64_t entry_named(struct builder *b, const struct conf_text *name, bool passes_tls)
{
    int index = snapshot_entry_named(b, name);
    if (index < 0)
        return 0;
    uint64_t bit = (uint64_t)1 << index;
    if ((b->tcp_entries & bit) != 0 || (passes_tls && (b->tls_entries & bit) != 0))
        return bit;
    if ((b->tls_entries & bit) != 0)
        diag_fail(b->diags, ERR_SYNTAX, name->place,
                  "the entrypoint '" STR_FMT "' speaks TLS: there a TCP route needs 'passthrough: "
                  "on', which leaves TLS to the server",
                  STR_ARG(name->text));
    else
        diag_fail(b->diags, ERR_SYNTAX, name->place,
                  "the entrypoint '" STR_FMT "' is for plain HTTP: a TCP route needs one with "
                  "'protocol: tcp', or one with TLS and 'passthrough: on'",
                  STR_ARG(name->text));
    return 0;
}

static uint64_t tcp_entries_of(struct builder *b, const struct route_conf *r, struct str name)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < r->entrypoints.n; i++)
        bits |= entry_named(b, &r->entrypoints.items[i], r->passthrough);
    if (r->entrypoints.n > 0)
        return bits;
    bits = b->tcp_entries | (r->passthrough ? b->tls_entries : 0);
    if (bits == 0)
        diag_fail(b->diags, ERR_NOT_FOUND, r->place,
                  "no entrypoint can take the TCP route '" STR_FMT "': it needs one with "
                  "'protocol: tcp', or one with TLS and 'passthrough: on' here",
                  STR_ARG(name));
    return bits;
}

// --- where it leads ---

static void refuse_what_is_for_requests(struct builder *b, const struct route_conf *r,
                                        struct str name)
{
    const struct conf_text *first = r->use.n > 0              ? &r->use.items[0]
                                    : r->strip.text.len > 0   ? &r->strip
                                    : r->replace.text.len > 0 ? &r->replace
                                                              : NULL;
    if (r->disabled.text.len > 0)
        diag_fail(b->diags, ERR_SYNTAX, r->disabled.place,
                  "the route '" STR_FMT "' is for connections, which can't be told why: take it "
                  "out instead of 'disabled'",
                  STR_ARG(name));
    if (r->tls.policy.place.source)
        diag_fail(b->diags, ERR_SYNTAX, r->tls.policy.place,
                  "the route '" STR_FMT "' passes connections through untouched: its TLS and the "
                  "certificate are the server's own",
                  STR_ARG(name));
    if (first)
        diag_fail(b->diags, ERR_SYNTAX, first->place,
                  "the route '" STR_FMT "' passes connections through untouched, so nothing can "
                  "be done to the requests in them: leave out 'use', 'strip' and 'replace', or "
                  "terminate TLS here with a site, or a route with Host",
                  STR_ARG(name));
}

static const struct handler *find_service(struct builder *b, const struct route_conf *r,
                                          struct str name)
{
    if (r->to.n == 0) {
        diag_fail(b->diags, ERR_NOT_FOUND, r->place,
                  "the route '" STR_FMT "' leads nowhere; give it 'to': a service's name, or a "
                  "URL like tcp://10.0.0.1:443",
                  STR_ARG(name));
        return NULL;
    }
    const struct handler *service = snapshot_service_of(b, &r->to);
    if (service && service_protocol(service) == SERVER_HTTP) {
        diag_fail(b->diags, ERR_SYNTAX, r->to.items[0].place,
                  "'" STR_FMT "' has servers for HTTP; a TCP route leads to tcp://HOST:PORT or "
                  "unix:/PATH",
                  STR_ARG(r->to.items[0].text));
        return NULL;
    }
    return service;
}

static void add_route(struct builder *b, const struct route *route)
{
    struct snapshot *s = b->s;
    if (s->n_tcp_routes == b->tcp_routes_cap) {
        size_t cap = MAX(b->tcp_routes_cap * 2, (size_t)16);
        struct route *bigger = ARENA_ARRAY(&s->mem, struct route, cap);
        if (s->n_tcp_routes > 0)
            memcpy(bigger, s->tcp_routes, s->n_tcp_routes * sizeof *bigger);
        s->tcp_routes = bigger;
        b->tcp_routes_cap = cap;
    }
    s->tcp_routes[s->n_tcp_routes++] = *route;
}

bool snapshot_build_tcp_route(struct builder *b, const struct route_conf *r, struct str name)
{
    if (!rule_is_tcp(r->match.text)) {
        if (r->passthrough)
            diag_fail(b->diags, ERR_SYNTAX, r->match.place,
                      "'passthrough' needs a rule about the server name: HostSNI(`app.example.com`)"
                      ", or HostSNI(`*`) for every connection");
        return r->passthrough;
    }
    refuse_what_is_for_requests(b, r, name);
    add_route(b, &(struct route){
                     .name = name,
                     .place = r->place,
                     .rule_text = r->match.text,
                     .rule = rule_parse_tcp(r->match.text, r->match.place, &b->s->mem, b->diags),
                     .priority = r->priority,
                     .entries = tcp_entries_of(b, r, name),
                     .handler = find_service(b, r, name),
                     .service_name = r->to.n > 0 ? r->to.items[0].text : STR_NONE,
                     .meter = meter_list_place(&b->s->meters, METER_TCP_ROUTE, name, STR_NONE,
                                               r->to.n > 0 ? r->to.items[0].text : STR_NONE),
                 });
    return true;
}

// Whether an entrypoint has a route at all, and one that asks for a name.
static void look_at_routes(struct builder *b, unsigned entry)
{
    struct snapshot *s = b->s;
    bool is_used = false;
    for (size_t i = 0; i < s->n_tcp_routes; i++) {
        const struct route *route = &s->tcp_routes[i];
        if ((route->entries >> entry & 1) == 0 || !route->rule)
            continue;
        is_used = true;
        s->tcp[entry].reads_hello |= rule_needs_name(route->rule);
    }
    if (!is_used)
        diag_warn(b->diags, s->settings.entrypoints.items[entry].place,
                  "no TCP route takes connections of the entrypoint '" STR_FMT "': all are closed",
                  STR_ARG(s->entries[entry].name));
}

void snapshot_build_tcp_router(struct builder *b)
{
    struct snapshot *s = b->s;
    for (unsigned i = 0; s->tcp && i < s->n_entries; i++) {
        if (s->tcp[i].is_on)
            look_at_routes(b, i);
    }
    if (s->n_tcp_routes == 0)
        return;
    s->tcp_router = router_build(s->tcp_routes, s->n_tcp_routes, &s->mem);
    if (!s->tcp_router)
        diag_fail(b->diags, ERR_LIMIT, (struct place){.line = 0},
                  "the routes need too much memory");
}
