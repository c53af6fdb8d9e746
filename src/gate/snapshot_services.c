// SPDX-License-Identifier: Apache-2.0
// Services by name: building them, those that are made of others as well, and finding them for
// filters, which ask them by themselves.
#include "gate/snapshot_priv.h"
#include "upstream/service.h"

const char *snapshot_service_fault(const struct handler *service)
{
    if (service_protocol(service) == SERVER_TCP)
        return "servers for TCP routes (tcp://)";
    if (service_proxy_protocol(service) != SERVICE_PROXY_PROTOCOL_OFF)
        return "'proxy-protocol', which is for TCP routes";
    return NULL;
}

static const struct handler *find(struct filter_services *s, const struct conf_text *to)
{
    struct builder *b = CONTAINER_OF(s, struct builder, services);
    const struct handler *known = map_get(&b->asked, to->text);
    if (known)
        return known;
    const struct conf_texts one = {.items = (struct conf_text *)(uintptr_t)to, .n = 1};
    const struct handler *service = snapshot_service_of(b, &one);
    const char *why = service ? snapshot_service_fault(service) : NULL;
    if (why) {
        diag_fail(b->diags, ERR_SYNTAX, to->place,
                  "'" STR_FMT "' has %s, and the filter makes requests", STR_ARG(to->text), why);
        return NULL;
    }
    if (service)
        map_set(&b->asked, to->text, (void *)(uintptr_t)service);
    return service;
}

struct filter_env snapshot_filter_env(struct builder *b)
{
    b->services.find = find;
    return (struct filter_env){
        .mem = &b->s->mem,
        .diags = b->diags,
        .offload = b->env->offload,
        .states = b->env->states,
        .services = &b->services,
        .geo = &b->s->geo,
    };
}

// --- building ---

// Who is being built for whom.
struct service_chain {
    const struct conf_map_item *item;
    struct service_chain *user; // on the stack of its caller; NULL: it is built by itself
};

static bool is_being_built(const struct builder *b, const struct conf_map_item *item)
{
    for (const struct service_chain *c = b->chain; c; c = c->user)
        if (c->item == item)
            return true;
    return false;
}

// NULL with an error, now or before.
static const struct handler *build_one(struct builder *b, const struct conf_map_item *item)
{
    struct service_conf *conf = item->value;
    struct service_chain chain = {.item = item, .user = b->chain};
    const struct handler *known = map_get(&b->s->services, item->name);
    if (known || conf->names) // it was built, or couldn't be, and has told why
        return known;
    b->chain = &chain;
    conf->authorities = b->authorities;
    conf->names = &b->service_names;
    struct handler *service =
        service_build(item->name, conf, b->env->registry, &b->s->mem, b->diags);
    b->chain = chain.user;
    if (!service)
        return NULL;
    map_set(&b->s->services, item->name, service);
    snapshot_remember(b, &b->s->all_services, service);
    return service;
}

// Of a service that another one is made of.
static const struct handler *find_member(struct service_names *names, const struct conf_text *name)
{
    struct builder *b = CONTAINER_OF(names, struct builder, service_names);
    const struct conf_map *map = &b->s->settings.services;
    for (size_t i = 0; i < map->n; i++) {
        if (!str_eq(map->items[i].name, name->text))
            continue;
        if (!is_being_built(b, &map->items[i]))
            return build_one(b, &map->items[i]);
        diag_fail(b->diags, ERR_SYNTAX, name->place,
                  "the service '" STR_FMT "' leads back to itself, by way of '" STR_FMT "'",
                  STR_ARG(name->text), STR_ARG(b->chain->item->name));
        return NULL;
    }
    diag_fail(b->diags, ERR_NOT_FOUND, name->place, "there is no service '" STR_FMT "'",
              STR_ARG(name->text));
    return NULL;
}

void snapshot_build_services(struct builder *b)
{
    const struct conf_map *map = &b->s->settings.services;
    struct tls_authorities *authorities = ARENA_NEW(&b->s->mem, struct tls_authorities);
    tls_authorities_init(authorities, &b->s->settings.authorities);
    b->authorities = authorities;
    b->service_names.find = find_member;
    snapshot_check_service_names(b);
    for (size_t i = 0; i < map->n; i++)
        (void)build_one(b, &map->items[i]);
}
