// SPDX-License-Identifier: Apache-2.0
// Whether a server is who it has to be, and in what words it isn't.
#pragma once

#include <openssl/types.h>

#include "tls/client_conf.h"

#define TLS_VERDICT_BYTES 400

struct tls_demands {
    bool is_verified;               // anything is demanded
    bool checks_chain;              // authority, dates and name
    bool learns;                    // its key is compared with what was learnt, by others
    uint8_t (*pins)[TLS_PIN_BYTES]; // owns; one of them is the server's key
    size_t n_pins;                  // 0: any key will do
};

// Connections of ctx demand this. demands are borrowed, as long as ctx lives.
void tls_demands_set(SSL_CTX *ctx, const struct tls_demands *demands);

// The server is asked for this name and, where the chain is checked, must have it. False: OpenSSL
// can't.
bool tls_demand_peer(SSL *ssl, const struct tls_demands *demands, const struct tls_peer *peer);

// What becomes of one handshake.
struct tls_verdict {
    const struct tls_demands *demands; // borrows, as the next
    const struct tls_peer *peer;
    char why[TLS_VERDICT_BYTES]; // for the log; "": nothing was wrong
};

// The SHA-256 of the certificate's SubjectPublicKeyInfo. False: OpenSSL can't.
bool tls_key_hash(X509 *cert, uint8_t ret[static TLS_PIN_BYTES]);

// v is there until NULL is attached: during the handshake.
void tls_verdict_attach(SSL *ssl, struct tls_verdict *v);
