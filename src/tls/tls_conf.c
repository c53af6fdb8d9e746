// SPDX-License-Identifier: Apache-2.0
#include "tls/tls_conf.h"

#include "tls/policy.h"

static const char *const preset_names[] = {
#define X(id, text) text,
    TLS_PRESET_LIST(X)
#undef X
        NULL,
};

static const char *const version_names[] = {
#define X(id, text, wire) text,
    TLS_VERSION_LIST(X)
#undef X
        NULL,
};

static const char *const client_auth_names[] = {
#define X(id, text) text,
    TLS_CLIENT_AUTH_LIST(X)
#undef X
        NULL,
};

static const struct conf_item items[] = {
    ITEM_ENUM(tls_conf, preset, "preset", .names = preset_names, .def = "intermediate",
              .apply = CONF_NEW_CONNS, .since = "0.1",
              .doc = "Mozilla's recommendation to start from: `intermediate` speaks TLS 1.2 and "
                     "1.3, `modern` TLS 1.3 alone. What the other keys say goes before it."),
    ITEM_ENUM(tls_conf, min, "min", .names = version_names, .def = "1.2", .apply = CONF_NEW_CONNS,
              .since = "0.1",
              .doc = "Oldest version of TLS that a client may speak. Older ones than 1.2 are never "
                     "spoken, and with the preset `modern` it is always 1.3.",
              .example = "\"1.3\""),
    ITEM_ENUM(tls_conf, max, "max", .names = version_names, .def = "1.3", .apply = CONF_NEW_CONNS,
              .since = "0.1", .doc = "Newest version of TLS.", .example = "\"1.3\""),
    ITEM_TEXTS(tls_conf, ciphers, "ciphers", .apply = CONF_NEW_CONNS, .since = "0.1",
               .doc = "Ciphers of TLS 1.2 by OpenSSL's names; the client's order counts. Without "
                      "it, those with forward secrecy and authenticated encryption.",
               .format = "a cipher of TLS 1.2", .check_text = tls_check_cipher,
               .example = "[ECDHE-ECDSA-AES128-GCM-SHA256, ECDHE-RSA-AES128-GCM-SHA256]"),
    ITEM_TEXTS(tls_conf, suites, "suites", .apply = CONF_NEW_CONNS, .since = "0.1",
               .doc = "Cipher suites of TLS 1.3. Without it, AES-128-GCM, AES-256-GCM and "
                      "ChaCha20-Poly1305.",
               .format = "a suite of TLS 1.3", .check_text = tls_check_suite,
               .example = "[TLS_AES_256_GCM_SHA384]"),
    ITEM_TEXTS(tls_conf, groups, "groups", .apply = CONF_NEW_CONNS, .since = "0.1",
               .doc = "Groups for the exchange of keys, best first. Without it, X25519MLKEM768 "
                      "where the installed OpenSSL has it (from 3.5 on), X25519, P-256, P-384.",
               .format = "a group", .check_text = tls_check_group, .example = "[X25519, P-256]"),
    ITEM_ENUM(tls_conf, client_auth, "client-auth", .names = client_auth_names, .def = "none",
              .apply = CONF_NEW_CONNS, .since = "0.1",
              .doc = "Certificates of clients: `request` takes one where the client has it, "
                     "`require` turns away clients without. A certificate that no authority in "
                     "`client-ca` has signed is refused in both cases."),
    ITEM_FILE(tls_conf, client_ca, "client-ca", .apply = CONF_NEW_CONNS, .since = "0.1",
              .doc = "PEM file with the authorities whose client certificates are accepted.",
              .example = "/etc/sallyport/clients-ca.pem"),
    ITEM_BOOL(tls_conf, tickets, "tickets", .def = "on", .apply = CONF_NEW_CONNS, .since = "0.1",
              .doc = "Lets clients resume sessions, which saves most of a handshake. The keys for "
                     "it are changed every 12 hours."),
};

static enum err check(const void *value, struct diags *diags)
{
    const struct tls_conf *c = value;
    enum err err = ERR_OK;
    if (c->min > c->max)
        err = diag_fail(diags, ERR_RANGE, c->place, "'min' is newer than 'max'");
    if (c->preset == TLS_PRESET_MODERN && c->max < TLS_VERSION_1_3)
        err = diag_fail(diags, ERR_RANGE, c->place,
                        "the preset 'modern' needs TLS 1.3, which 'max' forbids");
    if (c->client_auth != TLS_CLIENT_AUTH_NONE && !c->client_ca.is_set)
        err = diag_fail(diags, ERR_RANGE, c->place,
                        "'client-auth' needs 'client-ca': whose certificates are accepted");
    if (c->client_auth == TLS_CLIENT_AUTH_NONE && c->client_ca.is_set)
        diag_warn(diags, c->client_ca.place,
                  "'client-ca' does nothing without 'client-auth: request' or 'require'");
    return err;
}

const struct conf_section tls_section = {
    .name = "tls",
    .doc = "How TLS is spoken with clients.",
    CONF_SECTION_OF(tls_conf, items),
    .place_offset = CONF_PLACE_AT(tls_conf, place),
    .check = check,
};
