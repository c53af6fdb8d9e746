// SPDX-License-Identifier: Apache-2.0
// What is known of a connection that speaks TLS, for filters and logs. Belongs to the stream.
#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

struct tls_info {
    uint16_t version;   // 0x0303: TLS 1.2, 0x0304: TLS 1.3
    bool is_resumed;    // by a ticket
    bool is_local_ca;   // what we have shown is from the local CA
    bool is_early;      // what was read may be a replay: the client's Finished isn't there yet
    bool has_peer_cert; // the peer has shown a certificate, and it was verified
    const char *version_text; // "TLSv1.3"
    const char *cipher;       // "TLS_AES_128_GCM_SHA256"
    struct str server_name;   // asked for by the client; empty: none
    X509 *peer_cert;          // borrows: the one that was verified (tls/x509.h); NULL: none
    SSL *ssl;            // borrows: for tls/peer.h; NULL: it has gone, and there is no peer_cert
    struct str protocol; // ALPN: "http/1.1"; empty: none
};
