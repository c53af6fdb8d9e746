// SPDX-License-Identifier: Apache-2.0
// TLS with servers: who is trusted, what is shown, and the handshake as a client.
#pragma once

#include <openssl/types.h>

#include "base/diag.h"
#include "rt/stream.h"
#include "tls/authorities.h"
#include "tls/client_conf.h"
#include "tls/conn.h"

// What settings say, ready for use: immutable, counted, shared by all services whose settings say
// the same, and so are the authorities of all whose files say the same.
struct tls_client;
struct tls_clients;

struct tls_clients *tls_clients_new(void);
// Accepts NULL. No client is left.
void tls_clients_free(struct tls_clients *set);

// The client for conf, new or found, with one more ref. system may be NULL: there are none. NULL
// with errors: authorities, certificate or key can't be used. Not by two threads at once.
struct tls_client *tls_clients_take(struct tls_clients *set, const struct tls_client_conf *conf,
                                    const struct tls_authorities *system, struct diags *diags)
    MUST_CHECK;
// Any thread, as the next.
struct tls_client *tls_client_ref(struct tls_client *c);
// Accepts NULL.
void tls_client_unref(struct tls_client *c);

// Two clients that verify and show the same have the same id: connections of the one may serve for
// the other.
#define TLS_CLIENT_ID_BYTES 32
const uint8_t *tls_client_id(const struct tls_client *c);

// Whether servers' keys are to be compared with those that were learnt on first use: by the caller,
// after each tls_connect and before anything is said.
bool tls_client_learns(const struct tls_client *c);
// The SHA-256 of the public key of the server that s speaks TLS with, also on a resumed session.
bool tls_client_peer_key(const struct stream *s, uint8_t ret[static TLS_PIN_BYTES]);

// The session that the next connection to a server may resume: the newest one. Of one thread; the
// connections that fill it don't outlive it.
struct tls_session {
    struct ssl_session_st *newest; // owns: an SSL_SESSION; NULL: none
};
void tls_session_forget(struct tls_session *s);

// Which HTTP is offered to a server (ALPN).
enum tls_offer {
    TLS_OFFER_HTTP_1, // a server that chooses none speaks it
    TLS_OFFER_HTTP_2, // that alone: the server must choose it
    TLS_OFFER_BOTH,   // HTTP/2 rather
};

// Makes s (a connected, plain stream) speak TLS as a client. Waits. On failure s can only be
// closed; *reterr tells. What the server chose of the offer is tls_info's. session is remembered
// for as long as the stream speaks TLS. IO_DONE or IO_FAIL.
enum io tls_connect(struct stream *s, const struct tls_client *c, const struct tls_peer *peer,
                    struct tls_session *session, enum tls_offer offer, struct deadline until,
                    struct tls_failure *reterr) MUST_CHECK;
