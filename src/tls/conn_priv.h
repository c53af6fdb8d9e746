// SPDX-License-Identifier: Apache-2.0
// The files of a connection over TLS, among themselves: reading, writing and its end (conn.c), the
// handshake (conn_shake.c), what comes before its end (conn_early.c).
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "rt/stream.h"
#include "tls/bio.h"
#include "tls/conn.h"
#include "tls/policy.h"
#include "tls/records.h"

// Of a handshake that may end early, or has.
struct tls_early {
    struct tls_tickets *tickets;         // shares
    bool is_read;                        // all of it: the client's Finished is next
    bool ends_write;                     // our side has ended: said when the handshake is over
    size_t pos, len;                     // what was read and isn't taken yet
    char bytes[TLS_EARLY_MAX_BYTES + 1]; // one more than there can be: reading needs room
};

struct tls_conn {
    struct tls_info info;
    struct tls_wire wire;
    SSL *ssl;                    // owns; NULL: the handshake is done, and nobody needs it
    struct tls_records *records; // owns; NULL: OpenSSL has them
    struct tls_early *early;     // owns: until the handshake is over and all of it is taken
    X509 *peer_cert;             // owns: info.peer_cert
    char *protocol;              // owns: info.protocol, once ssl has gone
    char *name;                  // owns: info.server_name
    bool is_open;                // the handshake has succeeded
    bool is_broken;              // nothing can be sent or read any more
    bool has_sent_end;           // our close_notify
    bool ends_socket;            // the socket's side ends with what is kept
    const char *alert;           // static: of the peer, after the handshake; NULL: none
};

_Static_assert(sizeof(struct tls_conn) <= 512, "an idle connection is small");

// Clearing walks over all entries, even where there are none; looking doesn't.
static inline void tls_conn_clear_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

// Enters the connection: OpenSSL's error queue belongs to the thread, and must be empty so that
// what stands in it afterwards is of this call.
static inline struct tls_conn *tls_conn_enter(struct stream *s)
{
    struct tls_conn *t = s->tls;
    t->wire.sock = &s->sock;
    if (!t->records)
        tls_conn_clear_errors();
    return t;
}

// The connection is lost; sock.error tells the owner why. Returns IO_FAIL.
enum io tls_conn_fail(struct tls_conn *t, int error);

// Waits until everything that is kept has gone, at most each_ms for each time that the peer takes
// some. Other results than IO_DONE: t may be gone.
enum io tls_conn_flush(struct tls_conn *t, int64_t each_ms, struct deadline until);

// One try; what is left goes with the next call. IO_DONE: nothing is.
enum io tls_conn_flush_some(struct tls_conn *t);

// What it means that OpenSSL has read nothing: IO_AGAIN, IO_EOF or IO_FAIL.
enum io tls_conn_read_nothing(struct tls_conn *t);

// Says close_notify, once.
void tls_conn_send_end(struct tls_conn *t);

// Takes what came before the end of the handshake. IO_DONE with *ret_n 0: there is nothing early
// any more, reading goes on as ever.
enum io tls_conn_read_early(struct tls_conn *t, void *buf, size_t n, size_t *ret_n);
void tls_conn_drop_early(struct tls_conn *t);
