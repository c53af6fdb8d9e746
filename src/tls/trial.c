// SPDX-License-Identifier: Apache-2.0
#include "tls/trial.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/assert.h"
#include "base/mem.h"
#include "tls/key.h"
#include "tls/server.h"
#include "tls/x509.h"

#define FLIGHTS_MAX 4
#define NOT_AFTER_S INT64_C(4000000000) // nobody looks at it

struct trial {
    SSL_CTX *server_ctx, *client_ctx; // own
    SSL *server, *client;             // own; NULL: they can't be made
    BIO *to_server, *to_client;       // borrow: the sides have them
    struct tls_secrets secrets;
};

#define SAID STR("a record")

static bool use_certificate(struct trial *t)
{
    struct str name = STR("trial.example");
    const struct tls_cert_wish wish = {
        .role = TLS_CERT_LEAF, .names = &name, .n_names = 1, .not_after_s = NOT_AFTER_S};
    EVP_PKEY *key = tls_key_new(TLS_KEY_P256);
    X509 *cert = key ? tls_cert_make(&wish, key, NULL, NULL) : NULL;
    bool is_fine = cert && SSL_use_cert_and_key(t->server, cert, key, NULL, 1) == 1;
    tls_cert_free(cert);
    tls_key_free(key);
    return is_fine;
}

static SSL *new_side(SSL_CTX *ctx, BIO *in, BIO *out)
{
    SSL *ssl = SSL_new(ctx);
    if (!ssl || BIO_up_ref(in) != 1 || BIO_up_ref(out) != 1)
        panic("OpenSSL has no memory");
    SSL_set_bio(ssl, in, out);
    return ssl;
}

static void begin(struct trial *t)
{
    *t = (struct trial){.server_ctx = SSL_CTX_new(TLS_server_method()),
                        .client_ctx = SSL_CTX_new(TLS_client_method()),
                        .to_server = BIO_new(BIO_s_mem()),
                        .to_client = BIO_new(BIO_s_mem())};
    if (!t->server_ctx || !t->client_ctx || !t->to_server || !t->to_client)
        panic("OpenSSL has no memory");
    tls_secrets_prepare(t->server_ctx);
    SSL_CTX_set_session_cache_mode(t->server_ctx, SSL_SESS_CACHE_OFF);
    t->server = new_side(t->server_ctx, t->to_server, t->to_client);
    t->client = new_side(t->client_ctx, t->to_client, t->to_server);
    BIO_free(t->to_server);
    BIO_free(t->to_client);
    SSL_set_accept_state(t->server);
    SSL_set_connect_state(t->client);
}

static void end(struct trial *t)
{
    SSL_free(t->server);
    SSL_free(t->client);
    SSL_CTX_free(t->server_ctx);
    SSL_CTX_free(t->client_ctx);
    mem_wipe(&t->secrets, sizeof t->secrets);
    ERR_clear_error();
}

// With two tickets behind it, which are records already.
static bool shake(struct trial *t)
{
    tls_secrets_collect(t->server, &t->secrets);
    for (unsigned i = 0; i < FLIGHTS_MAX && !SSL_is_init_finished(t->server); i++) {
        SSL_do_handshake(t->client);
        SSL_do_handshake(t->server);
    }
    tls_secrets_collect(t->server, NULL);
    return SSL_is_init_finished(t->server) && SSL_version(t->server) == TLS1_3_VERSION;
}

// A record of ours opens there.
static bool can_send(struct trial *t, struct tls_record_key *key)
{
    char record[TLS_RECORD_EXTRA_BYTES + 64], got[64];
    size_t n = tls_record_seal(key, TLS_CONTENT_DATA, SAID, record), n_got = 0;
    return BIO_write(t->to_client, record, (int)n) == (int)n &&
           SSL_read_ex(t->client, got, sizeof got, &n_got) == 1 &&
           str_eq(str_from(got, n_got), SAID);
}

// And theirs opens here.
static bool can_read(struct trial *t, struct tls_record_key *key)
{
    char record[TLS_RECORD_EXTRA_BYTES + 64];
    struct str got;
    uint8_t content;
    size_t n = 0;
    return SSL_write_ex(t->client, SAID.ptr, SAID.len, &n) == 1 &&
           BIO_read_ex(t->to_server, record, sizeof record, &n) == 1 &&
           n >= TLS_RECORD_HEAD_BYTES && tls_record_bytes(record) == n &&
           tls_record_open(key, record, n, &content, &got) && content == TLS_CONTENT_DATA &&
           str_eq(got, SAID);
}

static bool exchange(struct trial *t)
{
    const struct tls_secrets *s = &t->secrets;
    struct tls_record_key in = {.cipher = NULL}, out = {.cipher = NULL};
    uint16_t suite = SSL_CIPHER_get_protocol_id(SSL_get_current_cipher(t->server));
    bool is_fine =
        tls_record_key_init(&in, suite, s->of_client, s->n_of_client, 0, false) &&
        tls_record_key_init(&out, suite, s->of_server, s->n_of_server, s->n_sent, true) &&
        can_send(t, &out) && can_read(t, &in);
    tls_record_key_fini(&in);
    tls_record_key_fini(&out);
    return is_fine;
}

bool tls_trial_is_passed(void (*spoil)(struct tls_secrets *told))
{
    struct trial t;
    tls_init();
    begin(&t);
    bool is_fine = use_certificate(&t) && shake(&t);
    if (is_fine && spoil)
        spoil(&t.secrets);
    is_fine = is_fine && exchange(&t);
    end(&t);
    return is_fine;
}
