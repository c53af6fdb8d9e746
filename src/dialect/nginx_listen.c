// SPDX-License-Identifier: Apache-2.0
// Where servers listen: entrypoints, and whose requests are those for hosts that nobody names.
#include "base/num.h"
#include "dialect/nginx_priv.h"

// "80", "*:80", "[::]:80" and "0.0.0.0:80" are all of ours; others keep their address.
static struct str address_of(struct nginx *n, struct str listen, struct str *ret_port)
{
    size_t colon = listen.len;
    while (colon > 0 && listen.ptr[colon - 1] != ':' && listen.ptr[colon - 1] != ']')
        colon--;
    bool has_port = colon > 0 && listen.ptr[colon - 1] == ':';
    uint64_t number;
    bool is_port = num_dec(listen, 65535, &number) == ERR_OK;
    struct str host = is_port ? STR_NONE : has_port ? str_first(listen, colon - 1) : listen;
    *ret_port = is_port ? listen : has_port ? str_skip(listen, colon) : STR("80");
    if (str_eq(host, STR("*")) || str_eq(host, STR("[::]")) || str_eq(host, STR("0.0.0.0")))
        host = STR_NONE;
    return draft_printf(n->d, STR_FMT ":" STR_FMT, STR_ARG(host), STR_ARG(*ret_port));
}

// Whether a location keeps somebody out, whom a "/" spelled "%2F" would lead past it.
static bool has_guarded_location(const struct nginx_directive *block)
{
    static const char *const guards[] = {"allow",    "deny",         "auth_basic", "auth_request",
                                         "internal", "limit_except", "return",     "if"};
    for (const struct nginx_directive *d = block->first; d; d = d->next) {
        for (size_t i = 0; nginx_is(d, "location") && i < ARRAY_LEN(guards); i++)
            if (nginx_get(d, guards[i]))
                return true;
        if (d->is_block && has_guarded_location(d))
            return true;
    }
    return false;
}

static struct conf_node *entrypoint(struct nginx *n, struct str address, struct str port,
                                    bool has_tls, struct place place)
{
    struct conf_node *all = draft_map(n->d, n->d->root, STR("entrypoints"), place);
    for (struct conf_node *e = all->first; e; e = e->next)
        if (str_eq(conf_node_get(e, STR("listen"))->text, address))
            return e;
    struct str name = draft_printf(n->d, "port-" STR_FMT, STR_ARG(port));
    if (str_eq(address, STR(":80")) && !has_tls)
        name = STR("web");
    else if (str_eq(address, STR(":443")) && has_tls)
        name = STR("websecure");
    struct conf_node *e = draft_map(n->d, all, draft_name(n->d, all, name), place);
    draft_set(n->d, e, STR("listen"), address, place);
    const struct nginx_directive *merge = nginx_setting(n->http, "merge_slashes");
    if (merge && str_eq(nginx_word(merge, 1), STR("off")))
        draft_set(n->d, e, STR("merge-slashes"), STR("no"), place);
    if (n->has_guards) {
        draft_set(n->d, e, STR("encoded-slash"), STR("decode"), place);
        draft_remark(n->d, e,
                     "As nginx finds locations, \"%%2F\" is a slash; servers get one, too. Without "
                     "'encoded-slash' it would lead past what only some paths refuse.");
    }
    return e;
}

static void put_trusted(struct nginx_server *s, struct conf_node *entry)
{
    struct nginx_directive *level = nginx_level(s->block, "set_real_ip_from");
    struct nginx_directive *d = level ? nginx_get(level, "set_real_ip_from") : NULL;
    if (!d || conf_node_get(entry, STR("trusted-proxies")))
        return;
    struct conf_node *list = draft_list(s->n->d, entry, STR("trusted-proxies"), d->place);
    for (; d; d = d->same) {
        draft_push(s->n->d, list, nginx_word(d, 1), d->place);
        d->is_done = true;
    }
    d = nginx_setting(s->block, "real_ip_header");
    if (d && !str_ieq(nginx_word(d, 1), STR("X-Forwarded-For")) &&
        !str_ieq(nginx_word(d, 1), STR("proxy_protocol")))
        nginx_note(s->n, d, DRAFT_CHANGED,
                   "the client's address is read from X-Forwarded-For and "
                   "Forwarded alone");
    (void)nginx_setting(s->block, "real_ip_recursive"); // as ours
}

static void put_proxy_protocol(struct nginx_server *s, struct nginx_directive *listen,
                               struct conf_node *entry)
{
    const struct conf_node *trusted = conf_node_get(entry, STR("trusted-proxies"));
    if (!trusted) {
        nginx_note(
            s->n, listen, DRAFT_CLOSED,
            "PROXY headers need 'proxy-protocol: { from: […] }' with the balancers' addresses; "
            "until then connections with one are refused");
        return;
    }
    struct conf_node *from = draft_list(s->n->d, entry, STR("proxy-protocol"), listen->place);
    for (const struct conf_node *t = from->first ? NULL : trusted->first; t; t = t->next)
        draft_push(s->n->d, from, t->text, t->place);
}

static void put_entrypoint(struct nginx_server *s, const struct conf_node *entry,
                           struct str address, struct place place)
{
    for (const struct conf_node *e = s->entrypoints->first; e; e = e->next)
        if (str_eq(e->text, entry->key))
            return;
    draft_push(s->n->d, s->entrypoints, entry->key, place);
    if (map_get(&s->n->defaults, address) == s->block)
        draft_push(s->n->d, s->default_at, entry->key, place);
}

static void put_listen(struct nginx_server *s, struct nginx_directive *listen)
{
    struct nginx *n = s->n;
    struct str port, where = nginx_word(listen, 1);
    bool has_tls = false, has_proxy = false;
    listen->is_done = true;
    if (str_starts(where, STR("unix:"))) {
        nginx_note(n, listen, DRAFT_LOST, "clients come by TCP alone");
        return;
    }
    for (size_t i = 2; i < listen->n_words; i++) {
        struct str option = nginx_word(listen, i);
        has_tls |= str_eq(option, STR("ssl"));
        has_proxy |= str_eq(option, STR("proxy_protocol"));
        if (str_eq(option, STR("quic")) || str_eq(option, STR("udp"))) {
            nginx_note(n, listen, DRAFT_LOST, "HTTP/3 isn't spoken here");
            return;
        }
    }
    has_tls |= nginx_is_on(s->block, "ssl");
    struct str address = address_of(n, where, &port);
    struct conf_node *entry = entrypoint(n, address, port, has_tls, listen->place);
    s->has_tls |= has_tls;
    s->has_plain |= !has_tls;
    if (has_tls && !conf_node_get(entry, STR("tls")))
        draft_set(n->d, entry, STR("tls"), STR("on"), listen->place);
    put_trusted(s, entry);
    if (has_proxy)
        put_proxy_protocol(s, listen, entry);
    put_entrypoint(s, entry, address, listen->place);
}

void nginx_put_listens(struct nginx_server *s)
{
    struct nginx_directive *d = nginx_get(s->block, "listen");
    s->entrypoints = conf_node_new(&s->n->d->mem, CONF_NODE_SEQ, s->block->place);
    s->default_at = conf_node_new(&s->n->d->mem, CONF_NODE_SEQ, s->block->place);
    if (!s->entrypoints || !s->default_at) {
        s->n->d->is_full = true;
        return;
    }
    if (!d) { // nginx listens on 80 then
        struct conf_node *entry = entrypoint(s->n, STR(":80"), STR("80"), false, s->block->place);
        put_entrypoint(s, entry, STR(":80"), s->block->place);
        s->has_plain = true;
    }
    for (; d; d = d->same)
        put_listen(s, d);
}

// --- defaults ---

static bool has_names(const struct nginx_directive *server)
{
    for (const struct nginx_directive *d = nginx_get(server, "server_name"); d; d = d->same)
        for (size_t i = 1; i < d->n_words; i++)
            if (!nginx_is_nobody(nginx_word(d, i)))
                return true;
    return false;
}

static bool says_default(const struct nginx_directive *listen)
{
    for (size_t i = 2; i < listen->n_words; i++)
        if (str_eq(nginx_word(listen, i), STR("default_server")) ||
            str_eq(nginx_word(listen, i), STR("default")))
            return true;
    return false;
}

static void find_default(struct nginx *n, struct nginx_directive *server, bool by_word)
{
    struct nginx_directive *listen = nginx_get(server, "listen");
    if (!by_word && has_names(server))
        return;
    if (!by_word && !listen && !map_get(&n->defaults, STR(":80")))
        map_set(&n->defaults, STR(":80"), server);
    for (; listen; listen = listen->same) {
        struct str port, address = address_of(n, nginx_word(listen, 1), &port);
        if ((!by_word || says_default(listen)) && !map_get(&n->defaults, address))
            map_set(&n->defaults, address, server);
    }
}

void nginx_find_defaults(struct nginx *n)
{
    for (int by_word = 1; by_word >= 0; by_word--)
        for (struct nginx_directive *d = nginx_get(n->http, "server"); d; d = d->same)
            find_default(n, d, by_word == 1);
    n->has_guards = has_guarded_location(n->http);
}
