// SPDX-License-Identifier: Apache-2.0
// Services: finding them, and those that are made of other services.
#include "dialect/traefik_priv.h"

// --- tables ---

struct member_conf {
    struct conf_text name;
    uint32_t weight, percent;
};

static const struct conf_item member_items[] = {
    ITEM_TEXT(member_conf, name, "name", .is_required = true),
    ITEM_UINT(member_conf, weight, "weight", .def = "1", .max = "1000000"),
};

static const struct conf_section member_section = {
    .name = "service",
    CONF_SECTION_OF(member_conf, member_items),
};

struct weighted_conf {
    struct conf_list services; // of member_conf
    struct traefik_sticky_conf sticky;
};

static const struct conf_item weighted_items[] = {
    ITEM_LIST(weighted_conf, services, "services", .section = &member_section, .is_required = true),
    ITEM_SWITCHED(weighted_conf, sticky, "sticky", struct traefik_sticky_conf, is_on,
                  .section = &traefik_sticky_section, .def = "off"),
};

static const struct conf_section weighted_section = {
    .name = "weighted",
    CONF_SECTION_OF(weighted_conf, weighted_items),
};

static const struct conf_item copy_items[] = {
    ITEM_TEXT(member_conf, name, "name", .is_required = true),
    ITEM_UINT(member_conf, percent, "percent", .max = "100"),
};

static const struct conf_section copy_section = {
    .name = "mirror",
    CONF_SECTION_OF(member_conf, copy_items),
};

struct mirroring_conf {
    struct conf_text service;
    struct conf_list mirrors; // of member_conf
    bool with_body;
    struct conf_text body_max;
};

static const struct conf_item mirroring_items[] = {
    ITEM_TEXT(mirroring_conf, service, "service", .is_required = true),
    ITEM_LIST(mirroring_conf, mirrors, "mirrors", .section = &copy_section),
    ITEM_BOOL(mirroring_conf, with_body, "mirrorBody", .def = "true"),
    ITEM_TEXT(mirroring_conf, body_max, "maxBodySize"),
};

static const struct conf_section mirroring_section = {
    .name = "mirroring",
    CONF_SECTION_OF(mirroring_conf, mirroring_items),
};

struct failover_conf {
    struct conf_text service, fallback;
};

static const struct conf_item failover_items[] = {
    ITEM_TEXT(failover_conf, service, "service", .is_required = true),
    ITEM_TEXT(failover_conf, fallback, "fallback", .is_required = true),
};

static const struct conf_section failover_section = {
    .name = "failover",
    CONF_SECTION_OF(failover_conf, failover_items),
};

static const struct traefik_refusal refusals[] = {
    {"weighted", "healthCheck", "the services that it is made of have theirs: leave it out"},
    {"mirroring", "healthCheck", "the services that it is made of have theirs: leave it out"},
    {"failover", "healthCheck", "the services that it is made of have theirs: leave it out"},
    {.section = NULL},
};

// --- services of services ---

static bool put_weighted(struct traefik_conv *c, struct conf_node *node, struct conf_node *service)
{
    const struct weighted_conf *w = traefik_read(c, &weighted_section, refusals, node);
    if (!w)
        return false;
    struct conf_node *split = traefik_list(c, service, "split", node->key_place);
    for (size_t i = 0; i < w->services.n; i++) {
        const struct member_conf *m = w->services.items[i];
        struct str name = traefik_service(c, &m->name, NULL, STR_NONE);
        struct conf_node *part = conf_node_new(c->mem, CONF_NODE_MAP, m->name.place);
        if (name.len == 0)
            return false;
        if (!part)
            panic("converted settings don't fit");
        traefik_set(c, part, "service", name, m->name.place);
        traefik_set_uint(c, part, "weight", m->weight, m->name.place);
        conf_node_append(split, part);
    }
    traefik_put_sticky(c, &w->sticky, service);
    return true;
}

static bool put_mirroring(struct traefik_conv *c, struct conf_node *node, struct conf_node *service)
{
    const struct mirroring_conf *m = traefik_read(c, &mirroring_section, refusals, node);
    struct str name = m ? traefik_service(c, &m->service, NULL, STR_NONE) : STR_NONE;
    if (name.len == 0)
        return false;
    if (m->mirrors.n > 1)
        return traefik_fail(c, node->key_place,
                            "a service has one mirror: let it go to a weighted service of several");
    traefik_push(c, traefik_list(c, service, "split", node->key_place), name, m->service.place);
    if (m->mirrors.n == 0)
        return true;
    const struct member_conf *to = m->mirrors.items[0];
    struct str copy = traefik_service(c, &to->name, NULL, STR_NONE);
    if (copy.len == 0)
        return false;
    struct conf_node *mirror = traefik_map(c, service, "mirror", node->key_place);
    traefik_set(c, mirror, "to", copy, to->name.place);
    traefik_set_uint(c, mirror, "share", to->percent, to->name.place);
    if (!m->with_body)
        traefik_set_uint(c, mirror, "body-max", 0, node->key_place);
    else if (m->body_max.text.len > 0 && !str_starts(m->body_max.text, STR("-")))
        traefik_set(c, mirror, "body-max", m->body_max.text, m->body_max.place);
    else
        traefik_set(c, mirror, "body-max", STR("16MiB"), node->key_place);
    return true;
}

static bool put_failover(struct traefik_conv *c, struct conf_node *node, struct conf_node *service)
{
    const struct failover_conf *f = traefik_read(c, &failover_section, refusals, node);
    struct str first = f ? traefik_service(c, &f->service, NULL, STR_NONE) : STR_NONE;
    struct str second = first.len > 0 ? traefik_service(c, &f->fallback, NULL, STR_NONE) : STR_NONE;
    if (second.len == 0)
        return false;
    struct conf_node *list = traefik_list(c, service, "failover", node->key_place);
    traefik_push(c, list, first, f->service.place);
    traefik_push(c, list, second, f->fallback.place);
    return true;
}

static const struct {
    const char *name;
    bool (*put)(struct traefik_conv *c, struct conf_node *node, struct conf_node *service);
} kinds[] = {
    {"loadBalancer", traefik_put_pool},
    {"weighted", put_weighted},
    {"mirroring", put_mirroring},
    {"failover", put_failover},
};

static bool make(struct traefik_conv *c, struct traefik_thing *t)
{
    struct conf_node *node = t->node->kind == CONF_NODE_MAP ? t->node->first : NULL;
    struct conf_node *service = conf_node_new(c->mem, CONF_NODE_MAP, t->node->place);
    if (!service)
        panic("converted settings don't fit");
    if (!node || t->node->n != 1)
        return traefik_fail(c, t->node->place,
                            "a service is of one kind: loadBalancer, weighted, mirroring or "
                            "failover");
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (!str_ieq(node->key, str_of(kinds[i].name)))
            continue;
        if (!kinds[i].put(c, node, service))
            return false;
        service->key = t->name;
        service->key_place = t->node->key_place;
        map_set(&c->out_services, t->name, service);
        return true;
    }
    return traefik_fail(c, node->key_place,
                        "there is no service of the kind '" STR_FMT
                        "': there are loadBalancer, weighted, mirroring and failover",
                        STR_ARG(str_first(node->key, 100)));
}

// --- finding ---

// What middlewares ask of the service, in a service of its own; those made of others hand it to
// none of them, so it can't be had there.
static struct str with_overlay(struct traefik_conv *c, const struct conf_text *name,
                               struct str service, const struct conf_node *overlay,
                               struct str route)
{
    if (!overlay || overlay->n == 0)
        return service;
    const struct conf_node *base = map_get(&c->out_services, service);
    struct str full =
        arena_printf(c->mem, STR_FMT " for " STR_FMT, STR_ARG(service), STR_ARG(route));
    if (map_get(&c->out_services, full))
        return full;
    if (!base || !conf_node_get(base, STR("servers"))) {
        traefik_fail(c, name->place,
                     "retry and circuitBreaker are for services with servers of their own, which "
                     "'" STR_FMT "' isn't",
                     STR_ARG(service));
        return STR_NONE;
    }
    struct conf_node *copy = traefik_copy(base, c->mem), *extra = traefik_copy(overlay, c->mem);
    if (!copy || !extra)
        panic("converted settings don't fit");
    for (struct conf_node *child = extra->first, *next; child; child = next) {
        next = child->next;
        conf_node_put(copy, child->key, child);
    }
    copy->key = full;
    map_set(&c->out_services, full, copy);
    return full;
}

struct str traefik_service(struct traefik_conv *c, const struct conf_text *name,
                           const struct conf_node *overlay, struct str route)
{
    struct traefik_thing *t = traefik_find(c, &c->services, name->text);
    if (t) {
        bool is_made = traefik_make(c, t, "service", name->place, make);
        return is_made ? with_overlay(c, name, t->name, overlay, route) : STR_NONE;
    }
    struct str own = traefik_own(c, "services", name->text);
    if (own.len > 0)
        return with_overlay(c, name, own, overlay, route);
    bool has_provider = str_find(name->text, '@') != STR_NPOS;
    traefik_fail(c, name->place, "there is no service '" STR_FMT "%s" STR_FMT "'",
                 STR_ARG(name->text), has_provider ? "" : "@",
                 STR_ARG(has_provider ? STR_NONE : c->source->provider));
    return STR_NONE;
}
