// SPDX-License-Identifier: Apache-2.0
// The handshake: its end, and why it fails.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tls/conn_priv.h"

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
        tls_conn_drop_early(t);
        return SSL_do_handshake(t->ssl);
    default:
        return 0;
    }
}

static enum io shake(struct stream *s, struct deadline until, struct tls_failure *reterr)
{
    for (;;) {
        struct tls_conn *t = tls_conn_enter(s);
        t->wire.is_corked = true; // a flight goes at once
        int rc = shake_once(t);
        t->wire.is_corked = false;
        if (rc == 1)
            return IO_DONE;
        if (SSL_get_error(t->ssl, rc) != SSL_ERROR_WANT_READ) {
            explain(t, reterr);
            tls_conn_flush_some(t); // the alert
            return tls_conn_fail(t, EPROTO);
        }
        enum io io = tls_conn_flush(t, INT64_MAX, until);
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
    struct tls_conn *t = tls_conn_enter(s);
    t->is_open = !t->info.is_early;
    learn(t);
    tls_wire_keep_early(&t->wire);
    // Where the peer's next message is here already, ours goes with the answer to it; but not where
    // the client can end its handshake with ours meanwhile.
    if (t->info.is_early || !stream_is_readable(s))
        tls_conn_flush_some(t);
    return IO_DONE;
}

static bool leaves_records; // to OpenSSL

void tls_conn_set_take_over(bool is_on)
{
    leaves_records = !is_on;
}

void tls_conn_take_over(struct stream *s, const struct tls_secrets *secrets)
{
    struct tls_conn *t = tls_conn_enter(s);
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
