// SPDX-License-Identifier: Apache-2.0
// serversTransports and options of TLS.
#include "dialect/traefik_priv.h"

struct pair_conf {
    struct conf_text cert, key;
};

static const struct conf_item pair_items[] = {
    ITEM_TEXT(pair_conf, cert, "certFile", .is_required = true),
    ITEM_TEXT(pair_conf, key, "keyFile", .is_required = true),
};

static const struct conf_section pair_section = {
    .name = "certificate",
    CONF_SECTION_OF(pair_conf, pair_items),
};

struct timeouts_conf {
    int64_t dial_ms, answer_ms, idle_ms;
    struct conf_text dial, answer, idle;
};

static const struct conf_item timeout_items[] = {
    ITEM_TEXT(timeouts_conf, dial, "dialTimeout"),
    ITEM_TEXT(timeouts_conf, answer, "responseHeaderTimeout"),
    ITEM_TEXT(timeouts_conf, idle, "idleConnTimeout"),
};

static const struct conf_section timeouts_section = {
    .name = "forwardingTimeouts",
    CONF_SECTION_OF(timeouts_conf, timeout_items),
};

struct transport_conf {
    struct conf_text name, idle_max;
    bool is_insecure, only_http1;
    struct conf_texts cas;
    struct conf_list pairs; // of pair_conf
    struct timeouts_conf timeouts;
};

static const struct conf_item transport_items[] = {
    ITEM_TEXT(transport_conf, name, "serverName"),
    ITEM_BOOL(transport_conf, is_insecure, "insecureSkipVerify"),
    ITEM_TEXTS(transport_conf, cas, "rootCAs"),
    ITEM_LIST(transport_conf, pairs, "certificates", .section = &pair_section),
    ITEM_TEXT(transport_conf, idle_max, "maxIdleConnsPerHost"),
    ITEM_SECTION(transport_conf, timeouts, "forwardingTimeouts", struct timeouts_conf,
                 .section = &timeouts_section),
    ITEM_BOOL(transport_conf, only_http1, "disableHTTP2"),
};

static const struct conf_section transport_section = {
    .name = "serversTransport",
    CONF_SECTION_OF(transport_conf, transport_items),
};

static const struct traefik_refusal refusals[] = {
    {"serversTransport", "peerCertURI",
     "servers are verified by name, authority or key: use `tls` of a service in the settings file"},
    {"serversTransport", "spiffe", "SPIFFE isn't supported"},
    {"serversTransport", "cipherSuites", "TLS with servers has our own ciphers: leave it out"},
    {"serversTransport", "minVersion", "TLS 1.2 is the oldest: leave it out"},
    {"serversTransport", "maxVersion", "TLS 1.3 is spoken where servers can: leave it out"},
    {"forwardingTimeouts", "readIdleTimeout", "HTTP/2 connections are looked after: leave it out"},
    {"forwardingTimeouts", "pingTimeout", "HTTP/2 connections are looked after: leave it out"},
    {.section = NULL},
};

static bool put_time(struct traefik_conv *c, const struct conf_text *text, const char *key,
                     uint64_t max_ms, struct conf_node *service)
{
    uint64_t ms;
    if (text->text.len == 0)
        return true;
    if (traefik_duration(text->text, &ms) != ERR_OK)
        return traefik_fail(c, text->place, "'" STR_FMT "' is no duration such as 30s",
                            STR_ARG(text->text));
    traefik_set_ms(c, service, key, (int64_t)(ms == 0 ? max_ms : MIN(ms, max_ms)), text->place);
    return true;
}

static bool put_tls(struct traefik_conv *c, const struct transport_conf *t, struct place place,
                    struct conf_node *service)
{
    if (t->name.text.len == 0 && !t->is_insecure && t->cas.n == 0 && t->pairs.n == 0)
        return true;
    if (t->cas.n > 1 || t->pairs.n > 1)
        return traefik_fail(c, place,
                            "rootCAs and certificates take one file each: put the "
                            "certificates of several into one file");
    if ((t->cas.n > 0 || t->pairs.n > 0) && !traefik_may_name_files(c, place))
        return false;
    struct conf_node *tls = traefik_map(c, service, "tls", place);
    if (t->name.text.len > 0)
        traefik_set(c, tls, "server-name", t->name.text, t->name.place);
    if (t->is_insecure)
        traefik_set(c, tls, "verify", STR("off"), place);
    if (t->cas.n > 0)
        traefik_set(c, tls, "ca", t->cas.items[0].text, t->cas.items[0].place);
    if (t->pairs.n > 0) {
        const struct pair_conf *pair = t->pairs.items[0];
        traefik_set(c, tls, "cert", pair->cert.text, pair->cert.place);
        traefik_set(c, tls, "key", pair->key.text, pair->key.place);
    }
    return true;
}

static bool put_transport(struct traefik_conv *c, struct conf_node *node, struct conf_node *service)
{
    const struct transport_conf *t = traefik_read(c, &transport_section, refusals, node);
    if (!t || !put_tls(c, t, node->place, service))
        return false;
    if (t->only_http1)
        traefik_set(c, service, "http", STR("1.1"), node->place);
    if (t->idle_max.text.len > 0 && !str_starts(t->idle_max.text, STR("-")))
        traefik_set(c, service, "idle-max", t->idle_max.text, t->idle_max.place);
    return put_time(c, &t->timeouts.dial, "connect-timeout", 60000, service) &&
           put_time(c, &t->timeouts.answer, "answer-timeout", 86400000, service) &&
           put_time(c, &t->timeouts.idle, "idle-timeout", 3600000, service);
}

bool traefik_transport(struct traefik_conv *c, const struct conf_text *name,
                       struct conf_node *service)
{
    const struct traefik_thing *t = traefik_find(c, &c->transports, name->text);
    if (!t)
        return traefik_fail(c, name->place, "there is no serversTransport '" STR_FMT "'",
                            STR_ARG(name->text));
    struct conf_node *copy = traefik_copy(t->node, c->mem); // it may be read again
    if (!copy)
        panic("converted settings don't fit");
    const struct traefik_source *source = c->source;
    c->source = t->source;
    bool is_put = put_transport(c, copy, service);
    c->source = source;
    return is_put;
}
