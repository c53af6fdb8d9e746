// SPDX-License-Identifier: Apache-2.0
// What the API tells of entrypoints, sites, routes and filters: from the snapshot in force.
#include "gate/api_priv.h"

static const struct snapshot *snapshot_of(const struct api_part *p)
{
    return p->report->status->snapshot;
}

struct str api_provider_of(struct str name)
{
    size_t at = str_rfind(name, '@');
    bool is_url = str_search(name, STR("://")) != STR_NPOS || str_starts(name, STR("unix:"));
    return at == STR_NPOS || is_url ? STR("file") : str_skip(name, at + 1);
}

static struct str base_name(struct str name)
{
    return str_first(name, MIN(str_rfind(name, '@'), name.len));
}

static void put_full_name(struct str name, struct text *to)
{
    api_put_traefik_name(base_name(name), api_provider_of(name), to);
}

static struct api_thing thing_of(struct str name, struct place place)
{
    return (struct api_thing){.name = name, .provider = api_provider_of(name), .place = place};
}

static void add_text(struct str *items, size_t *n, struct str text)
{
    if (*n < API_TEXTS_MAX)
        items[(*n)++] = text;
}

static size_t copy_texts(const struct conf_texts *texts, struct str ret[API_TEXTS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < texts->n; i++)
        add_text(ret, &n, texts->items[i].text);
    return n;
}

static size_t entries_of(const struct snapshot *s, uint64_t bits, struct str ret[API_TEXTS_MAX])
{
    size_t n = 0;
    for (unsigned i = 0; i < s->n_entries; i++) {
        if ((bits >> i & 1) != 0)
            add_text(ret, &n, s->entries[i].name);
    }
    return n;
}

static struct api_texts users_of(const struct api_part *p, struct str name)
{
    const struct api_users *users = map_get(&p->users, name);
    return users ? (struct api_texts){users->names, users->n} : (struct api_texts){.n = 0};
}

// --- entrypoints ---

static size_t count_entries(const struct api_part *p)
{
    return snapshot_of(p)->n_entries;
}

static struct str entry_name(const struct api_part *p, size_t i)
{
    return snapshot_of(p)->entries[i].name;
}

// The port that the kernel chose: the keeper knows it.
static uint16_t port_of(const struct api_part *p, struct str name)
{
    const struct json *list = json_get(p->report->known, STR("entrypoints"));
    int64_t port = 0;
    for (const struct json *e = list ? list->first : NULL; e; e = e->next) {
        if (str_eq(json_get_text(e, STR("name")), name) &&
            !json_int(json_get(e, STR("port")), &port))
            port = 0;
    }
    return (uint16_t)MIN(MAX(port, (int64_t)0), (int64_t)UINT16_MAX);
}

static void gather_entry(const struct api_part *p, size_t i, struct str filters[API_TEXTS_MAX],
                         struct api_entry *ret)
{
    const struct snapshot *s = snapshot_of(p);
    const struct entrypoint_conf *c = s->settings.entrypoints.items[i].value;
    *ret = (struct api_entry){
        .name = s->entries[i].name,
        .listen = c->listen.text,
        .port = port_of(p, s->entries[i].name),
        .is_tls = s->entries[i].is_tls,
        .is_for_connections = c->protocol == ENTRYPOINT_TCP,
        .has_http2 = s->entries[i].is_tls ? s->doors && s->doors[i].http2 : s->entries[i].h2c,
        .filters = {filters, copy_texts(&c->use, filters)},
        .n_conns = p->report->status->entry_conns[i],
    };
}

static void put_entry(const struct api_part *p, size_t i, bool is_member, struct text *to)
{
    struct str filters[API_TEXTS_MAX];
    struct api_entry e;
    (void)is_member;
    gather_entry(p, i, filters, &e);
    api_put_entry(&e, to);
}

static void put_traefik_entry(const struct api_part *p, size_t i, bool is_member, struct text *to)
{
    struct str filters[API_TEXTS_MAX];
    struct api_entry e;
    (void)is_member;
    gather_entry(p, i, filters, &e);
    api_put_traefik_entry(&e, to);
}

const struct api_list_type api_entries = {
    .count = count_entries, .name = entry_name, .put = put_entry};

const struct api_list_type api_traefik_entries = {
    .count = count_entries, .name = entry_name, .put = put_traefik_entry};

// --- sites ---

static size_t count_sites(const struct api_part *p)
{
    return snapshot_of(p)->n_sites;
}

static struct str site_name(const struct api_part *p, size_t i)
{
    return snapshot_of(p)->sites[i].item->name;
}

static bool is_site_meant(const struct api_part *p, size_t i)
{
    const struct snapshot_site *site = &snapshot_of(p)->sites[i];
    return api_request_finds(p->asked, &site->item->name, 1) ||
           api_request_finds(p->asked, site->names, site->n_names);
}

static void put_site(const struct api_part *p, size_t i, bool is_member, struct text *to)
{
    struct str entries[API_TEXTS_MAX], filters[API_TEXTS_MAX], targets[API_TEXTS_MAX];
    const struct snapshot *s = snapshot_of(p);
    const struct snapshot_site *site = &s->sites[i];
    const struct site_conf *c = site->item->value;
    (void)is_member;
    uint64_t bits = 0;
    for (size_t k = 0; k < c->entrypoints.n; k++) {
        int at = snapshot_find_entry(s, c->entrypoints.items[k].text);
        bits |= at >= 0 ? (uint64_t)1 << at : 0;
    }
    const struct api_site told = {
        .thing = thing_of(site->item->name, site->item->place),
        .names = {site->names, site->n_names},
        .entrypoints = {entries, entries_of(s, c->entrypoints.n > 0 ? bits : UINT64_MAX, entries)},
        .filters = {filters, copy_texts(&c->use, filters)},
        .to = {targets, copy_texts(&c->to, targets)},
        .n_routes = c->routes.n,
        .is_tls = site->tls_entries != 0,
    };
    api_put_site(&told, to);
}

const struct api_list_type api_sites = {
    .count = count_sites, .name = site_name, .is_meant = is_site_meant, .put = put_site};

// --- routes ---

size_t api_n_routes(const struct snapshot *s)
{
    return s->n_routes + s->n_tcp_routes;
}

const struct route *api_route_at(const struct snapshot *s, size_t i)
{
    return i < s->n_routes ? &s->routes[i] : &s->tcp_routes[i - s->n_routes];
}

struct str api_route_name(const struct route *r, struct arena *mem)
{
    return str_find(r->name, '@') != STR_NPOS ? r->name
                                              : arena_concat(mem, r->name, STR("@file"), STR_NONE);
}

static const struct handler *service_of_route(const struct route *r)
{
    const struct handler *h = r->handler;
    while (h && h->next)
        h = h->next;
    return h;
}

static struct str service_name(const struct route *r)
{
    const struct handler *h = service_of_route(r);
    return h ? h->name : r->service_name;
}

static bool uses_filter(const struct route *r, struct str name)
{
    for (const struct handler *h = r->handler; h && h->next; h = h->next) {
        if (str_eq(h->name, name))
            return true;
    }
    return false;
}

static bool is_enabled(const struct route *r)
{
    return r->handler && r->rule;
}

static bool is_route_meant(const struct api_part *p, const struct route *r)
{
    const struct api_request *a = p->asked;
    const struct str texts[] = {r->name, r->rule_text};
    return api_request_finds(a, texts, ARRAY_LEN(texts)) &&
           (a->status.len == 0 ||
            str_ieq(a->status, is_enabled(r) ? STR("enabled") : STR("disabled"))) &&
           (a->service.len == 0 || str_eq(base_name(a->service), base_name(service_name(r)))) &&
           (a->filter.len == 0 || uses_filter(r, base_name(a->filter)) ||
            uses_filter(r, a->filter));
}

static bool is_any_route_meant(const struct api_part *p, size_t i)
{
    return is_route_meant(p, api_route_at(snapshot_of(p), i));
}

struct chain {
    struct str names[API_TEXTS_MAX], kinds[API_TEXTS_MAX], entries[API_TEXTS_MAX];
    size_t n_filters, n_kinds;
};

static void gather_route(const struct api_part *p, const struct route *r, bool is_connection,
                         struct chain *chain, struct api_route *ret)
{
    const struct snapshot *s = snapshot_of(p);
    uint64_t tls = 0;
    chain->n_filters = chain->n_kinds = 0;
    for (unsigned i = 0; i < s->n_entries; i++)
        tls |= (uint64_t)s->entries[i].is_tls << i;
    for (const struct handler *h = r->handler; h && h->next; h = h->next) {
        add_text(chain->names, &chain->n_filters,
                 h->name.len > 0 ? h->name : str_of(h->type->name));
        add_text(chain->kinds, &chain->n_kinds, str_of(h->type->name));
    }
    struct str service = service_name(r);
    *ret = (struct api_route){
        .thing = thing_of(r->name, r->place),
        .rule = r->rule_text,
        .priority = r->priority > 0 ? r->priority : (int64_t)r->rule_text.len,
        .entrypoints = {chain->entries, entries_of(s, r->entries, chain->entries)},
        .filters = {chain->names, chain->n_filters},
        .kinds = {chain->kinds, chain->n_kinds},
        .service = service,
        .service_provider = api_provider_of(service),
        .is_tls = (r->entries & tls) != 0,
        .is_connection = is_connection,
    };
    if (!is_enabled(r))
        ret->thing.error = r->off_why.len > 0 ? r->off_why : STR("a part of it is broken");
}

static size_t count_routes(const struct api_part *p)
{
    return api_n_routes(snapshot_of(p));
}

static struct str route_name(const struct api_part *p, size_t i)
{
    return api_route_at(snapshot_of(p), i)->name;
}

static void put_route(const struct api_part *p, size_t i, bool is_member, struct text *to)
{
    struct chain chain;
    struct api_route r;
    (void)is_member;
    gather_route(p, api_route_at(snapshot_of(p), i), i >= snapshot_of(p)->n_routes, &chain, &r);
    api_put_route(&r, to);
}

const struct api_list_type api_routes = {
    .count = count_routes, .name = route_name, .is_meant = is_any_route_meant, .put = put_route};

// Traefik knows the filters that somebody wrote down; what a site with TLS has by itself isn't one.
static void keep_named_filters(const struct snapshot *s, struct api_route *r, struct str *names)
{
    size_t n = 0;
    for (size_t i = 0; i < r->filters.n; i++) {
        if (map_get(&s->filter_meters, r->filters.items[i]))
            names[n++] = r->filters.items[i];
    }
    r->filters = (struct api_texts){names, n};
}

static void put_router(const struct api_part *p, const struct route *route, bool is_connection,
                       bool is_member, struct text *to)
{
    struct chain chain;
    struct api_route r;
    gather_route(p, route, is_connection, &chain, &r);
    keep_named_filters(snapshot_of(p), &r, chain.kinds);
    api_put_traefik_router(&r, is_member, to);
}

static size_t count_http_routes(const struct api_part *p)
{
    return snapshot_of(p)->n_routes;
}

static void put_http_router(const struct api_part *p, size_t i, bool is_member, struct text *to)
{
    put_router(p, &snapshot_of(p)->routes[i], false, is_member, to);
}

static void put_route_full_name(const struct api_part *p, size_t i, struct text *to)
{
    put_full_name(route_name(p, i), to);
}

const struct api_list_type api_traefik_routers = {.count = count_http_routes,
                                                  .name = route_name,
                                                  .is_meant = is_any_route_meant,
                                                  .put = put_http_router,
                                                  .put_name = put_route_full_name};

static size_t count_tcp_routes(const struct api_part *p)
{
    return snapshot_of(p)->n_tcp_routes;
}

static struct str tcp_route_name(const struct api_part *p, size_t i)
{
    return snapshot_of(p)->tcp_routes[i].name;
}

static bool is_tcp_route_meant(const struct api_part *p, size_t i)
{
    return is_route_meant(p, &snapshot_of(p)->tcp_routes[i]);
}

static void put_tcp_router(const struct api_part *p, size_t i, bool is_member, struct text *to)
{
    put_router(p, &snapshot_of(p)->tcp_routes[i], true, is_member, to);
}

static void put_tcp_full_name(const struct api_part *p, size_t i, struct text *to)
{
    put_full_name(tcp_route_name(p, i), to);
}

const struct api_list_type api_traefik_tcp_routers = {.count = count_tcp_routes,
                                                      .name = tcp_route_name,
                                                      .is_meant = is_tcp_route_meant,
                                                      .put = put_tcp_router,
                                                      .put_name = put_tcp_full_name};

// --- filters ---

static const struct conf_map *filters_of(const struct api_part *p)
{
    return &snapshot_of(p)->settings.filters;
}

static size_t count_filters(const struct api_part *p)
{
    return filters_of(p)->n;
}

static struct str filter_name(const struct api_part *p, size_t i)
{
    return filters_of(p)->items[i].name;
}

static bool is_filter(const struct handler *h)
{
    return h->next != NULL;
}

static void gather_filter(const struct api_part *p, size_t i, struct api_filter *ret)
{
    const struct conf_map_item *item = &filters_of(p)->items[i];
    const struct filter_conf *c = item->value;
    *ret = (struct api_filter){
        .thing = thing_of(item->name, item->place),
        .kind = c->choice.type ? str_of(c->choice.type->key) : STR_NONE,
        .used_by = users_of(p, item->name),
    };
}

static void put_filter(const struct api_part *p, size_t i, bool is_member, struct text *to)
{
    struct api_filter f;
    (void)is_member;
    gather_filter(p, i, &f);
    api_put_filter(&f, to);
}

static void put_middleware(const struct api_part *p, size_t i, bool is_member, struct text *to)
{
    struct api_filter f;
    gather_filter(p, i, &f);
    api_put_traefik_middleware(&f, is_member, to);
}

static void put_filter_full_name(const struct api_part *p, size_t i, struct text *to)
{
    put_full_name(filter_name(p, i), to);
}

const struct api_list_type api_filters = {.count = count_filters,
                                          .name = filter_name,
                                          .put = put_filter,
                                          .has_users = true,
                                          .is_used_as = is_filter};

const struct api_list_type api_traefik_middlewares = {.count = count_filters,
                                                      .name = filter_name,
                                                      .put = put_middleware,
                                                      .put_name = put_filter_full_name,
                                                      .has_users = true,
                                                      .is_used_as = is_filter};

// --- what there is none of ---

static size_t count_nothing(const struct api_part *p)
{
    (void)p;
    return 0;
}

const struct api_list_type api_nothing = {.count = count_nothing};
