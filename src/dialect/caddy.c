// SPDX-License-Identifier: Apache-2.0
// A Caddyfile as settings: the global options, and the parts in order.
#include <stdarg.h>
#include <stdio.h>

#include "dialect/caddy_priv.h"

void caddy_note(struct caddy *c, struct caddy_line *l, enum draft_fate fate, const char *fmt, ...)
{
    char why[512];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(why, sizeof why, fmt, args);
    va_end(args);
    struct str key = draft_printf(c->d, "%s:%u", l->place.source, l->place.line);
    if (!map_get(&c->noted, key)) {
        draft_note(c->d, fate, l->place, STR_NONE, "%s", why);
        map_set(&c->noted, key, l);
    }
}

bool caddy_is_plain(struct str s)
{
    return str_find(s, '{') == STR_NPOS;
}

// --- global options ---

static void put_servers(struct caddy *c, struct caddy_line *l)
{
    for (struct caddy_line *sub = l->first; sub; sub = sub->next) {
        if (!caddy_is(sub, "trusted_proxies")) {
            caddy_note(c, sub, DRAFT_LOST, "see the settings of 'entrypoints'");
            continue;
        }
        c->trusted = sub;
        if (!str_eq(caddy_word(sub, 1), STR("static")))
            caddy_note(c, sub, DRAFT_LOST, "see 'trusted-proxies' of entrypoints");
    }
}

static void put_on_demand(struct caddy *c, struct caddy_line *l)
{
    for (struct caddy_line *sub = l->first; sub; sub = sub->next) {
        if (!caddy_is(sub, "ask")) {
            caddy_note(c, sub, DRAFT_LOST, "see 'limit' of 'on-demand'");
            continue;
        }
        struct conf_node *node = draft_map(c->d, c->d->root, STR("on-demand"), l->place);
        draft_set(c->d, node, STR("ask"), caddy_word(sub, 1), sub->place);
    }
}

// What has nothing to be made of it.
static void note_option(struct caddy *c, struct caddy_line *l)
{
    static const struct {
        const char *name;
        enum draft_fate fate;
        const char *why;
    } known[] = {
        {"admin", DRAFT_NEEDLESS, "settings are a file; 'sallyport reload' reads it anew"},
        {"persist_config", DRAFT_NEEDLESS, "settings are a file, and stay one"},
        {"skip_install_trust", DRAFT_NEEDLESS, "nothing is installed; see 'sallyport trust'"},
        {"debug", DRAFT_NEEDLESS, "see 'level' of 'log'"},
        {"ocsp_stapling", DRAFT_NEEDLESS, "authorities have done with OCSP"},
        {"log", DRAFT_LOST, "see 'log' and 'access-log'"},
        {"grace_period", DRAFT_LOST, "see 'drain-timeout'"},
        {"shutdown_delay", DRAFT_LOST, "see 'drain-timeout'"},
        {"storage", DRAFT_LOST, "see 'state'"},
        {"acme_dns", DRAFT_LOST, "see 'dns-update' and 'dns-hook' of 'issuers'"},
        {"acme_eab", DRAFT_LOST, "see 'eab' of 'issuers'"},
        {"acme_ca_root", DRAFT_LOST, "see 'ca' of 'issuers'"},
        {"key_type", DRAFT_LOST, "see 'key' of 'issuers'"},
        {"preferred_chains", DRAFT_LOST, "see 'preferred-chain' of 'issuers'"},
        {"cert_issuer", DRAFT_LOST, "see 'issuers'"},
        {"default_sni", DRAFT_LOST, "see 'default' of 'certificates'"},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (caddy_is(l, known[i].name)) {
            caddy_note(c, l, known[i].fate, "%s", known[i].why);
            return;
        }
    caddy_note(c, l, DRAFT_LOST, "nothing here does the same");
}

static void put_option(struct caddy *c, struct caddy_line *l)
{
    struct str value = caddy_word(l, 1);
    if (caddy_is(l, "http_port")) {
        c->http_port = value;
    } else if (caddy_is(l, "https_port")) {
        c->https_port = value;
    } else if (caddy_is(l, "email")) {
        draft_set(c->d, c->d->root, STR("email"), value, l->place);
    } else if (caddy_is(l, "default_bind")) {
        c->bind = l;
    } else if (caddy_is(l, "local_certs")) {
        c->is_local = true;
    } else if (caddy_is(l, "acme_ca")) {
        c->directory = value;
    } else if (caddy_is(l, "on_demand_tls")) {
        put_on_demand(c, l);
    } else if (caddy_is(l, "servers")) {
        put_servers(c, l);
    } else if (caddy_is(l, "auto_https")) {
        c->redirects =
            str_eq(value, STR("disable_certs")) || str_eq(value, STR("ignore_loaded_certs"));
        if (!str_eq(value, STR("disable_redirects")))
            caddy_note(c, l, DRAFT_CHANGED, "sites without 'http://' have TLS");
    } else if (caddy_is(l, "order")) {
        c->has_own_order |= !caddy_put_order(c, l);
    } else {
        note_option(c, l);
    }
}

// Where email says who asks, Let's Encrypt signs by itself.
static void put_issuer(struct caddy *c)
{
    bool has_email = conf_node_get(c->d->root, STR("email")) != NULL;
    if (!c->needs_issuer || (has_email && c->directory.len == 0))
        return;
    struct str name = caddy_issuer(c, c->directory, STR_NONE, c->root->place);
    draft_set(c->d, c->d->root, STR("issuer"), name, c->root->place);
}

static bool convert(const struct dialect_input *in, struct draft *d, struct diags *diags)
{
    struct caddy c = {.d = d, .http_port = STR("80"), .https_port = STR("443"), .redirects = true};
    c.root = caddy_read(in, d, diags);
    if (!c.root)
        return false;
    caddy_order_init(&c);
    for (struct caddy_line *l = c.root->first; l; l = l->next)
        for (struct caddy_line *option = l->n_words == 0 ? l->first : NULL; option;
             option = option->next)
            put_option(&c, option);
    caddy_put_sites(&c);
    put_issuer(&c);
    map_fini(&c.names);
    map_fini(&c.plain);
    map_fini(&c.noted);
    if (conf_node_get(d->root, STR("entrypoints")))
        return true;
    diag_fail(diags, ERR_SYNTAX, c.root->place,
              "there is no site in it whose address is understood");
    return false;
}

const struct dialect dialect_caddy = {.name = "caddy", .title = "Caddy", .convert = convert};
