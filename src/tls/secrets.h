// SPDX-License-Identifier: Apache-2.0
// The traffic secrets of TLS 1.3 as a handshake makes them, told by OpenSSL in the form of its key
// log (SSL_CTX_set_keylog_callback(3)): what tls/records.h goes on from. They stay in this process,
// and are written nowhere.
#pragma once

#include <openssl/types.h>
#include <stdint.h>

#include "tls/record.h"

struct tls_secrets {
    uint8_t of_client[TLS_SECRET_MAX_BYTES], of_server[TLS_SECRET_MAX_BYTES];
    uint8_t n_of_client, n_of_server; // bytes; 0: not known
    uint32_t n_sent;                  // records that were sealed with the server's
};

// Connections of ctx, a server's, can be asked for their secrets.
void tls_secrets_prepare(SSL_CTX *ctx);

// From now on they go to `to`, which lives until NULL is set. Wiped by its owner.
void tls_secrets_collect(SSL *ssl, struct tls_secrets *to);
