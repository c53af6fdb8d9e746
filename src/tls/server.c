// SPDX-License-Identifier: Apache-2.0
#include "tls/server.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <pthread.h>

#include "base/assert.h"
#include "base/mem.h"
#include "rt/clock.h"

static EVP_MD *sha256; // fetched once

static void init_library(void)
{
    // What stands in the system's openssl.cnf would change what settings say.
    if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_SSL_STRINGS, NULL) != 1)
        panic("OpenSSL can't start");
    sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!sha256)
        panic("OpenSSL has no SHA-256");
    tls_record_init();
}

void tls_init(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, init_library);
}

// RFC 9113 9.2.2: not the suites of TLS 1.2 without AEAD or forward secrecy, which settings may
// allow.
static bool is_fit_for_http2(const SSL *ssl)
{
    const SSL_CIPHER *c = SSL_get_pending_cipher(ssl);
    int exchange = c ? SSL_CIPHER_get_kx_nid(c) : NID_undef;
    return c && SSL_CIPHER_is_aead(c) &&
           (exchange == NID_kx_ecdhe || exchange == NID_kx_dhe || exchange == NID_kx_any);
}

// What we would speak with this client, best first.
static struct str protocols_for(const SSL *ssl, struct str alpn)
{
    const struct str h2 = STR("\x02h2");
    bool has_h2 = str_starts(alpn, h2);
    return has_h2 && !is_fit_for_http2(ssl) ? str_skip(alpn, h2.len) : alpn;
}

// The server's order counts. A client that offers only what we don't speak is refused (RFC 7301
// 3.2).
static int choose_protocol(SSL *ssl, const unsigned char **ret, unsigned char *ret_bytes,
                           const unsigned char *offered, unsigned offered_bytes, void *arg)
{
    (void)arg;
    const struct tls_accept_options *o = SSL_get_app_data(ssl);
    if (!o || o->alpn.len == 0)
        return SSL_TLSEXT_ERR_NOACK;
    unsigned char *chosen;
    struct str alpn = protocols_for(ssl, o->alpn);
    int rc = SSL_select_next_proto(&chosen, ret_bytes, (const unsigned char *)alpn.ptr,
                                   (unsigned)alpn.len, offered, offered_bytes);
    if (rc != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *ret = chosen;
    return SSL_TLSEXT_ERR_OK;
}

// Asked last, when all else speaks for it: the session, its age, the name, the protocol.
static int allow_early_data(SSL *ssl, void *arg)
{
    (void)arg;
    const struct tls_accept_options *o = SSL_get_app_data(ssl);
    uint8_t random[SSL3_RANDOM_SIZE];
    return o && o->replay && SSL_get_client_random(ssl, random, sizeof random) == sizeof random &&
           tls_replay_is_new(o->replay, random, clock_now_ms());
}

void tls_server_prepare(SSL_CTX *ctx)
{
    SSL_CTX_set_allow_early_data_cb(ctx, allow_early_data, NULL);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    tls_tickets_use(ctx);
    tls_secrets_prepare(ctx);
}

static void add_chain(EVP_MD_CTX *hash, const struct tls_chain *c)
{
    if (c)
        EVP_DigestUpdate(hash, c->id.ptr, c->id.len);
    EVP_DigestUpdate(hash, "", 1);
}

// A session is resumed only where it began: under the same policy, client certificates above all,
// with the same certificates, and for the same name.
static bool bind_sessions(SSL *ssl, const struct tls_accept_options *o)
{
    unsigned char id[SSL_MAX_SID_CTX_LENGTH];
    unsigned n = 0;
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    bool is_good = hash && EVP_DigestInit_ex2(hash, sha256, NULL) == 1;
    if (is_good) {
        EVP_DigestUpdate(hash, tls_policy_id(o->policy), TLS_POLICY_ID_BYTES);
        add_chain(hash, o->entry->ecdsa);
        add_chain(hash, o->entry->rsa);
        EVP_DigestUpdate(hash, o->server_name.len > 0 ? o->server_name.ptr : "",
                         o->server_name.len);
        is_good = EVP_DigestFinal_ex(hash, id, &n) == 1;
    }
    EVP_MD_CTX_free(hash);
    return is_good && SSL_set_session_id_context(ssl, id, n) == 1;
}

static bool use_chain(SSL *ssl, const struct tls_chain *c)
{
    return !c || SSL_use_cert_and_key(ssl, c->leaf, c->key, c->rest, 1) == 1;
}

// NULL: OpenSSL refuses a certificate under this policy.
static SSL *new_ssl(const struct tls_accept_options *o)
{
    SSL *ssl = SSL_new(tls_policy_ctx(o->policy));
    if (!ssl)
        panic("OpenSSL has no memory");
    if (!use_chain(ssl, o->entry->ecdsa) || !use_chain(ssl, o->entry->rsa) ||
        !bind_sessions(ssl, o)) {
        SSL_free(ssl);
        return NULL;
    }
    SSL_set_accept_state(ssl);
    SSL_set_app_data(ssl, (void *)(uintptr_t)o);
    tls_tickets_set(ssl, o->tickets);
    if (!o->tickets) {
        SSL_set_options(ssl, SSL_OP_NO_TICKET);
        SSL_set_num_tickets(ssl, 0);
    }
    return ssl;
}

static enum err err_of(enum tls_failure_kind kind)
{
    switch (kind) {
    case TLS_FAILURE_NONE:
        return ERR_OK;
    case TLS_FAILURE_TIMEOUT:
        return ERR_TIMEOUT;
    case TLS_FAILURE_CANCELLED:
        return ERR_CANCELLED;
    case TLS_FAILURE_CLOSED:
    case TLS_FAILURE_BROKEN:
        return ERR_CLOSED;
    case TLS_FAILURE_INTERNAL:
        return ERR_SYSTEM;
    case TLS_FAILURE_ALERT:
    case TLS_FAILURE_NOTHING_SHARED:
    case TLS_FAILURE_PEER_CERTIFICATE:
    case TLS_FAILURE_PROTOCOL:
        break;
    }
    return ERR_PROTOCOL;
}

// The handshake, and what comes of it.
static enum err shake(struct stream *s, SSL *ssl, const struct tls_accept_options *o,
                      struct tls_failure *reterr)
{
    struct tls_secrets secrets = {.n_sent = 0};
    tls_conn_start(s, ssl, o->early);
    if (o->replay && tls_policy_takes_early_data(o->policy))
        tls_conn_take_early_data(s, o->tickets);
    tls_secrets_collect(ssl, &secrets);
    enum io io = tls_conn_handshake(s, o->until, reterr);
    // OpenSSL asks for none of these after the handshake. Who was closed meanwhile has none.
    if (tls_conn_ssl(s)) {
        SSL_set_app_data(ssl, NULL);
        if (!tls_conn_info(s)->is_early) // else its ticket is still to come
            tls_tickets_set(ssl, NULL);
        tls_secrets_collect(ssl, NULL);
    }
    if (io == IO_DONE)
        tls_conn_take_over(s, &secrets);
    mem_wipe(&secrets, sizeof secrets);
    return io == IO_DONE ? ERR_OK : err_of(reterr->kind);
}

enum err tls_accept(struct stream *s, const struct tls_accept_options *o,
                    struct tls_failure *reterr)
{
    ERR_clear_error();
    SSL *ssl = new_ssl(o);
    if (!ssl) {
        tls_failure_tell(reterr, TLS_FAILURE_INTERNAL, ERR_reason_error_string(ERR_peek_error()));
        ERR_clear_error();
        return ERR_SYSTEM;
    }
    enum err err = shake(s, ssl, o, reterr);
    if (err != ERR_OK)
        return err;
    tls_conn_set_server_name(s, o->server_name);
    // Of both kinds, or of none (tls/store.c).
    tls_conn_set_local_ca(s, (o->entry->ecdsa ? o->entry->ecdsa : o->entry->rsa)->is_local_ca);
    return ERR_OK;
}

void tls_alert_write(enum tls_alert alert, char to[static TLS_ALERT_BYTES])
{
    // A record of type alert, fatal.
    const char bytes[TLS_ALERT_BYTES] = {21, 3, 3, 0, 2, 2, (char)alert};
    memcpy(to, bytes, sizeof bytes);
}
