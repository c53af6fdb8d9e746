// SPDX-License-Identifier: Apache-2.0
// Traefik's certificate resolvers: issuers of ours.
#include <stdlib.h>

#include "base/ascii.h"
#include "dialect/traefik_static_priv.h"

struct switch_conf {
    bool is_on;
};

// tlsChallenge has nothing below it that matters.
static const struct conf_item no_items[] = {
    ITEM_BOOL(switch_conf, is_on, ""),
};

static const struct conf_section tls_challenge_section = {
    .name = "tlsChallenge",
    .bytes = sizeof(struct switch_conf),
    .align = alignof(struct switch_conf),
    .items = no_items,
};

struct http_challenge_conf {
    bool is_on;
    struct conf_text entry;
};

static const struct conf_item http_challenge_items[] = {
    ITEM_TEXT(http_challenge_conf, entry, "entryPoint"),
};

static const struct conf_section http_challenge_section = {
    .name = "httpChallenge",
    CONF_SECTION_OF(http_challenge_conf, http_challenge_items),
};

struct dns_challenge_conf {
    bool is_on;
    struct conf_text provider;
    struct conf_texts resolvers;
};

static const struct conf_item dns_challenge_items[] = {
    ITEM_TEXT(dns_challenge_conf, provider, "provider", .is_required = true),
    ITEM_TEXTS(dns_challenge_conf, resolvers, "resolvers"),
};

static const struct conf_section dns_challenge_section = {
    .name = "dnsChallenge",
    CONF_SECTION_OF(dns_challenge_conf, dns_challenge_items),
};

struct eab_conf {
    bool is_on;
    struct conf_text kid, hmac;
};

static const struct conf_item eab_items[] = {
    ITEM_TEXT(eab_conf, kid, "kid"),
    ITEM_TEXT(eab_conf, hmac, "hmacEncoded"),
};

static const struct conf_section eab_section = {
    .name = "eab",
    CONF_SECTION_OF(eab_conf, eab_items),
};

static const char *const key_names[] = {"EC256", "EC384", "RSA2048", "RSA4096", "RSA8192", NULL};
static const char *const key_twins[] = {"p-256", "p-384", "rsa-2048", "rsa-4096", NULL};

struct acme_conf_of_traefik {
    struct conf_text email, server, storage, chain, profile;
    unsigned key;
    struct conf_texts cas;
    struct eab_conf eab;
    struct switch_conf by_tls;
    struct http_challenge_conf by_http;
    struct dns_challenge_conf by_dns;
    struct conf_text duration;
};

static const struct conf_item acme_items[] = {
    ITEM_TEXT(acme_conf_of_traefik, email, "email"),
    ITEM_TEXT(acme_conf_of_traefik, server, "caServer"),
    ITEM_TEXT(acme_conf_of_traefik, storage, "storage", .def = "acme.json"),
    ITEM_TEXT(acme_conf_of_traefik, chain, "preferredChain"),
    ITEM_TEXT(acme_conf_of_traefik, profile, "profile"),
    ITEM_ENUM(acme_conf_of_traefik, key, "keyType", .names = key_names, .def = "EC256"),
    ITEM_TEXTS(acme_conf_of_traefik, cas, "caCertificates"),
    // When renewal comes follows from each certificate's own life.
    ITEM_TEXT(acme_conf_of_traefik, duration, "certificatesDuration"),
    ITEM_SWITCHED(acme_conf_of_traefik, eab, "eab", struct eab_conf, is_on, .section = &eab_section,
                  .def = "off"),
    ITEM_SWITCHED(acme_conf_of_traefik, by_tls, "tlsChallenge", struct switch_conf, is_on,
                  .section = &tls_challenge_section, .def = "off"),
    ITEM_SWITCHED(acme_conf_of_traefik, by_http, "httpChallenge", struct http_challenge_conf, is_on,
                  .section = &http_challenge_section, .def = "off"),
    ITEM_SWITCHED(acme_conf_of_traefik, by_dns, "dnsChallenge", struct dns_challenge_conf, is_on,
                  .section = &dns_challenge_section, .def = "off"),
};

static const struct conf_section acme_section = {
    .name = "acme",
    CONF_SECTION_OF(acme_conf_of_traefik, acme_items),
};

struct traefik_resolver_conf {
    struct acme_conf_of_traefik acme;
};

static const struct conf_item resolver_items[] = {
    ITEM_SECTION(traefik_resolver_conf, acme, "acme", struct acme_conf_of_traefik,
                 .section = &acme_section),
};

static const struct conf_section resolver_section = {
    .name = "certificatesResolvers",
    CONF_SECTION_OF(traefik_resolver_conf, resolver_items),
};

// --- challenges ---

static void put_key(struct static_conv *s, struct conf_node *update, const char *key,
                    const char *variable, struct place place)
{
    const char *value = getenv(variable);
    if (value && *value)
        traefik_set(&s->out, update, key, str_of(value), place);
}

// lego's provider rfc2136 takes its settings from these variables.
static void put_rfc2136(struct static_conv *s, struct conf_node *acme, struct place place)
{
    const char *server = getenv("RFC2136_NAMESERVER"), *name = getenv("RFC2136_TSIG_KEY");
    struct conf_node *update = traefik_map(&s->out, acme, "dns-update", place);
    if (!server || !*server) {
        static_fail(s, place,
                    "dnsChallenge.provider rfc2136 needs the variable RFC2136_NAMESERVER");
        return;
    }
    traefik_set(&s->out, update, "server", str_of(server), place);
    if (!name || !*name)
        return;
    struct conf_node *key = traefik_map(&s->out, update, "key", place);
    struct str algorithm = str_of(getenv("RFC2136_TSIG_ALGORITHM"));
    traefik_set(&s->out, key, "name", str_of(name), place);
    // Kept as a reference, so that no dump shows it.
    traefik_set(&s->out, key, "secret", STR("env:RFC2136_TSIG_SECRET"), place);
    if (algorithm.len > 0) {
        while (str_ends(algorithm, STR(".")))
            algorithm = str_first(algorithm, algorithm.len - 1);
        traefik_set(&s->out, key, "algorithm", arena_dup(s->out.mem, algorithm), place);
    }
    put_key(s, update, "zone", "RFC2136_ZONE", place);
}

static void put_dns(struct static_conv *s, const struct dns_challenge_conf *d,
                    struct conf_node *acme, struct conf_node *challenges)
{
    struct place place = d->provider.place;
    traefik_push(&s->out, challenges, STR("dns-01"), place);
    if (str_ieq(d->provider.text, STR("rfc2136"))) {
        put_rfc2136(s, acme, place);
    } else {
        static_fail(s, place,
                    "dnsChallenge.provider '" STR_FMT "' isn't there: rfc2136 is; for others use "
                    "`dns-hook` of an issuer in a settings file, which runs a program of yours",
                    STR_ARG(d->provider.text));
    }
    if (d->resolvers.n > 0)
        traefik_set(&s->out, acme, "dns-resolver", d->resolvers.items[0].text,
                    d->resolvers.items[0].place);
}

static void put_challenges(struct static_conv *s, const struct acme_conf_of_traefik *a,
                           struct conf_node *acme, struct place place)
{
    struct conf_node *list = traefik_list(&s->out, acme, "challenges", place);
    if (a->by_tls.is_on)
        traefik_push(&s->out, list, STR("tls-alpn-01"), place);
    if (a->by_http.is_on)
        traefik_push(&s->out, list, STR("http-01"), place);
    if (a->by_dns.is_on)
        put_dns(s, &a->by_dns, acme, list);
    const struct conf_node *entries = conf_node_get(s->ret->root, STR("entrypoints"));
    if (a->by_http.entry.text.len > 0 && !traefik_get(entries, a->by_http.entry.text))
        static_fail(s, a->by_http.entry.place,
                    "httpChallenge.entryPoint: there is no entrypoint '" STR_FMT "'",
                    STR_ARG(a->by_http.entry.text));
    if (list->n == 0)
        static_fail(s, place, "acme: it needs tlsChallenge, httpChallenge or dnsChallenge");
}

// All that is kept stands beside one acme.json.
static void note_storage(struct static_conv *s, const struct conf_text *storage)
{
    if (s->ret->storage.len == 0) {
        s->ret->storage = storage->text;
        s->ret->storage_place = storage->place;
        return;
    }
    struct str a = s->ret->storage, b = storage->text;
    struct str folder_a = str_first(a, MIN(str_rfind(a, '/'), a.len));
    struct str folder_b = str_first(b, MIN(str_rfind(b, '/'), b.len));
    bool has_a = str_find(a, '/') != STR_NPOS, has_b = str_find(b, '/') != STR_NPOS;
    if (has_a != has_b || (has_a && !str_eq(folder_a, folder_b)))
        static_fail(s, storage->place, "storage: all resolvers keep theirs in one folder");
}

void static_add_resolver(struct static_conv *s, struct str name, struct conf_node *node)
{
    bool is_fine;
    const struct traefik_resolver_conf *r = static_read(s, &resolver_section, node, &is_fine);
    const struct acme_conf_of_traefik *a = &r->acme;
    struct traefik_conv *out = &s->out;
    struct place place = node->key_place;
    char *id = (char *)(uintptr_t)arena_dup(out->mem, name).ptr;
    for (size_t i = 0; i < name.len; i++)
        id[i] = ascii_lower(id[i]);
    if (!is_fine)
        return;
    if (!traefik_get(node, STR("acme"))) {
        static_fail(s, place,
                    "certificatesResolvers." STR_FMT ": it needs acme; Tailscale isn't "
                    "asked for certificates",
                    STR_ARG(name));
        return;
    }
    struct conf_node *issuers = traefik_map(out, s->ret->root, "issuers", place);
    struct conf_node *acme = traefik_map(out, traefik_map(out, issuers, id, place), "acme", place);
    if (a->email.text.len > 0)
        traefik_set(out, acme, "email", a->email.text, a->email.place);
    if (a->server.text.len > 0)
        traefik_set(out, acme, "directory", a->server.text, a->server.place);
    if (a->chain.text.len > 0)
        traefik_set(out, acme, "preferred-chain", a->chain.text, a->chain.place);
    if (a->profile.text.len > 0)
        traefik_set(out, acme, "profile", a->profile.text, a->profile.place);
    if (key_twins[a->key])
        traefik_set(out, acme, "key", str_of(key_twins[a->key]), place);
    else
        static_fail(s, place, "keyType: RSA4096 is the largest");
    if (a->cas.n > 1)
        static_fail(s, a->cas.items[1].place, "caCertificates: put them into one file");
    else if (a->cas.n == 1)
        traefik_set(out, acme, "ca", a->cas.items[0].text, a->cas.items[0].place);
    if (a->eab.is_on) {
        struct conf_node *eab = traefik_map(out, acme, "eab", place);
        traefik_set(out, eab, "kid", a->eab.kid.text, place);
        traefik_set(out, eab, "key", a->eab.hmac.text, place);
    }
    put_challenges(s, a, acme, place);
    note_storage(s, &a->storage);
}
