// SPDX-License-Identifier: Apache-2.0
// Services: pools of servers, and those that are made of other services.
#include <inttypes.h>

#include "base/ascii.h"
#include "dialect/traefik_priv.h"

// --- tables ---

struct server_conf {
    struct conf_text url;
    uint32_t weight;
};

static const struct conf_item server_items[] = {
    ITEM_TEXT(server_conf, url, "url", .is_required = true),
    ITEM_UINT(server_conf, weight, "weight", .def = "1", .max = "1000"),
};

static const struct conf_section server_section = {
    .name = "server",
    CONF_SECTION_OF(server_conf, server_items),
};

struct cookie_conf {
    bool is_on;
    struct conf_text name, same_site, path, domain;
    bool secure, http_only;
    uint32_t max_age_s;
    struct place place;
};

static const struct conf_item cookie_items[] = {
    ITEM_TEXT(cookie_conf, name, "name"),
    ITEM_BOOL(cookie_conf, secure, "secure"),
    ITEM_BOOL(cookie_conf, http_only, "httpOnly"),
    ITEM_TEXT(cookie_conf, same_site, "sameSite"),
    ITEM_UINT(cookie_conf, max_age_s, "maxAge", .max = "34560000"),
    ITEM_TEXT(cookie_conf, path, "path"),
    ITEM_TEXT(cookie_conf, domain, "domain"),
};

static const struct conf_section cookie_section = {
    .name = "sticky.cookie",
    CONF_SECTION_OF(cookie_conf, cookie_items),
    .place_offset = CONF_PLACE_AT(cookie_conf, place),
};

struct sticky_conf {
    bool is_on;
    struct cookie_conf cookie;
};

static const struct conf_item sticky_items[] = {
    ITEM_SWITCHED(sticky_conf, cookie, "cookie", struct cookie_conf, is_on,
                  .section = &cookie_section, .def = "off"),
};

static const struct conf_section sticky_section = {
    .name = "sticky",
    CONF_SECTION_OF(sticky_conf, sticky_items),
};

struct field_conf {
    struct conf_text value;
};

static const struct conf_item field_items[] = {
    ITEM_TEXT(field_conf, value, "value"),
};

static const struct conf_section field_section = {
    .name = "header",
    CONF_SECTION_OF(field_conf, field_items),
    .shorthand = "value",
};

struct check_conf {
    bool is_on;
    struct conf_text scheme, mode, path, method, hostname;
    uint32_t status, port;
    int64_t interval_ms, timeout_ms;
    struct conf_map headers;
    struct place place;
};

static const char *const check_modes[] = {"http", "grpc", NULL};

static const struct conf_item check_items[] = {
    ITEM_TEXT(check_conf, scheme, "scheme"),
    ITEM_TEXT(check_conf, mode, "mode"),
    ITEM_TEXT(check_conf, path, "path"),
    ITEM_TEXT(check_conf, method, "method"),
    ITEM_UINT(check_conf, status, "status", .max = "599"),
    ITEM_UINT(check_conf, port, "port", .max = "65535"),
    ITEM_DURATION(check_conf, interval_ms, "interval", .def = "30s"),
    ITEM_DURATION(check_conf, timeout_ms, "timeout", .def = "5s"),
    ITEM_TEXT(check_conf, hostname, "hostname"),
    ITEM_MAP(check_conf, headers, "headers", .section = &field_section),
};

static const struct conf_section check_section = {
    .name = "healthCheck",
    CONF_SECTION_OF(check_conf, check_items),
    .place_offset = CONF_PLACE_AT(check_conf, place),
};

struct flush_conf {
    struct conf_text interval; // what comes goes out at once
};

static const struct conf_item flush_items[] = {
    ITEM_TEXT(flush_conf, interval, "flushInterval"),
};

static const struct conf_section flush_section = {
    .name = "responseForwarding",
    CONF_SECTION_OF(flush_conf, flush_items),
};

static const char *const strategy_names[] = {"wrr", "p2c", "hrw", "leasttime", NULL};
static const char *const strategy_twins[] = {"round-robin", "random-two", "source", "least-time"};

struct balancer_conf {
    struct conf_list servers; // of server_conf
    struct sticky_conf sticky;
    struct check_conf check;
    bool keeps_host;
    struct flush_conf forwarding;
    struct conf_text transport;
    unsigned strategy;
};

static const struct conf_item balancer_items[] = {
    ITEM_LIST(balancer_conf, servers, "servers", .section = &server_section),
    ITEM_SWITCHED(balancer_conf, sticky, "sticky", struct sticky_conf, is_on,
                  .section = &sticky_section, .def = "off"),
    ITEM_SWITCHED(balancer_conf, check, "healthCheck", struct check_conf, is_on,
                  .section = &check_section, .def = "off"),
    ITEM_BOOL(balancer_conf, keeps_host, "passHostHeader", .def = "true"),
    ITEM_SECTION(balancer_conf, forwarding, "responseForwarding", struct flush_conf,
                 .section = &flush_section),
    ITEM_TEXT(balancer_conf, transport, "serversTransport"),
    ITEM_ENUM(balancer_conf, strategy, "strategy", .names = strategy_names, .def = "wrr"),
};

static const struct conf_section balancer_section = {
    .name = "loadBalancer",
    CONF_SECTION_OF(balancer_conf, balancer_items),
};

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
    struct sticky_conf sticky;
};

static const struct conf_item weighted_items[] = {
    ITEM_LIST(weighted_conf, services, "services", .section = &member_section, .is_required = true),
    ITEM_SWITCHED(weighted_conf, sticky, "sticky", struct sticky_conf, is_on,
                  .section = &sticky_section, .def = "off"),
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
    {"server", "preservePath",
     "a server's URL has no path: use the middleware addPrefix, and leave it out"},
    {"healthCheck", "followRedirects",
     "redirects aren't followed: name the path that answers, and leave it out"},
    {"healthCheck", "unhealthyInterval", "servers that are down are asked as often: leave it out"},
    {"loadBalancer", "passiveHealthCheck",
     "use `eject` of a service in the settings file, and name it with @file"},
    {"weighted", "healthCheck", "the services that it is made of have theirs: leave it out"},
    {"mirroring", "healthCheck", "the services that it is made of have theirs: leave it out"},
    {"failover", "healthCheck", "the services that it is made of have theirs: leave it out"},
    {.section = NULL},
};

// --- pools ---

// Servers are told by scheme, host and port.
static bool push_server(struct traefik_conv *c, struct conf_node *list,
                        const struct server_conf *server)
{
    struct str url = server->url.text;
    bool is_known = str_istarts(url, STR("http://")) || str_istarts(url, STR("https://")) ||
                    str_istarts(url, STR("h2c://"));
    size_t host = is_known ? str_search(url, STR("://")) + 3 : 0;
    size_t slash = str_find(str_skip(url, host), '/');
    if (!is_known)
        return traefik_fail(c, server->url.place,
                            "'" STR_FMT "' is no URL with http://, https:// or h2c://",
                            STR_ARG(str_first(url, 200)));
    // Traefik 3 drops a server's path; only the root is no path.
    if (slash != STR_NPOS && host + slash + 1 < url.len)
        return traefik_fail(c, server->url.place,
                            "'" STR_FMT
                            "': a server's URL has no path; use the middleware addPrefix",
                            STR_ARG(str_first(url, 200)));
    if (slash != STR_NPOS)
        url = str_first(url, host + slash);
    struct conf_node *node = conf_node_new(c->mem, CONF_NODE_MAP, server->url.place);
    if (!node)
        panic("converted settings don't fit");
    traefik_set(c, node, "url", url, server->url.place);
    traefik_set_uint(c, node, "weight", server->weight, server->url.place);
    conf_node_append(list, node);
    return true;
}

static void put_sticky(struct traefik_conv *c, const struct sticky_conf *s,
                       struct conf_node *service)
{
    const struct cookie_conf *k = &s->cookie;
    struct place place = k->place.source ? k->place : service->place;
    if (!s->is_on)
        return;
    struct conf_node *sticky = traefik_map(c, service, "sticky", place);
    if (k->name.text.len > 0)
        traefik_set(c, sticky, "cookie", k->name.text, k->name.place);
    if (k->path.text.len > 0)
        traefik_set(c, sticky, "path", k->path.text, k->path.place);
    if (k->domain.text.len > 0)
        traefik_set(c, sticky, "domain", k->domain.text, k->domain.place);
    if (k->same_site.text.len > 0)
        traefik_set(c, sticky, "same-site", k->same_site.text, k->same_site.place);
    traefik_set(c, sticky, "secure", k->secure ? STR("always") : STR("auto"), place);
    traefik_set_bool(c, sticky, "http-only", k->http_only, place);
    traefik_set_ms(c, sticky, "max-age", (int64_t)k->max_age_s * 1000, place);
}

static bool put_check(struct traefik_conv *c, const struct check_conf *k, struct conf_node *service)
{
    struct place place = k->place;
    if (!k->is_on)
        return true;
    bool is_grpc = str_ieq(k->mode.text, STR("grpc"));
    if (k->mode.text.len > 0 && !is_grpc && !str_ieq(k->mode.text, str_of(check_modes[0])))
        return traefik_fail(c, k->mode.place, "mode: http or grpc");
    struct conf_node *health = traefik_map(c, service, "health", place);
    traefik_set(c, health, "type", is_grpc ? STR("grpc") : STR("http"), place);
    if (k->path.text.len > 0 && !is_grpc)
        traefik_set(c, health, "path", k->path.text, k->path.place);
    if (k->method.text.len > 0)
        traefik_set(c, health, "method", k->method.text, k->method.place);
    if (k->hostname.text.len > 0)
        traefik_set(c, health, "host", k->hostname.text, k->hostname.place);
    if (k->status > 0)
        traefik_push(c, traefik_list(c, health, "status", place),
                     arena_printf(c->mem, "%" PRIu32, k->status), place);
    if (k->port > 0)
        traefik_set_uint(c, health, "port", k->port, place);
    if (str_ieq(k->scheme.text, STR("http")))
        traefik_set_bool(c, health, "plain", true, place);
    else if (k->scheme.text.len > 0 && !str_ieq(k->scheme.text, STR("https")))
        return traefik_fail(c, k->scheme.place, "scheme: http or https");
    traefik_set_ms(c, health, "every", k->interval_ms, place);
    traefik_set_ms(c, health, "timeout", k->timeout_ms, place);
    traefik_set_uint(c, health, "fall", 1, place);
    for (size_t i = 0; i < k->headers.n; i++) {
        const struct conf_map_item *item = &k->headers.items[i];
        const struct field_conf *field = item->value;
        struct conf_node *headers = traefik_map(c, health, "headers", place);
        struct conf_node *value = conf_node_scalar(c->mem, field->value.text, item->place);
        if (!value)
            panic("converted settings don't fit");
        value->is_quoted = true;
        conf_node_put(headers, item->name, value);
    }
    return true;
}

// Traefik waits for an answer as long as its server likes, unless a transport says otherwise.
#define PATIENCE_MS ((int64_t)24 * 3600 * 1000)

static bool put_balancer(struct traefik_conv *c, struct conf_node *node, struct conf_node *service)
{
    const struct balancer_conf *b = traefik_read(c, &balancer_section, refusals, node);
    if (!b)
        return false;
    struct conf_node *servers = traefik_list(c, service, "servers", node->key_place);
    // Of containers none may be ready: clients are told to come again.
    if (c->source->is_foreign)
        traefik_set_bool(c, service, "may-be-empty", true, node->key_place);
    else if (b->servers.n == 0)
        return traefik_fail(c, node->key_place, "it has no servers");
    for (size_t i = 0; i < b->servers.n; i++) {
        if (!push_server(c, servers, b->servers.items[i]))
            return false;
    }
    if (b->strategy > 0)
        traefik_set(c, service, "balance", str_of(strategy_twins[b->strategy]), node->key_place);
    if (!b->keeps_host)
        traefik_set(c, service, "host", STR("server"), node->key_place);
    traefik_set_ms(c, service, "answer-timeout", PATIENCE_MS, node->key_place);
    traefik_set_ms(c, service, "body-timeout", PATIENCE_MS, node->key_place);
    if (b->transport.text.len == 0 && c->scope->skips_verify)
        traefik_set(c, traefik_map(c, service, "tls", node->key_place), "verify", STR("off"),
                    node->key_place);
    put_sticky(c, &b->sticky, service);
    return put_check(c, &b->check, service) &&
           (b->transport.text.len == 0 || traefik_transport(c, &b->transport, service));
}

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
    put_sticky(c, &w->sticky, service);
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
    {"loadBalancer", put_balancer},
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
