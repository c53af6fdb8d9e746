// SPDX-License-Identifier: Apache-2.0
// server blocks: their names, certificates and redirects.
#include "dialect/nginx_priv.h"

// --- names ---

static void put_names(struct nginx_server *s)
{
    size_t n = 0;
    for (struct nginx_directive *d = nginx_get(s->block, "server_name"); d; d = d->same)
        n += 2 * d->n_words; // ".example.com" is two
    struct nginx_server_name *names = ARENA_ARRAY(&s->n->d->mem, struct nginx_server_name, n + 1);
    if (!names) {
        s->n->d->is_full = true;
        return;
    }
    n = 0;
    for (struct nginx_directive *d = nginx_get(s->block, "server_name"); d; d = d->same) {
        d->is_done = true;
        for (size_t i = 1; i < d->n_words; i++) {
            struct str name = nginx_word(d, i);
            if (nginx_is_nobody(name)) {
                continue;
            } else if (str_starts(name, STR("~"))) {
                names[n++] = (struct nginx_server_name){NGINX_NAME_REGEX, str_skip(name, 1)};
            } else if (str_starts(name, STR("*."))) {
                names[n++] = (struct nginx_server_name){NGINX_NAME_WILD, name};
            } else if (str_starts(name, STR("."))) {
                names[n++] = (struct nginx_server_name){NGINX_NAME_EXACT, str_skip(name, 1)};
                names[n++] = (struct nginx_server_name){
                    NGINX_NAME_WILD, draft_printf(s->n->d, "*" STR_FMT, STR_ARG(name))};
            } else if (str_ends(name, STR(".*"))) {
                names[n++] =
                    (struct nginx_server_name){NGINX_NAME_TAIL, str_first(name, name.len - 1)};
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
}

// --- the site ---

static void put_certificates(struct nginx_server *s, struct conf_node *tls)
{
    struct draft *d = s->n->d;
    struct nginx_directive *level = nginx_level(s->block, "ssl_certificate");
    struct nginx_directive *key_level = nginx_level(s->block, "ssl_certificate_key");
    struct nginx_directive *cert = level ? nginx_get(level, "ssl_certificate") : NULL;
    struct nginx_directive *key = key_level ? nginx_get(key_level, "ssl_certificate_key") : NULL;
    for (; cert; cert = cert->same) {
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
        key = key->same;
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
    for (size_t i = 0; i < s->n_names; i++)
        if (map_get(&s->n->taken, nginx_lower(s->n, s->names[i].text)))
            return true;
    for (size_t i = 0; i < s->n_names; i++)
        map_set(&s->n->taken, nginx_lower(s->n, s->names[i].text), s->block);
    return false;
}

static void put_site(struct nginx_server *s)
{
    struct draft *d = s->n->d;
    bool has_other = false; // than names that sites can have
    for (size_t i = 0; i < s->n_names; i++)
        has_other |= s->names[i].kind == NGINX_NAME_REGEX || s->names[i].kind == NGINX_NAME_TAIL;
    if (s->n_names == 0 || has_other || is_taken(s))
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

// By their names: the first that has it.
static void find_redirectors(struct nginx *n)
{
    for (struct nginx_directive *d = nginx_get(n->http, "server"); d; d = d->same) {
        if (!nginx_is_redirect_server(d))
            continue;
        struct nginx_directive *names = nginx_get(d, "server_name");
        if (!names || str_eq(nginx_word(names, 1), STR("_")))
            n->any_redirector = d;
        for (; names; names = names->same)
            for (size_t i = 1; i < names->n_words; i++) {
                struct str name = nginx_lower(n, nginx_word(names, i));
                if (!map_get(&n->redirectors, name))
                    map_set(&n->redirectors, name, d);
            }
    }
}

// The plain server that sends this one's clients here, or one that does so with everybody.
static struct nginx_directive *redirector_of(const struct nginx_server *s)
{
    struct nginx_directive *own =
        s->host.len > 0 ? map_get(&s->n->redirectors, nginx_lower(s->n, s->host)) : NULL;
    return own ? own : s->n->any_redirector;
}

static void join_redirect(struct nginx_server *s)
{
    struct nginx_directive *from = s->site && s->has_tls && !s->has_plain ? redirector_of(s) : NULL;
    if (!from)
        return;
    struct nginx_server plain = {.n = s->n, .block = from};
    nginx_put_listens(&plain);
    struct conf_node *at = draft_list(s->n->d, s->site, STR("entrypoints"), from->place);
    for (const struct conf_node *e = plain.entrypoints->first; e; e = e->next)
        draft_push(s->n->d, at, e->text, e->place);
    nginx_note(s->n, from, DRAFT_NEEDLESS,
               "sites with TLS send plain requests to https by themselves");
    nginx_mark_done(from);
}

static bool has_tls_listen(const struct nginx_directive *block)
{
    for (const struct nginx_directive *d = nginx_get(block, "listen"); d; d = d->same)
        for (size_t i = 2; i < d->n_words; i++)
            if (str_eq(nginx_word(d, i), STR("ssl")))
                return true;
    return nginx_get(block, "ssl") != NULL;
}

static void put_server(struct nginx *n, struct nginx_directive *block)
{
    struct nginx_server s = {.n = n, .block = block};
    block->is_done = true;
    nginx_put_listens(&s);
    if (n->d->is_full)
        return;
    put_names(&s);
    if (s.n_names == 0 && !s.default_at->first) {
        nginx_note(n, block, DRAFT_NEEDLESS,
                   "it has no name, and another server has the hosts that nobody names");
        nginx_mark_done(block);
        return;
    }
    put_site(&s);
    join_redirect(&s);
    nginx_put_locations(&s);
}

void nginx_put_servers(struct nginx *n)
{
    find_redirectors(n);
    nginx_find_defaults(n);
    // Those with TLS first: theirs are the sites, and the plain ones that lead to them are part of
    // them.
    for (int with_tls = 1; with_tls >= 0; with_tls--)
        for (struct nginx_directive *d = nginx_get(n->http, "server"); d; d = d->same)
            if (d->is_block && !d->is_done && has_tls_listen(d) == (with_tls == 1))
                put_server(n, d);
}
