// SPDX-License-Identifier: Apache-2.0
// Where requests go: services with the Host that servers get, and the page of statistics.
#include "dialect/haproxy_rules.h"

static struct conf_node *services_of(struct haproxy *h)
{
    return draft_map(h->d, h->d->root, STR("services"), (struct place){.line = 0});
}

static void put_host(struct haproxy *h, struct conf_node *service, const struct haproxy_state *s)
{
    if (s->host.len > 0)
        draft_set(h->d, service, STR("host"), s->host, s->host_place);
    else if (draft_get(h->d, service, STR("host")))
        draft_remove(service, STR("host"));
}

// The first Host is the service's own; for others it is there once more.
struct str haproxy_service(struct haproxy_run *r, const struct haproxy_state *s)
{
    struct haproxy *h = r->h;
    struct haproxy_proxy *p = r->proxy;
    struct conf_node *services = services_of(h);
    const struct conf_node *own = draft_get(h->d, services, p->service);
    if (!p->has_host) {
        p->has_host = true;
        p->host = s->host;
        put_host(h, draft_map(h->d, services, p->service, p->s->place), s);
    }
    if (str_eq(p->host, s->host) || !own)
        return p->service;
    struct str key = draft_printf(h->d, STR_FMT " " STR_FMT, STR_ARG(p->service), STR_ARG(s->host));
    struct str *known = map_get(&h->services, key);
    if (known)
        return *known;
    struct str *name = ARENA_NEW(&h->d->mem, struct str);
    if (!name) {
        h->d->is_full = true;
        return p->service;
    }
    *name = draft_name(h->d, services, p->service);
    map_set(&h->services, key, name);
    struct conf_node *copy = draft_map(h->d, services, *name, p->s->place);
    draft_copy(h->d, own, copy);
    put_host(h, copy, s);
    return *name;
}

// --- statistics ---

#define PASSWORDS_MAX 50

// "stats auth NAME:PASSWORD", as many as there are.
static size_t put_users(struct haproxy *h, struct haproxy_section *at, struct conf_node *users)
{
    for (; at; at = at->defaults)
        for (size_t i = 0; i < at->n; i++) {
            struct haproxy_line *l = &at->lines[i];
            struct str name, password, entry;
            if (!str_eq(l->words[0], STR("stats")) || !str_eq(haproxy_word(l, 1), STR("auth")))
                continue;
            draft_hide(h->d, l->place);
            if (!str_cut(haproxy_word(l, 2), ':', &name, &password) || users->n == PASSWORDS_MAX)
                continue;
            entry = haproxy_user(h, name, password);
            if (entry.len > 0)
                draft_push(h->d, users, entry, l->place);
        }
    return users->n;
}

// The filter that asks for one of its passwords. Empty: there is none.
static struct str login_of(struct haproxy_run *r, struct haproxy_line *l)
{
    struct haproxy *h = r->h;
    struct haproxy_section *at = r->proxy->s;
    struct haproxy_line *realm = haproxy_last(at, "stats", "realm");
    struct conf_node *map, *filters = draft_map(h->d, h->d->root, STR("filters"), l->place);
    struct str name =
        haproxy_filter(h, draft_printf(h->d, "stats %u " STR_FMT, l->place.line, STR_ARG(at->name)),
                       STR("stats-login"), l->place, &map);
    if (map) {
        struct conf_node *basic = draft_map(h->d, map, STR("basic-auth"), l->place);
        if (put_users(h, at, draft_list(h->d, basic, STR("users"), l->place)) == 0)
            draft_remove(filters, name);
        else if (realm)
            draft_set(h->d, basic, STR("realm"), haproxy_word(realm, 2), realm->place);
    }
    return draft_get(h->d, filters, name) ? name : STR_NONE;
}

bool haproxy_stats(struct haproxy_run *r, const struct haproxy_state *s, struct haproxy_line *l)
{
    struct haproxy *h = r->h;
    bool has_uri = str_eq(haproxy_word(l, 1), STR("uri"));
    struct str uri = has_uri ? haproxy_word(l, 2) : STR("/haproxy");
    uri = str_first(uri, MIN(str_find(uri, '?'), uri.len));
    struct haproxy_line *rules = haproxy_last(r->proxy->s, "stats", "http-request");
    struct haproxy_asked a = haproxy_asking(r, s, false);
    struct haproxy_state own = *s;
    if (r->front->is_tcp || !str_starts(uri, STR("/"))) {
        haproxy_note(h, l, DRAFT_NEEDLESS, "there is no page in mode tcp");
        return false;
    }
    struct str login = rules ? STR_NONE : login_of(r, l);
    if (login.len == 0) {
        haproxy_note(h, rules ? rules : l, DRAFT_LOST,
                     "no page is made; 'sallyport top' and 'sallyport status' show as much, and a "
                     "route to 'api@internal' behind a password has it as JSON");
        return false;
    }
    own.cond =
        haproxy_and(h->d, s->cond, haproxy_ask(&a, (const struct str[]){STR("path_beg"), uri}, 2));
    if (own.cond->kind == HAPROXY_FALSE || haproxy_unknown_part(own.cond))
        return false;
    haproxy_state_use(r, &own, login, true);
    haproxy_note(h, l, DRAFT_CHANGED,
                 "the API answers there with JSON instead of a page, see 'sallyport api'");
    haproxy_put_route(r, &own, l, STR_NONE, STR("api@internal"));
    while (str_ends(uri, STR("/")))
        uri.len--;
    if (uri.len > 0 && h->n_routes > 0)
        draft_set(h->d, h->routes[h->n_routes - 1], STR("strip"), uri, l->place);
    return uri.len == 0 && s->cond->kind == HAPROXY_TRUE;
}
