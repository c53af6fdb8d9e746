// SPDX-License-Identifier: Apache-2.0
// What lies below OpenSSL: a BIO over a socket that never waits. Bytes that were read before TLS
// began come first; records that the socket doesn't take, or that are to go together, are kept, so
// that OpenSSL is never left with half a record.
#pragma once

#include <openssl/types.h>

#include "base/err.h"
#include "base/str.h"
#include "rt/sock.h"

struct tls_wire {
    struct rt_sock *sock; // borrows: set before each call of OpenSSL, as a stream may move
    struct str early;     // to be read before the socket
    char *early_copy;     // owns: early, once it doesn't borrow any more
    char *out;            // owns: records on their way; NULL: none
    size_t out_pos, out_len, out_cap;
    bool reads_ahead; // for OpenSSL, into early
    bool is_corked;   // records are kept until the next flush
    bool is_ended;    // the peer has ended the connection
    bool is_broken;   // sock->error tells, or too much was kept
};

// More is never kept, whatever a peer that doesn't read makes OpenSSL answer.
#define TLS_WIRE_OUT_MAX_BYTES ((size_t)256 * 1024)

// A BIO for SSL_set_bio; w outlives it.
BIO *tls_wire_bio(struct tls_wire *w);
void tls_wire_fini(struct tls_wire *w);

// What OpenSSL does through the BIO, for who goes on without it. Reading: IO_DONE, IO_AGAIN, IO_EOF
// (is_ended), IO_FAIL (is_broken). Writing sends, and keeps what the socket doesn't take (or all,
// when something is kept already); false: is_broken.
enum io tls_wire_read(struct tls_wire *w, char *to, size_t n, size_t *ret_n) MUST_CHECK;
bool tls_wire_write(struct tls_wire *w, const char *from, size_t n) MUST_CHECK;

// Room for what will be gathered, so that it isn't moved.
void tls_wire_reserve(struct tls_wire *w, size_t n);

// One try to send what is kept. IO_DONE: nothing is left; IO_AGAIN; IO_FAIL: is_broken.
enum io tls_wire_flush(struct tls_wire *w) MUST_CHECK;

static inline size_t tls_wire_kept(const struct tls_wire *w)
{
    return w->out_len - w->out_pos;
}

// Copies what is left of early, which won't be there any more.
void tls_wire_keep_early(struct tls_wire *w);
