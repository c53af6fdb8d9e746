// SPDX-License-Identifier: Apache-2.0
// What an authority wants to see before it believes that a name is ours (RFC 8555 8, RFC 8737).
#pragma once

#include <stdint.h>

#include "base/arena.h"

#define ACME_CHALLENGE_LIST(X)                                                                     \
    X(NONE, "none")                                                                                \
    X(HTTP_01, "http-01")                                                                          \
    X(TLS_ALPN_01, "tls-alpn-01")                                                                  \
    X(DNS_01, "dns-01")

enum acme_challenge_kind {
#define X(id, name) ACME_CHALLENGE_##id,
    ACME_CHALLENGE_LIST(X)
#undef X
};

#define ACME_CHALLENGE_ONE(id, name) +1
#define ACME_CHALLENGE_COUNT (0 ACME_CHALLENGE_LIST(ACME_CHALLENGE_ONE))

// "http-01".
const char *acme_challenge_name(enum acme_challenge_kind kind);
// NONE: unknown.
enum acme_challenge_kind acme_challenge_parse(struct str name);

struct acme_challenge {
    enum acme_challenge_kind kind;
    struct str name;              // DNS name in lower case without "*.", or IP address
    bool is_wildcard;             // it is for *.name
    struct str token;             // base64url: safe in a path
    struct str key_authorization; // http-01: the body at /.well-known/acme-challenge/TOKEN
    struct str txt_name;          // dns-01: "_acme-challenge.NAME"
    struct str txt_value;         // dns-01: its TXT record
    uint8_t digest[32];           // tls-alpn-01: for tls_challenge_make
};

// From the authority's token and the account key's thumbprint. False: the token is none (RFC 8555
// 8.1: base64url, at least 128 bits), or mem has no room.
bool acme_challenge_fill(struct acme_challenge *c, struct str thumbprint, struct arena *mem)
    MUST_CHECK;
