// SPDX-License-Identifier: Apache-2.0
#include "tls/conn.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"
#include "rt/clock.h"
#include "rt/loop.h"
#include "tls/bio.h"
#include "tls/policy.h"
#include "tls/records.h"
#include "tls/secrets.h"

#define RECORD_BYTES 16384    // of plain text, at most (RFC 8446 5.1)
#define RECORD_EXTRA_BYTES 64 // what sealing adds, at most for the ciphers that we allow
#define GATHER_RECORDS 4
#define GATHER_MAX_BYTES (GATHER_RECORDS * RECORD_BYTES)

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
static void clear_errors(void)
{
    if (ERR_peek_error() != 0)
        ERR_clear_error();
}

// Enters the connection: OpenSSL's error queue belongs to the thread, and must be empty so that
// what stands in it afterwards is of this call.
static struct tls_conn *enter(struct stream *s)
{
    struct tls_conn *t = s->tls;
    t->wire.sock = &s->sock;
    if (!t->records)
        clear_errors();
    return t;
}

// The connection is lost; sock.error tells the owner why.
static enum io fail(struct tls_conn *t, int error)
{
    t->is_broken = true;
    if (!t->wire.is_broken) // else the socket's own error stands there
        t->wire.sock->error = error;
    clear_errors();
    return IO_FAIL;
}

// Waits until everything that is kept has gone.
static enum io flush(struct tls_conn *t, int64_t each_ms, struct deadline until)
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

// One try; what is left goes with the next call.
static void flush_some(struct tls_conn *t)
{
    if (tls_wire_flush(&t->wire) == IO_DONE && t->ends_socket) {
        t->ends_socket = false;
        sock_shut_write(t->wire.sock);
    }
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
        flush_some(t);
    if (io != IO_FAIL)
        return io;
    if (alert != TLS_RECORD_ALERT_NONE)
        send_alert(t, (unsigned)alert);
    if (t->records->alert != TLS_RECORD_ALERT_NONE)
        t->alert = SSL_alert_desc_string_long(t->records->alert);
    return fail(t, t->wire.is_ended ? ECONNRESET : EPROTO);
}

static void send_end(struct tls_conn *t)
{
    if (!t->is_open || t->is_broken || t->has_sent_end)
        return;
    t->has_sent_end = true;
    if (t->records)
        send_alert(t, SSL_AD_CLOSE_NOTIFY);
    else if (SSL_shutdown(t->ssl) < 0)
        t->is_broken = true;
}

// OpenSSL has read nothing.
static enum io read_nothing(struct tls_conn *t)
{
    switch (SSL_get_error(t->ssl, 0)) {
    case SSL_ERROR_WANT_READ:
        flush_some(t);
        return IO_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return IO_EOF;
    default:
        t->alert = alert_text();
        // An end without close_notify is a cut, and not an end (RFC 8446 6.1).
        return fail(t, t->wire.is_ended ? ECONNRESET : EPROTO);
    }
}

static void drop_early(struct tls_conn *t)
{
    if (!t->early)
        return;
    tls_tickets_unref(t->early->tickets);
    mem_free(t->early);
    t->early = NULL;
}

// The client's Finished is here: it is no replay.
static void confirm(struct tls_conn *t)
{
    t->info.is_early = false;
    t->is_open = true;
    tls_tickets_set(t->ssl, NULL);
    if (t->early->ends_write) {
        send_end(t);
        t->ends_socket = true;
    }
}

// Goes on with a handshake that has ended early. IO_DONE: more was read into t->early, or it is
// over (info.is_early).
static enum io go_on(struct tls_conn *t)
{
    struct tls_early *e = t->early;
    size_t n = 0;
    if (!e->is_read) {
        switch (SSL_read_early_data(t->ssl, e->bytes + e->len, sizeof e->bytes - e->len, &n)) {
        case SSL_READ_EARLY_DATA_SUCCESS:
            e->len += n;
            return IO_DONE;
        case SSL_READ_EARLY_DATA_FINISH:
            e->is_read = true;
            break;
        default:
            return read_nothing(t);
        }
    }
    t->wire.is_corked = true; // the ticket's records go together
    bool is_over = SSL_do_handshake(t->ssl) == 1;
    if (is_over)
        confirm(t);
    t->wire.is_corked = false;
    flush_some(t);
    return is_over ? IO_DONE : read_nothing(t);
}

// IO_DONE with *ret_n 0: there is nothing early any more, reading goes on as ever.
static enum io read_early(struct tls_conn *t, void *buf, size_t n, size_t *ret_n)
{
    struct tls_early *e = t->early;
    size_t taken = 0;
    enum io io = IO_DONE;
    while (io == IO_DONE && e->pos == e->len && t->info.is_early)
        io = go_on(t);
    if (io == IO_DONE && e->pos < e->len) {
        taken = MIN(n, e->len - e->pos);
        memcpy(buf, e->bytes + e->pos, taken);
        e->pos += taken;
    }
    if (!t->info.is_early && e->pos == e->len)
        drop_early(t);
    *ret_n = taken;
    return io;
}

static enum io try_read(struct stream *s, void *buf, size_t n, size_t *ret_n)
{
    struct tls_conn *t = enter(s);
    size_t n_early = 0;
    if (t->is_broken)
        return fail(t, EPROTO);
    if (t->records)
        return try_read_records(t, buf, n, ret_n);
    if (UNLIKELY(t->early != NULL)) {
        enum io io = read_early(t, buf, n, &n_early);
        if (n_early > 0)
            *ret_n = n_early;
        if (io != IO_DONE || n_early > 0)
            return io;
    }
    if (SSL_read_ex(t->ssl, buf, n, ret_n) == 1)
        return IO_DONE;
    return read_nothing(t);
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
    clear_errors(); // what others did while this one waited
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
    struct tls_conn *t = enter(s);
    if (t->is_broken)
        return fail(t, EPROTO);
    struct pieces p = {.iov = iov, .n = n_iov};
    for (size_t left = pieces_bytes(iov, n_iov); left > 0;) {
        size_t part = MIN(left, (size_t)GATHER_MAX_BYTES);
        if (!put(t, &p, part))
            return fail(t, EPROTO);
        left -= part;
        enum io io = flush(t, each_ms, until);
        if (io != IO_DONE)
            return io;
    }
    return IO_DONE;
}

static enum io try_writev(struct stream *s, const struct iovec *iov, int n_iov, size_t *ret_n)
{
    struct tls_conn *t = enter(s);
    if (t->is_broken)
        return fail(t, EPROTO);
    enum io io = tls_wire_flush(&t->wire);
    if (io != IO_DONE)
        return io;
    struct pieces p = {.iov = iov, .n = n_iov};
    size_t n = MIN(pieces_bytes(iov, n_iov), (size_t)RECORD_BYTES);
    ASSERT(n > 0);
    if (!put(t, &p, n))
        return fail(t, EPROTO);
    *ret_n = n; // what the socket didn't take of it goes with the next call
    return IO_DONE;
}

// --- the end ---

static void shut_write(struct stream *s)
{
    struct tls_conn *t = enter(s);
    if (t->info.is_early) { // close_notify can't be sent yet, and without it this were a cut
        t->early->ends_write = true;
        return;
    }
    send_end(t);
    t->ends_socket = true;
    flush_some(t);
}

static void free_conn(void *arg)
{
    struct tls_conn *t = arg;
    drop_early(t);
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
    clear_errors();
    loop_defer(free_conn, t);
}

static void close_stream(struct stream *s)
{
    struct tls_conn *t = enter(s);
    send_end(t);
    flush_some(t);
    sock_close(&s->sock);
    leave(s, t);
}

static void reset_stream(struct stream *s)
{
    struct tls_conn *t = enter(s);
    sock_reset(&s->sock);
    leave(s, t);
}

static const struct stream_ops ops = {
    .name = "tls",
    .read = read_waiting,
    .try_read = try_read,
    .writev = writev_waiting,
    .try_writev = try_writev,
    .has_pending = has_pending,
    .shut_write = shut_write,
    .close = close_stream,
    .reset = reset_stream,
};

// --- the handshake ---

static enum tls_failure_kind kind_of(int reason)
{
    if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
        return TLS_FAILURE_ALERT;
    switch (reason) {
    case SSL_R_NO_SHARED_CIPHER:
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_VERSION_TOO_HIGH:
    case SSL_R_WRONG_SSL_VERSION:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
    case SSL_R_NO_SUITABLE_KEY_SHARE:
    case SSL_R_NO_SUITABLE_GROUPS:
    case SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM:
    case SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS:
    case SSL_R_NO_APPLICATION_PROTOCOL:
    case SSL_R_INAPPROPRIATE_FALLBACK:
        return TLS_FAILURE_NOTHING_SHARED;
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return TLS_FAILURE_PEER_CERTIFICATE;
    case ERR_R_INTERNAL_ERROR:
    case ERR_R_MALLOC_FAILURE:
        return TLS_FAILURE_INTERNAL;
    default:
        return TLS_FAILURE_PROTOCOL;
    }
}

static enum tls_failure_kind kind_of_sock(int error)
{
    return error == ETIMEDOUT   ? TLS_FAILURE_TIMEOUT
           : error == ECANCELED ? TLS_FAILURE_CANCELLED
                                : TLS_FAILURE_BROKEN;
}

static const char *failure_text(enum tls_failure_kind kind)
{
    static const char *const texts[] = {
#define X(id, text) text,
        TLS_FAILURE_LIST(X)
#undef X
    };
    return texts[kind];
}

void tls_failure_tell(struct tls_failure *ret, enum tls_failure_kind kind, const char *detail)
{
    ret->kind = kind;
    (void)snprintf(ret->text, sizeof ret->text, "%s%s%s", failure_text(kind), detail ? ": " : "",
                   detail ? detail : "");
}

// Looks at OpenSSL's error queue, and empties it.
static void explain(const struct tls_conn *t, struct tls_failure *ret)
{
    unsigned long first = ERR_peek_error();
    int reason = ERR_GET_REASON(first);
    const char *text = ERR_reason_error_string(first);
    long verdict = SSL_get_verify_result(t->ssl);
    if (t->wire.is_broken)
        tls_failure_tell(ret, kind_of_sock(t->wire.sock->error), strerror(t->wire.sock->error));
    else if (t->wire.is_ended)
        tls_failure_tell(ret, TLS_FAILURE_CLOSED, NULL);
    else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verdict != X509_V_OK)
        tls_failure_tell(ret, TLS_FAILURE_PEER_CERTIFICATE, X509_verify_cert_error_string(verdict));
    else
        tls_failure_tell(ret, first == 0 ? TLS_FAILURE_INTERNAL : kind_of(reason), text);
}

static void learn(struct tls_conn *t)
{
    const unsigned char *protocol;
    unsigned protocol_bytes;
    SSL_get0_alpn_selected(t->ssl, &protocol, &protocol_bytes);
    t->info.ssl = t->ssl;
    t->info.version = (uint16_t)SSL_version(t->ssl);
    t->info.version_text = SSL_get_version(t->ssl);
    t->info.cipher = SSL_CIPHER_get_name(SSL_get_current_cipher(t->ssl));
    t->info.protocol = str_from((const char *)protocol, protocol_bytes);
    t->info.is_resumed = SSL_session_reused(t->ssl) == 1;
    bool is_verified = SSL_get_verify_mode(t->ssl) != SSL_VERIFY_NONE &&
                       SSL_get_verify_result(t->ssl) == X509_V_OK;
    t->peer_cert = is_verified ? SSL_get1_peer_certificate(t->ssl) : NULL;
    t->info.peer_cert = t->peer_cert;
    t->info.has_peer_cert = t->info.peer_cert != NULL;
}

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

void tls_conn_take_early_data(struct stream *s, struct tls_tickets *tickets)
{
    struct tls_conn *t = s->tls;
    ASSERT(s->ops == &ops && !t->early);
    struct tls_early *e = mem_alloc_raw(sizeof *e); // its bytes needn't be zeroed
    e->tickets = tls_tickets_ref(tickets);
    e->is_read = e->ends_write = false;
    e->pos = e->len = 0;
    t->early = e;
}

// OpenSSL's result: 1 when the handshake is over, or has ended early.
static int shake_once(struct tls_conn *t)
{
    struct tls_early *e = t->early;
    if (!e)
        return SSL_do_handshake(t->ssl);
    switch (SSL_read_early_data(t->ssl, e->bytes, sizeof e->bytes, &e->len)) {
    case SSL_READ_EARLY_DATA_SUCCESS:
        t->info.is_early = true;
        return 1;
    case SSL_READ_EARLY_DATA_FINISH: // there is none, or it isn't taken
        drop_early(t);
        return SSL_do_handshake(t->ssl);
    default:
        return 0;
    }
}

static enum io shake(struct stream *s, struct deadline until, struct tls_failure *reterr)
{
    for (;;) {
        struct tls_conn *t = enter(s);
        t->wire.is_corked = true; // a flight goes at once
        int rc = shake_once(t);
        t->wire.is_corked = false;
        if (rc == 1)
            return IO_DONE;
        if (SSL_get_error(t->ssl, rc) != SSL_ERROR_WANT_READ) {
            explain(t, reterr);
            flush_some(t); // the alert
            return fail(t, EPROTO);
        }
        enum io io = flush(t, INT64_MAX, until);
        if (io == IO_DONE)
            io = sock_wait_readable(&s->sock, until);
        if (io != IO_DONE) {
            tls_failure_tell(reterr, kind_of_sock(s->sock.error), NULL);
            return io;
        }
    }
}

enum io tls_conn_handshake(struct stream *s, struct deadline until, struct tls_failure *reterr)
{
    enum io io = shake(s, until, reterr);
    if (io != IO_DONE)
        return io;
    struct tls_conn *t = enter(s);
    t->is_open = !t->info.is_early;
    learn(t);
    tls_wire_keep_early(&t->wire);
    // Where the peer's next message is here already, ours goes with the answer to it; but not where
    // the client can end its handshake with ours meanwhile.
    if (t->info.is_early || !stream_is_readable(s))
        flush_some(t);
    return IO_DONE;
}

static bool leaves_records; // to OpenSSL

void tls_conn_set_take_over(bool is_on)
{
    leaves_records = !is_on;
}

void tls_conn_take_over(struct stream *s, const struct tls_secrets *secrets)
{
    struct tls_conn *t = enter(s);
    size_t n = secrets->n_of_client;
    t->wire.reads_ahead = false;
    if (!leaves_records && !t->early && t->info.version == TLS1_3_VERSION && n > 0 &&
        n == secrets->n_of_server && !SSL_has_pending(t->ssl))
        t->records = tls_records_new(SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(t->ssl)),
                                     secrets->of_client, secrets->of_server, n, secrets->n_sent);
    if (!t->records) {
        SSL_set_read_ahead(t->ssl, 1); // a record costs one read, not two
        return;
    }
    if (t->peer_cert) // its chain is asked for
        return;
    struct str protocol = t->info.protocol;
    t->protocol = protocol.len > 0 ? mem_copy(protocol.ptr, protocol.len) : NULL;
    t->info.protocol = str_from(t->protocol, protocol.len);
    SSL_free(t->ssl);
    t->info.ssl = t->ssl = NULL;
}

enum io tls_conn_confirm(struct stream *s, struct deadline until)
{
    for (;;) {
        struct tls_conn *t = enter(s);
        enum io io = IO_DONE;
        while (io == IO_DONE && t->info.is_early)
            io = t->is_broken ? fail(t, EPROTO) : go_on(t);
        if (io != IO_AGAIN)
            return io;
        io = sock_wait_readable(&s->sock, until);
        if (io != IO_DONE)
            return io;
    }
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
