// SPDX-License-Identifier: Apache-2.0
#include <stdio.h>

#include "dialect/traefik_static_priv.h"
#include "gate/internal.h"

// --- tables ---

// The binary asks nobody about new versions, and tells nobody of itself.
struct global_conf {
    bool checks, sends;
};

static const struct conf_item global_items[] = {
    ITEM_BOOL(global_conf, checks, "checkNewVersion"),
    ITEM_BOOL(global_conf, sends, "sendAnonymousUsage"),
};

static const struct conf_section global_section = {
    .name = "global",
    CONF_SECTION_OF(global_conf, global_items),
};

struct api_conf {
    bool is_on, insecure, dashboard, debug, hides_ad;
    struct place place;
};

static const struct conf_item api_items[] = {
    ITEM_BOOL(api_conf, insecure, "insecure"),
    ITEM_BOOL(api_conf, dashboard, "dashboard", .def = "true"),
    ITEM_BOOL(api_conf, hides_ad, "disableDashboardAd"),
};

static const struct conf_section api_section = {
    .name = "api",
    CONF_SECTION_OF(api_conf, api_items),
    .place_offset = CONF_PLACE_AT(api_conf, place),
};

struct ping_conf {
    bool is_on, is_manual;
    struct conf_text entry;
    struct place place;
};

static const struct conf_item ping_items[] = {
    ITEM_TEXT(ping_conf, entry, "entryPoint", .def = "traefik"),
    ITEM_BOOL(ping_conf, is_manual, "manualRouting"),
};

static const struct conf_section ping_section = {
    .name = "ping",
    CONF_SECTION_OF(ping_conf, ping_items),
    .place_offset = CONF_PLACE_AT(ping_conf, place),
};

static const struct conf_section prometheus_section = {
    .name = "metrics.prometheus",
    CONF_SECTION_OF(ping_conf, ping_items),
    .place_offset = CONF_PLACE_AT(ping_conf, place),
};

struct metrics_conf {
    struct ping_conf prometheus;
};

static const struct conf_item metrics_items[] = {
    ITEM_SWITCHED(metrics_conf, prometheus, "prometheus", struct ping_conf, is_on,
                  .section = &prometheus_section, .def = "off"),
};

static const struct conf_section metrics_section = {
    .name = "metrics",
    CONF_SECTION_OF(metrics_conf, metrics_items),
};

struct core_conf {
    struct conf_text syntax;
};

static const struct conf_item core_items[] = {
    ITEM_TEXT(core_conf, syntax, "defaultRuleSyntax", .def = "v3"),
};

static const struct conf_section core_section = {
    .name = "core",
    CONF_SECTION_OF(core_conf, core_items),
};

struct transport_conf {
    bool is_insecure;
};

static const struct conf_item transport_items[] = {
    ITEM_BOOL(transport_conf, is_insecure, "insecureSkipVerify"),
};

static const struct conf_section transport_section = {
    .name = "serversTransport",
    CONF_SECTION_OF(transport_conf, transport_items),
};

// Entrypoints and resolvers are read one by one.
struct static_conf {
    struct global_conf global;
    struct traefik_log_conf log;
    struct traefik_access_conf access;
    struct api_conf api;
    struct ping_conf ping;
    struct metrics_conf metrics;
    struct core_conf core;
    struct traefik_providers_conf providers;
    struct transport_conf transport;
    struct conf_map entries, resolvers; // taken out before
};

static const struct conf_item static_items[] = {
    ITEM_MAP(static_conf, entries, "entryPoints", .section = &traefik_entry_section),
    ITEM_MAP(static_conf, resolvers, "certificatesResolvers", .section = &traefik_entry_section),
    ITEM_SECTION(static_conf, global, "global", struct global_conf, .section = &global_section),
    ITEM_SWITCHED(static_conf, log, "log", struct traefik_log_conf, is_on,
                  .section = &traefik_log_section, .def = "off"),
    ITEM_SWITCHED(static_conf, access, "accessLog", struct traefik_access_conf, is_on,
                  .section = &traefik_access_section, .def = "off"),
    ITEM_SWITCHED(static_conf, api, "api", struct api_conf, is_on, .section = &api_section,
                  .def = "off"),
    ITEM_SWITCHED(static_conf, ping, "ping", struct ping_conf, is_on, .section = &ping_section,
                  .def = "off"),
    ITEM_SECTION(static_conf, metrics, "metrics", struct metrics_conf, .section = &metrics_section),
    ITEM_SECTION(static_conf, core, "core", struct core_conf, .section = &core_section),
    ITEM_SECTION(static_conf, providers, "providers", struct traefik_providers_conf,
                 .section = &traefik_providers_section),
    ITEM_SECTION(static_conf, transport, "serversTransport", struct transport_conf,
                 .section = &transport_section),
};

static const struct conf_section static_section = {
    .name = "traefik",
    CONF_SECTION_OF(static_conf, static_items),
};

// --- helpers ---

bool static_fail(struct static_conv *s, struct place place, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    (void)diag_fail(s->out.diags, ERR_SYNTAX, place, "%s", text);
    return false;
}

void *static_read(struct static_conv *s, const struct conf_section *section, struct conf_node *node,
                  bool *ret_is_fine)
{
    return traefik_read_all(&s->out, section, traefik_static_refusals, node, ret_is_fine);
}

struct conf_node *static_route(struct static_conv *s, const char *match, struct str name,
                               struct str entry, struct place place)
{
    struct conf_node *routes = traefik_list(&s->out, s->ret->root, "routes", place);
    struct conf_node *route = conf_node_new(s->out.mem, CONF_NODE_MAP, place);
    if (!route)
        panic("converted settings don't fit");
    traefik_set(&s->out, route, "match", str_of(match), place);
    traefik_set(&s->out, route, "name", name, place);
    traefik_push(&s->out, traefik_list(&s->out, route, "entrypoints", place), entry, place);
    conf_node_append(routes, route);
    return route;
}

// --- parts ---

static const struct traefik_entry *find_entry(const struct static_conv *s, struct str name)
{
    for (size_t i = 0; i < s->ret->n_entries; i++) {
        if (str_ieq(s->ret->entries[i].name, name))
            return &s->ret->entries[i];
    }
    return NULL;
}

// A route to an internal service; the entrypoint `traefik` at :8080 comes into being for it.
static void put_internal(struct static_conv *s, const char *match, const char *service,
                         struct str entry, struct place place)
{
    struct traefik_conv *out = &s->out;
    if (!internal_find(str_of(service))) {
        static_fail(s, place, "%s isn't there: leave it out", service);
        return;
    }
    const struct traefik_entry *at = find_entry(s, entry);
    if (!at) {
        if (!str_ieq(entry, STR("traefik"))) {
            static_fail(s, place, "there is no entrypoint '" STR_FMT "'", STR_ARG(entry));
            return;
        }
        struct conf_node *node = traefik_map(
            out, traefik_map(out, s->ret->root, "entrypoints", place), "traefik", place);
        traefik_set(out, node, "listen", STR(":8080"), place);
        struct traefik_entry *own = &s->ret->entries[s->ret->n_entries++];
        *own = (struct traefik_entry){.name = STR("traefik")};
        at = own;
    }
    struct str name = str_of(service);
    struct conf_node *route = static_route(s, match, name, at->name, place);
    traefik_set(out, route, "to", name, place);
}

static void put_internals(struct static_conv *s, const struct static_conf *c)
{
    const struct ping_conf *p = &c->ping, *m = &c->metrics.prometheus;
    if (c->api.is_on && c->api.insecure)
        put_internal(s, "PathPrefix(`/api`)", "api@internal", STR("traefik"), c->api.place);
    if (p->is_on && !p->is_manual)
        put_internal(s, "Path(`/ping`)", "ping@internal", p->entry.text, p->place);
    if (m->is_on && !m->is_manual)
        put_internal(s, "Path(`/metrics`)", "metrics@internal", m->entry.text, m->place);
}

// --- entrypoints ---

static void put_entries(struct static_conv *s, struct conf_node *entries)
{
    struct traefik_static *ret = s->ret;
    static const struct place none = {.source = "usual entrypoint"};
    size_t n = entries && entries->kind == CONF_NODE_MAP ? entries->n : 0;
    ret->entries = (struct traefik_entry *)arena_zalloc(s->out.mem, n + 2, sizeof *ret->entries,
                                                        alignof(struct traefik_entry));
    if (!ret->entries)
        panic("converted settings don't fit");
    for (struct conf_node *node = n > 0 ? entries->first : NULL; node; node = node->next)
        static_add_entry(s, arena_dup(s->out.mem, node->key), node);
    for (struct conf_node *node = n > 0 ? entries->first : NULL; node; node = node->next)
        static_add_redirection(s, arena_dup(s->out.mem, node->key), node);
    if (n == 0) {
        struct conf_node *map = traefik_map(&s->out, ret->root, "entrypoints", none);
        traefik_set(&s->out, traefik_map(&s->out, map, "http", none), "listen", STR(":80"), none);
        ret->entries[ret->n_entries++] = (struct traefik_entry){.name = STR("http")};
    }
}

// Routers that name none have those that say so, or else all but Traefik's own.
static void choose_defaults(struct traefik_static *ret)
{
    bool has_any = false;
    for (size_t i = 0; i < ret->n_entries; i++)
        has_any = has_any || ret->entries[i].is_default;
    for (size_t i = 0; i < ret->n_entries && !has_any; i++)
        ret->entries[i].is_default = !str_ieq(ret->entries[i].name, STR("traefik"));
}

// --- the whole ---

// Takes a child out, so that the rest fits the table.
static struct conf_node *take_child(struct conf_node *tree, struct str key)
{
    struct conf_node *before = NULL;
    for (struct conf_node *child = tree->first; child; before = child, child = child->next) {
        if (!str_ieq(child->key, key))
            continue;
        if (before)
            before->next = child->next;
        else
            tree->first = child->next;
        if (tree->last == child)
            tree->last = before;
        tree->n--;
        return child;
    }
    return NULL;
}

bool traefik_static_convert(struct conf_node *tree, bool is_flat, struct arena *mem,
                            struct diags *diags, struct traefik_static *ret)
{
    static const struct place place = {.source = "traefik"};
    const struct traefik_source source = {.provider = STR("static"), .is_flat = is_flat};
    struct static_conv s = {.ret = ret, .out = {.mem = mem, .diags = diags, .source = &source}};
    size_t n_errors = diags->n_errors;
    bool is_fine;
    *ret = (struct traefik_static){.root = conf_node_new(mem, CONF_NODE_MAP, place)};
    if (!ret->root)
        panic("converted settings don't fit");
    struct conf_node *entries = take_child(tree, STR("entryPoints"));
    struct conf_node *resolvers = take_child(tree, STR("certificatesResolvers"));
    const struct static_conf *c = static_read(&s, &static_section, tree, &is_fine);
    put_entries(&s, entries);
    static_put_log(&s, &c->log, place);
    static_put_access(&s, &c->access, place);
    static_put_providers(&s, &c->providers);
    ret->is_v2 = str_ieq(c->core.syntax.text, STR("v2"));
    ret->has_api = c->api.is_on;
    put_internals(&s, c);
    choose_defaults(ret);
    struct conf_node *first =
        resolvers && resolvers->kind == CONF_NODE_MAP ? resolvers->first : NULL;
    for (struct conf_node *node = first; node; node = node->next)
        static_add_resolver(&s, node->key, node);
    // Without a resolver nobody is asked: certificates are the local CA's.
    traefik_set(&s.out, ret->root, "issuer", STR("local"), place);
    if (s.grace_ms > 0)
        traefik_set_ms(&s.out, ret->root, "drain-timeout", s.grace_ms, place);
    ret->skips_verify = c->transport.is_insecure;
    return diags->n_errors == n_errors;
}
