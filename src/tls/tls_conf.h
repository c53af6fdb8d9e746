// SPDX-License-Identifier: Apache-2.0
// How TLS is spoken with clients, as settings: a section that entrypoints and sites embed.
#pragma once

#include "conf/conf.h"

// The texts are names in settings. Mozilla's recommendations for servers, version 5.8.
#define TLS_PRESET_LIST(X)                                                                         \
    X(INTERMEDIATE, "intermediate")                                                                \
    X(MODERN, "modern")

enum tls_preset {
#define X(id, text) TLS_PRESET_##id,
    TLS_PRESET_LIST(X)
#undef X
};

// Older ones are refused.
#define TLS_VERSION_LIST(X)                                                                        \
    X(1_2, "1.2", 0x0303)                                                                          \
    X(1_3, "1.3", 0x0304)

enum tls_version {
#define X(id, text, wire) TLS_VERSION_##id,
    TLS_VERSION_LIST(X)
#undef X
};

#define TLS_CLIENT_AUTH_LIST(X)                                                                    \
    X(NONE, "none")                                                                                \
    X(REQUEST, "request")                                                                          \
    X(REQUIRE, "require")

enum tls_client_auth {
#define X(id, text) TLS_CLIENT_AUTH_##id,
    TLS_CLIENT_AUTH_LIST(X)
#undef X
};

struct tls_conf {
    unsigned preset;           // enum tls_preset
    unsigned min, max;         // enum tls_version
    struct conf_texts ciphers; // of TLS 1.2; empty: the preset's
    struct conf_texts suites;  // of TLS 1.3; empty: the preset's
    struct conf_texts groups;  // empty: the preset's
    unsigned client_auth;      // enum tls_client_auth
    struct conf_file client_ca, client_crl;
    bool tickets;
    bool early_data;
    struct place place;
};

extern const struct conf_section tls_section;

// Rules between its items, for the check of a section that embeds it. Adds errors.
enum err tls_conf_check(const struct tls_conf *c, struct diags *diags) MUST_CHECK;

extern const char *const tls_preset_names[];
extern const char *const tls_version_names[];
extern const char *const tls_client_auth_names[];

// The rows of a section whose struct S_ has a struct tls_conf: P_ is that member with a dot behind
// it, or nothing in a struct tls_conf itself.
#define TLS_CONF_ITEMS(S_, P_)                                                                     \
    ITEM_ENUM(S_, P_ preset, "preset", .names = tls_preset_names, .def = "intermediate",           \
              .apply = CONF_NEW_CONNS, .since = "0.1",                                             \
              .doc = "Mozilla's recommendation to start from: `intermediate` speaks TLS 1.2 and "  \
                     "1.3, `modern` TLS 1.3 alone. What the other keys say goes before it."),      \
        ITEM_ENUM(                                                                                 \
            S_, P_ min, "min", .names = tls_version_names, .def = "1.2", .apply = CONF_NEW_CONNS,  \
            .since = "0.1",                                                                        \
            .doc = "Oldest version of TLS that a client may speak. Older ones than 1.2 are never " \
                   "spoken, and with the preset `modern` it is always 1.3.",                       \
            .example = "\"1.3\""),                                                                 \
        ITEM_ENUM(S_, P_ max, "max", .names = tls_version_names, .def = "1.3",                     \
                  .apply = CONF_NEW_CONNS, .since = "0.1", .doc = "Newest version of TLS.",        \
                  .example = "\"1.3\""),                                                           \
        ITEM_TEXTS(                                                                                \
            S_, P_ ciphers, "ciphers", .apply = CONF_NEW_CONNS, .since = "0.1",                    \
            .doc = "Ciphers of TLS 1.2 by OpenSSL's names; the client's order counts. Without "    \
                   "it, those with forward secrecy and authenticated encryption.",                 \
            .format = "a cipher of TLS 1.2", .check_text = tls_check_cipher,                       \
            .example = "[ECDHE-ECDSA-AES128-GCM-SHA256, ECDHE-RSA-AES128-GCM-SHA256]"),            \
        ITEM_TEXTS(S_, P_ suites, "suites", .apply = CONF_NEW_CONNS, .since = "0.1",               \
                   .doc = "Cipher suites of TLS 1.3. Without it, AES-128-GCM, AES-256-GCM and "    \
                          "ChaCha20-Poly1305.",                                                    \
                   .format = "a suite of TLS 1.3", .check_text = tls_check_suite,                  \
                   .example = "[TLS_AES_256_GCM_SHA384]"),                                         \
        ITEM_TEXTS(                                                                                \
            S_, P_ groups, "groups", .apply = CONF_NEW_CONNS, .since = "0.1",                      \
            .doc = "Groups for the exchange of keys, best first. Without it, X25519MLKEM768 "      \
                   "where the installed OpenSSL has it (from 3.5 on), X25519, P-256, P-384.",      \
            .format = "a group", .check_text = tls_check_group, .example = "[X25519, P-256]"),     \
        ITEM_ENUM(S_, P_ client_auth, "client-auth", .names = tls_client_auth_names,               \
                  .def = "none", .apply = CONF_NEW_CONNS, .since = "0.1",                          \
                  .doc =                                                                           \
                      "Certificates of clients: `request` takes one where the client has it, "     \
                      "`require` turns away clients without. A certificate that no authority in "  \
                      "`client-ca` has signed, that has expired or is for something else is "      \
                      "refused in both cases."),                                                   \
        ITEM_FILE(S_, P_ client_ca, "client-ca", .apply = CONF_NEW_CONNS, .since = "0.1",          \
                  .doc = "PEM file with the authorities whose client certificates are accepted: "  \
                         "roots, or intermediates, which then are trusted by themselves.",         \
                  .example = "/etc/sallyport/clients-ca.pem"),                                     \
        ITEM_FILE(S_, P_ client_crl, "client-crl", .apply = CONF_NEW_CONNS, .since = "0.1",        \
                  .doc = "PEM file with the lists of revoked client certificates, one from each "  \
                         "authority that may stand in a chain. A list that is missing or has "     \
                         "expired turns its authority's clients away. A reload reads it anew.",    \
                  .example = "/etc/sallyport/clients.crl.pem"),                                    \
        ITEM_BOOL(                                                                                 \
            S_, P_ tickets, "tickets", .def = "on", .apply = CONF_NEW_CONNS, .since = "0.1",       \
            .doc = "Lets clients resume sessions, which saves most of a handshake. The keys for "  \
                   "it are changed every 12 hours."),                                              \
        ITEM_BOOL(S_, P_ early_data, "early-data", .def = "off", .apply = CONF_NEW_CONNS,          \
                  .since = "0.1",                                                                  \
                  .doc = "Let clients who resume a session send their first request with the "     \
                         "first packet (0-RTT of TLS 1.3), which saves a round trip. Somebody "    \
                         "on the way may send that packet again, so only GET, HEAD and OPTIONS "   \
                         "without a body are served before the handshake is over, and servers "    \
                         "are told by `Early-Data: 1` (RFC 8470). Not with `client-auth`.")
