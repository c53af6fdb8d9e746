// SPDX-License-Identifier: Apache-2.0
#include "tls/conn_priv.h"

#include <errno.h>

#include "base/assert.h"
#include "base/mem.h"
#include "rt/clock.h"
#include "rt/loop.h"

#define RECORD_BYTES 16384    // of plain text, at most (RFC 8446 5.1)
#define RECORD_EXTRA_BYTES 64 // what sealing adds, at most for the ciphers that we allow
#define GATHER_RECORDS 4
#define GATHER_MAX_BYTES (GATHER_RECORDS * RECORD_BYTES)

enum io tls_conn_fail(struct tls_conn *t, int error)
{
    t->is_broken = true;
    if (!t->wire.is_broken) // else the socket's own error stands there
        t->wire.sock->error = error;
    tls_conn_clear_errors();
    return IO_FAIL;
}

enum io tls_conn_flush(struct tls_conn *t, int64_t each_ms, struct deadline until)
{
    struct rt_sock *sock = t->wire.sock;
    enum io io;
    while ((io = tls_wire_flush(&t->wire)) == IO_AGAIN) {
        struct deadline next = each_ms < INT64_MAX ? deadline_in(each_ms) : deadline_at(INT64_MAX);
        io = sock_wait_writable(sock, deadline_min(until, next));
        if (io != IO_DONE)
            return io; // t may be gone
    }
    return io;
}

enum io tls_conn_flush_some(struct tls_conn *t)
{
    enum io io = tls_wire_flush(&t->wire);
    if (io == IO_DONE && t->ends_socket) {
        t->ends_socket = false;
        sock_shut_write(t->wire.sock);
    }
    return io;
}

// --- reading ---

// In OpenSSL's error queue: what TLS 1.3 refuses a client's certificate with, among others.
static const char *alert_text(void)
{
    unsigned long error = ERR_peek_error();
    return ERR_GET_REASON(error) > SSL_AD_REASON_OFFSET ? ERR_reason_error_string(error) : NULL;
}

static void send_alert(struct tls_conn *t, unsigned alert)
{
    char bytes[TLS_RECORDS_ALERT_BYTES];
    size_t n = tls_records_seal_alert(t->records, alert, bytes);
    if (!tls_wire_write(&t->wire, bytes, n))
        t->is_broken = true;
}

static enum io try_read_records(struct tls_conn *t, char *buf, size_t n, size_t *ret_n)
{
    enum tls_record_alert alert;
    enum io io = tls_records_read(t->records, &t->wire, buf, n, ret_n, &alert);
    if (io == IO_AGAIN)
        tls_conn_flush_some(t);
    if (io != IO_FAIL)
        return io;
    if (alert != TLS_RECORD_ALERT_NONE)
        send_alert(t, (unsigned)alert);
    if (t->records->alert != TLS_RECORD_ALERT_NONE)
        t->alert = SSL_alert_desc_string_long(t->records->alert);
    return tls_conn_fail(t, t->wire.is_ended ? ECONNRESET : EPROTO);
}

void tls_conn_send_end(struct tls_conn *t)
{
    if (!t->is_open || t->is_broken || t->has_sent_end)
        return;
    t->has_sent_end = true;
    if (t->records)
        send_alert(t, SSL_AD_CLOSE_NOTIFY);
    else if (SSL_shutdown(t->ssl) < 0)
        t->is_broken = true;
}

enum io tls_conn_read_nothing(struct tls_conn *t)
{
    switch (SSL_get_error(t->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        tls_conn_flush_some(t);
        return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return IO_EOF;
    default:
        t->alert = alert_text();
        // An end without close_notify is a cut, and not an end (RFC 8446 6.1).
        return tls_conn_fail(t, t->wire.is_ended ? ECONNRESET : EPROTO);
    }
}

static enum io try_read(struct stream *s, void *buf, size_t n, size_t *ret_n)
{
    struct tls_conn *t = tls_conn_enter(s);
    size_t n_early = 0;
    if (t->is_broken)
        return tls_conn_fail(t, EPROTO);
    if (t->records)
        return try_read_records(t, buf, n, ret_n);
    if (UNLIKELY(t->early != NULL)) {
        enum io io = tls_conn_read_early(t, buf, n, &n_early);
        if (n_early > 0)
            *ret_n = n_early;
        if (io != IO_DONE || n_early > 0)
            return io;
    }
    if (SSL_read_ex(t->ssl, buf, n, ret_n) == 1)
        return IO_DONE;
    return tls_conn_read_nothing(t);
}

static enum io read_waiting(struct stream *s, void *buf, size_t n, struct deadline until,
                            size_t *ret_n)
{
    for (;;) {
        enum io io = try_read(s, buf, n, ret_n);
        if (io != IO_AGAIN)
            return io;
        io = sock_wait_readable(&s->sock, until);
        if (io != IO_DONE)
            return io;
    }
}

static bool has_pending(const struct stream *s)
{
    const struct tls_conn *t = s->tls;
    return t->wire.early.len > 0 || (t->early && t->early->pos < t->early->len) ||
           (t->records ? tls_records_has_pending(t->records) : SSL_has_pending(t->ssl));
}

// --- writing ---

struct pieces {
    const struct iovec *iov;
    int n;
    size_t used; // of the first one
};

static size_t pieces_bytes(const struct iovec *iov, int n)
{
    size_t bytes = 0;
    for (int i = 0; i < n; i++)
        bytes += iov[i].iov_len;
    return bytes;
}

// The next bytes for one record. Small pieces are joined in scratch, as a record costs more than
// copying does.
static struct str next_record(struct pieces *p, char scratch[static RECORD_BYTES])
{
    while (p->n > 0 && p->used == p->iov->iov_len) {
        p->iov++;
        p->n--;
        p->used = 0;
    }
    size_t have = p->n > 0 ? p->iov->iov_len - p->used : 0;
    if (p->n <= 1 || have >= RECORD_BYTES) {
        struct str record = {have > 0 ? (char *)p->iov->iov_base + p->used : NULL,
                             MIN(have, (size_t)RECORD_BYTES)};
        p->used += record.len;
        return record;
    }
    size_t n = 0;
    for (; p->n > 0 && n < RECORD_BYTES; p->iov++, p->n--, p->used = 0) {
        size_t take = MIN(p->iov->iov_len - p->used, RECORD_BYTES - n);
        if (take > 0)
            memcpy(scratch + n, (char *)p->iov->iov_base + p->used, take);
        n += take;
        p->used += take;
        if (p->used < p->iov->iov_len)
            break;
    }
    return str_from(scratch, n);
}

// Between filling it and sending what it holds nothing waits, so that one for each thread suffices.
static _Thread_local char
    scratch_of_thread[GATHER_RECORDS * (RECORD_BYTES + TLS_RECORDS_EXTRA_BYTES)];

static bool put_by_openssl(struct tls_conn *t, struct pieces *p, size_t n_bytes)
{
    bool is_good = true;
    tls_conn_clear_errors(); // what others did while this one waited
    if (n_bytes > RECORD_BYTES || t->wire.out)
        tls_wire_reserve(&t->wire, n_bytes + (n_bytes / RECORD_BYTES + 1) * RECORD_EXTRA_BYTES);
    for (size_t sealed = 0, put; is_good && sealed < n_bytes;) {
        struct str text = next_record(p, scratch_of_thread);
        sealed += text.len;
        t->wire.is_corked = sealed < n_bytes;
        int rc = t->info.is_early ? SSL_write_early_data(t->ssl, text.ptr, text.len, &put)
                                  : SSL_write_ex(t->ssl, text.ptr, text.len, &put);
        is_good = rc == 1 && put == text.len;
    }
    t->wire.is_corked = false;
    return is_good;
}

static bool put_by_records(struct tls_conn *t, struct pieces *p, size_t n_bytes)
{
    char *to = scratch_of_thread;
    for (size_t sealed = 0; sealed < n_bytes;) {
        struct str text = next_record(p, tls_records_place(t->records, to));
        sealed += text.len;
        to += tls_records_seal(t->records, text, to);
    }
    return tls_wire_write(&t->wire, scratch_of_thread, (size_t)(to - scratch_of_thread));
}

// Seals n_bytes, at most GATHER_MAX_BYTES of p, as full records and a last one, and sends them in
// one call. What the socket doesn't take is kept.
static bool put(struct tls_conn *t, struct pieces *p, size_t n_bytes)
{
    return t->records ? put_by_records(t, p, n_bytes) : put_by_openssl(t, p, n_bytes);
}

static enum io writev_waiting(struct stream *s, struct iovec *iov, int n_iov, int64_t each_ms,
                              struct deadline until)
{
    struct tls_conn *t = tls_conn_enter(s);
    if (t->is_broken)
        return tls_conn_fail(t, EPROTO);
    struct pieces p = {.iov = iov, .n = n_iov};
    for (size_t left = pieces_bytes(iov, n_iov); left > 0;) {
        size_t part = MIN(left, (size_t)GATHER_MAX_BYTES);
        if (!put(t, &p, part))
            return tls_conn_fail(t, EPROTO);
        left -= part;
        enum io io = tls_conn_flush(t, each_ms, until);
        if (io != IO_DONE)
            return io;
    }
    return IO_DONE;
}

static enum io try_writev(struct stream *s, const struct iovec *iov, int n_iov, size_t *ret_n)
{
    struct tls_conn *t = tls_conn_enter(s);
    if (t->is_broken)
        return tls_conn_fail(t, EPROTO);
    enum io io = tls_wire_flush(&t->wire);
    if (io != IO_DONE)
        return io;
    struct pieces p = {.iov = iov, .n = n_iov};
    size_t n = MIN(pieces_bytes(iov, n_iov), (size_t)RECORD_BYTES);
    ASSERT(n > 0);
    if (!put(t, &p, n))
        return tls_conn_fail(t, EPROTO);
    *ret_n = n; // what the socket didn't take of it goes with the next call
    return IO_DONE;
}

static enum io try_flush(struct stream *s)
{
    struct tls_conn *t = tls_conn_enter(s);
    return t->is_broken ? tls_conn_fail(t, EPROTO) : tls_conn_flush_some(t);
}

// --- the end ---

static void shut_write(struct stream *s)
{
    struct tls_conn *t = tls_conn_enter(s);
    if (t->info.is_early) { // close_notify can't be sent yet, and without it this were a cut
        t->early->ends_write = true;
        return;
    }
    tls_conn_send_end(t);
    t->ends_socket = true;
    tls_conn_flush_some(t);
}

static void free_conn(void *arg)
{
    struct tls_conn *t = arg;
    tls_conn_drop_early(t);
    SSL_free(t->ssl);
    tls_records_free(t->records);
    X509_free(t->peer_cert);
    tls_wire_fini(&t->wire);
    mem_free(t->protocol);
    mem_free(t->name);
    mem_free(t);
}

// Those who wait in the stream still look at it: it goes with the end of the turn.
static void leave(struct stream *s, struct tls_conn *t)
{
    s->ops = NULL;
    s->tls = NULL;
    tls_conn_clear_errors();
    loop_defer(free_conn, t);
}

static void close_stream(struct stream *s)
{
    struct tls_conn *t = tls_conn_enter(s);
    tls_conn_send_end(t);
    tls_conn_flush_some(t);
    sock_close(&s->sock);
    leave(s, t);
}

static void reset_stream(struct stream *s)
{
    struct tls_conn *t = tls_conn_enter(s);
    sock_reset(&s->sock);
    leave(s, t);
}

static const struct stream_ops ops = {
    .name = "tls",
    .read = read_waiting,
    .try_read = try_read,
    .writev = writev_waiting,
    .try_writev = try_writev,
    .try_flush = try_flush,
    .has_pending = has_pending,
    .shut_write = shut_write,
    .close = close_stream,
    .reset = reset_stream,
};

void tls_conn_start(struct stream *s, SSL *ssl, struct str early)
{
    ASSERT(stream_is_plain(s));
    struct tls_conn *t = MEM_NEW(struct tls_conn);
    t->ssl = ssl;
    t->wire.early = early;
    t->wire.reads_ahead = SSL_is_server(ssl); // what is read behind the handshake isn't OpenSSL's
    BIO *bio = tls_wire_bio(&t->wire);
    SSL_set_bio(ssl, bio, bio);
    s->tls = t;
    s->ops = &ops;
}

const struct tls_info *tls_conn_info(const struct stream *s)
{
    const struct tls_conn *t = s->ops == &ops ? s->tls : NULL;
    return t ? &t->info : NULL;
}

void tls_conn_set_server_name(struct stream *s, struct str name)
{
    ASSERT(s->ops == &ops);
    struct tls_conn *t = s->tls;
    mem_free(t->name);
    t->name = name.len > 0 ? mem_copy(name.ptr, name.len) : NULL;
    t->info.server_name = str_from(t->name, name.len);
}

void tls_conn_set_local_ca(struct stream *s, bool is_local_ca)
{
    ASSERT(s->ops == &ops);
    struct tls_conn *t = s->tls;
    t->info.is_local_ca = is_local_ca;
}

SSL *tls_conn_ssl(const struct stream *s)
{
    const struct tls_conn *t = s->ops == &ops ? s->tls : NULL;
    return t ? t->ssl : NULL;
}

const char *tls_conn_alert(const struct stream *s)
{
    const struct tls_conn *t = s->ops == &ops ? s->tls : NULL;
    return t ? t->alert : NULL;
}
