// SPDX-License-Identifier: Apache-2.0
// The directive tls, and who signs.
#include "codec/ip.h"
#include "dialect/caddy_priv.h"

struct str caddy_issuer(struct caddy *c, struct str directory, struct str email, struct place place)
{
    struct conf_node *all = draft_map(c->d, c->d->root, STR("issuers"), place);
    for (struct conf_node *i = all->first; i; i = i->next) {
        const struct conf_node *acme = i->first, *has_email = conf_node_get(acme, STR("email"));
        const struct conf_node *is = conf_node_get(acme, STR("directory"));
        if (str_eq(is ? is->text : STR_NONE, directory) &&
            str_eq(has_email ? has_email->first->text : STR_NONE, email))
            return i->key;
    }
    struct str name = draft_name(c->d, all, STR("acme"));
    struct conf_node *acme = draft_map(c->d, draft_map(c->d, all, name, place), STR("acme"), place);
    if (directory.len > 0)
        draft_set(c->d, acme, STR("directory"), directory, place);
    if (email.len > 0)
        draft_push(c->d, draft_list(c->d, acme, STR("email"), place), email, place);
    return name;
}

static bool put_client_auth(struct caddy *c, const struct caddy_line *l, struct conf_node *tls)
{
    struct str mode = STR("require_and_verify"), ca = STR_NONE;
    for (const struct caddy_line *sub = l->first; sub; sub = sub->next) {
        if (caddy_is(sub, "mode"))
            mode = caddy_word(sub, 1);
        else if (caddy_is(sub, "trusted_ca_cert_file") && ca.len == 0 && sub->n_words == 2)
            ca = caddy_word(sub, 1);
        else
            return false;
    }
    bool is_required = str_eq(mode, STR("require_and_verify"));
    if (ca.len == 0 || (!is_required && !str_eq(mode, STR("verify_if_given"))))
        return false;
    draft_set(c->d, tls, STR("client-auth"), is_required ? STR("require") : STR("request"),
              l->place);
    draft_set(c->d, tls, STR("client-ca"), ca, l->place);
    return true;
}

static void put_issuer(struct caddy *c, struct caddy_line *l, struct conf_node *tls)
{
    struct str directory = caddy_is(l, "ca") ? caddy_word(l, 1) : caddy_word(l, 2);
    struct str email = STR_NONE;
    if (caddy_is(l, "issuer") && str_eq(caddy_word(l, 1), STR("internal"))) {
        draft_set(c->d, tls, STR("issuer"), STR("local"), l->place);
        return;
    }
    if (caddy_is(l, "issuer") && !str_eq(caddy_word(l, 1), STR("acme"))) {
        caddy_note(c, l, DRAFT_LOST, "see 'issuers'");
        return;
    }
    for (struct caddy_line *sub = l->first; sub; sub = sub->next) {
        if (caddy_is(sub, "dir"))
            directory = caddy_word(sub, 1);
        else if (caddy_is(sub, "email"))
            email = caddy_word(sub, 1);
        else
            caddy_note(c, sub, DRAFT_LOST, "see the settings of 'issuers'");
    }
    if (directory.len > 0 || email.len > 0)
        draft_set(c->d, tls, STR("issuer"), caddy_issuer(c, directory, email, l->place), l->place);
}

static void put_option(struct caddy *c, struct caddy_line *l, bool is_wild, struct conf_node *tls)
{
    static const struct {
        const char *name, *why;
    } others[] = {
        {"ciphers", "the default has forward secrecy; see 'ciphers' and 'suites' of 'tls'"},
        {"curves", "see 'groups' of 'tls'"},
        {"alpn", "see 'http2' of entrypoints"},
        {"dns", "see 'dns-update' and 'dns-hook' of 'issuers'"},
        {"on_demand", "see 'on-demand'"},
        {"load", "name the folder as 'cert' in 'certificates'"},
    };
    struct draft *d = c->d;
    if (caddy_is(l, "protocols")) {
        if (str_eq(caddy_word(l, 1), STR("tls1.3")))
            draft_set(d, tls, STR("min"), STR("1.3"), l->place);
        if (str_eq(caddy_word(l, 2), STR("tls1.2")))
            draft_set(d, tls, STR("max"), STR("1.2"), l->place);
        return;
    }
    if (caddy_is(l, "ca") || caddy_is(l, "issuer")) {
        put_issuer(c, l, tls);
        return;
    }
    if (caddy_is(l, "on_demand") && is_wild && conf_node_get(d->root, STR("on-demand"))) {
        draft_set(d, tls, STR("on-demand"), STR("yes"), l->place);
        return;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (caddy_is(l, others[i].name)) {
            caddy_note(c, l, DRAFT_LOST, "%s", others[i].why);
            return;
        }
    caddy_note(c, l, DRAFT_LOST, "see 'tls' of sites, and 'issuers'");
}

bool caddy_put_tls(struct caddy *c, const struct caddy_line *block, const struct caddy_tls_how *how,
                   struct conf_node *tls)
{
    struct draft *d = c->d;
    bool is_fine = true, has_own = false;
    for (struct caddy_line *l = block->first; l; l = l->next) {
        if (!caddy_is(l, "tls"))
            continue;
        if (str_eq(caddy_word(l, 1), STR("internal"))) {
            draft_set(d, tls, STR("issuer"), STR("local"), l->place);
        } else if (l->n_words == 3) {
            struct conf_node *list = draft_list(d, tls, STR("certificates"), l->place);
            struct conf_node *item = draft_push_map(d, list, l->place);
            draft_set(d, item, STR("cert"), caddy_word(l, 1), l->place);
            draft_set(d, item, STR("key"), caddy_word(l, 2), l->place);
            has_own = true;
        } else if (str_find(caddy_word(l, 1), '@') != STR_NPOS) {
            if (!conf_node_get(d->root, STR("email")))
                draft_set(d, d->root, STR("email"), caddy_word(l, 1), l->place);
        } else if (l->n_words > 1) {
            caddy_note(c, l, DRAFT_LOST, "see 'tls' of sites, and 'issuers'");
        }
        for (struct caddy_line *sub = l->first; sub; sub = sub->next) {
            if (!caddy_is(sub, "client_auth")) {
                put_option(c, sub, how->is_wild, tls);
            } else if (!put_client_auth(c, sub, tls)) {
                is_fine = false;
                caddy_note(c, sub, DRAFT_CLOSED, "certificates of clients can't be asked for so");
            }
        }
    }
    bool is_local = how->is_local || c->is_local;
    if (is_local && !has_own && !conf_node_get(tls, STR("issuer")))
        draft_set(d, tls, STR("issuer"), STR("local"), block->place);
    c->needs_issuer |= !has_own && !conf_node_get(tls, STR("issuer"));
    return is_fine;
}

bool caddy_is_local(struct str host)
{
    static const char *const ends[] = {".localhost", ".local", ".internal", ".home.arpa"};
    struct ip ip;
    if (str_starts(host, STR("[")))
        host = str_from(host.ptr + 1, host.len - 1 - str_ends(host, STR("]")));
    if (ip_parse(host, &ip) == ERR_OK || (host.len > 0 && str_find(host, '.') == STR_NPOS))
        return true;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_ends(host, str_of(ends[i])))
            return true;
    return false;
}
