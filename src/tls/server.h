// SPDX-License-Identifier: Apache-2.0
// TLS with clients: the handshake as a server, by a policy and with a name's certificates. The
// ClientHello has been read before (codec/client_hello.h).
#pragma once

#include "rt/stream.h"
#include "tls/conn.h"
#include "tls/policy.h"
#include "tls/replay.h"
#include "tls/store.h"
#include "tls/tickets.h"

struct tls_accept_options {
    const struct tls_policy *policy; // borrows, as the next five, until tls_accept returns
    const struct tls_entry *entry;
    struct tls_tickets *tickets; // NULL: no session is resumed
    struct tls_replay *replay;   // NULL: no early data is taken
    struct str server_name;      // as the client sent it, in lower case; empty: none
    struct str early;            // the bytes of the connection that were read already
    // Protocols by ALPN, best first, each with its length before it ("\x08http/1.1"); a client that
    // offers none of them is refused. Empty, or the client offers nothing: none is chosen.
    struct str alpn;
    struct deadline until;
};

#define TLS_ALPN_HTTP1 STR("\x08http/1.1")
#define TLS_ALPN_HTTP2                                                                             \
    STR("\x02h2"                                                                                   \
        "\x08http/1.1")
#define TLS_ALPN_ACME                                                                              \
    STR("\x0a"                                                                                     \
        "acme-tls/1")

// Loads what OpenSSL needs, without its configuration file: before a sandbox takes files away, and
// before any other call here. Further calls do nothing.
void tls_init(void);

// What a policy's context needs for tls_accept.
void tls_server_prepare(SSL_CTX *ctx);

// Makes s (a connected, plain stream) speak TLS as a server. Waits: for the end of the handshake,
// or, where the policy takes early data and the client has sent some, for that (tls_info.is_early).
// On failure s can only be closed; *reterr tells. ERR_TIMEOUT, ERR_CANCELLED, ERR_CLOSED,
// ERR_PROTOCOL, ERR_SYSTEM.
enum err tls_accept(struct stream *s, const struct tls_accept_options *o,
                    struct tls_failure *reterr) MUST_CHECK;

// A fatal alert (RFC 8446 6.2) instead of a handshake, to be written to a plain stream.
#define TLS_ALERT_BYTES 7
enum tls_alert {
    TLS_ALERT_HANDSHAKE_FAILURE = 40,
    TLS_ALERT_DECODE_ERROR = 50,
    TLS_ALERT_INTERNAL_ERROR = 80,
    TLS_ALERT_UNRECOGNIZED_NAME = 112,
};
void tls_alert_write(enum tls_alert alert, char to[static TLS_ALERT_BYTES]);
