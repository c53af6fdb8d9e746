// SPDX-License-Identifier: Apache-2.0
// Options of TLS. Those that are called "default" go to all entrypoints that speak TLS; others,
// which single routers name, to the names in these routers' rules.
#include "dialect/traefik_emit.h"
#include "route/rule.h"

struct auth_conf {
    bool is_on;
    struct conf_texts files;
    struct conf_text type;
    struct place place;
};

static const struct conf_item auth_items[] = {
    ITEM_TEXTS(auth_conf, files, "caFiles"),
    ITEM_TEXT(auth_conf, type, "clientAuthType"),
};

static const struct conf_section auth_section = {
    .name = "clientAuth",
    CONF_SECTION_OF(auth_conf, auth_items),
    .place_offset = CONF_PLACE_AT(auth_conf, place),
};

struct options_conf {
    struct conf_text min, max;
    struct conf_texts ciphers, curves, protocols;
    struct auth_conf auth;
    bool is_strict, prefers_own, no_tickets;
};

static const struct conf_item options_items[] = {
    ITEM_TEXT(options_conf, min, "minVersion"),
    ITEM_TEXT(options_conf, max, "maxVersion"),
    ITEM_TEXTS(options_conf, ciphers, "cipherSuites"),
    ITEM_TEXTS(options_conf, curves, "curvePreferences"),
    ITEM_SWITCHED(options_conf, auth, "clientAuth", struct auth_conf, is_on,
                  .section = &auth_section, .def = "off"),
    ITEM_BOOL(options_conf, is_strict, "sniStrict"),
    ITEM_BOOL(options_conf, prefers_own, "preferServerCipherSuites"), // Go doesn't heed it either
    ITEM_BOOL(options_conf, no_tickets, "disableSessionTickets"),
};

static const struct conf_section options_section = {
    .name = "options",
    CONF_SECTION_OF(options_conf, options_items),
};

static const struct traefik_refusal refusals[] = {
    {"options", "alpnProtocols", "use http2 of an entrypoint in a settings file"},
    {.section = NULL},
};

struct name {
    struct str theirs, ours;
};

static const struct name versions[] = {
    {STR_INIT("VersionTLS10"), STR_INIT("1.2")}, // older ones than 1.2 are never spoken
    {STR_INIT("VersionTLS11"), STR_INIT("1.2")},
    {STR_INIT("VersionTLS12"), STR_INIT("1.2")},
    {STR_INIT("VersionTLS13"), STR_INIT("1.3")},
};

static const struct name curves[] = {
    {STR_INIT("CurveP256"), STR_INIT("P-256")},
    {STR_INIT("secp256r1"), STR_INIT("P-256")},
    {STR_INIT("CurveP384"), STR_INIT("P-384")},
    {STR_INIT("secp384r1"), STR_INIT("P-384")},
    {STR_INIT("CurveP521"), STR_INIT("P-521")},
    {STR_INIT("secp521r1"), STR_INIT("P-521")},
    {STR_INIT("X25519"), STR_INIT("X25519")},
    {STR_INIT("x25519"), STR_INIT("X25519")},
    {STR_INIT("X25519MLKEM768"), STR_INIT("X25519MLKEM768")},
};

// Of TLS 1.2; those of 1.3 can't be chosen there either, and so their names say nothing.
static const struct name ciphers[] = {
    {STR_INIT("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
     STR_INIT("ECDHE-ECDSA-AES128-GCM-SHA256")},
    {STR_INIT("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"), STR_INIT("ECDHE-RSA-AES128-GCM-SHA256")},
    {STR_INIT("TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
     STR_INIT("ECDHE-ECDSA-AES256-GCM-SHA384")},
    {STR_INIT("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"), STR_INIT("ECDHE-RSA-AES256-GCM-SHA384")},
    {STR_INIT("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305"), STR_INIT("ECDHE-ECDSA-CHACHA20-POLY1305")},
    {STR_INIT("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305"), STR_INIT("ECDHE-RSA-CHACHA20-POLY1305")},
    {STR_INIT("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
     STR_INIT("ECDHE-ECDSA-CHACHA20-POLY1305")},
    {STR_INIT("TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
     STR_INIT("ECDHE-RSA-CHACHA20-POLY1305")},
    {STR_INIT("TLS_AES_128_GCM_SHA256"), STR_INIT("")},
    {STR_INIT("TLS_AES_256_GCM_SHA384"), STR_INIT("")},
    {STR_INIT("TLS_CHACHA20_POLY1305_SHA256"), STR_INIT("")},
};

static const struct name *find(const struct name *names, size_t n, struct str theirs)
{
    for (size_t i = 0; i < n; i++) {
        if (str_eq(names[i].theirs, theirs))
            return &names[i];
    }
    return NULL;
}

static bool put_version(struct traefik_conv *c, const struct conf_text *text, const char *key,
                        struct conf_node *tls)
{
    if (text->text.len == 0)
        return true;
    const struct name *version = find(versions, ARRAY_LEN(versions), text->text);
    if (!version)
        return traefik_fail(c, text->place, "'" STR_FMT "' is no version such as VersionTLS12",
                            STR_ARG(text->text));
    traefik_set(c, tls, key, version->ours, text->place);
    return true;
}

static bool put_names(struct traefik_conv *c, const struct conf_texts *texts,
                      const struct name *names, size_t n, const char *key, struct conf_node *tls)
{
    for (size_t i = 0; i < texts->n; i++) {
        const struct conf_text *text = &texts->items[i];
        const struct name *name = find(names, n, text->text);
        if (!name)
            return traefik_fail(c, text->place,
                                "'" STR_FMT "' isn't spoken: it is old, or nobody knows it",
                                STR_ARG(text->text));
        if (name->ours.len > 0)
            traefik_push(c, traefik_list(c, tls, key, text->place), name->ours, text->place);
    }
    return true;
}

static bool put_auth(struct traefik_conv *c, const struct auth_conf *a, struct conf_node *tls)
{
    struct str type = a->type.text;
    if (!a->is_on || str_eq(type, STR("NoClientCert")))
        return true;
    bool is_required = str_eq(type, STR("RequireAndVerifyClientCert"));
    if ((!is_required && !str_eq(type, STR("VerifyClientCertIfGiven"))) || a->files.n != 1)
        return traefik_fail(c, a->place,
                            "clientAuth: certificates of clients are always verified: "
                            "RequireAndVerifyClientCert or VerifyClientCertIfGiven, with one file "
                            "in caFiles");
    traefik_set(c, tls, "client-auth", is_required ? STR("require") : STR("request"), a->place);
    traefik_set(c, tls, "client-ca", a->files.items[0].text, a->files.items[0].place);
    return true;
}

// Ours, in the thing's overlay.
static const struct options_conf *make_words(struct traefik_conv *c, struct traefik_thing *t)
{
    const struct options_conf *o = traefik_read(c, &options_section, refusals, t->node);
    struct conf_node *tls = conf_node_new(c->mem, CONF_NODE_MAP, t->node->place);
    if (!tls)
        panic("converted settings don't fit");
    t->overlay = tls;
    bool is_fine = o && put_version(c, &o->min, "min", tls) &&
                   put_version(c, &o->max, "max", tls) &&
                   put_names(c, &o->ciphers, ciphers, ARRAY_LEN(ciphers), "ciphers", tls) &&
                   put_names(c, &o->curves, curves, ARRAY_LEN(curves), "groups", tls) &&
                   put_auth(c, &o->auth, tls);
    if (is_fine && o->no_tickets)
        traefik_set_bool(c, tls, "tickets", false, t->node->place);
    return is_fine ? o : NULL;
}

static bool make_default(struct traefik_conv *c, struct traefik_thing *t)
{
    const struct options_conf *o = make_words(c, t);
    if (!o)
        return false;
    if (o->is_strict)
        traefik_set_bool(c, t->overlay, "strict-sni", true, t->node->place);
    c->ret->tls = t->overlay;
    return traefik_check_entries(c);
}

// What the default says and these don't isn't so for them. `sniStrict` has nothing to say: who
// comes for a router's names has named them.
static bool make_named(struct traefik_conv *c, struct traefik_thing *t)
{
    static const struct {
        const char *key, *otherwise; // NULL: an empty list
    } words[] = {
        {"min", "1.2"},   {"max", "1.3"},          {"ciphers", NULL},
        {"groups", NULL}, {"client-auth", "none"}, {"tickets", "yes"},
    };
    if (!make_words(c, t))
        return false;
    for (size_t i = 0; c->ret->tls && i < ARRAY_LEN(words); i++) {
        if (!traefik_get(c->ret->tls, str_of(words[i].key)) ||
            traefik_get(t->overlay, str_of(words[i].key)))
            continue;
        if (words[i].otherwise)
            traefik_set(c, t->overlay, words[i].key, str_of(words[i].otherwise), t->node->place);
        else
            (void)traefik_list(c, t->overlay, words[i].key, t->node->place);
    }
    return true;
}

static const struct traefik_source file = {.provider = STR_INIT("file")};

// Options without a provider are the file's, as no label can make any.
static struct traefik_thing *find_options(struct traefik_conv *c, struct str name)
{
    const struct traefik_source *source = c->source;
    if (str_eq(name, STR("default")))
        c->source = &file;
    struct traefik_thing *t = traefik_find(c, &c->options, name);
    c->source = source;
    return t;
}

void traefik_default_options(struct traefik_conv *c)
{
    struct diags diags = {.n = 0};
    c->source = &file;
    c->diags = &diags;
    struct traefik_thing *t = find_options(c, STR("default"));
    if (t && !traefik_make(c, t, "options of TLS", t->node->place, make_default))
        c->ret->tls = NULL; // routers with TLS tell why, and are disabled
    c->diags = NULL;
    diags_fini(&diags);
}

// Each name has one kind of TLS. False with an error.
static bool claim_names(struct traefik_conv *c, const struct traefik_options_use *use,
                        struct traefik_thing *t, size_t *ret_n)
{
    struct str *names;
    struct rule *parsed = rule_parse(use->rule, use->place, c->mem, NULL);
    *ret_n = parsed ? rule_names(parsed, c->mem, &names) : 0;
    rule_fini(parsed);
    for (size_t i = 0; i < *ret_n; i++) {
        const struct traefik_thing *other = map_set(&c->named_options, names[i], t);
        if (!other || other == t)
            continue;
        map_set(&c->named_options, names[i], (void *)(uintptr_t)other);
        return traefik_fail(c, use->place,
                            "tls.options: '" STR_FMT "' has those of '" STR_FMT
                            "' already, as another router says, and a name has one kind of TLS",
                            STR_ARG(names[i]), STR_ARG(other->name));
    }
    return true;
}

static bool use_named(struct traefik_conv *c, const struct traefik_options_use *use,
                      struct traefik_thing *t)
{
    size_t n;
    if (!traefik_make(c, t, "options of TLS", use->place, make_named) ||
        !claim_names(c, use, t, &n))
        return false;
    if (n == 0 && traefik_get(t->overlay, STR("client-ca")))
        return traefik_fail(c, use->place,
                            "tls.options: nobody would be asked for a certificate, since the rule "
                            "has no Host: name the hosts in it");
    if (n == 0) {
        traefik_problem(c, use->router, use->place, false,
                        STR("tls.options does nothing: the rule has no Host"));
        return true;
    }
    for (const struct conf_node *word = t->overlay->first; word; word = word->next) {
        struct conf_node *tls = traefik_map(c, use->route, "tls", use->place);
        if (!traefik_get(tls, word->key))
            conf_node_put(tls, word->key, traefik_copy(word, c->mem));
    }
    return true;
}

// WHY: where they ask for certificates, others that a second router of the same name has would let
// clients in without. To Traefik the default ones count then.
static bool use_default(struct traefik_conv *c, const struct traefik_options_use *use)
{
    size_t n;
    struct traefik_thing *t = find_options(c, STR("default"));
    if (!t)
        return true;
    return traefik_make(c, t, "options of TLS", use->place, make_default) &&
           (!traefik_get(t->overlay, STR("client-ca")) || claim_names(c, use, t, &n));
}

bool traefik_tls_options(struct traefik_conv *c, const struct traefik_options_use *use)
{
    struct str plain, name = use->name->text;
    str_cut(name, '@', &plain, NULL);
    if (plain.len == 0 || str_ieq(plain, STR("default"))) {
        return use_default(c, use);
    }
    struct traefik_thing *t = find_options(c, name);
    if (!t)
        return traefik_fail(c, use->name->place,
                            "there are no options of TLS '" STR_FMT
                            "': they stand in a file of the file provider, below tls.options, and "
                            "labels name them with @file",
                            STR_ARG(name));
    return use_named(c, use, t);
}
