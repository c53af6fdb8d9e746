// SPDX-License-Identifier: Apache-2.0
#include "tls/x509.h"

#include "tls/pem.h"
#include "unit/tls/made.h"

#define MEM_BYTES ((size_t)1 << 20)

static const struct str mixed_names[] = {
    STR_INIT("A.Example"),
    STR_INIT("*.b.example"),
    STR_INIT("192.0.2.7"),
    STR_INIT("2001:db8::1"),
};

static X509 *made_with_names(const struct str *names, size_t n)
{
    struct tls_cert_wish wish = {
        .names = names,
        .n_names = n,
        .common_name = STR("cn.example"),
        .not_before_s = 1700000000,
        .not_after_s = 1700086400,
    };
    EVP_PKEY *key = tls_key_new(TLS_KEY_P256);
    X509 *cert = tls_cert_make(&wish, key, NULL, NULL);
    CHECK(cert && tls_cert_has_key(cert, key));
    tls_key_free(key);
    return cert;
}

static void a_certificate_says_what_it_was_made_for(void)
{
    struct arena mem;
    struct tls_cert_info info;
    X509 *cert = made_with_names(mixed_names, ARRAY_LEN(mixed_names));
    arena_init(&mem, MEM_BYTES, NULL, 0);
    CHECK(tls_cert_info(cert, &mem, &info));
    CHECK_STR(info.subject, STR("CN=cn.example"));
    CHECK_STR(info.issuer_name, STR("cn.example"));
    CHECK_INT(info.n_names, 4);
    CHECK_STR(info.names[0], STR("a.example"));
    CHECK_STR(info.names[1], STR("*.b.example"));
    CHECK_STR(info.names[2], STR("192.0.2.7"));
    CHECK_STR(info.names[3], STR("2001:db8::1"));
    CHECK_INT(info.not_before_s, 1700000000);
    CHECK_INT(info.not_after_s, 1700086400);
    CHECK_INT(info.serial.len, 16);
    CHECK_INT(info.key, TLS_KEY_P256);
    CHECK(info.is_self_signed && !info.is_ca);
    arena_fini(&mem);
    tls_cert_free(cert);
}

static void names_are_covered_as_rfc_6125_says(void)
{
    static const struct {
        const char *name;
        bool is_covered;
    } cases[] = {
        {"a.example", true},
        {"b.a.example", false},
        {"x.b.example", true},
        {"b.example", false},
        {"x.y.b.example", false},
        {".b.example", false},
        {"192.0.2.7", true},
        {"192.0.2.8", false},
        {"2001:db8::1", true},
        {"cn.example", false},
        {"", false},
        {"*.b.example", true},
    };
    struct arena mem;
    struct tls_cert_info info;
    X509 *cert = made_with_names(mixed_names, ARRAY_LEN(mixed_names));
    arena_init(&mem, MEM_BYTES, NULL, 0);
    CHECK(tls_cert_info(cert, &mem, &info));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK(tls_cert_covers(&info, str_of(cases[i].name)) == cases[i].is_covered);
    arena_fini(&mem);
    tls_cert_free(cert);
}

static void names_that_are_none_are_left_out(void)
{
    const struct str bad[] = {STR("a b"), STR("a\nb.example"), STR("good.example"), STR("a.*"),
                              STR_INIT("nul\0.example")};
    struct arena mem;
    struct tls_cert_info info;
    X509 *cert = made_with_names(bad, ARRAY_LEN(bad));
    arena_init(&mem, MEM_BYTES, NULL, 0);
    CHECK(tls_cert_info(cert, &mem, &info));
    CHECK_INT(info.n_names, 1);
    CHECK_STR(info.names[0], STR("good.example"));
    arena_fini(&mem);
    tls_cert_free(cert);
}

// The example of RFC 9773 4.1.
static void the_ari_id_is_that_of_the_rfc(void)
{
    struct arena mem;
    struct tls_cert_info info = {
        .authority_key_id = STR("\x69\x88\x5b\x6b\x87\x46\x40\x41\xe1\xb3\x7b\x84\x7b\xa0\xae\x2c"
                                "\xde\x01\xc8\xd4"),
        .serial = STR("\x00\x87\x65\x43\x21"),
    };
    arena_init(&mem, 4096, NULL, 0);
    CHECK_STR(tls_cert_ari_id(&info, &mem), STR("aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"));
    info.authority_key_id = STR_NONE;
    CHECK_INT(tls_cert_ari_id(&info, &mem).len, 0);
    arena_fini(&mem);
}

static void a_leaf_names_its_authority(void)
{
    struct made_ca ca;
    struct made_leaf leaf;
    struct arena mem;
    struct tls_cert_info info, mid;
    arena_init(&mem, MEM_BYTES, NULL, 0);
    made_ca_begin(&ca);
    made_leaf_begin(&leaf, &ca, TLS_KEY_RSA_2048, STR("a.example"), 90);
    CHECK(tls_cert_info(leaf.cert, &mem, &info) && tls_cert_info(ca.mid, &mem, &mid));
    CHECK_STR(info.issuer_name, STR("Test intermediate"));
    CHECK_STR(info.issuer, mid.subject);
    CHECK_INT(info.authority_key_id.len, 20);
    CHECK(tls_cert_ari_id(&info, &mem).len > 27);
    CHECK(mid.is_ca && !mid.is_self_signed && !info.is_ca && !info.is_self_signed);
    CHECK_INT(info.key, TLS_KEY_RSA_2048);
    CHECK(memcmp(info.spki_sha256, mid.spki_sha256, TLS_SHA256_BYTES) != 0);
    made_leaf_end(&leaf);
    made_ca_end(&ca);
    arena_fini(&mem);
}

static void a_request_is_made_for_names_and_addresses(void)
{
    static const enum tls_key_kind kinds[] = {TLS_KEY_P256, TLS_KEY_P384, TLS_KEY_RSA_2048};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct arena mem;
        struct str der;
        EVP_PKEY *key = tls_key_new(kinds[i]);
        arena_init(&mem, MEM_BYTES, NULL, 0);
        CHECK(tls_csr_make(key, mixed_names, ARRAY_LEN(mixed_names), &mem, &der));
        CHECK(str_search(der, STR("*.b.example")) != STR_NPOS);
        CHECK(str_search(der, STR("\x87\x04\xc0\x00\x02\x07")) != STR_NPOS); // [7], 192.0.2.7
        CHECK(!tls_csr_make(key, mixed_names, 0, &mem, &der));
        CHECK(!tls_csr_make(key, &STR_NONE, 1, &mem, &der));
        arena_fini(&mem);
        tls_key_free(key);
    }
}

// RFC 8737 3: one name, self-signed, the digest in a critical extension.
static void a_challenge_certificate_holds_the_digest(void)
{
    uint8_t digest[TLS_SHA256_BYTES];
    struct text chain = {0}, key_pem = {0};
    struct arena mem;
    struct tls_cert_info info;
    const char *why = "";
    memset(digest, 0x5a, sizeof digest);
    arena_init(&mem, MEM_BYTES, NULL, 0);
    CHECK(tls_challenge_make(STR("a.example"), digest, MADE_NOW_S, &chain, &key_pem));
    X509 *cert = tls_cert_read(text_str(&chain), &why);
    EVP_PKEY *key = tls_key_read(text_str(&key_pem), &why);
    CHECK(cert && key && tls_cert_has_key(cert, key) && tls_cert_info(cert, &mem, &info));
    CHECK(info.is_self_signed && info.n_names == 1);
    CHECK_STR(info.names[0], STR("a.example"));
    // id-pe-acmeIdentifier, TRUE, an OCTET STRING of an OCTET STRING
    CHECK(str_search(tls_cert_der(cert, &mem),
                     STR("\x06\x08\x2b\x06\x01\x05\x05\x07\x01\x1f\x01\x01\xff\x04\x22\x04\x20"
                         "\x5a\x5a")) != STR_NPOS);
    tls_cert_free(cert);
    tls_key_free(key);
    text_fini(&chain);
    text_wipe(&key_pem);
    arena_fini(&mem);
}

static void what_is_no_certificate_says_why(void)
{
    static const struct {
        const char *pem, *why;
    } cases[] = {
        {"", "it holds no certificate"},
        {"-----BEGIN CERTIFICATE-----\nAQID\n-----END CERTIFICATE-----\n",
         "a certificate in it is damaged"},
        {"-----BEGIN CERTIFICATE-----\nAQID\n", "a PEM block has no end"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *why = "";
        X509 *certs[TLS_CHAIN_MAX];
        size_t n = 0;
        CHECK(tls_cert_read(str_of(cases[i].pem), &why) == NULL);
        CHECK_STR(str_of(why), str_of(cases[i].why));
        CHECK(!tls_certs_read(str_of(cases[i].pem), certs, &n, &why));
        CHECK_STR(str_of(why), str_of(cases[i].why));
    }
}

TEST_MAIN(TEST(a_certificate_says_what_it_was_made_for), TEST(names_are_covered_as_rfc_6125_says),
          TEST(names_that_are_none_are_left_out), TEST(the_ari_id_is_that_of_the_rfc),
          TEST(a_leaf_names_its_authority), TEST(a_request_is_made_for_names_and_addresses),
          TEST(a_challenge_certificate_holds_the_digest), TEST(what_is_no_certificate_says_why))
