// SPDX-License-Identifier: Apache-2.0
#include "dialect/traefik_emit.h"

#include "route/rule.h"

void *traefik_read_all(struct traefik_conv *c, const struct conf_section *section,
                       const struct traefik_refusal *refusals, struct conf_node *node,
                       bool *ret_is_fine)
{
    size_t n_errors = c->diags->n_errors;
    const struct traefik_fit fit = {
        .mem = c->mem, .diags = c->diags, .refusals = refusals, .is_flat = c->source->is_flat};
    void *value = arena_zalloc(c->mem, 1, section->bytes, section->align);
    if (!value)
        panic("converted settings don't fit");
    traefik_fit(&fit, section, node);
    enum err err = conf_read(section, node, NULL, c->mem, c->diags, value);
    *ret_is_fine = err == ERR_OK && c->diags->n_errors == n_errors;
    return value;
}

void *traefik_read(struct traefik_conv *c, const struct conf_section *section,
                   const struct traefik_refusal *refusals, struct conf_node *node)
{
    bool is_fine;
    void *value = traefik_read_all(c, section, refusals, node, &is_fine);
    return is_fine ? value : NULL;
}

struct str traefik_answer(struct traefik_conv *c, const char *status, struct place place)
{
    struct str name = arena_printf(c->mem, "answer-%s@internal", status);
    if (map_get(&c->out_filters, name))
        return name;
    struct conf_node *filter = conf_node_new(c->mem, CONF_NODE_MAP, place);
    if (!filter || !name.ptr)
        panic("converted settings don't fit");
    filter->key = name;
    filter->key_place = place;
    traefik_set(c, traefik_map(c, filter, "respond", place), "status", str_of(status), place);
    map_set(&c->out_filters, name, filter);
    return name;
}

void traefik_want_issuer(struct traefik_conv *c, struct str router, struct str rule,
                         const struct conf_text *resolver, struct conf_node *route)
{
    struct str *names;
    struct rule *parsed = rule_parse(rule, resolver->place, c->mem, NULL);
    size_t n = parsed ? rule_names(parsed, c->mem, &names) : 0;
    rule_fini(parsed);
    for (size_t i = 0; i < n; i++) {
        const struct conf_text *known = map_get(&c->issuers, names[i]);
        if (!known || str_ieq(known->text, resolver->text))
            continue;
        traefik_problem(c, router, resolver->place, false,
                        arena_printf(c->mem,
                                     "the certificate of '" STR_FMT "' comes from '" STR_FMT
                                     "' already, as another router says",
                                     STR_ARG(names[i]), STR_ARG(known->text)));
        return;
    }
    for (size_t i = 0; i < n; i++)
        map_set(&c->issuers, names[i], (void *)(uintptr_t)resolver);
    const struct conf_node *issuer =
        traefik_get(traefik_get(c->scope->root, STR("issuers")), resolver->text);
    traefik_push(
        c,
        traefik_list(c, traefik_map(c, route, "tls", resolver->place), "issuer", resolver->place),
        issuer->key, resolver->place);
}

bool traefik_is_tcp_entry(const struct traefik_conv *c, struct str name)
{
    for (size_t i = 0; i < c->scope->n_entries; i++) {
        if (c->scope->entries[i].is_tcp && str_eq(c->scope->entries[i].name, name))
            return true;
    }
    for (size_t i = 0; i < c->ret->n_tcp_entries; i++) {
        if (str_eq(c->ret->tcp_entries[i], name))
            return true;
    }
    return false;
}

bool traefik_is_first_router(struct traefik_conv *c, struct str name, const struct conf_node *node)
{
    if (!map_set(&c->routers, name, c))
        return true;
    traefik_problem(c, name, node->key_place, false, STR("it is here twice: the first one counts"));
    return false;
}

// --- checking ---

void traefik_hold_route(struct traefik_conv *c, struct conf_node *route)
{
    if (!c->held)
        c->held = conf_node_new(c->mem, CONF_NODE_SEQ, route->place);
    if (!c->held)
        panic("converted settings don't fit");
    conf_node_append(c->held, route);
}

void traefik_drop(struct traefik_conv *c)
{
    c->held = NULL;
}

// What a router needs, by name.
struct needs {
    struct map filters, services; // to nodes: made here, or our own
};

static void collect(struct traefik_conv *c, const struct conf_node *node, struct needs *n);

static void need(struct traefik_conv *c, struct map *needed, const struct map *made,
                 const char *key, struct str name, struct needs *n)
{
    struct conf_node *node = map_get(made, name);
    if (map_get(needed, name))
        return;
    if (!node) {
        const struct conf_node *own = traefik_get(c->scope->root, str_of(key));
        node = own && own->kind == CONF_NODE_MAP ? conf_node_get(own, name) : NULL;
    }
    if (!node)
        return;
    map_set(needed, name, node);
    collect(c, node, n);
}

// WHY: any text that is the name of a filter or service counts as naming it. One too many does no
// harm, and there is no second list of where names stand.
static void collect(struct traefik_conv *c, const struct conf_node *node, struct needs *n)
{
    if (node->kind == CONF_NODE_SCALAR) {
        need(c, &n->filters, &c->out_filters, "filters", node->text, n);
        need(c, &n->services, &c->out_services, "services", node->text, n);
    }
    for (const struct conf_node *child = node->first; child; child = child->next)
        collect(c, child, n);
}

static struct conf_node *copy(struct traefik_conv *c, const struct conf_node *node)
{
    struct conf_node *twin = traefik_copy(node, c->mem);
    if (!twin)
        panic("converted settings don't fit");
    return twin;
}

static void put_tls(struct traefik_conv *c, const struct traefik_entry *e, struct conf_node *entry,
                    struct place place)
{
    if (!e->is_tls || !c->ret->tls) {
        traefik_set_bool(c, entry, "tls", e->is_tls, place);
        return;
    }
    struct conf_node *tls = copy(c, c->ret->tls);
    conf_node_put(entry, STR("tls"), tls);
}

static void put_entries(struct traefik_conv *c, struct conf_node *root)
{
    const struct place none = {.source = "check"};
    for (size_t i = 0; i < c->scope->n_entries; i++) {
        const struct traefik_entry *e = &c->scope->entries[i];
        struct conf_node *entry = conf_node_new(c->mem, CONF_NODE_MAP, none);
        if (!entry)
            panic("converted settings don't fit");
        traefik_set(c, entry, "listen", STR(":0"), none);
        if (traefik_is_tcp_entry(c, e->name))
            traefik_set(c, entry, "protocol", STR("tcp"), none);
        else
            put_tls(c, e, entry, none);
        conf_node_put(traefik_map(c, root, "entrypoints", none), e->name, entry);
    }
}

static void put_needs(struct traefik_conv *c, struct conf_node *root, const char *key,
                      const struct map *needed)
{
    MAP_FOR(e, needed)
    {
        const struct conf_node *node = e->value;
        conf_node_put(traefik_map(c, root, key, node->place), e->key, copy(c, node));
    }
}

// A whole tree of settings with the router alone in it.
static bool check(struct traefik_conv *c, const struct needs *n)
{
    struct conf_node *root = conf_node_new(c->mem, CONF_NODE_MAP, c->held->place);
    const struct conf_node *geo = traefik_get(c->scope->root, STR("geo"));
    if (!root)
        panic("converted settings don't fit");
    put_entries(c, root);
    put_needs(c, root, "filters", &n->filters);
    put_needs(c, root, "services", &n->services);
    if (geo)
        conf_node_put(root, STR("geo"), copy(c, geo));
    conf_node_put(root, STR("routes"), copy(c, c->held));
    return c->scope->check(c->scope->arg, root, c->diags);
}

bool traefik_check_entries(struct traefik_conv *c)
{
    struct conf_node *root = conf_node_new(c->mem, CONF_NODE_MAP, c->ret->routes->place);
    if (!root)
        panic("converted settings don't fit");
    put_entries(c, root);
    return c->scope->check(c->scope->arg, root, c->diags);
}

static void take(const struct map *needed, const struct map *made, struct map *used,
                 struct conf_node *to)
{
    MAP_FOR(e, needed)
    {
        struct conf_node *node = map_get(made, e->key);
        if (node && !map_set(used, e->key, node))
            conf_node_put(to, e->key, node);
    }
}

bool traefik_accept(struct traefik_conv *c)
{
    struct needs n = {.filters = {.n = 0}};
    if (!c->held)
        return false;
    collect(c, c->held, &n);
    bool is_fine = c->diags->n_errors == 0 && check(c, &n);
    if (is_fine) {
        take(&n.filters, &c->out_filters, &c->used_filters, c->ret->filters);
        take(&n.services, &c->out_services, &c->used_services, c->ret->services);
        for (struct conf_node *route = c->held->first, *next; route; route = next) {
            next = route->next;
            conf_node_append(c->ret->routes, route);
        }
        c->held = NULL;
    }
    map_fini(&n.filters);
    map_fini(&n.services);
    return is_fine;
}

struct str traefik_tell_disabled(struct traefik_conv *c, struct str router,
                                 const struct conf_node *node)
{
    const struct diag *first = NULL;
    for (size_t i = 0; i < c->diags->n && !first; i++) {
        if (c->diags->items[i].severity == DIAG_ERROR)
            first = &c->diags->items[i];
    }
    bool has_place = first && first->place.source;
    struct str why = first ? arena_dup(c->mem, str_of(first->text)) : STR("it can't be had");
    traefik_problem(c, router, has_place ? first->place : node->key_place, true, why);
    return why;
}
