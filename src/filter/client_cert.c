// SPDX-License-Identifier: Apache-2.0
// client-cert: tells servers who the client is by its certificate, in header fields.
#include "filter/common.h"
#include "tls/peer.h"

struct client_cert_conf {
    struct conf_text names[TLS_PEER_FIELD_COUNT]; // of header fields, by enum tls_peer_field
    struct place place;
};

struct client_cert {
    struct filter_base base;
    struct str names[TLS_PEER_FIELD_COUNT]; // empty: isn't told
};

_Static_assert(TLS_PEER_FIELD_COUNT <= FILTER_RESERVED_MAX, "all names can be reserved");

#define FIELD_ITEM(id, key_, example_, doc_)                                                       \
    ITEM_TEXT(client_cert_conf, names[TLS_PEER_##id], key_, .since = "0.1", .apply = CONF_LIVE,    \
              .format = "the name of a header field", .example = example_, .doc = doc_)

static const struct conf_item items[] = {
    FIELD_ITEM(CERT, "cert", "Client-Cert",
               "For the certificate as RFC 9440 has it: its DER in base64 between colons."),
    FIELD_ITEM(CHAIN, "chain", "Client-Cert-Chain",
               "For its issuers, without the trusted root, as RFC 9440 has them."),
    FIELD_ITEM(PEM, "pem", "X-Client-Cert", "For the certificate as PEM, percent-encoded."),
    FIELD_ITEM(SUBJECT, "subject", "X-Client-Subject",
               "For its subject, such as `CN=alice,O=Example` (RFC 2253); what isn't printable "
               "ASCII is escaped there."),
    FIELD_ITEM(ISSUER, "issuer", "X-Client-Issuer", "For its issuer, in the same form."),
    FIELD_ITEM(NAMES, "names", "X-Client-Names",
               "For its alternative names, such as `DNS:a.example,URI:spiffe://example/a`: of the "
               "kinds DNS, IP, email and URI, percent-encoded, so that a comma always separates."),
    FIELD_ITEM(SERIAL, "serial", "X-Client-Serial", "For its serial number in hexadecimal."),
    FIELD_ITEM(FINGERPRINT, "fingerprint", "X-Client-Fingerprint",
               "For the SHA-256 of the certificate in hexadecimal."),
    FIELD_ITEM(NOT_BEFORE, "not-before", "X-Client-Not-Before",
               "For the time from which it is valid, such as `2026-11-21T14:00:00Z`."),
    FIELD_ITEM(NOT_AFTER, "not-after", "X-Client-Not-After", "For the time of its end."),
    FIELD_ITEM(VERIFY, "verify", "X-Client-Verify",
               "For `SUCCESS`, or `NONE` where the client has shown no certificate. One that isn't "
               "good never comes so far."),
};

static const struct conf_section section = {
    .name = "client-cert",
    .doc = "Tells servers what the client's certificate says (see `client-auth` of `tls`), each "
           "thing in a header field of the name given here. Without any, `Client-Cert` (RFC 9440) "
           "alone. Fields of these names that clients send are dropped, at every entrypoint and on "
           "every route, with `_` in the place of `-`, too; and so are `Client-Cert` and "
           "`Client-Cert-Chain`, always.",
    CONF_SECTION_OF(client_cert_conf, items),
    .place_offset = CONF_PLACE_AT(client_cert_conf, place),
};

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct client_cert *f = (const struct client_cert *)(const void *)h;
    for (unsigned i = 0; i < TLS_PEER_FIELD_COUNT; i++) {
        struct str value;
        if (f->names[i].len == 0)
            continue;
        if (!tls_peer_text(x->tls, (enum tls_peer_field)i, x->mem, &value))
            return filter_exhausted(x);
        if (value.len > 0 && headers_set_named(&x->req.headers, f->names[i], value) != ERR_OK)
            return filter_exhausted(x);
    }
    bool has_cert = x->tls && x->tls->has_peer_cert;
    filter_note(h, x, has_cert ? "told the server" : "no certificate", STR_NONE);
    return handler_serve(h->next, x);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct client_cert *f = (const struct client_cert *)(const void *)h;
    struct str names = STR_NONE;
    for (unsigned i = 0; i < TLS_PEER_FIELD_COUNT; i++) {
        if (f->names[i].len > 0)
            names = arena_concat(x->mem, names, names.len > 0 ? STR(", ") : STR_NONE, f->names[i]);
    }
    return arena_concat(x->mem, STR("tells the server of the client's certificate: "), names,
                        STR_NONE);
}

static const struct handler_type type = {.name = "client-cert", .serve = serve, .explain = explain};

static size_t reserved(const void *settings, struct str ret[static FILTER_RESERVED_MAX])
{
    const struct client_cert_conf *c = settings;
    size_t n = 0;
    for (unsigned i = 0; i < TLS_PEER_FIELD_COUNT; i++) {
        if (c->names[i].text.len > 0)
            ret[n++] = c->names[i].text;
    }
    return n;
}

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct client_cert_conf *c = settings;
    struct client_cert *f = filter_new(env, sizeof *f, &type, name, next);
    bool is_good = f != NULL;
    size_t n = 0;
    for (unsigned i = 0; f && i < TLS_PEER_FIELD_COUNT; i++) {
        if (c->names[i].text.len == 0)
            continue;
        f->names[i] = c->names[i].text;
        n++;
        is_good &= filter_told_check(c->names[i].text, c->names[i].place, env) == ERR_OK;
        for (unsigned j = 0; j < i; j++) {
            if (!str_ieq(f->names[i], f->names[j]))
                continue;
            diag_fail(env->diags, ERR_RANGE, c->names[i].place,
                      "'" STR_FMT "' is there twice: each thing has a name of its own",
                      STR_ARG(f->names[i]));
            is_good = false;
        }
    }
    if (f && n == 0)
        f->names[TLS_PEER_CERT] = STR("Client-Cert");
    return is_good ? &f->base.handler : NULL;
}

const struct filter_type filter_client_cert = {
    .choice = {.key = "client-cert", .section = &section},
    .build = build,
    .reserved = reserved,
    .asks_who = true,
};
