// SPDX-License-Identifier: Apache-2.0
// upstream blocks as services.
#include "dialect/nginx_priv.h"

static void put_server_option(struct nginx *n, struct nginx_directive *d, struct str option,
                              struct conf_node *server)
{
    struct str key, value;
    if (str_eq(option, STR("backup"))) {
        draft_set(n->d, server, STR("backup"), STR("yes"), d->place);
    } else if (str_eq(option, STR("down"))) {
        draft_set(n->d, server, STR("weight"), STR("0"), d->place);
    } else if (str_eq(option, STR("resolve"))) {
        return; // names are always looked up again
    } else if (!str_cut(option, '=', &key, &value)) {
        nginx_note(n, d, DRAFT_LOST, "'" STR_FMT "' has no match here", STR_ARG(option));
    } else if (str_eq(key, STR("weight"))) {
        draft_set(n->d, server, STR("weight"), value, d->place);
    } else if (str_eq(key, STR("max_conns"))) {
        draft_set(n->d, server, STR("max-connections"), value, d->place);
    } else if (str_eq(key, STR("max_fails")) || str_eq(key, STR("fail_timeout"))) {
        nginx_note(n, d, DRAFT_CHANGED,
                   "a server that can't be reached is skipped for 'skip-time'; 'eject' leaves out "
                   "those that fail requests");
    } else {
        nginx_note(n, d, DRAFT_LOST, "'" STR_FMT "' has no match here", STR_ARG(option));
    }
}

// An address of nginx's as the URL of a server of ours.
struct str nginx_url(struct nginx *n, const char *scheme, struct str address)
{
    if (str_starts(address, STR("unix:")))
        return address;
    return draft_printf(n->d, "%s" STR_FMT, scheme, STR_ARG(address));
}

static void put_hash_key(struct nginx *n, struct nginx_directive *d, struct conf_node *service)
{
    static const struct {
        const char *variable, *key;
    } keys[] = {
        {"$remote_addr", "client-ip"},
        {"$binary_remote_addr", "client-ip"},
        {"$uri", "path"},
        {"$request_uri", "path"},
        {"$document_uri", "path"},
    };
    struct str of = nginx_word(d, 1), key = STR_NONE;
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (str_eq(of, str_of(keys[i].variable)))
            key = str_of(keys[i].key);
    if (str_starts(of, STR("$cookie_")))
        key = draft_printf(n->d, "cookie:" STR_FMT, STR_ARG(str_skip(of, 8)));
    else if (str_starts(of, STR("$http_")))
        key = nginx_field_key(n, of);
    if (key.len == 0) {
        nginx_note(n, d, DRAFT_CHANGED, "requests are spread by the client's address instead");
        key = STR("client-ip");
    }
    draft_set(n->d, service, STR("balance"), STR("hash"), d->place);
    draft_set(n->d, service, STR("hash-key"), key, d->place);
}

static void put_method(struct nginx *n, struct nginx_directive *d, struct conf_node *service)
{
    struct str name = nginx_word(d, 0);
    d->is_done = true;
    if (str_eq(name, STR("least_conn")))
        draft_set(n->d, service, STR("balance"), STR("least-connections"), d->place);
    else if (str_eq(name, STR("least_time")))
        draft_set(n->d, service, STR("balance"), STR("least-time"), d->place);
    else if (str_eq(name, STR("random")))
        draft_set(n->d, service, STR("balance"), STR("random-two"), d->place);
    else if (str_eq(name, STR("ip_hash")))
        draft_set(n->d, service, STR("balance"), STR("source"), d->place);
    else if (str_eq(name, STR("hash")))
        put_hash_key(n, d, service);
    else if (str_eq(name, STR("keepalive")) || str_eq(name, STR("keepalive_timeout")) ||
             str_eq(name, STR("keepalive_requests")) || str_eq(name, STR("keepalive_time")) ||
             str_eq(name, STR("zone")))
        nginx_note(n, d, DRAFT_NEEDLESS, "connections are kept, and workers know of each other");
    else
        nginx_note(n, d, DRAFT_LOST, "nothing here does the same");
}

void nginx_find_upstreams(struct nginx *n)
{
    struct nginx_directive *levels[] = {nginx_get(n->root, "http"), n->root};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        struct nginx_directive *d = levels[i] ? nginx_get(levels[i], "upstream") : NULL;
        for (; d; d = d->same)
            if (d->is_block && !map_get(&n->upstreams, nginx_word(d, 1)))
                map_set(&n->upstreams, nginx_word(d, 1), d);
    }
}

struct nginx_directive *nginx_upstream(const struct nginx *n, struct str name)
{
    return map_get(&n->upstreams, name);
}

void nginx_put_upstream(struct nginx *n, struct nginx_directive *upstream, const char *scheme,
                        struct conf_node *service)
{
    struct conf_node *servers = draft_list(n->d, service, STR("servers"), upstream->place);
    upstream->is_done = true;
    for (struct nginx_directive *d = upstream->first; d; d = d->next) {
        if (!str_eq(nginx_word(d, 0), STR("server"))) {
            put_method(n, d, service);
            continue;
        }
        struct conf_node *server = draft_push_map(n->d, servers, d->place);
        draft_set(n->d, server, STR("url"), nginx_url(n, scheme, nginx_word(d, 1)), d->place);
        for (size_t i = 2; i < d->n_words; i++)
            put_server_option(n, d, nginx_word(d, i), server);
        d->is_done = true;
    }
}
