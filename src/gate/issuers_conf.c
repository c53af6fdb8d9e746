// SPDX-License-Identifier: Apache-2.0
#include "gate/issuers_conf.h"

#include "base/ascii.h"
#include "codec/url.h"

static const char *const key_names[] = {"p-256", "p-384", "rsa-2048", "rsa-3072", "rsa-4096", NULL};

const char *const issuers_tsig_names[] = {"hmac-sha256", "hmac-sha384", "hmac-sha512", NULL};

static const struct {
    struct str name, url;
} directories[] = {
    {STR_INIT("letsencrypt"), STR_INIT("https://acme-v02.api.letsencrypt.org/directory")},
    {STR_INIT("letsencrypt-staging"),
     STR_INIT("https://acme-staging-v02.api.letsencrypt.org/directory")},
    {STR_INIT("zerossl"), STR_INIT("https://acme.zerossl.com/v2/DV90")},
    {STR_INIT("buypass"), STR_INIT("https://api.buypass.com/acme/directory")},
};

struct str issuers_directory_url(struct str directory)
{
    for (size_t i = 0; i < ARRAY_LEN(directories); i++) {
        if (str_eq(directory, directories[i].name))
            return directories[i].url;
    }
    return directory;
}

static enum err check_directory(const struct conf_text *text, struct diags *diags)
{
    if (str_starts(issuers_directory_url(text->text), STR("https://")))
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, text->place,
                     "'" STR_FMT "' is no ACME directory; allowed are letsencrypt, "
                     "letsencrypt-staging, zerossl, buypass, and URLs that begin with https://",
                     STR_ARG(text->text));
}

enum err issuers_check_email(const struct conf_text *text, struct diags *diags)
{
    struct str name, domain;
    bool is_fine = str_cut(text->text, '@', &name, &domain) && name.len > 0 && domain.len > 2 &&
                   str_find(domain, '@') == STR_NPOS && str_find(domain, '.') != STR_NPOS;
    for (size_t i = 0; is_fine && i < text->text.len; i++)
        is_fine = ascii_is(text->text.ptr[i], ASCII_TARGET) && text->text.ptr[i] != ',';
    if (is_fine)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, text->place,
                     "'" STR_FMT "' is no email address; write you@example.com",
                     STR_ARG(text->text));
}

static enum err check_challenge(const struct conf_text *text, struct diags *diags)
{
    if (str_eq(text->text, STR("http-01")) || str_eq(text->text, STR("tls-alpn-01")) ||
        str_eq(text->text, STR("dns-01")))
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, text->place,
                     "'" STR_FMT "' is no challenge; allowed are http-01, tls-alpn-01 and dns-01",
                     STR_ARG(text->text));
}

static enum err check_program(const struct conf_text *text, struct diags *diags)
{
    if (text->text.len > 1 && text->text.ptr[0] == '/')
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, text->place,
                     "'" STR_FMT "' is no program; give its absolute path", STR_ARG(text->text));
}

static enum err check_server(const struct conf_text *text, struct diags *diags)
{
    struct url_authority ignored;
    struct ip ip;
    if (ip_parse(text->text, &ip) == ERR_OK || url_authority_parse(text->text, &ignored) == ERR_OK)
        return ERR_OK;
    return diag_fail(diags, ERR_SYNTAX, text->place,
                     "'" STR_FMT "' is no name server; write ns1.example.com, 192.0.2.53 or "
                     "192.0.2.53:5353",
                     STR_ARG(text->text));
}

static const struct conf_item eab_items[] = {
    ITEM_TEXT(eab_conf, kid, "kid", .since = "0.1", .apply = CONF_LIVE, .format = "a key's id",
              .example = "kid-1", .doc = "The id of the key that the authority gave you."),
    ITEM_SECRET(eab_conf, key, "key", .since = "0.1", .apply = CONF_LIVE,
                .example = "file:/etc/sallyport/eab.key",
                .doc = "The key itself, as the authority writes it (base64url)."),
};

static const struct conf_section eab_section = {
    .name = "eab",
    .doc = "External account binding (RFC 8555 7.3.4): the account that you have with the "
           "authority.",
    CONF_SECTION_OF(eab_conf, eab_items),
    .place_offset = CONF_PLACE_AT(eab_conf, place),
};

static const struct conf_item tsig_items[] = {
    ITEM_TEXT(tsig_conf, name, "name", .is_required = true, .since = "0.1", .apply = CONF_LIVE,
              .format = "a key's name", .example = "sallyport.",
              .doc = "What the name server calls the key."),
    ITEM_ENUM(tsig_conf, algorithm, "algorithm", .names = issuers_tsig_names, .def = "hmac-sha256",
              .since = "0.1", .apply = CONF_LIVE, .doc = "How messages are signed."),
    ITEM_SECRET(tsig_conf, secret, "secret", .is_required = true, .since = "0.1",
                .apply = CONF_LIVE, .example = "file:/etc/sallyport/dns.key",
                .doc = "The key itself, in base64."),
};

static const struct conf_section tsig_section = {
    .name = "tsig",
    .doc = "A secret that this proxy and a name server have (TSIG, RFC 8945).",
    CONF_SECTION_OF(tsig_conf, tsig_items),
    .place_offset = CONF_PLACE_AT(tsig_conf, place),
};

static const struct conf_item dns_update_items[] = {
    ITEM_TEXT(dns_update_conf, server, "server", .is_required = true, .since = "0.1",
              .apply = CONF_LIVE, .format = "HOST or HOST:PORT", .check_text = check_server,
              .example = "ns1.example.com",
              .doc = "The name server that takes updates: the zone's primary."),
    ITEM_TEXT(dns_update_conf, zone, "zone", .since = "0.1", .apply = CONF_LIVE,
              .format = "a zone's name", .example = "example.com",
              .doc = "The zone that is changed. By default the server is asked for it."),
    ITEM_SECTION(dns_update_conf, key, "key", struct tsig_conf, .section = &tsig_section,
                 .since = "0.1", .apply = CONF_LIVE,
                 .doc = "Signs updates. Without it the server must allow them by address."),
    ITEM_DURATION(dns_update_conf, ttl_ms, "ttl", .def = "60s", .min = "1s", .max = "1d",
                  .since = "0.1", .apply = CONF_LIVE, .doc = "How long caches keep the record."),
    ITEM_BOOL(dns_update_conf, by_tcp, "tcp", .since = "0.1", .apply = CONF_LIVE,
              .doc = "Speak TCP from the start, for servers behind filters that drop UDP."),
};

static const struct conf_section dns_update_section = {
    .name = "dns-update",
    .doc = "TXT records by dynamic update (RFC 2136).",
    CONF_SECTION_OF(dns_update_conf, dns_update_items),
    .place_offset = CONF_PLACE_AT(dns_update_conf, place),
};

static const struct conf_item acme_items[] = {
    ITEM_TEXT(acme_conf, directory, "directory", .def = "letsencrypt", .since = "0.1",
              .apply = CONF_LIVE,
              .format = "letsencrypt, letsencrypt-staging, zerossl, buypass or "
                        "a URL",
              .check_text = check_directory, .example = "letsencrypt-staging",
              .doc = "The authority's ACME directory."),
    ITEM_TEXTS(acme_conf, email, "email", .since = "0.1", .apply = CONF_LIVE,
               .format = "email addresses", .check_text = issuers_check_email,
               .example = "[you@example.com]",
               .doc = "Where the authority can reach you. By default the setting `email`."),
    ITEM_TEXTS(acme_conf, challenges, "challenges", .since = "0.1", .apply = CONF_LIVE,
               .format = "http-01, tls-alpn-01, dns-01", .check_text = check_challenge,
               .example = "[dns-01, http-01]",
               .doc = "How names are proven, best first; when one kind fails, the next is tried. "
                      "By default `tls-alpn-01`, `http-01`, and `dns-01` when it has `dns-update` "
                      "or `dns-hook`. A wildcard needs `dns-01`."),
    ITEM_ENUM(acme_conf, key, "key", .names = key_names, .def = "p-256", .since = "0.1",
              .apply = CONF_LIVE, .doc = "The kind of key of the certificates."),
    ITEM_TEXT(acme_conf, profile, "profile", .since = "0.1", .apply = CONF_LIVE,
              .format = "a profile's name", .example = "shortlived",
              .doc = "A kind of certificate that the authority offers. By default its default."),
    ITEM_TEXT(acme_conf, preferred_chain, "preferred-chain", .since = "0.1", .apply = CONF_LIVE,
              .format = "a common name", .example = "ISRG Root X1",
              .doc = "Of several chains take the one whose top was signed by this name."),
    ITEM_FILE(acme_conf, ca, "ca", .since = "0.1", .apply = CONF_LIVE, .example = "/etc/pki/ca.pem",
              .doc = "PEM file with the root certificate of a private authority's own HTTPS. By "
                     "default the system's."),
    ITEM_SECTION(acme_conf, eab, "eab", struct eab_conf, .section = &eab_section, .since = "0.1",
                 .apply = CONF_LIVE, .doc = "An account that exists at the authority."),
    ITEM_TEXT(
        acme_conf, dns_hook, "dns-hook", .since = "0.1", .apply = CONF_LIVE, .format = "a program",
        .check_text = check_program, .example = "/usr/local/bin/dns-txt",
        .doc = "For `dns-01`: a program that is run as `PROGRAM set NAME TXT-NAME VALUE`, and "
               "with `clear` when the record may go. It ends with 0 when it is done."),
    ITEM_SECTION(acme_conf, dns_update, "dns-update", struct dns_update_conf,
                 .section = &dns_update_section, .since = "0.1", .apply = CONF_LIVE,
                 .doc = "For `dns-01`: the name server that takes the record."),
    ITEM_DURATION(acme_conf, dns_wait_ms, "dns-wait", .def = "2m", .min = "0", .max = "10m",
                  .since = "0.1", .apply = CONF_LIVE,
                  .doc = "How long to wait at most until all of the zone's name servers have the "
                         "record. When none of them can be asked, the time is waited in whole. 0: "
                         "DNS isn't looked at, neither for this nor for an alias (CNAME) at the "
                         "record's name, which is followed otherwise."),
    ITEM_TEXT(acme_conf, dns_resolver, "dns-resolver", .since = "0.1", .apply = CONF_LIVE,
              .format = "HOST or HOST:PORT", .check_text = check_server, .example = "192.0.2.53",
              .doc = "Whom to ask for aliases and for a zone's name servers. By default the "
                     "first one of `/etc/resolv.conf`."),
    ITEM_TEXTS(acme_conf, dns_servers, "dns-servers", .since = "0.1", .apply = CONF_LIVE,
               .format = "HOST or HOST:PORT", .check_text = check_server,
               .example = "[ns1.example.com, ns2.example.com]",
               .doc = "The name servers that must have the record, instead of those that DNS "
                      "names for the zone."),
};

static enum err check_acme(const void *value, struct diags *diags)
{
    const struct acme_conf *c = value;
    bool has_dns = c->dns_hook.text.len > 0 || c->dns_update.server.text.len > 0;
    enum err err = ERR_OK;
    if (c->dns_hook.text.len > 0 && c->dns_update.server.text.len > 0)
        err = diag_fail(diags, ERR_RANGE, c->dns_hook.place,
                        "'dns-hook' and 'dns-update' do the same: leave one out");
    for (size_t i = 0; i < c->challenges.n && !has_dns; i++) {
        if (str_eq(c->challenges.items[i].text, STR("dns-01")))
            err = diag_fail(diags, ERR_RANGE, c->challenges.items[i].place,
                            "dns-01 needs 'dns-update' or 'dns-hook', which write the record");
    }
    return err;
}

static const struct conf_section acme_section = {
    .name = "acme",
    .doc = "An authority that speaks ACME (RFC 8555), such as Let's Encrypt.",
    CONF_SECTION_OF(acme_conf, acme_items),
    .place_offset = CONF_PLACE_AT(acme_conf, place),
    .check = check_acme,
};

static const struct conf_item issuer_items[] = {
    ITEM_SECTION(issuer_conf, acme, "acme", struct acme_conf, .section = &acme_section,
                 .since = "0.1", .apply = CONF_LIVE,
                 .doc = "An authority that speaks ACME (RFC 8555)."),
};

const struct conf_section issuer_section = {
    .name = "issuer",
    .doc = "Where certificates come from.",
    CONF_SECTION_OF(issuer_conf, issuer_items),
    .place_offset = CONF_NO_PLACE,
};
