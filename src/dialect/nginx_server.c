// SPDX-License-Identifier: Apache-2.0
// server blocks: where they listen, for which names, with which certificates.
#include "base/num.h"
#include "dialect/nginx_priv.h"

// --- listen ---

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
    if (!merge || !str_eq(nginx_word(merge, 1), STR("off")))
        draft_set(n->d, e, STR("merge-slashes"), STR("yes"), place); // as nginx finds locations
    if (has_guarded_location(n->http)) {
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
    for (; d; d = nginx_next(d->next, "set_real_ip_from")) {
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

static void put_listen(struct nginx_server *s, struct nginx_directive *listen)
{
    struct nginx *n = s->n;
    struct str port, where = nginx_word(listen, 1);
    bool has_tls = false, has_proxy = false, is_default = false;
    listen->is_done = true;
    if (str_starts(where, STR("unix:"))) {
        nginx_note(n, listen, DRAFT_LOST, "clients come by TCP alone");
        return;
    }
    for (size_t i = 2; i < listen->n_words; i++) {
        struct str option = nginx_word(listen, i);
        has_tls |= str_eq(option, STR("ssl"));
        has_proxy |= str_eq(option, STR("proxy_protocol"));
        is_default |= str_eq(option, STR("default_server")) || str_eq(option, STR("default"));
        if (str_eq(option, STR("quic")) || str_eq(option, STR("udp"))) {
            nginx_note(n, listen, DRAFT_LOST, "HTTP/3 isn't spoken here");
            return;
        }
    }
    has_tls |= nginx_is_on(s->block, "ssl");
    struct str address = address_of(n, where, &port);
    struct conf_node *entry = entrypoint(n, address, port, has_tls, listen->place);
    s->is_default |= is_default;
    s->has_tls |= has_tls;
    s->has_plain |= !has_tls;
    if (has_tls && !conf_node_get(entry, STR("tls")))
        draft_set(n->d, entry, STR("tls"), STR("on"), listen->place);
    put_trusted(s, entry);
    if (has_proxy)
        put_proxy_protocol(s, listen, entry);
    for (const struct conf_node *e = s->entrypoints->first; e; e = e->next)
        if (str_eq(e->text, entry->key))
            return;
    draft_push(n->d, s->entrypoints, entry->key, listen->place);
}

static void put_listens(struct nginx_server *s)
{
    struct nginx_directive *d = nginx_get(s->block, "listen");
    s->entrypoints = conf_node_new(&s->n->d->mem, CONF_NODE_SEQ, s->block->place);
    if (!s->entrypoints) {
        s->n->d->is_full = true;
        return;
    }
    if (!d) { // nginx listens on 80 then
        struct conf_node *entry = entrypoint(s->n, STR(":80"), STR("80"), false, s->block->place);
        draft_push(s->n->d, s->entrypoints, entry->key, s->block->place);
        s->has_plain = true;
    }
    for (; d; d = nginx_next(d->next, "listen"))
        put_listen(s, d);
}

// --- names ---

static void put_names(struct nginx_server *s)
{
    size_t n = 0;
    for (struct nginx_directive *d = nginx_get(s->block, "server_name"); d;
         d = nginx_next(d->next, "server_name"))
        n += 2 * d->n_words; // ".example.com" is two
    struct nginx_server_name *names = ARENA_ARRAY(&s->n->d->mem, struct nginx_server_name, n + 1);
    if (!names) {
        s->n->d->is_full = true;
        return;
    }
    n = 0;
    for (struct nginx_directive *d = nginx_get(s->block, "server_name"); d;
         d = nginx_next(d->next, "server_name")) {
        d->is_done = true;
        for (size_t i = 1; i < d->n_words; i++) {
            struct str name = nginx_word(d, i);
            if (name.len == 0 || str_eq(name, STR("_")) || str_eq(name, STR("localhost")) ||
                str_starts(name, STR("$"))) {
                continue; // nobody asks for these
            } else if (str_starts(name, STR("~"))) {
                names[n++] = (struct nginx_server_name){NGINX_NAME_REGEX, str_skip(name, 1)};
            } else if (str_starts(name, STR("*."))) {
                names[n++] = (struct nginx_server_name){NGINX_NAME_WILD, name};
            } else if (str_starts(name, STR("."))) {
                names[n++] = (struct nginx_server_name){NGINX_NAME_EXACT, str_skip(name, 1)};
                names[n++] = (struct nginx_server_name){
                    NGINX_NAME_WILD, draft_printf(s->n->d, "*" STR_FMT, STR_ARG(name))};
            } else if (str_ends(name, STR(".*"))) {
                nginx_note(s->n, d, DRAFT_LOST,
                           "names with '.*' at the end need a rule HostRegexp");
            } else {
                names[n++] = (struct nginx_server_name){NGINX_NAME_EXACT, name};
            }
        }
    }
    s->names = names;
    s->n_names = n;
    for (size_t i = n; i > 0; i--)
        if (names[i - 1].kind == NGINX_NAME_EXACT)
            s->host = names[i - 1].text;
    s->shown = s->host.len > 0 ? s->host : STR("default");
    s->is_default |= n == 0;
}

// --- the site ---

static void put_certificates(struct nginx_server *s, struct conf_node *tls)
{
    struct draft *d = s->n->d;
    struct nginx_directive *level = nginx_level(s->block, "ssl_certificate");
    struct nginx_directive *key_level = nginx_level(s->block, "ssl_certificate_key");
    struct nginx_directive *cert = level ? nginx_get(level, "ssl_certificate") : NULL;
    struct nginx_directive *key = key_level ? nginx_get(key_level, "ssl_certificate_key") : NULL;
    for (; cert; cert = nginx_next(cert->next, "ssl_certificate")) {
        cert->is_done = true;
        if (!nginx_is_plain(nginx_word(cert, 1)) || !key) {
            nginx_note(s->n, cert, DRAFT_CHANGED,
                       "the file or its key isn't named; the site gets a certificate by itself");
            continue;
        }
        struct conf_node *item =
            draft_push_map(d, draft_list(d, tls, STR("certificates"), cert->place), cert->place);
        draft_set(d, item, STR("cert"), nginx_word(cert, 1), cert->place);
        draft_set(d, item, STR("key"), nginx_word(key, 1), key->place);
        key->is_done = true;
        if (str_starts(nginx_word(cert, 1), STR("/etc/letsencrypt/")))
            draft_remark(d, item,
                         "With 'email: you@example.com' at the top, the site gets its "
                         "certificate from Let's Encrypt by itself: then take this out.");
        key = nginx_next(key->next, "ssl_certificate_key");
    }
}

static void put_versions(struct nginx_server *s, struct conf_node *tls)
{
    struct nginx_directive *d = nginx_setting(s->block, "ssl_protocols");
    bool has_12 = false, has_13 = false, has_old = false;
    for (size_t i = 1; d && i < d->n_words; i++) {
        has_12 |= str_eq(nginx_word(d, i), STR("TLSv1.2"));
        has_13 |= str_eq(nginx_word(d, i), STR("TLSv1.3"));
        has_old |= !str_starts(nginx_word(d, i), STR("TLSv1.2")) &&
                   !str_starts(nginx_word(d, i), STR("TLSv1.3"));
    }
    if (has_13 && !has_12 && !has_old)
        draft_set(s->n->d, tls, STR("min"), STR("1.3"), d->place);
    else if (has_12 && !has_13)
        draft_set(s->n->d, tls, STR("max"), STR("1.2"), d->place);
    if (has_old)
        nginx_note(s->n, d, DRAFT_CHANGED, "versions before TLS 1.2 are never spoken");
}

static void put_client_auth(struct nginx_server *s, struct conf_node *tls)
{
    struct nginx_directive *d = nginx_setting(s->block, "ssl_verify_client");
    struct nginx_directive *ca = nginx_setting(s->block, "ssl_client_certificate");
    struct nginx_directive *crl = nginx_setting(s->block, "ssl_crl");
    struct str how = d ? nginx_word(d, 1) : STR("off");
    if (str_eq(how, STR("off")))
        return;
    bool is_optional = str_eq(how, STR("optional")) || str_eq(how, STR("optional_no_ca"));
    draft_set(s->n->d, tls, STR("client-auth"), is_optional ? STR("request") : STR("require"),
              d->place);
    if (str_eq(how, STR("optional_no_ca")))
        nginx_note(s->n, d, DRAFT_CHANGED, "certificates that no authority has signed are refused");
    if (ca)
        draft_set(s->n->d, tls, STR("client-ca"), nginx_word(ca, 1), ca->place);
    if (crl)
        draft_set(s->n->d, tls, STR("client-crl"), nginx_word(crl, 1), crl->place);
}

static void put_tls(struct nginx_server *s)
{
    if (!s->has_tls) {
        draft_set(s->n->d, s->site, STR("tls"), STR("off"), s->block->place);
        return;
    }
    struct conf_node *tls = draft_map(s->n->d, s->site, STR("tls"), s->block->place);
    put_certificates(s, tls);
    put_versions(s, tls);
    put_client_auth(s, tls);
    if (!tls->first)
        draft_remove(s->site, STR("tls"));
}

static bool is_taken(struct nginx_server *s)
{
    const struct conf_node *sites = conf_node_get(s->n->d->root, STR("sites"));
    for (const struct conf_node *site = sites ? sites->first : NULL; site; site = site->next)
        for (size_t i = 0; i < s->n_names; i++) {
            if (str_ieq(site->key, s->names[i].text))
                return true;
            const struct conf_node *aliases = conf_node_get(site, STR("aliases"));
            for (const struct conf_node *a = aliases ? aliases->first : NULL; a; a = a->next)
                if (str_ieq(a->text, s->names[i].text))
                    return true;
        }
    return false;
}

static void put_site(struct nginx_server *s)
{
    struct draft *d = s->n->d;
    bool has_regex = false;
    for (size_t i = 0; i < s->n_names; i++)
        has_regex |= s->names[i].kind == NGINX_NAME_REGEX;
    if (s->n_names == 0 || has_regex || is_taken(s))
        return;
    struct conf_node *sites = draft_map(d, d->root, STR("sites"), s->block->place);
    s->site = draft_map(d, sites, s->names[0].text, s->block->place);
    for (size_t i = 1; i < s->n_names; i++)
        draft_push(d, draft_list(d, s->site, STR("aliases"), s->block->place), s->names[i].text,
                   s->block->place);
    put_tls(s);
    struct conf_node *at = draft_list(d, s->site, STR("entrypoints"), s->block->place);
    for (const struct conf_node *e = s->entrypoints->first; e; e = e->next)
        draft_push(d, at, e->text, e->place);
    if (s->has_tls && s->has_plain)
        draft_set(d, s->site, STR("redirect-to-https"), STR("off"), s->block->place);
}

// --- servers that only redirect ---

static bool has_name(const struct nginx_directive *block, struct str name)
{
    for (const struct nginx_directive *d = nginx_get(block, "server_name"); d;
         d = nginx_next(d->next, "server_name"))
        for (size_t i = 1; i < d->n_words; i++)
            if (str_ieq(nginx_word(d, i), name))
                return true;
    return false;
}

// The plain server that sends this one's clients here, or one that does so with everybody.
static struct nginx_directive *redirector_of(const struct nginx_server *s)
{
    struct nginx_directive *any = NULL;
    for (struct nginx_directive *d = nginx_get(s->n->http, "server"); d;
         d = nginx_next(d->next, "server")) {
        if (!nginx_is_redirect_server(d))
            continue;
        if (s->host.len > 0 && has_name(d, s->host))
            return d;
        const struct nginx_directive *names = nginx_get(d, "server_name");
        if (!names || str_eq(nginx_word(names, 1), STR("_")))
            any = d;
    }
    return any;
}

static void join_redirect(struct nginx_server *s)
{
    struct nginx_directive *from = s->site && s->has_tls && !s->has_plain ? redirector_of(s) : NULL;
    if (!from)
        return;
    struct nginx_server plain = {.n = s->n, .block = from};
    put_listens(&plain);
    struct conf_node *at = draft_list(s->n->d, s->site, STR("entrypoints"), from->place);
    for (const struct conf_node *e = plain.entrypoints->first; e; e = e->next)
        draft_push(s->n->d, at, e->text, e->place);
    nginx_note(s->n, from, DRAFT_NEEDLESS,
               "sites with TLS send plain requests to https by themselves");
    nginx_mark_done(from);
}

static bool has_tls_listen(const struct nginx_directive *block)
{
    for (const struct nginx_directive *d = nginx_get(block, "listen"); d;
         d = nginx_next(d->next, "listen"))
        for (size_t i = 2; i < d->n_words; i++)
            if (str_eq(nginx_word(d, i), STR("ssl")))
                return true;
    return nginx_get(block, "ssl") != NULL;
}

static void put_server(struct nginx *n, struct nginx_directive *block)
{
    struct nginx_server s = {.n = n, .block = block};
    block->is_done = true;
    put_listens(&s);
    if (n->d->is_full)
        return;
    put_names(&s);
    put_site(&s);
    join_redirect(&s);
    nginx_put_locations(&s);
}

void nginx_put_servers(struct nginx *n)
{
    // Those with TLS first: theirs are the sites, and the plain ones that lead to them are part of
    // them.
    for (int with_tls = 1; with_tls >= 0; with_tls--)
        for (struct nginx_directive *d = nginx_get(n->http, "server"); d;
             d = nginx_next(d->next, "server"))
            if (d->is_block && !d->is_done && has_tls_listen(d) == (with_tls == 1))
                put_server(n, d);
}
