// SPDX-License-Identifier: Apache-2.0
// TCP routers, whose connections pass untouched. With TLS that is left to the server they share an
// entrypoint with HTTP routers; without it they need one for themselves.
#include "dialect/traefik_emit.h"
#include "dialect/traefik_rule.h"

// --- tables ---

static const struct conf_item tls_items[] = {
    ITEM_BOOL(traefik_router_tls, passes, "passthrough"),
    ITEM_TEXT(traefik_router_tls, options, "options"),
    ITEM_TEXT(traefik_router_tls, resolver, "certResolver"),
};

static const struct conf_section tls_section = {
    .name = "tls",
    CONF_SECTION_OF(traefik_router_tls, tls_items),
};

static const struct conf_item router_items[] = {
    TRAEFIK_ROUTER_ITEMS(tls_section),
};

static const struct conf_section router_section = {
    .name = "router",
    CONF_SECTION_OF(traefik_router_conf, router_items),
};

struct address_conf {
    struct conf_text address;
};

static const struct conf_item address_items[] = {
    ITEM_TEXT(address_conf, address, "address", .is_required = true),
};

static const struct conf_section address_section = {
    .name = "server",
    CONF_SECTION_OF(address_conf, address_items),
};

struct proxy_conf {
    bool is_on;
    uint32_t version;
};

static const struct conf_item proxy_items[] = {
    ITEM_UINT(proxy_conf, version, "version", .def = "2", .min = "1", .max = "2"),
};

static const struct conf_section proxy_section = {
    .name = "proxyProtocol",
    CONF_SECTION_OF(proxy_conf, proxy_items),
};

struct balancer_conf {
    struct conf_list servers; // of address_conf
    struct proxy_conf proxy;
    struct conf_text delay; // the other direction is closed when its end is there
};

static const struct conf_item balancer_items[] = {
    ITEM_LIST(balancer_conf, servers, "servers", .section = &address_section),
    ITEM_SWITCHED(balancer_conf, proxy, "proxyProtocol", struct proxy_conf, is_on,
                  .section = &proxy_section, .def = "off"),
    ITEM_TEXT(balancer_conf, delay, "terminationDelay"),
};

static const struct conf_section balancer_section = {
    .name = "loadBalancer",
    CONF_SECTION_OF(balancer_conf, balancer_items),
};

struct service_conf {
    struct balancer_conf balancer;
};

static const struct conf_item service_items[] = {
    ITEM_SECTION(service_conf, balancer, "loadBalancer", struct balancer_conf,
                 .section = &balancer_section),
};

static const struct conf_section service_section = {
    .name = "service",
    CONF_SECTION_OF(service_conf, service_items),
};

struct allow_conf {
    struct conf_texts ranges;
};

static const struct conf_item allow_items[] = {
    ITEM_TEXTS(allow_conf, ranges, "sourceRange", .is_required = true),
};

static const struct conf_section allow_section = {
    .name = "ipAllowList",
    CONF_SECTION_OF(allow_conf, allow_items),
};

static const struct traefik_refusal refusals[] = {
    {"service", "weighted", "use `split` of a service in the settings file"},
    {"loadBalancer", "serversTransport", "TLS is left to the server: leave it out"},
    {"loadBalancer", "healthCheck", "use `health` of a service in the settings file"},
    {"server", "tls", "TLS is left to the server: leave it out"},
    {.section = NULL},
};

// --- services ---

static bool make_service(struct traefik_conv *c, struct traefik_thing *t)
{
    const struct service_conf *s = traefik_read(c, &service_section, refusals, t->node);
    struct place place = t->node->key_place;
    if (!s)
        return false;
    if (s->balancer.servers.n == 0 && !c->source->is_foreign)
        return traefik_fail(c, place, "it has no servers");
    struct conf_node *service = conf_node_new(c->mem, CONF_NODE_MAP, place);
    struct str name = arena_concat(c->mem, STR("tcp:"), t->name, STR_NONE);
    if (!service || !name.ptr)
        panic("converted settings don't fit");
    (void)traefik_list(c, service, "servers", place);
    if (c->source->is_foreign)
        traefik_set_bool(c, service, "may-be-empty", true, place);
    for (size_t i = 0; i < s->balancer.servers.n; i++) {
        const struct conf_text *a =
            &((const struct address_conf *)s->balancer.servers.items[i])->address;
        traefik_push(c, traefik_list(c, service, "servers", place),
                     arena_concat(c->mem, STR("tcp://"), a->text, STR_NONE), a->place);
    }
    if (s->balancer.proxy.is_on)
        traefik_set(c, service, "proxy-protocol",
                    s->balancer.proxy.version == 1 ? STR("v1") : STR("v2"), place);
    service->key = name;
    service->key_place = place;
    map_set(&c->out_services, name, service);
    t->filters = ARENA_NEW(c->mem, struct str); // the name of the service
    if (!t->filters)
        panic("converted settings don't fit");
    t->filters[0] = name;
    return true;
}

struct str traefik_tcp_service(struct traefik_conv *c, const struct conf_text *name)
{
    struct traefik_thing *t = traefik_find(c, &c->tcp_services, name->text);
    if (!t) {
        traefik_fail(c, name->place, "there is no TCP service '" STR_FMT "'", STR_ARG(name->text));
        return STR_NONE;
    }
    return traefik_make(c, t, "TCP service", name->place, make_service) ? t->filters[0] : STR_NONE;
}

// --- middlewares: conditions of the rule ---

static bool make_condition(struct traefik_conv *c, struct traefik_thing *t)
{
    struct conf_node *node = t->node->kind == CONF_NODE_MAP ? t->node->first : NULL;
    bool is_allow =
        node && (str_ieq(node->key, STR("ipAllowList")) || str_ieq(node->key, STR("ipWhiteList")));
    if (!is_allow || t->node->n != 1)
        return traefik_fail(c, t->node->place,
                            "of TCP middlewares there is ipAllowList alone: for numbers of "
                            "connections use max-connections of a server in the settings file");
    const struct allow_conf *a = traefik_read(c, &allow_section, NULL, node);
    struct conf_node *nets = conf_node_new(c->mem, CONF_NODE_SEQ, node->place);
    if (!a || !nets)
        return false;
    t->rule = STR("ClientIP(");
    for (size_t i = 0; i < a->ranges.n; i++) {
        if (!traefik_push_net(c, nets, &a->ranges.items[i]))
            return false;
        t->rule = arena_printf(c->mem, STR_FMT "%s`" STR_FMT "`", STR_ARG(t->rule),
                               i > 0 ? ", " : "", STR_ARG(nets->last->text));
    }
    t->rule = arena_concat(c->mem, t->rule, STR(")"), STR_NONE);
    return true;
}

static bool add_conditions(struct traefik_conv *c, const struct conf_texts *names, struct str *rule)
{
    for (size_t i = 0; i < names->n; i++) {
        const struct conf_text *name = &names->items[i];
        struct traefik_thing *t = traefik_find(c, &c->tcp_middlewares, name->text);
        if (!t)
            return traefik_fail(c, name->place, "there is no TCP middleware '" STR_FMT "'",
                                STR_ARG(name->text));
        if (!traefik_make(c, t, "TCP middleware", name->place, make_condition))
            return false;
        *rule = arena_printf(c->mem, "(" STR_FMT ") && " STR_FMT, STR_ARG(*rule), STR_ARG(t->rule));
    }
    return true;
}

// --- entrypoints ---

static bool has_http_router(const struct traefik_conv *c, struct str name)
{
    return map_get(&c->http_entries, name) != NULL;
}

static bool take_entry(struct traefik_conv *c, const struct traefik_entry *e,
                       const struct traefik_router_conf *r, struct place place)
{
    struct traefik_settings *s = c->ret;
    if (traefik_is_tcp_entry(c, e->name) || (e->is_tls && r->tls.passes))
        return true;
    if (e->is_tls)
        return traefik_fail(c, place,
                            "the entrypoint '" STR_FMT "' speaks TLS: TCP routers there leave TLS "
                            "to the server (tls.passthrough=true)",
                            STR_ARG(e->name));
    if (!e->may_be_tcp || has_http_router(c, e->name))
        return traefik_fail(c, place,
                            "the entrypoint '" STR_FMT "' is for HTTP: give the TCP router one of "
                            "its own",
                            STR_ARG(e->name));
    struct str *names =
        ARENA_GROW(c->mem, struct str, s->tcp_entries, s->n_tcp_entries, &s->cap_tcp_entries);
    if (!names)
        panic("converted settings don't fit");
    s->tcp_entries = names;
    s->tcp_entries[s->n_tcp_entries++] = e->name;
    return true;
}

static bool add_entries(struct traefik_conv *c, const struct traefik_router_conf *r,
                        struct place place, struct conf_node *route)
{
    struct conf_node *list = traefik_list(c, route, "entrypoints", place);
    for (size_t i = 0; i < r->entries.n; i++) {
        const struct conf_text *name = &r->entries.items[i];
        const struct traefik_entry *e = NULL;
        for (size_t n = 0; n < c->scope->n_entries && !e; n++) {
            if (str_ieq(c->scope->entries[n].name, name->text))
                e = &c->scope->entries[n];
        }
        if (!e)
            return traefik_fail(c, name->place, "there is no entrypoint '" STR_FMT "'",
                                STR_ARG(name->text));
        if (!take_entry(c, e, r, name->place))
            return false;
        traefik_push(c, list, e->name, name->place);
    }
    if (list->n > 0)
        return true;
    for (size_t n = 0; n < c->scope->n_entries && r->tls.passes; n++) {
        const struct traefik_entry *e = &c->scope->entries[n];
        if (e->is_default && e->is_tls)
            traefik_push(c, list, e->name, place);
    }
    return list->n > 0 || traefik_fail(c, place,
                                       "a TCP router needs entryPoints: name one that "
                                       "is for it alone");
}

// --- routers ---

static bool put_route(struct traefik_conv *c, struct conf_node *node, struct str name)
{
    const struct traefik_router_conf *r = traefik_read(c, &router_section, refusals, node);
    struct place place = node->key_place;
    if (!r)
        return false;
    if (r->rule.text.len == 0 || r->service.text.len == 0)
        return traefik_fail(c, place, "a TCP router needs a rule and a service");
    if (r->tls.is_on && !r->tls.passes)
        return traefik_fail(c, place,
                            "TLS of TCP routers is left to the server: say tls.passthrough=true");
    struct str rule = traefik_rule(r->rule.text, str_ieq(r->syntax.text, STR("v2")), c->mem);
    struct conf_node *route = conf_node_new(c->mem, CONF_NODE_MAP, place);
    if (!route)
        panic("converted settings don't fit");
    if (!add_conditions(c, &r->middlewares, &rule) || !add_entries(c, r, place, route))
        return false;
    struct str to = traefik_tcp_service(c, &r->service);
    if (to.len == 0)
        return false;
    traefik_set(c, route, "match", rule, r->rule.place);
    traefik_set(c, route, "name", name, place);
    traefik_set_uint(
        c, route, "priority",
        MIN(r->priority > 0 ? (uint64_t)r->priority : r->rule.text.len, (uint64_t)2000000000),
        place);
    traefik_set_bool(c, route, "passthrough", r->tls.passes, place);
    traefik_set(c, route, "to", to, r->service.place);
    traefik_hold_route(c, route);
    return true;
}

void traefik_tcp_routers(struct traefik_conv *c, const struct traefik_source *source)
{
    const struct conf_node *routers =
        traefik_get(traefik_get(source->root, STR("tcp")), STR("routers"));
    c->source = source;
    if (!routers || routers->kind != CONF_NODE_MAP)
        return;
    for (struct conf_node *node = routers->first; node; node = node->next) {
        struct diags diags = {.n = 0};
        struct str name = arena_printf(c->mem, "tcp:" STR_FMT "@" STR_FMT, STR_ARG(node->key),
                                       STR_ARG(source->provider));
        if (!traefik_is_first_router(c, name, node))
            continue;
        c->diags = &diags;
        size_t n_entries = c->ret->n_tcp_entries;
        if (!put_route(c, node, name) || !traefik_accept(c)) {
            c->ret->n_tcp_entries = n_entries; // it takes none away from HTTP
            traefik_drop(c);
            traefik_tell_disabled(c, name, node);
        }
        c->diags = NULL;
        diags_fini(&diags);
    }
}
