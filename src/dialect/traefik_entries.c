// SPDX-License-Identifier: Apache-2.0
// Traefik's entrypoints.
#include <inttypes.h>

#include "base/num.h"
#include "dialect/traefik_static_priv.h"

// --- tables ---

static const struct conf_item trust_items[] = {
    ITEM_BOOL(traefik_trust_conf, is_insecure, "insecure"),
    ITEM_TEXTS(traefik_trust_conf, ips, "trustedIPs"),
};

static const struct conf_section trust_section = {
    .name = "forwardedHeaders",
    CONF_SECTION_OF(traefik_trust_conf, trust_items),
};

static const struct conf_section proxy_section = {
    .name = "proxyProtocol",
    CONF_SECTION_OF(traefik_trust_conf, trust_items),
};

static const struct conf_item to_items[] = {
    ITEM_TEXT(traefik_redirection_conf, to, "to"),
    ITEM_TEXT(traefik_redirection_conf, scheme, "scheme", .def = "https"),
    ITEM_BOOL(traefik_redirection_conf, is_permanent, "permanent", .def = "true"),
    ITEM_TEXT(traefik_redirection_conf, priority, "priority"),
};

static const struct conf_section to_section = {
    .name = "redirections.entryPoint",
    CONF_SECTION_OF(traefik_redirection_conf, to_items),
};

static const struct conf_item redirections_items[] = {
    ITEM_SECTION(traefik_redirections_conf, entry, "entryPoint", struct traefik_redirection_conf,
                 .section = &to_section),
};

static const struct conf_section redirections_section = {
    .name = "redirections",
    CONF_SECTION_OF(traefik_redirections_conf, redirections_items),
};

static const struct conf_item http_items[] = {
    ITEM_SECTION(traefik_entry_all_http, redirections, "redirections",
                 struct traefik_redirections_conf, .section = &redirections_section),
    ITEM_TEXTS(traefik_entry_all_http, model.middlewares, "middlewares"),
    ITEM_SWITCHED(traefik_entry_all_http, model.tls, "tls", struct traefik_router_tls, is_on,
                  .section = &traefik_router_tls_section, .def = "off"),
    ITEM_SIZE(traefik_entry_all_http, head_max, "maxHeaderBytes"),
    ITEM_BOOL(traefik_entry_all_http, sanitizes, "sanitizePath", .def = "true"),
};

static const struct conf_section http_section = {
    .name = "http",
    CONF_SECTION_OF(traefik_entry_all_http, http_items),
};

static const struct conf_item http2_items[] = {
    ITEM_UINT(traefik_http2_conf, streams, "maxConcurrentStreams", .def = "250", .min = "1"),
};

static const struct conf_section http2_section = {
    .name = "http2",
    CONF_SECTION_OF(traefik_http2_conf, http2_items),
};

static const struct conf_item life_items[] = {
    ITEM_DURATION(traefik_transport_conf, accept_ms, "requestAcceptGraceTimeout"),
    ITEM_DURATION(traefik_transport_conf, grace_ms, "graceTimeOut", .def = "10s"),
};

static const struct conf_section life_section = {
    .name = "lifeCycle",
    CONF_SECTION_OF(traefik_transport_conf, life_items),
};

static const struct conf_item responding_items[] = {
    ITEM_DURATION(traefik_transport_conf, read_ms, "readTimeout"),
    ITEM_DURATION(traefik_transport_conf, write_ms, "writeTimeout"),
    ITEM_DURATION(traefik_transport_conf, idle_ms, "idleTimeout", .def = "180s"),
};

static const struct conf_section responding_section = {
    .name = "respondingTimeouts",
    CONF_SECTION_OF(traefik_transport_conf, responding_items),
};

static const struct conf_item transport_items[] = {
    ITEM_SECTION(traefik_entry_transport, life, "lifeCycle", struct traefik_transport_conf,
                 .section = &life_section),
    ITEM_SECTION(traefik_entry_transport, responding, "respondingTimeouts",
                 struct traefik_transport_conf, .section = &responding_section),
    ITEM_UINT(traefik_entry_transport, requests, "keepAliveMaxRequests"),
};

static const struct conf_section transport_section = {
    .name = "transport",
    CONF_SECTION_OF(traefik_entry_transport, transport_items),
};

static const struct conf_item entry_items[] = {
    ITEM_TEXT(traefik_entry_conf, address, "address", .is_required = true),
    ITEM_BOOL(traefik_entry_conf, is_default, "asDefault"),
    ITEM_BOOL(traefik_entry_conf, reuses, "reusePort"), // always done
    ITEM_BOOL(traefik_entry_conf, acme, "allowACMEByPass"),
    ITEM_SECTION(traefik_entry_conf, forwarded, "forwardedHeaders", struct traefik_trust_conf,
                 .section = &trust_section),
    ITEM_SECTION(traefik_entry_conf, proxy, "proxyProtocol", struct traefik_trust_conf,
                 .section = &proxy_section),
    ITEM_SECTION(traefik_entry_conf, http, "http", struct traefik_entry_all_http,
                 .section = &http_section),
    ITEM_SECTION(traefik_entry_conf, http2, "http2", struct traefik_http2_conf,
                 .section = &http2_section),
    ITEM_SECTION(traefik_entry_conf, transport, "transport", struct traefik_entry_transport,
                 .section = &transport_section),
};

const struct conf_section traefik_entry_section = {
    .name = "entryPoints",
    CONF_SECTION_OF(traefik_entry_conf, entry_items),
};

// --- entries ---

// ":443/tcp" without what is behind the port.
static bool parse_address(struct static_conv *s, const struct conf_text *text, struct str *ret,
                          uint64_t *ret_port)
{
    struct str address, protocol = STR_NONE;
    str_cut(text->text, '/', &address, &protocol);
    size_t colon = str_rfind(address, ':');
    if (str_ieq(protocol, STR("udp")))
        return static_fail(s, text->place, "entryPoints: UDP isn't served: leave it out");
    if ((protocol.len > 0 && !str_ieq(protocol, STR("tcp"))) || colon == STR_NPOS ||
        num_dec(str_skip(address, colon + 1), 65535, ret_port) != ERR_OK)
        return static_fail(s, text->place, "'" STR_FMT "' is no address such as :80",
                           STR_ARG(text->text));
    *ret = address;
    return true;
}

static void put_trust(struct static_conv *s, const struct traefik_trust_conf *t, const char *key,
                      struct conf_node *entry)
{
    struct place place = entry->place;
    if (!t->is_insecure && t->ips.n == 0)
        return;
    struct conf_node *list = traefik_list(&s->out, entry, key, place);
    if (t->is_insecure) {
        traefik_push(&s->out, list, STR("0.0.0.0/0"), place);
        traefik_push(&s->out, list, STR("::/0"), place);
        return;
    }
    for (size_t i = 0; i < t->ips.n; i++)
        (void)traefik_push_net(&s->out, list, &t->ips.items[i]); // told
}

static void put_proxy(struct static_conv *s, const struct traefik_trust_conf *t,
                      struct conf_node *entry)
{
    if (!t->is_insecure && t->ips.n == 0)
        return;
    struct conf_node *proxy = traefik_map(&s->out, entry, "proxy-protocol", entry->place);
    put_trust(s, t, "from", proxy);
    traefik_set(&s->out, proxy, "others", STR("accept"), entry->place);
}

static void put_times(struct static_conv *s, const struct traefik_entry_conf *e,
                      struct conf_node *entry)
{
    const struct traefik_transport_conf *r = &e->transport.responding;
    struct place place = entry->place;
    if (r->write_ms > 0)
        static_fail(s, place,
                    "transport.respondingTimeouts.writeTimeout: answers aren't cut off by time: "
                    "leave it out; clients that don't read are cut off anyway");
    if (e->transport.life.accept_ms > 0)
        static_fail(s, place,
                    "transport.lifeCycle.requestAcceptGraceTimeout: connections are refused at "
                    "once when it stops: leave it out");
    if (r->read_ms > 0) {
        traefik_set_ms(&s->out, entry, "head-timeout", r->read_ms, place);
        traefik_set_ms(&s->out, entry, "body-timeout", r->read_ms, place);
    }
    if (r->idle_ms > 0)
        traefik_set_ms(&s->out, entry, "idle-timeout", r->idle_ms, place);
    if (e->transport.requests > 0)
        traefik_set_uint(&s->out, entry, "requests-max", e->transport.requests, place);
    s->grace_ms = MAX(s->grace_ms, e->transport.life.grace_ms);
}

// Everything that comes by this entrypoint goes to another one, unless a router has a higher
// priority.
static void put_redirection(struct static_conv *s, struct str name,
                            const struct traefik_redirection_conf *r)
{
    struct place place = r->to.place;
    struct traefik_conv *out = &s->out;
    struct str port = str_starts(r->to.text, STR(":")) ? str_skip(r->to.text, 1) : STR_NONE;
    const struct conf_node *entries = conf_node_get(s->ret->root, STR("entrypoints"));
    const struct conf_node *to = traefik_get(entries, r->to.text);
    if (port.len == 0 && to) {
        struct str listen = conf_node_get(to, STR("listen"))->text;
        port = str_skip(listen, str_rfind(listen, ':') + 1);
    }
    if (port.len == 0) {
        static_fail(s, place, "redirections: there is no entrypoint '" STR_FMT "'",
                    STR_ARG(r->to.text));
        return;
    }
    struct str filter = arena_printf(out->mem, "redirect-" STR_FMT "@internal", STR_ARG(name));
    struct conf_node *filters = traefik_map(out, s->ret->root, "filters", place);
    struct conf_node *redirect =
        traefik_map(out, traefik_map(out, filters, filter.ptr, place), "redirect", place);
    traefik_set(out, redirect, "scheme", r->scheme.text, place);
    bool is_usual = (str_eq(port, STR("443")) && str_ieq(r->scheme.text, STR("https"))) ||
                    (str_eq(port, STR("80")) && str_ieq(r->scheme.text, STR("http")));
    if (!is_usual)
        traefik_set(out, redirect, "port", port, place);
    traefik_set_bool(out, redirect, "permanent", r->is_permanent, place);
    struct conf_node *route = static_route(s, "PathPrefix(`/`)", filter, name, place);
    traefik_push(out, traefik_list(out, route, "use", place), filter, place);
    traefik_set(out, route, "priority",
                r->priority.text.len > 0 ? r->priority.text : STR("2000000000"), place);
}

// What routers at this entrypoint have in front.
static const struct conf_node *model_of(struct static_conv *s, struct conf_node *node)
{
    const struct conf_node *http = traefik_get(node, STR("http"));
    const struct conf_node *parts[] = {traefik_get(http, STR("middlewares")),
                                       traefik_get(http, STR("tls"))};
    struct conf_node *model = conf_node_new(s->out.mem, CONF_NODE_MAP, node->place);
    if (!model)
        panic("converted settings don't fit");
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        struct conf_node *copy = parts[i] ? traefik_copy(parts[i], s->out.mem) : NULL;
        if (copy)
            conf_node_append(model, copy);
    }
    return model->n > 0 ? model : NULL;
}

void static_add_entry(struct static_conv *s, struct str name, struct conf_node *node)
{
    bool is_fine;
    struct str address;
    uint64_t port;
    const struct traefik_entry_conf *e = static_read(s, &traefik_entry_section, node, &is_fine);
    if (!is_fine || !parse_address(s, &e->address, &address, &port))
        return;
    struct traefik_conv *out = &s->out;
    struct conf_node *entry = traefik_map(
        out, traefik_map(out, s->ret->root, "entrypoints", node->place), name.ptr, node->key_place);
    bool is_tls = e->http.model.tls.is_on || port % 1000 == 443;
    bool redirects = e->http.redirections.entry.to.text.len > 0;
    traefik_set(out, entry, "listen", address, e->address.place);
    traefik_set_bool(out, entry, "tls", is_tls, e->address.place);
    traefik_set_uint(out, entry, "http2-streams-max", e->http2.streams, node->place);
    if (e->http.head_max > 0)
        traefik_set_uint(out, entry, "head-max", e->http.head_max, node->place);
    put_trust(s, &e->forwarded, "trusted-proxies", entry);
    put_proxy(s, &e->proxy, entry);
    put_times(s, e, entry);
    if (!e->http.sanitizes)
        static_fail(s, node->place, "http.sanitizePath: paths are made plain always: leave it out");
    s->ret->entries[s->ret->n_entries++] = (struct traefik_entry){
        .name = arena_dup(out->mem, name),
        .is_tls = is_tls,
        .may_be_tcp = !is_tls && !redirects && port != 80 && port != 8080,
        .is_default = e->is_default,
        .http = model_of(s, node),
    };
}

void static_add_redirection(struct static_conv *s, struct str name, struct conf_node *node)
{
    struct diags none = {.n = 0}, *diags = s->out.diags;
    bool is_fine;
    s->out.diags = &none; // what is wrong was told
    const struct traefik_entry_conf *e = static_read(s, &traefik_entry_section, node, &is_fine);
    s->out.diags = diags;
    diags_fini(&none);
    if (is_fine && e->http.redirections.entry.to.text.len > 0)
        put_redirection(s, name, &e->http.redirections.entry);
}
