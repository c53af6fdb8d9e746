// SPDX-License-Identifier: Apache-2.0
// Services with servers of their own: loadBalancer.
#include <inttypes.h>

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

static const struct conf_item cookie_items[] = {
    ITEM_TEXT(traefik_cookie_conf, name, "name"),
    ITEM_BOOL(traefik_cookie_conf, secure, "secure"),
    ITEM_BOOL(traefik_cookie_conf, http_only, "httpOnly"),
    ITEM_TEXT(traefik_cookie_conf, same_site, "sameSite"),
    ITEM_UINT(traefik_cookie_conf, max_age_s, "maxAge", .max = "34560000"),
    ITEM_TEXT(traefik_cookie_conf, path, "path"),
    ITEM_TEXT(traefik_cookie_conf, domain, "domain"),
};

static const struct conf_section cookie_section = {
    .name = "sticky.cookie",
    CONF_SECTION_OF(traefik_cookie_conf, cookie_items),
    .place_offset = CONF_PLACE_AT(traefik_cookie_conf, place),
};

static const struct conf_item sticky_items[] = {
    ITEM_SWITCHED(traefik_sticky_conf, cookie, "cookie", struct traefik_cookie_conf, is_on,
                  .section = &cookie_section, .def = "off"),
};

const struct conf_section traefik_sticky_section = {
    .name = "sticky",
    CONF_SECTION_OF(traefik_sticky_conf, sticky_items),
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
    struct traefik_sticky_conf sticky;
    struct check_conf check;
    bool keeps_host;
    struct flush_conf forwarding;
    struct conf_text transport;
    unsigned strategy;
};

static const struct conf_item balancer_items[] = {
    ITEM_LIST(balancer_conf, servers, "servers", .section = &server_section),
    ITEM_SWITCHED(balancer_conf, sticky, "sticky", struct traefik_sticky_conf, is_on,
                  .section = &traefik_sticky_section, .def = "off"),
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

static const struct traefik_refusal refusals[] = {
    {"server", "preservePath",
     "a server's URL has no path: use the middleware addPrefix, and leave it out"},
    {"healthCheck", "followRedirects",
     "redirects aren't followed: name the path that answers, and leave it out"},
    {"healthCheck", "unhealthyInterval", "servers that are down are asked as often: leave it out"},
    {"loadBalancer", "passiveHealthCheck",
     "use `eject` of a service in the settings file, and name it with @file"},
    {.section = NULL},
};

// --- parts ---

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

void traefik_put_sticky(struct traefik_conv *c, const struct traefik_sticky_conf *s,
                        struct conf_node *service)
{
    const struct traefik_cookie_conf *k = &s->cookie;
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

bool traefik_put_pool(struct traefik_conv *c, struct conf_node *node, struct conf_node *service)
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
    traefik_put_sticky(c, &b->sticky, service);
    return put_check(c, &b->check, service) &&
           (b->transport.text.len == 0 || traefik_transport(c, &b->transport, service));
}
