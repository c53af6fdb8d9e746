// SPDX-License-Identifier: Apache-2.0
// A client that looks at a server: it accepts any certificate and what is weak, and tells. On a
// blocking socket, whose timeouts are the caller's; for commands, not for workers.
#pragma once

#include "tls/x509.h"

struct tls_probe;

struct tls_probe_wish {
    struct str name;                // DNS name; empty: none is sent
    unsigned max_version;           // 0x0303: TLS 1.2; 0: any
    struct str authorities_pem;     // trusted beside the system's; may be empty
    const struct tls_probe *resume; // whose newest session is offered; may be NULL
};

struct tls_probe_info {
    const char *version; // "TLSv1.3"
    const char *cipher;  // "TLS_AES_128_GCM_SHA256"
    char group[32];      // "X25519"; empty: none
    bool is_resumed;
    bool is_compressed;
    bool has_ocsp;         // the server has sent the state of its certificate
    bool wants_ocsp;       // its certificate demands that (RFC 7633)
    bool is_in_order;      // each certificate is signed by the next
    const char *weak_hash; // that signs a certificate of the chain: "SHA1"; NULL: none
    const char *why;       // it isn't trusted; NULL: it is
    size_t n_certs;        // in the chain that was sent
};

// fd is borrowed until tls_probe_close or tls_probe_ask. NULL: the handshake failed; *ret_why,
// valid until the thread's next call.
struct tls_probe *tls_probe_open(int fd, const struct tls_probe_wish *wish, const char **ret_why)
    MUST_CHECK;
void tls_probe_close(struct tls_probe *p); // NULL is allowed

// The texts are valid until tls_probe_close.
void tls_probe_info(const struct tls_probe *p, struct tls_probe_info *ret);
// The server's own certificate. False: it has shown none, or one that can't be read.
bool tls_probe_cert(const struct tls_probe *p, struct arena *mem, struct tls_cert_info *ret)
    MUST_CHECK;

// Sends a request, reads what comes until the end, an error, or max_bytes, and ends the connection:
// the descriptor may be closed.
void tls_probe_ask(struct tls_probe *p, struct str request, size_t max_bytes, struct text *to);

// True: the server handshakes again when the client wishes (TLS 1.2 and older). The connection is
// of no use afterwards.
bool tls_probe_renegotiates(struct tls_probe *p);

// "TLS_RSA_WITH_AES_128_CBC_SHA", or NULL.
const char *tls_probe_suite_name(unsigned suite);
