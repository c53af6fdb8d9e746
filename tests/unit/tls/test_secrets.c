// SPDX-License-Identifier: Apache-2.0
#include "tls/secrets.h"

#include "server_rig.h"

#define NAME "a.example"

static struct rig_cert cert;
static char client_log[2000]; // what OpenSSL's client says of the same handshake

static void on_client_line(const SSL *ssl, const char *line)
{
    (void)ssl;
    size_t n = strlen(client_log);
    snprintf(client_log + n, sizeof client_log - n, "%s\n", line);
}

// The secret of a line "<label> <random> <hex>" of the client's; empty: none.
static struct str secret_of(const char *label)
{
    const char *at = strstr(client_log, label);
    return at ? str_from(at + strlen(label) + 66, strcspn(at + strlen(label) + 66, "\n"))
              : STR_NONE;
}

static void check_secret(const char *label, const uint8_t *bytes, size_t n)
{
    char hex[2 * TLS_SECRET_MAX_BYTES + 1] = "";
    for (size_t i = 0; i < n; i++)
        snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    CHECK(n > 0);
    CHECK_STR(str_of(hex), secret_of(label));
}

static SSL *new_side(SSL_CTX *ctx, BIO *in, BIO *out)
{
    SSL *ssl = SSL_new(ctx);
    BIO_up_ref(in);
    BIO_up_ref(out);
    SSL_set_bio(ssl, in, out);
    return ssl;
}

// One handshake in memory.
static void shake(int version, const char *suite, unsigned n_tickets, struct tls_secrets *secrets)
{
    SSL_CTX *to = SSL_CTX_new(TLS_server_method()), *from = SSL_CTX_new(TLS_client_method());
    BIO *a = BIO_new(BIO_s_mem()), *b = BIO_new(BIO_s_mem());
    client_log[0] = '\0';
    tls_secrets_prepare(to);
    SSL_CTX_set_num_tickets(to, n_tickets);
    SSL_CTX_use_cert_and_key(to, cert.cert, cert.key, NULL, 1);
    SSL_CTX_set_keylog_callback(from, on_client_line);
    SSL_CTX_set_max_proto_version(from, version);
    if (suite)
        SSL_CTX_set_ciphersuites(from, suite);
    SSL *server = new_side(to, a, b), *client = new_side(from, b, a);
    tls_secrets_collect(server, secrets);
    SSL_set_accept_state(server);
    SSL_set_connect_state(client);
    for (unsigned i = 0; i < 3; i++) {
        SSL_do_handshake(client);
        SSL_do_handshake(server);
    }
    CHECK(SSL_is_init_finished(server));
    tls_secrets_collect(server, NULL);
    SSL_free(server);
    SSL_free(client);
    BIO_free(a);
    BIO_free(b);
    SSL_CTX_free(to);
    SSL_CTX_free(from);
    ERR_clear_error();
}

static void secrets_are_those_that_the_client_has(void)
{
    static const struct {
        const char *suite;
        size_t n;
    } cases[] = {{"TLS_AES_128_GCM_SHA256", 32},
                 {"TLS_AES_256_GCM_SHA384", 48},
                 {"TLS_CHACHA20_POLY1305_SHA256", 32}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_secrets s = {.n_sent = 0};
        shake(TLS1_3_VERSION, cases[i].suite, 1, &s);
        CHECK_INT(s.n_of_client, cases[i].n);
        CHECK_INT(s.n_of_server, cases[i].n);
        check_secret("CLIENT_TRAFFIC_SECRET_0", s.of_client, s.n_of_client);
        check_secret("SERVER_TRAFFIC_SECRET_0", s.of_server, s.n_of_server);
    }
}

static void what_was_sealed_already_is_counted(void)
{
    for (unsigned n = 0; n < 4; n++) {
        struct tls_secrets s = {.n_sent = 99};
        shake(TLS1_3_VERSION, NULL, n, &s);
        CHECK_INT(s.n_sent, n); // each ticket is a record
    }
}

static void older_versions_have_none(void)
{
    struct tls_secrets s = {.n_sent = 0};
    shake(TLS1_2_VERSION, NULL, 1, &s);
    CHECK_INT(s.n_of_client, 0);
    CHECK_INT(s.n_of_server, 0);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(secrets_are_those_that_the_client_has),
        TEST(what_was_sealed_already_is_counted),
        TEST(older_versions_have_none),
    };
    tls_init();
    rig_cert_begin(&cert, TLS_CERT_LEAF, TLS_KEY_P256, NAME, NULL);
    int rc = test_main(argc, argv, cases, ARRAY_LEN(cases));
    rig_cert_end(&cert);
    return rc;
}
