// SPDX-License-Identifier: Apache-2.0
// Routes of a snapshot: from sites and from the list, each with its chain of handlers.
#include "base/text.h"
#include "codec/idna.h"
#include "codec/url.h"
#include "gate/snapshot_priv.h"
#include "gate/wiring.h"
#include "upstream/service.h"

// Ranks of a site's routes, so that they come before free routes (whose priority is the length of
// their rule), and exact names before those with a wildcard. Behind it the length of the rule
// counts.
#define RANK_EXACT 2000000
#define RANK_WILDCARD 1000000

// What the three kinds of route have in common.
struct route_parts {
    struct str name;
    struct place place;
    struct str rule_text;
    struct rule *rule; // NULL: an error, which was told
    int64_t priority;
    uint64_t entries;
    const struct conf_texts *use_first; // of the site, in front; NULL: none
    const struct conf_texts *use;
    const struct conf_texts *to;
    const struct conf_text *strip, *replace;
    const struct snapshot_site *site; // NULL: of the list
    struct str off_why;               // empty: it is on
};

int snapshot_entry_named(struct builder *b, const struct conf_text *name)
{
    int index = snapshot_find_entry(b->s, name->text);
    if (index < 0)
        diag_fail(b->diags, ERR_NOT_FOUND, name->place, "there is no entrypoint '" STR_FMT "'",
                  STR_ARG(name->text));
    return index;
}

// Those for requests.
static uint64_t entries_of(struct builder *b, const struct conf_texts *names)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < names->n; i++) {
        int index = snapshot_entry_named(b, &names->items[i]);
        uint64_t bit = index >= 0 ? (uint64_t)1 << index : 0;
        if ((b->tcp_entries & bit) != 0)
            diag_fail(b->diags, ERR_SYNTAX, names->items[i].place,
                      "the entrypoint '" STR_FMT "' has 'protocol: tcp', so there are no requests; "
                      "its routes are those with HostSNI",
                      STR_ARG(names->items[i].text));
        bits |= bit;
    }
    return names->n > 0 ? bits : ~(b->tcp_entries | b->metrics_entry);
}

static bool looks_like_url(struct str s)
{
    return str_search(s, STR("://")) != STR_NPOS || str_starts(s, STR("unix:"));
}

// A service made of the URLs in `to`.
static struct handler *build_inline_service(struct builder *b, const struct conf_texts *to)
{
    struct arena *mem = &b->s->mem;
    struct conf_node *servers = conf_node_new(mem, CONF_NODE_SEQ, to->items[0].place);
    for (size_t i = 0; i < to->n; i++)
        conf_node_append(servers, conf_node_scalar(mem, to->items[i].text, to->items[i].place));
    struct conf_node *node = conf_node_new(mem, CONF_NODE_MAP, to->items[0].place);
    conf_node_put(node, STR("servers"), servers);
    struct service_conf *conf = ARENA_NEW(mem, struct service_conf);
    // They differ in nothing but their servers: each takes the rest from the first.
    if (conf_read(&service_section, node, b->inline_conf, mem, b->diags, conf) != ERR_OK)
        return NULL;
    b->inline_conf = conf;
    conf->authorities = b->authorities;
    struct handler *service =
        service_build(to->items[0].text, conf, b->env->registry, mem, b->diags);
    if (service)
        snapshot_remember(b, &b->s->all_services, service);
    return service;
}

const struct handler *snapshot_service_of(struct builder *b, const struct conf_texts *to)
{
    if (looks_like_url(to->items[0].text))
        return build_inline_service(b, to);
    if (to->n > 1) {
        diag_fail(b->diags, ERR_SYNTAX, to->items[0].place,
                  "a list in 'to' is a list of URLs like \"http://10.0.0.1:8080\"; for several "
                  "servers with settings, name a service and list them there");
        return NULL;
    }
    const struct handler *service = map_get(&b->s->services, to->items[0].text);
    if (!service && internal_is_name(to->items[0].text)) {
        diag_fail(b->diags, ERR_SYNTAX, to->items[0].place,
                  "'" STR_FMT "' is an internal service; only routes for requests lead there",
                  STR_ARG(to->items[0].text));
        return NULL;
    }
    if (!service)
        diag_fail(b->diags, ERR_NOT_FOUND, to->items[0].place,
                  "there is no service '" STR_FMT "' (or it has an error); write a URL like "
                  "\"http://" STR_FMT ":8080\" to name a server",
                  STR_ARG(to->items[0].text), STR_ARG(to->items[0].text));
    return service;
}

// A service of a route for requests, or NULL with an error.
static const struct handler *for_requests(struct builder *b, const struct route_parts *p,
                                          const struct handler *service)
{
    const char *why = service ? snapshot_service_fault(service) : NULL;
    if (!why)
        return service;
    diag_fail(b->diags, ERR_SYNTAX, p->to->items[0].place,
              "'" STR_FMT "' has %s, and the route '" STR_FMT "' is for requests",
              STR_ARG(p->to->items[0].text), why, STR_ARG(p->name));
    return NULL;
}

// An internal service, or NULL with an error.
static const struct handler *build_internal(struct builder *b, const struct route_parts *p)
{
    const struct internal_type *type = snapshot_internal_of(b, p->to);
    if (!type)
        return NULL;
    if (!snapshot_keeps_strangers_out(b, p->use) &&
        !(p->use_first && snapshot_keeps_strangers_out(b, p->use_first)))
        snapshot_warn_if_open(b, type, p->name, p->to->items[0].place, p->entries);
    return &type->handler;
}

static const struct handler *build_target(struct builder *b, const struct route_parts *p)
{
    const struct conf_texts *to = p->to;
    if (to->n == 0) {
        if (p->use->n == 0 && (!p->use_first || p->use_first->n == 0))
            diag_fail(b->diags, ERR_NOT_FOUND, p->place,
                      "the route '" STR_FMT "' leads nowhere; give it 'to' (a service's name or a "
                      "URL), or a filter in 'use' that answers",
                      STR_ARG(p->name));
        return &wiring_no_service;
    }
    if (to->n == 1 && internal_is_name(to->items[0].text))
        return build_internal(b, p);
    return for_requests(b, p, snapshot_service_of(b, to));
}

static const struct handler *build_mapping(struct builder *b, const struct route_parts *p,
                                           const struct handler *next)
{
    if (p->strip->text.len == 0) {
        if (p->replace->text.len > 0)
            diag_fail(b->diags, ERR_SYNTAX, p->replace->place,
                      "'replace' needs 'strip': the prefix whose place it takes");
        return next;
    }
    const struct filter_env env = {.mem = &b->s->mem, .diags = b->diags};
    const struct handler *h = filter_prefix_mapping(p->strip, p->replace, next, &env);
    return h ? h : next;
}

// "max-age=31536000; includeSubDomains; preload" (RFC 6797 6.1).
static struct str hsts_value(const struct hsts_conf *c, struct arena *mem)
{
    return arena_printf(mem, "max-age=%lld%s%s", (long long)(c->max_age_ms / 1000),
                        c->subdomains ? "; includeSubDomains" : "", c->preload ? "; preload" : "");
}

// What a site with TLS has in front of all else: nobody is asked for a password before the
// redirect.
static const struct handler *build_https(struct builder *b, const struct snapshot_site *site,
                                         const struct handler *next)
{
    const struct site_conf *c = site->item->value;
    const struct filter_env env = {.mem = &b->s->mem, .diags = b->diags};
    const struct handler *h = next;
    if (site->tls_entries == 0)
        return next;
    if (c->hsts.is_on)
        h = filter_hsts(hsts_value(&c->hsts, &b->s->mem), h, &env);
    // The first entrypoint with TLS is where the redirect leads.
    unsigned entry = (unsigned)__builtin_ctzll(site->tls_entries);
    if (h && c->redirect_to_https)
        h = filter_to_https(b->s->entries[entry].port, h, &env);
    return h ? h : next;
}

// A part that is broken has told so; the others are still built, so that theirs is told as well.
static const struct handler *build_chain(struct builder *b, const struct route_parts *p)
{
    const struct handler *h = build_target(b, p);
    if (!h)
        h = &wiring_no_service;
    h = build_mapping(b, p, h);
    h = snapshot_build_filters(b, p->use, h);
    if (p->use_first)
        h = snapshot_build_filters(b, p->use_first, h);
    return p->site ? build_https(b, p->site, h) : h;
}

void snapshot_put_route(struct builder *b, const struct route *route)
{
    struct snapshot *s = b->s;
    if (s->n_routes == b->routes_cap) {
        size_t cap = MAX(b->routes_cap * 2, (size_t)16);
        struct route *bigger = ARENA_ARRAY(&s->mem, struct route, cap);
        if (s->n_routes > 0)
            memcpy(bigger, s->routes, s->n_routes * sizeof *bigger);
        s->routes = bigger;
        b->routes_cap = cap;
    }
    s->routes[s->n_routes++] = *route;
}

static void add_route(struct builder *b, const struct route_parts *p)
{
    struct str service_name = p->to->n > 0 ? p->to->items[0].text : STR_NONE;
    struct str site = p->site ? p->site->item->name : STR_NONE;
    snapshot_put_route(
        b, &(struct route){
               .name = p->name,
               .place = p->place,
               .rule_text = p->rule_text,
               .rule = p->rule,
               .priority = p->priority,
               .entries = p->entries,
               .handler = p->off_why.len > 0 ? NULL : build_chain(b, p),
               .off_why = p->off_why,
               .service_name = service_name,
               .meter = meter_list_place(&b->s->meters, METER_ROUTE, p->name, site, service_name),
           });
}

// Adds "Host(`name`)" for one name of a site. *is_exact stays true while no name has a wildcard.
static void add_host(struct builder *b, struct snapshot_site *of, struct conf_text name,
                     struct text *rule, bool *is_exact)
{
    const struct conf_map_item *site = of->item;
    struct str ascii;
    const char *why = NULL;
    struct url_authority authority;
    struct str host = name.text;
    if (idna_to_ascii(host, &b->s->mem, &ascii, &why) == ERR_OK) {
        bool is_wildcard = str_starts(ascii, STR("*."));
        if (url_authority_parse(is_wildcard ? str_skip(ascii, 2) : ascii, &authority) == ERR_OK &&
            authority.port == 0) {
            *is_exact = *is_exact && !is_wildcard;
            const struct conf_map_item *other = map_set(&b->names, ascii, (void *)(uintptr_t)site);
            if (other)
                diag_fail(b->diags, ERR_SYNTAX, name.place,
                          "the name '" STR_FMT "' already belongs to the site '" STR_FMT
                          "' (line %u)",
                          STR_ARG(host), STR_ARG(other->name), other->place.line);
            text_put(rule, rule->len > 0 ? STR(" || Host(`") : STR("Host(`"));
            text_put(rule, ascii);
            text_put(rule, STR("`)"));
            of->names[of->n_names++] = ascii;
            return;
        }
    }
    diag_fail(b->diags, ERR_SYNTAX, name.place,
              "'" STR_FMT "' is not a host name%s%s; write it like app.example.com or "
              "*.example.com, without scheme, port or path",
              STR_ARG(host), why ? ": " : "", why ? why : "");
}

// "(hosts) && (match)", where hosts is parsed once for all routes of a site.
static bool join_rules(struct builder *b, const struct rule *hosts, struct str host_text,
                       const struct conf_text *match, struct route_parts *p)
{
    struct arena *mem = &b->s->mem;
    struct rule *alone = rule_parse(match->text, match->place, mem, b->diags);
    if (!alone)
        return false;
    struct str left = arena_concat(mem, STR("("), host_text, STR(") && ("));
    p->rule_text = arena_concat(mem, left, match->text, STR(")"));
    p->rule = rule_both(hosts, alone, p->rule_text, mem);
    return p->rule != NULL;
}

static void build_site_routes(struct builder *b, const struct snapshot_site *of,
                              const struct rule *hosts, struct str host_text, int64_t rank,
                              uint64_t entries)
{
    const struct conf_map_item *item = of->item;
    const struct site_conf *site = item->value;
    struct arena *mem = &b->s->mem;
    for (size_t i = 0; i < site->routes.n; i++) {
        const struct site_route_conf *r = site->routes.items[i];
        struct route_parts p = {
            .name = r->name.text.len > 0
                        ? r->name.text
                        : arena_printf(mem, STR_FMT "/%zu", STR_ARG(item->name), i + 1),
            .place = r->place,
            .priority = r->priority > 0 ? r->priority : rank + 1 + (int64_t)r->match.text.len,
            .entries = entries,
            .use_first = &site->use,
            .use = &r->use,
            .to = r->to.n > 0 ? &r->to : &site->to,
            .strip = &r->strip,
            .replace = &r->replace,
            .site = of,
        };
        if (join_rules(b, hosts, host_text, &r->match, &p))
            add_route(b, &p);
    }
}

// Where the site is reached. What is said of TLS needs an entrypoint for it.
static uint64_t entries_of_site(struct builder *b, struct snapshot_site *of)
{
    const struct site_conf *site = of->item->value;
    const struct snapshot *s = b->s;
    uint64_t all = s->n_entries == 64 ? UINT64_MAX : ((uint64_t)1 << s->n_entries) - 1;
    uint64_t entries = entries_of(b, &site->entrypoints) & all;
    if (!site->tls.is_on && entries != 0 && (entries & ~b->tls_entries) == 0)
        diag_fail(b->diags, ERR_SYNTAX, of->item->place,
                  "the site '" STR_FMT "' has 'tls: off', but all its entrypoints speak TLS",
                  STR_ARG(of->item->name));
    if (!site->tls.is_on)
        return entries & ~b->tls_entries;
    of->tls_entries = entries & b->tls_entries;
    if (of->tls_entries == 0 && (site->tls.policy.place.line > 0 || site->hsts.is_on))
        diag_warn(b->diags, of->item->place,
                  "what the site '" STR_FMT "' says of TLS does nothing: none of its entrypoints "
                  "speaks it",
                  STR_ARG(of->item->name));
    return entries;
}

static void build_site(struct builder *b, struct snapshot_site *of)
{
    const struct conf_map_item *item = of->item;
    const struct site_conf *site = item->value;
    struct text hosts = {.ptr = NULL};
    bool is_exact = true;
    uint64_t entries = entries_of_site(b, of);
    of->names = ARENA_ARRAY(&b->s->mem, struct str, site->aliases.n + 1);
    add_host(b, of, (struct conf_text){item->name, item->place}, &hosts, &is_exact);
    for (size_t i = 0; i < site->aliases.n; i++)
        add_host(b, of, site->aliases.items[i], &hosts, &is_exact);
    struct str host_text = arena_dup(&b->s->mem, text_str(&hosts));
    text_fini(&hosts);
    if (host_text.len == 0)
        return;
    struct rule *rule = rule_parse(host_text, item->place, &b->s->mem, b->diags);
    if (!rule)
        return;
    int64_t rank = is_exact ? RANK_EXACT : RANK_WILDCARD;
    build_site_routes(b, of, rule, host_text, rank, entries);
    if (site->to.n == 0 && site->use.n == 0 && site->routes.n > 0)
        return;
    static const struct conf_texts none;
    add_route(b, &(struct route_parts){
                     .name = item->name,
                     .place = item->place,
                     .rule_text = host_text,
                     .rule = rule,
                     .priority = rank,
                     .entries = entries,
                     .use_first = &none,
                     .use = &site->use,
                     .to = &site->to,
                     .strip = &site->strip,
                     .replace = &site->replace,
                     .site = of,
                 });
}

static void build_route(struct builder *b, const struct route_conf *r, const struct conf_node *node,
                        size_t i)
{
    static const struct conf_texts none;
    struct str name =
        r->name.text.len > 0 ? r->name.text : arena_printf(&b->s->mem, "route/%zu", i + 1);
    if (snapshot_build_tcp_route(b, r, name))
        return;
    struct rule *rule = rule_parse(r->match.text, r->match.place, &b->s->mem, b->diags);
    uint64_t entries = entries_of(b, &r->entrypoints);
    if (rule)
        snapshot_build_hosts(b, r, node, rule, entries);
    add_route(b, &(struct route_parts){
                     .name = name,
                     .place = r->place,
                     .rule_text = r->match.text,
                     .rule = rule,
                     .priority = r->priority,
                     .entries = entries,
                     .use_first = &none,
                     .use = &r->use,
                     .to = &r->to,
                     .strip = &r->strip,
                     .replace = &r->replace,
                     .off_why = r->disabled.text,
                 });
}

void snapshot_build_routes(struct builder *b)
{
    const struct settings *c = &b->s->settings;
    b->s->sites = (struct snapshot_site *)arena_zalloc(
        &b->s->mem, MAX(c->sites.n, (size_t)1), sizeof *b->s->sites, alignof(struct snapshot_site));
    b->s->n_sites = c->sites.n;
    for (size_t i = 0; i < c->sites.n; i++) {
        b->s->sites[i].item = &c->sites.items[i];
        build_site(b, &b->s->sites[i]);
    }
    // A list of one may be written as its only element.
    const struct conf_node *list = conf_node_get(b->root, STR("routes"));
    const struct conf_node *node = list && list->kind == CONF_NODE_SEQ ? list->first : list;
    for (size_t i = 0; i < c->routes.n && node; i++, node = node->next)
        build_route(b, c->routes.items[i], node, i);
    snapshot_add_metrics_route(b);
    b->s->router = router_build(b->s->routes, b->s->n_routes, &b->s->mem);
    if (!b->s->router)
        diag_fail(b->diags, ERR_LIMIT, (struct place){.line = 0},
                  "the routes need too much memory");
    snapshot_build_tcp_router(b);
}
