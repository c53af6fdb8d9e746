// SPDX-License-Identifier: Apache-2.0
// Options of TLS. Ours belong to entrypoints, and so those that Traefik calls "default" go to all
// that speak TLS; others, which single routers name, can't be had.
#include "dialect/traefik_emit.h"

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

static bool make(struct traefik_conv *c, struct traefik_thing *t)
{
    const struct options_conf *o = traefik_read(c, &options_section, refusals, t->node);
    struct conf_node *tls = conf_node_new(c->mem, CONF_NODE_MAP, t->node->place);
    if (!tls)
        panic("converted settings don't fit");
    bool is_fine = o && put_version(c, &o->min, "min", tls) &&
                   put_version(c, &o->max, "max", tls) &&
                   put_names(c, &o->ciphers, ciphers, ARRAY_LEN(ciphers), "ciphers", tls) &&
                   put_names(c, &o->curves, curves, ARRAY_LEN(curves), "groups", tls) &&
                   put_auth(c, &o->auth, tls);
    if (!is_fine)
        return false;
    if (o->is_strict)
        traefik_set_bool(c, tls, "strict-sni", true, t->node->place);
    if (o->no_tickets)
        traefik_set_bool(c, tls, "tickets", false, t->node->place);
    c->ret->tls = tls;
    return traefik_check_entries(c);
}

void traefik_default_options(struct traefik_conv *c)
{
    struct diags diags = {.n = 0};
    static const struct traefik_source file = {.provider = STR_INIT("file")};
    c->source = &file;
    c->diags = &diags;
    struct traefik_thing *t = traefik_find(c, &c->options, STR("default"));
    if (t && !traefik_make(c, t, "options of TLS", t->node->place, make))
        c->ret->tls = NULL; // routers with TLS tell why, and are disabled
    c->diags = NULL;
    diags_fini(&diags);
}

bool traefik_tls_options(struct traefik_conv *c, const struct conf_text *name, struct place place)
{
    static const struct traefik_source file = {.provider = STR_INIT("file")};
    const struct traefik_source *source = c->source;
    struct str plain;
    str_cut(name->text, '@', &plain, NULL);
    if (plain.len > 0 && !str_ieq(plain, STR("default")))
        return traefik_fail(c, name->place,
                            "tls.options '" STR_FMT "': all routers have the default options: give "
                            "those what they need, or use a site with `tls` in a settings file",
                            STR_ARG(name->text));
    c->source = &file;
    struct traefik_thing *t = traefik_find(c, &c->options, STR("default"));
    c->source = source;
    return !t || traefik_make(c, t, "options of TLS", place, make);
}
