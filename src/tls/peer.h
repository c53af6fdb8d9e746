// SPDX-License-Identifier: Apache-2.0
// What a client's certificate says, as texts for header fields and logs: printable ASCII on one
// line whatever stands in the certificate, so that no name in it becomes anything else.
#pragma once

#include <openssl/types.h>

#include "base/arena.h"
#include "base/str.h"
#include "tls/info.h"

#define TLS_PEER_FIELD_LIST(X)                                                                     \
    X(CERT)        /* the certificate as RFC 9440 has it: ":base64:" of the DER */                 \
    X(CHAIN)       /* its issuers without the trusted root, as RFC 9440 has them */                \
    X(PEM)         /* the certificate as PEM, percent-encoded */                                   \
    X(SUBJECT)     /* "CN=a,O=b" (RFC 2253 form) */                                                \
    X(ISSUER)      /* the same of its issuer */                                                    \
    X(NAMES)       /* "DNS:a.example,URI:spiffe://a/b": alternative names, percent-encoded */      \
    X(SERIAL)      /* upper case hexadecimal */                                                    \
    X(FINGERPRINT) /* SHA-256 of the DER, lower case hexadecimal */                                \
    X(NOT_BEFORE)  /* "2026-11-21T14:00:00Z" */                                                    \
    X(NOT_AFTER)                                                                                   \
    X(VERIFY) /* "SUCCESS"; "NONE": there is no certificate */

enum tls_peer_field {
#define X(id) TLS_PEER_##id,
    TLS_PEER_FIELD_LIST(X)
#undef X
};

#define TLS_PEER_FIELD_ONE(id) +1
#define TLS_PEER_FIELD_COUNT (0 TLS_PEER_FIELD_LIST(TLS_PEER_FIELD_ONE))

// The field of the peer whose certificate was verified; info NULL: a plain connection. *ret is
// empty where there is nothing to tell, else in mem. False: mem has no room.
bool tls_peer_text(const struct tls_info *info, enum tls_peer_field field, struct arena *mem,
                   struct str *ret) MUST_CHECK;

// Sessions of ctx, which verifies clients: their tickets carry the issuers for TLS_PEER_CHAIN, and
// one whose certificate has expired since isn't resumed.
void tls_peer_keep(SSL_CTX *ctx);
