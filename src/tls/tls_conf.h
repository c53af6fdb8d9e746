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
    struct conf_file client_ca;
    bool tickets;
    struct place place;
};

extern const struct conf_section tls_section;
