// SPDX-License-Identifier: Apache-2.0
#include "server_rig.h"

#define NAME "a.example"

static struct rig_cert ca, ecdsa, rsa;

// Both kinds for one name.
static struct tls_store *both(void)
{
    struct str name = STR(NAME);
    struct tls_bundle_item items[] = {rig_item(&ecdsa, "e", &name), rig_item(&rsa, "r", &name)};
    return rig_store(items, 2);
}

static void echo(struct rig *r)
{
    char buf[20000];
    size_t n;
    enum io io;
    while ((io = stream_read(&r->stream, buf, sizeof buf, deadline_in(SOON_MS), &n)) == IO_DONE) {
        struct iovec iov[] = {{buf, n / 2}, {buf + n / 2, n - n / 2}};
        CHECK_INT(stream_writev(&r->stream, iov, 2, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
        fiber_give_way((uint32_t)n);
    }
    CHECK_INT(io, IO_EOF);
}

// Says "ping", hears it again, closes in order.
static void ping(struct rig *r)
{
    struct rig_client *c = r->arg;
    char buf[16];
    size_t n = 0;
    SSL *ssl = rig_connect(r, c);
    if (!ssl)
        return;
    CHECK_INT(SSL_write(ssl, "ping", 4), 4);
    for (size_t at = 0; at < 4; at += n)
        CHECK(SSL_read_ex(ssl, buf + at, sizeof buf - at, &n) == 1);
    CHECK(memcmp(buf, "ping", 4) == 0);
    CHECK_INT(SSL_shutdown(ssl), 0);
    CHECK_INT(SSL_shutdown(ssl), 1); // the server's close_notify came
    SSL_free(ssl);
}

static struct rig rig_for(const char *policy, struct rig_client *c)
{
    return (struct rig){
        .policy = rig_policy(policy, STR_NONE),
        .store = both(),
        .name = NAME,
        .server = echo,
        .client = ping,
        .arg = c,
    };
}

static void rig_done(struct rig *r)
{
    tls_policy_free(r->policy);
    tls_store_unref(r->store);
    tls_tickets_unref(r->tickets);
}

static void handshakes_of_every_kind_succeed(void)
{
    static const struct {
        struct rig_client client;
        const char *policy, *version, *cipher;
        int key_type;
    } cases[] = {
        {{.max = 0}, "{}", "TLSv1.3", "TLS_AES_256_GCM_SHA384", EVP_PKEY_EC},
        {{.max = TLS1_2_VERSION}, "{}", "TLSv1.2", NULL, EVP_PKEY_EC},
        {{.max = TLS1_2_VERSION, .ciphers = "ECDHE-RSA-AES128-GCM-SHA256"},
         "{}",
         "TLSv1.2",
         "ECDHE-RSA-AES128-GCM-SHA256",
         EVP_PKEY_RSA},
        {{.max = TLS1_2_VERSION, .ciphers = "ECDHE-ECDSA-CHACHA20-POLY1305"},
         "{}",
         "TLSv1.2",
         "ECDHE-ECDSA-CHACHA20-POLY1305",
         EVP_PKEY_EC},
        {{.sigalgs = "RSA-PSS+SHA256"}, "{}", "TLSv1.3", NULL, EVP_PKEY_RSA},
        {{.groups = "P-384"}, "{}", "TLSv1.3", NULL, EVP_PKEY_EC}, // a HelloRetryRequest at least
        {{.groups = "P-521:P-256"}, "{}", "TLSv1.3", NULL, EVP_PKEY_EC},
        {{.max = 0}, "{preset: modern}", "TLSv1.3", NULL, EVP_PKEY_EC},
        {{.max = 0}, "{max: \"1.2\"}", "TLSv1.2", NULL, EVP_PKEY_EC},
        {{.max = 0},
         "{suites: TLS_CHACHA20_POLY1305_SHA256}",
         "TLSv1.3",
         "TLS_CHACHA20_POLY1305_SHA256",
         EVP_PKEY_EC},
        {{.max = 0}, "{groups: [P-384]}", "TLSv1.3", NULL, EVP_PKEY_EC},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig_client c = cases[i].client;
        struct rig r = rig_for(cases[i].policy, &c);
        rig_run(&r);
        CHECK_INT(r.err, ERR_OK);
        if (r.err != ERR_OK)
            printf("# case %zu: %s\n", i, r.failure.text);
        else
            CHECK_STR(str_of(r.info.version_text), str_of(cases[i].version));
        if (cases[i].cipher)
            CHECK_STR(str_of(r.cipher), str_of(cases[i].cipher));
        CHECK_INT(c.key_type, cases[i].key_type);
        CHECK(!r.info.is_resumed && !r.info.has_peer_cert);
        SSL_SESSION_free(c.session);
        rig_done(&r);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(handshakes_of_every_kind_succeed),
    };
    tls_init();
    rig_cert_begin(&ca, TLS_CERT_ROOT, TLS_KEY_P256, "Test root", NULL);
    rig_cert_begin(&ecdsa, TLS_CERT_LEAF, TLS_KEY_P256, NAME, &ca);
    rig_cert_begin(&rsa, TLS_CERT_LEAF, TLS_KEY_RSA_2048, NAME, &ca);
    int rc = test_main(argc, argv, cases, ARRAY_LEN(cases));
    rig_cert_end(&ca);
    rig_cert_end(&ecdsa);
    rig_cert_end(&rsa);
    return rc;
}
