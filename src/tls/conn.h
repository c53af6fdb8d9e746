// SPDX-License-Identifier: Apache-2.0
// TLS on a stream, whichever side began it: the handshake, and then stream_ops. OpenSSL never waits
// and never sees a socket: it reads and writes through a BIO, and waiting is done here, on fibers,
// between two of its calls. At rest no record buffer is held. With clients that speak TLS 1.3,
// OpenSSL does the handshake and goes; the records are ours (tls/records.h).
#pragma once

#include <openssl/types.h>

#include "rt/stream.h"
#include "tls/info.h"
#include "tls/secrets.h"
#include "tls/tickets.h"

// Why a handshake failed; text for the log, counted by whoever asked for it.
#define TLS_FAILURE_LIST(X)                                                                        \
    X(NONE, "ok")                                                                                  \
    X(TIMEOUT, "the handshake took too long")                                                      \
    X(CANCELLED, "the handshake was cancelled")                                                    \
    X(CLOSED, "the peer closed the connection in the handshake")                                   \
    X(BROKEN, "the connection broke in the handshake")                                             \
    X(ALERT, "the peer refused the handshake")                                                     \
    X(NOTHING_SHARED, "no version, cipher or group in common")                                     \
    X(PEER_CERTIFICATE, "the peer's certificate wasn't accepted")                                  \
    X(PROTOCOL, "the peer broke the protocol")                                                     \
    X(INTERNAL, "the handshake failed on our side")

enum tls_failure_kind {
#define X(id, text) TLS_FAILURE_##id,
    TLS_FAILURE_LIST(X)
#undef X
};

#define TLS_FAILURE_ONE(id, text) +1
#define TLS_FAILURE_COUNT (0 TLS_FAILURE_LIST(TLS_FAILURE_ONE))

struct tls_failure {
    enum tls_failure_kind kind;
    char text[480]; // NUL-terminated
};

// The kind's text, with a detail (NULL: none).
void tls_failure_tell(struct tls_failure *ret, enum tls_failure_kind kind, const char *detail);

// Makes s (a connected, plain stream) speak TLS through ssl, which is taken over and whose side
// (SSL_set_accept_state, SSL_set_connect_state) is set. early: bytes of the peer that were read
// already, borrowed until the handshake has ended, which comes before anything else but close and
// reset.
void tls_conn_start(struct stream *s, SSL *ssl, struct str early);

// Before the handshake of a server: it may end early, as soon as the client's early data is there
// (RFC 8446 2.3). Then info.is_early is set until the rest of the handshake has come, which reading
// goes on with; meanwhile what is read may be a replay. tickets: for the ticket that follows.
void tls_conn_take_early_data(struct stream *s, struct tls_tickets *tickets);

// Waits for the rest of the handshake; what comes before it is kept for reading. At once where
// there is none. Nobody else reads meanwhile. IO_DONE, IO_FAIL, IO_EOF.
enum io tls_conn_confirm(struct stream *s, struct deadline until) MUST_CHECK;

// Waits for the handshake. IO_DONE; IO_FAIL with *reterr: the stream can only be closed.
enum io tls_conn_handshake(struct stream *s, struct deadline until, struct tls_failure *reterr)
    MUST_CHECK;

// After the handshake as a server, and before anything is read: the records are sealed and opened
// here from now on, and OpenSSL's part of the connection goes, unless the version or the suite
// forbids it.
void tls_conn_take_over(struct stream *s, const struct tls_secrets *secrets);

// Off: from now on OpenSSL keeps the records of each connection (see tls/trial.h). For the whole
// process; before it has threads.
void tls_conn_set_take_over(bool is_on);

// Of a stream that speaks TLS; NULL: it doesn't. Lives as long as the stream's TLS.
const struct tls_info *tls_conn_info(const struct stream *s);
// The name that the server's side was asked for, copied.
void tls_conn_set_server_name(struct stream *s, struct str name);
// That the certificate which the server's side has shown is from the local CA.
void tls_conn_set_local_ca(struct stream *s, bool is_local_ca);
// NULL: OpenSSL has gone, or no TLS.
SSL *tls_conn_ssl(const struct stream *s);
// The alert by which the peer has ended it after the handshake, static; NULL: none, or no TLS.
const char *tls_conn_alert(const struct stream *s);
