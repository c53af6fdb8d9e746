// SPDX-License-Identifier: Apache-2.0
#include "keeper/wish_issuers.h"

#include <string.h>

#include "certs/entry.h"
#include "gate/issuers_conf.h"

// --- authorities ---

static const enum acme_challenge_kind usual_challenges[] = {ACME_CHALLENGE_TLS_ALPN_01,
                                                            ACME_CHALLENGE_HTTP_01};

static bool has_dns(const struct acme_conf *c)
{
    return c->dns_hook.text.len > 0 || c->dns_update.server.text.len > 0;
}

static void choose_challenges(const struct acme_conf *c, struct issue_issuer *ret)
{
    for (size_t i = 0; i < c->challenges.n && i < ARRAY_LEN(ret->challenges); i++)
        ret->challenges[ret->n_challenges++] = acme_challenge_parse(c->challenges.items[i].text);
    if (ret->n_challenges > 0)
        return;
    memcpy(ret->challenges, usual_challenges, sizeof usual_challenges);
    ret->n_challenges = ARRAY_LEN(usual_challenges);
    if (has_dns(c))
        ret->challenges[ret->n_challenges++] = ACME_CHALLENGE_DNS_01;
}

static const struct str *copy_texts(const struct conf_texts *texts, struct arena *mem)
{
    struct str *copy = ARENA_ARRAY(mem, struct str, texts->n + 1);
    if (!copy)
        panic("the settings have more issuers than fit");
    for (size_t i = 0; i < texts->n; i++)
        copy[i] = arena_dup(mem, texts->items[i].text);
    return copy;
}

static const struct str *choose_contacts(const struct settings *s, const struct acme_conf *c,
                                         struct arena *mem, size_t *ret_n)
{
    struct conf_text address = s->email;
    struct conf_texts usual = {.items = &address, .n = address.text.len > 0};
    const struct conf_texts *chosen = c->email.n > 0 ? &c->email : &usual;
    *ret_n = chosen->n;
    return copy_texts(chosen, mem);
}

static struct dns_update_options update_of(const struct dns_update_conf *c, struct arena *mem)
{
    struct dns_update_options o = {
        .server = arena_dup(mem, c->server.text),
        .zone = arena_dup(mem, c->zone.text),
        .key_name = arena_dup(mem, c->key.name.text),
        .secret_base64 = arena_dup(mem, c->key.secret.text),
        .ttl_s = (uint32_t)(c->ttl_ms / 1000),
        .by_tcp = c->by_tcp,
    };
    bool is_known = dns_tsig_parse(str_of(issuers_tsig_names[c->key.algorithm]), &o.algorithm);
    ASSERT(is_known);
    return o;
}

static struct issue_issuer issuer_of(const struct settings *s, struct str name,
                                     const struct acme_conf *c, struct arena *mem)
{
    struct issue_issuer issuer = {
        .name = arena_dup(mem, name),
        .directory = arena_dup(mem, issuers_directory_url(c->directory.text)),
        .key_kind = (enum tls_key_kind)c->key,
        .profile = arena_dup(mem, c->profile.text),
        .preferred_chain = arena_dup(mem, c->preferred_chain.text),
        .ca_pem = arena_dup(mem, c->ca.content),
        .eab_kid = arena_dup(mem, c->eab.kid.text),
        .eab_key = arena_dup(mem, c->eab.key.text),
        .dns_hook = arena_dup(mem, c->dns_hook.text),
        .dns_update = update_of(&c->dns_update, mem),
        .dns_resolver = arena_dup(mem, c->dns_resolver.text),
        .dns_servers = copy_texts(&c->dns_servers, mem),
        .n_dns_servers = c->dns_servers.n,
        .dns_wait_ms = c->dns_wait_ms,
    };
    issuer.contacts = choose_contacts(s, c, mem, &issuer.n_contacts);
    choose_challenges(c, &issuer);
    return issuer;
}

void wish_issuers_add(struct wish *w, const struct settings *s)
{
    static const struct acme_conf defaults = {.directory = {.text = STR_INIT(ISSUERS_DEFAULT)}};
    struct issue_issuer *issuers = ARENA_ARRAY(&w->mem, struct issue_issuer, s->issuers.n + 1);
    if (!issuers)
        panic("the settings have more issuers than fit");
    size_t n = 0;
    for (size_t i = 0; i < s->issuers.n; i++) {
        const struct issuer_conf *c = s->issuers.items[i].value;
        issuers[n++] = issuer_of(s, s->issuers.items[i].name, &c->acme, &w->mem);
    }
    if (n == 0 && s->email.text.len > 0)
        issuers[n++] = issuer_of(s, STR(ISSUERS_DEFAULT), &defaults, &w->mem);
    w->issue.issuers = issuers;
    w->issue.n_issuers = n;
}

// --- who signs ---

static bool is_local(const struct conf_texts *chosen)
{
    return chosen->n == 1 && str_eq(chosen->items[0].text, STR(CERTS_ISSUER_LOCAL));
}

static void add_source(struct wish *w, struct str name, struct issue_need *ret)
{
    // WHY: the array is const for those who read it; it was made by the caller.
    struct issue_source *sources = (struct issue_source *)(uintptr_t)ret->sources;
    sources[ret->n_sources++] = (struct issue_source){.issuer = arena_dup(&w->mem, name)};
}

// "letsencrypt, zerossl".
static struct str join(struct wish *w, const struct issue_need *need)
{
    struct text names = {.ptr = NULL};
    for (size_t i = 0; i < need->n_sources; i++) {
        text_put(&names, i > 0 ? STR(", ") : STR_NONE);
        text_put(&names, need->sources[i].issuer);
    }
    struct str joined = arena_dup(&w->mem, text_str(&names));
    text_fini(&names);
    return joined;
}

struct str wish_issuers_choose(struct wish *w, const struct settings *s,
                               const struct conf_texts *own, const struct str *names, size_t n,
                               struct str *ret_names, struct issue_need *ret)
{
    const struct conf_texts *chosen = own->n > 0 ? own : &s->issuer;
    for (size_t i = 0; i < n; i++) {
        if (own->n > 0 || !certs_is_local_name(names[i]))
            ret_names[ret->n_names++] = names[i];
    }
    if (is_local(chosen) || ret->n_names == 0)
        return STR(CERTS_ISSUER_LOCAL);
    ret->sources = ARENA_ARRAY(&w->mem, struct issue_source, ISSUE_SOURCES_MAX);
    if (!ret->sources)
        panic("the settings want more certificates than fit");
    for (size_t i = 0; i < MIN(chosen->n, (size_t)ISSUE_SOURCES_MAX); i++)
        add_source(w, chosen->items[i].text, ret);
    if (chosen->n == 0 && w->issue.n_issuers > 0)
        add_source(w, w->issue.issuers[0].name, ret);
    return ret->n_sources > 0 ? join(w, ret) : STR(CERTS_ISSUER_LOCAL);
}

// --- checking ---

static bool has_issuer(const struct settings *s, struct str name)
{
    for (size_t i = 0; i < s->issuers.n; i++) {
        if (str_eq(s->issuers.items[i].name, name))
            return true;
    }
    return s->issuers.n == 0 && s->email.text.len > 0 && str_eq(name, STR(ISSUERS_DEFAULT));
}

static bool is_twice(const struct conf_texts *list, size_t i)
{
    for (size_t n = 0; n < i; n++) {
        if (str_eq(list->items[n].text, list->items[i].text))
            return true;
    }
    return false;
}

static enum err check_list(const struct settings *s, const struct conf_texts *list,
                           struct diags *diags)
{
    enum err err = ERR_OK;
    for (size_t i = 0; i < list->n; i++) {
        const struct conf_text *name = &list->items[i];
        if (str_eq(name->text, STR(CERTS_ISSUER_LOCAL)) && list->n > 1)
            err = diag_fail(diags, ERR_RANGE, name->place,
                            "local stands alone: the local CA's certificate serves anyway until "
                            "one of the others has signed");
        else if (i == ISSUE_SOURCES_MAX)
            err = diag_fail(diags, ERR_RANGE, name->place, "at most %u issuers in a row",
                            ISSUE_SOURCES_MAX);
        else if (is_twice(list, i))
            err = diag_fail(diags, ERR_RANGE, name->place, "'" STR_FMT "' is there already",
                            STR_ARG(name->text));
        else if (!str_eq(name->text, STR(CERTS_ISSUER_LOCAL)) && !has_issuer(s, name->text))
            err = diag_fail(diags, ERR_NOT_FOUND, name->place,
                            "there is no issuer '" STR_FMT "'; name one of 'issuers', or local",
                            STR_ARG(name->text));
    }
    return err;
}

static bool proves_wildcards(const struct settings *s, struct str issuer)
{
    for (size_t i = 0; i < s->issuers.n; i++) {
        const struct issuer_conf *c = s->issuers.items[i].value;
        if (str_eq(s->issuers.items[i].name, issuer))
            return has_dns(&c->acme);
    }
    return false;
}

// RFC 8555 leaves it to authorities, and all want dns-01 for a wildcard.
static void check_wildcards(const struct settings *s, const struct snapshot_site *site,
                            struct diags *diags)
{
    const struct site_conf *conf = site->item->value;
    const struct conf_texts *chosen = conf->tls.issuer.n > 0 ? &conf->tls.issuer : &s->issuer;
    struct str wildcard = STR_NONE;
    for (size_t i = 0; i < site->n_names && wildcard.len == 0; i++) {
        if (str_starts(site->names[i], STR("*.")) && !certs_is_local_name(site->names[i]))
            wildcard = site->names[i];
    }
    bool has_any = s->issuers.n > 0 || s->email.text.len > 0;
    if (wildcard.len == 0 || is_local(chosen) || (chosen->n == 0 && !has_any))
        return;
    for (size_t i = 0; i < MAX(chosen->n, (size_t)1); i++) {
        struct str name = chosen->n > 0      ? chosen->items[i].text
                          : s->issuers.n > 0 ? s->issuers.items[0].name
                                             : STR(ISSUERS_DEFAULT);
        if (!proves_wildcards(s, name))
            diag_warn(diags, site->item->place,
                      "'" STR_FMT "' needs dns-01, which the issuer '" STR_FMT "' has no means "
                      "for: give it 'dns-update' or 'dns-hook'",
                      STR_ARG(wildcard), STR_ARG(name));
    }
}

// Its account is a folder of that name.
static enum err check_name(const struct conf_map_item *item, struct diags *diags)
{
    if (str_eq(item->name, STR(CERTS_ISSUER_LOCAL)))
        return diag_fail(diags, ERR_RANGE, item->place,
                         "local is the local CA: give the issuer another name");
    if (certs_entry_name_is_valid(item->name) && str_find(item->name, '@') == STR_NPOS)
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, item->place,
                     "'" STR_FMT "' is no name for an issuer; allowed are a-z, 0-9, '-', '_', '.'",
                     STR_ARG(item->name));
}

// The arguments are evaluated once, which tell their errors.
static enum err worse(enum err a, enum err b)
{
    return MAX(a, b);
}

enum err wish_issuers_check(const struct snapshot *s, struct diags *diags)
{
    enum err err = worse(check_list(&s->settings, &s->settings.issuer, diags),
                         check_list(&s->settings, &s->settings.on_demand.issuer, diags));
    for (size_t i = 0; i < s->settings.issuers.n; i++)
        err = worse(err, check_name(&s->settings.issuers.items[i], diags));
    for (size_t i = 0; i < s->n_sites; i++) {
        const struct site_conf *site = s->sites[i].item->value;
        err = worse(err, check_list(&s->settings, &site->tls.issuer, diags));
        if (s->sites[i].tls_entries != 0)
            check_wildcards(&s->settings, &s->sites[i], diags);
    }
    for (size_t i = 0; i < s->settings.routes.n; i++) {
        const struct route_conf *route = s->settings.routes.items[i];
        err = worse(err, check_list(&s->settings, &route->tls.issuer, diags));
    }
    return err;
}
