// SPDX-License-Identifier: Apache-2.0
// HTTP routers. Traefik's entrypoints take plain and encrypted connections alike, and a router
// counts for the one kind or the other; ours speak TLS or don't, so that a router is reached at
// those of its entrypoints that fit.
#include <inttypes.h>

#include "dialect/traefik_emit.h"
#include "dialect/traefik_rule.h"

#define PRIORITY_MAX 2000000000

static const struct conf_item domain_items[] = {
    ITEM_TEXT(traefik_domain, main, "main", .is_required = true),
    ITEM_TEXTS(traefik_domain, sans, "sans"),
};

static const struct conf_section domain_section = {
    .name = "domain",
    CONF_SECTION_OF(traefik_domain, domain_items),
};

static const struct conf_item tls_items[] = {
    ITEM_TEXT(traefik_router_tls, options, "options"),
    ITEM_TEXT(traefik_router_tls, resolver, "certResolver"),
    ITEM_LIST(traefik_router_tls, domains, "domains", .section = &domain_section),
};

const struct conf_section traefik_router_tls_section = {
    .name = "tls",
    CONF_SECTION_OF(traefik_router_tls, tls_items),
};

static const struct conf_item http_items[] = {
    ITEM_TEXTS(traefik_entry_http_conf, middlewares, "middlewares"),
    ITEM_SWITCHED(traefik_entry_http_conf, tls, "tls", struct traefik_router_tls, is_on,
                  .section = &traefik_router_tls_section, .def = "off"),
};

const struct conf_section traefik_entry_http_section = {
    .name = "http",
    CONF_SECTION_OF(traefik_entry_http_conf, http_items),
};

static const struct conf_item router_items[] = {
    TRAEFIK_ROUTER_ITEMS(traefik_router_tls_section),
};

static const struct conf_section router_section = {
    .name = "router",
    CONF_SECTION_OF(traefik_router_conf, router_items),
};

static const struct traefik_refusal refusals[] = {
    {"router", "observability",
     "logs and metrics are for all routers: leave it out, and see access-log of the settings"},
    {"router", "parentRefs", "routers have no layers: give the inner one the whole rule"},
    {.section = NULL},
};

// A router while it is converted.
struct router {
    struct str name; // "web@docker"
    const struct conf_node *node;
    const struct traefik_router_conf *conf;
    struct str rule; // in our language
    bool is_v2;
};

// --- where it is reached ---

static const struct traefik_entry *find_entry(const struct traefik_conv *c, struct str name)
{
    for (size_t i = 0; i < c->scope->n_entries; i++) {
        if (str_ieq(c->scope->entries[i].name, name))
            return &c->scope->entries[i];
    }
    return NULL;
}

static bool is_named(const struct traefik_router_conf *r, const struct traefik_entry *e)
{
    for (size_t i = 0; i < r->entries.n; i++) {
        if (str_ieq(r->entries.items[i].text, e->name))
            return true;
    }
    return r->entries.n == 0 && e->is_default;
}

// What the entrypoint adds to its routers; NULL: nothing.
static const struct traefik_entry_http_conf *model_of(struct traefik_conv *c,
                                                      const struct traefik_entry *e)
{
    struct traefik_entry_http_conf *model = ARENA_NEW(c->mem, struct traefik_entry_http_conf);
    if (!e->http || !model)
        return NULL;
    enum err err = conf_read(&traefik_entry_http_section, e->http, NULL, c->mem, NULL, model);
    return err == ERR_OK ? model : NULL; // was checked when it was read
}

static bool fits(const struct traefik_conv *c, const struct traefik_router_conf *r,
                 const struct traefik_entry *e, const struct traefik_entry_http_conf *model)
{
    bool wants_tls = r->tls.is_on || (model && model->tls.is_on);
    return wants_tls == e->is_tls && !traefik_is_tcp_entry(c, e->name);
}

static void tell_misfit(struct traefik_conv *c, const struct router *r,
                        const struct traefik_entry *e, struct place place)
{
    bool is_tcp = traefik_is_tcp_entry(c, e->name);
    traefik_problem(
        c, r->name, place, false,
        arena_printf(c->mem, "it isn't reached at the entrypoint '" STR_FMT "', which %s",
                     STR_ARG(e->name),
                     is_tcp      ? "TCP routers have for themselves"
                     : e->is_tls ? "speaks TLS: give the router `tls` (tls=true), or the "
                                   "entrypoint http.tls"
                                 : "speaks no TLS: take `tls` away, or give the entrypoint "
                                   "http.tls"));
}

// --- the route ---

// Names of ours for Traefik's internal services; empty: it's none of them.
static struct str internal_service(struct traefik_conv *c, const struct conf_text *service)
{
    struct str name = service->text;
    bool is_api = str_ieq(name, STR("api@internal")) || str_ieq(name, STR("dashboard@internal"));
    if (!str_ends(name, STR("@internal")))
        return STR_NONE;
    if (is_api && !c->scope->has_api)
        traefik_fail(c, service->place, "the API isn't on: add --api (api: {})");
    if (is_api)
        return STR("api@internal");
    if (str_ieq(name, STR("prometheus@internal")))
        return STR("metrics@internal");
    return name;
}

static bool put_target(struct traefik_conv *c, const struct router *r, struct conf_node *route,
                       struct conf_node *use, const struct conf_node *overlay)
{
    const struct conf_text *service = &r->conf->service;
    struct place place = service->place.source ? service->place : r->node->key_place;
    if (service->text.len == 0)
        return traefik_fail(c, place, "it has no service");
    if (str_ieq(service->text, STR("noop@internal"))) {
        traefik_push(c, use, traefik_answer(c, "418", place), place);
        return true;
    }
    struct str to = internal_service(c, service);
    if (to.len == 0)
        to = traefik_service(c, service, overlay, conf_node_get(route, STR("name"))->text);
    if (to.len == 0)
        return false;
    traefik_set(c, route, "to", to, place);
    return true;
}

static bool has_issuer(const struct traefik_conv *c, struct str name)
{
    return traefik_get(traefik_get(c->scope->root, STR("issuers")), name) != NULL;
}

static bool put_tls(struct traefik_conv *c, const struct router *r,
                    const struct traefik_router_tls *tls, struct conf_node *route)
{
    const struct conf_text *resolver = &tls->resolver;
    if (resolver->text.len > 0 && !has_issuer(c, resolver->text))
        traefik_problem(c, r->name, resolver->place, false,
                        arena_printf(c->mem,
                                     "there is no certificate resolver '" STR_FMT
                                     "': the usual issuer signs",
                                     STR_ARG(resolver->text)));
    else if (resolver->text.len > 0)
        traefik_want_issuer(c, r->name, r->rule, resolver, route);
    if (tls->domains.n > 0) {
        const struct traefik_domain *d = tls->domains.items[0];
        traefik_problem(c, r->name, d->main.place, false,
                        STR("tls.domains: each name in the rule gets a certificate of its own, and "
                            "no other"));
    }
    return traefik_tls_options(c, &(struct traefik_options_use){.router = r->name,
                                                                .rule = r->rule,
                                                                .name = &tls->options,
                                                                .place = r->node->key_place,
                                                                .route = route});
}

// One route, at those of the router's entrypoints that have the same model. False with an error.
static bool put_route(struct traefik_conv *c, const struct router *r,
                      const struct traefik_entry_http_conf *model, struct conf_node *route)
{
    struct place place = r->node->key_place;
    const struct traefik_router_conf *conf = r->conf;
    struct conf_node *use = conf_node_new(c->mem, CONF_NODE_SEQ, place);
    struct conf_node *overlay = conf_node_new(c->mem, CONF_NODE_MAP, place);
    if (!use || !overlay)
        panic("converted settings don't fit");
    for (size_t i = 0; model && i < model->middlewares.n; i++) {
        if (!traefik_use(c, &model->middlewares.items[i], use, overlay))
            return false;
    }
    for (size_t i = 0; i < conf->middlewares.n; i++) {
        if (!traefik_use(c, &conf->middlewares.items[i], use, overlay))
            return false;
    }
    if (!put_target(c, r, route, use, overlay))
        return false;
    if (use->n > 0)
        conf_node_put(route, STR("use"), use);
    const struct traefik_router_tls *tls = conf->tls.is_on ? &conf->tls
                                           : model         ? &model->tls
                                                           : NULL;
    return !tls || !tls->is_on || put_tls(c, r, tls, route);
}

// What every route of the router has, disabled or not.
static struct conf_node *begin_route(struct traefik_conv *c, const struct router *r,
                                     struct str name)
{
    const struct traefik_router_conf *conf = r->conf;
    struct conf_node *route = conf_node_new(c->mem, CONF_NODE_MAP, r->node->key_place);
    if (!route)
        panic("converted settings don't fit");
    uint64_t priority = conf->priority > 0 ? conf->priority : conf->rule.text.len;
    traefik_set(c, route, "match", r->rule, conf->rule.place);
    traefik_set(c, route, "name", name, r->node->key_place);
    traefik_set_uint(c, route, "priority", MIN(priority, (uint64_t)PRIORITY_MAX), conf->rule.place);
    return route;
}

static void add_entry(struct traefik_conv *c, struct conf_node *route,
                      const struct traefik_entry *e)
{
    traefik_push(c, traefik_list(c, route, "entrypoints", route->place), e->name, route->place);
}

// Routes with nothing of an entrypoint's own are one.
// off_why: why it is disabled; empty: it isn't.
static size_t put_routes(struct traefik_conv *c, const struct router *r, struct str off_why)
{
    struct conf_node *common = NULL;
    bool is_disabled = off_why.len > 0;
    size_t n = 0;
    for (size_t i = 0; i < c->scope->n_entries; i++) {
        const struct traefik_entry *e = &c->scope->entries[i];
        const struct traefik_entry_http_conf *model = model_of(c, e);
        if (!is_named(r->conf, e) || !fits(c, r->conf, e, model))
            continue;
        n++;
        if ((!model || is_disabled) && common) {
            add_entry(c, common, e);
            continue;
        }
        struct str name =
            model && !is_disabled ? arena_concat(c->mem, e->name, STR("-"), r->name) : r->name;
        struct conf_node *route = begin_route(c, r, name);
        if (off_why.len > 0)
            traefik_set(c, route, "disabled", off_why, route->place);
        else if (!put_route(c, r, model, route))
            return 0;
        add_entry(c, route, e);
        if (!model || is_disabled)
            common = route;
        traefik_hold_route(c, route);
    }
    return n;
}

// --- routers ---

// Entrypoints that it names and that aren't there, or speak otherwise. False: none is left.
static bool check_entries(struct traefik_conv *c, const struct router *r)
{
    bool is_reached = false;
    for (size_t i = 0; i < r->conf->entries.n; i++) {
        const struct conf_text *name = &r->conf->entries.items[i];
        const struct traefik_entry *e = find_entry(c, name->text);
        if (!e)
            traefik_problem(
                c, r->name, name->place, false,
                arena_printf(c->mem, "there is no entrypoint '" STR_FMT "'", STR_ARG(name->text)));
        else if (!fits(c, r->conf, e, model_of(c, e)))
            tell_misfit(c, r, e, name->place);
        else
            is_reached = true;
    }
    for (size_t i = 0; r->conf->entries.n == 0 && i < c->scope->n_entries; i++) {
        const struct traefik_entry *e = &c->scope->entries[i];
        is_reached = is_reached || (e->is_default && fits(c, r->conf, e, model_of(c, e)));
    }
    if (is_reached)
        return true;
    if (r->conf->entries.n > 0)
        return traefik_fail(c, r->conf->entries.items[0].place,
                            "none of its entrypoints can take it");
    return traefik_fail(c, r->node->key_place, "no entrypoint %s, so nothing can reach it",
                        r->conf->tls.is_on ? "speaks TLS" : "speaks plain HTTP");
}

static bool read_router(struct traefik_conv *c, struct router *r, struct conf_node *node)
{
    bool is_fine;
    const struct traefik_router_conf *conf =
        traefik_read_all(c, &router_section, refusals, node, &is_fine);
    r->conf = conf;
    r->is_v2 = conf->syntax.text.len > 0 ? str_ieq(conf->syntax.text, STR("v2")) : c->scope->is_v2;
    r->rule = traefik_rule(conf->rule.text, r->is_v2, c->mem);
    if (conf->rule.text.len == 0)
        return traefik_fail(c, node->key_place, "it has no rule");
    if (conf->syntax.text.len > 0 && !r->is_v2 && !str_ieq(conf->syntax.text, STR("v3")))
        return traefik_fail(c, conf->syntax.place, "ruleSyntax: v2 or v3");
    return is_fine;
}

static void convert_router(struct traefik_conv *c, struct conf_node *node)
{
    struct diags diags = {.n = 0};
    struct router r = {.node = node};
    r.name = arena_concat(c->mem, node->key, STR("@"), c->source->provider);
    if (!traefik_is_first_router(c, r.name, node))
        return;
    c->diags = &diags;
    bool is_fine = read_router(c, &r, node) && check_entries(c, &r) &&
                   put_routes(c, &r, STR_NONE) > 0 && traefik_accept(c);
    if (!is_fine) {
        traefik_drop(c);
        struct str why = traefik_tell_disabled(c, r.name, node);
        diags_fini(&diags); // told; what follows is about the route in its place
        diags = (struct diags){.n = 0};
        if (r.rule.len > 0 && put_routes(c, &r, why) > 0)
            (void)traefik_accept(c);
        traefik_drop(c);
    }
    c->diags = NULL;
    diags_fini(&diags);
}

void traefik_routers(struct traefik_conv *c, const struct traefik_source *source)
{
    const struct conf_node *routers =
        traefik_get(traefik_get(source->root, STR("http")), STR("routers"));
    c->source = source;
    if (!routers || routers->kind != CONF_NODE_MAP)
        return;
    for (struct conf_node *node = routers->first; node; node = node->next)
        convert_router(c, node);
}
