// SPDX-License-Identifier: Apache-2.0
#include "tls/peer.h"

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "base/ascii.h"
#include "codec/base64.h"
#include "unit/tls/made.h"

struct names {
    int type; // GEN_DNS, …
    const char *value;
};

// A certificate that OpenSSL makes without looking at what stands in it.
struct odd {
    X509 *cert;
    EVP_PKEY *key;
};

static void add_alternatives(X509 *cert, const struct names *names, size_t n)
{
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    for (size_t i = 0; i < n; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_STRING *value =
            names[i].type == GEN_IPADD ? ASN1_OCTET_STRING_new() : ASN1_IA5STRING_new();
        size_t len = strlen(names[i].value);
        CHECK(ASN1_STRING_set(value, names[i].value, (int)len) == 1);
        GENERAL_NAME_set0_value(name, names[i].type, value);
        sk_GENERAL_NAME_push(all, name);
    }
    CHECK(X509_add1_ext_i2d(cert, NID_subject_alt_name, all, 0, 0) == 1);
    GENERAL_NAMES_free(all);
}

static void odd_begin(struct odd *o, const char *common_name, const struct names *names, size_t n)
{
    o->cert = X509_new();
    o->key = tls_key_new(TLS_KEY_P256);
    X509_NAME *subject = X509_get_subject_name(o->cert);
    CHECK(X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_UTF8, (const unsigned char *)"Ex, Inc",
                                     -1, -1, 0) == 1);
    CHECK(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                                     (const unsigned char *)common_name, -1, -1, 0) == 1);
    CHECK(X509_set_issuer_name(o->cert, subject) == 1);
    CHECK(ASN1_INTEGER_set_uint64(X509_get_serialNumber(o->cert), 0xab01) == 1);
    CHECK(ASN1_TIME_set(X509_getm_notBefore(o->cert), 1800000000) != NULL);
    CHECK(ASN1_TIME_set(X509_getm_notAfter(o->cert), 4102444799) != NULL);
    CHECK(X509_set_pubkey(o->cert, o->key) == 1);
    if (n > 0)
        add_alternatives(o->cert, names, n);
    CHECK(X509_sign(o->cert, o->key, EVP_sha256()) > 0);
}

static void odd_end(struct odd *o)
{
    X509_free(o->cert);
    tls_key_free(o->key);
}

static void check_text(X509 *cert, enum tls_peer_field field, const char *expected)
{
    struct tls_info info = {.peer_cert = cert};
    struct arena mem;
    struct str text;
    arena_init(&mem, 1 << 20, NULL, 0);
    CHECK(tls_peer_text(&info, field, &mem, &text));
    CHECK_STR(text, str_of(expected));
    arena_fini(&mem);
}

static void each_thing_has_its_form(void)
{
    struct odd o;
    odd_begin(&o, "Ann", NULL, 0);
    check_text(o.cert, TLS_PEER_SUBJECT, "CN=Ann,O=Ex\\, Inc");
    check_text(o.cert, TLS_PEER_ISSUER, "CN=Ann,O=Ex\\, Inc");
    check_text(o.cert, TLS_PEER_SERIAL, "AB01");
    check_text(o.cert, TLS_PEER_NOT_BEFORE, "2027-01-15T08:00:00Z");
    check_text(o.cert, TLS_PEER_NOT_AFTER, "2099-12-31T23:59:59Z");
    check_text(o.cert, TLS_PEER_NAMES, "");
    check_text(o.cert, TLS_PEER_VERIFY, "SUCCESS");
    odd_end(&o);
}

static void names_are_told_by_kind(void)
{
    static const struct names names[] = {
        {GEN_DNS, "a.example"},
        {GEN_EMAIL, "ann@a.example"},
        {GEN_URI, "spiffe://a.example/ns/x?y=1"},
        {GEN_IPADD, "\xc0\xa8\x01\x01"},
    };
    struct odd o;
    odd_begin(&o, "Ann", names, ARRAY_LEN(names));
    check_text(o.cert, TLS_PEER_NAMES,
               "DNS:a.example,email:ann@a.example,URI:spiffe://a.example/ns/x?y=1,IP:192.168.1.1");
    odd_end(&o);
}

static void no_name_becomes_another_or_a_line(void)
{
    static const struct names names[] = {
        {GEN_DNS, "a.example,DNS:admin.example"},
        {GEN_URI, "x:\r\nX-User: admin"},
        {GEN_EMAIL, "\xff\"%2c@a.example"},
    };
    struct odd o;
    odd_begin(&o, "a\r\nX-User: admin\xc3\xa9", names, ARRAY_LEN(names));
    check_text(o.cert, TLS_PEER_NAMES,
               "DNS:a.example%2CDNS:admin.example,URI:x:%0D%0AX-User:%20admin,"
               "email:%FF%22%252c@a.example");
    check_text(o.cert, TLS_PEER_SUBJECT, "CN=a\\0D\\0AX-User: admin\\C3\\A9,O=Ex\\, Inc");
    odd_end(&o);
}

static void all_texts_are_printable_and_whole(void)
{
    char long_name[60];
    static const struct names names[] = {{GEN_DNS, "\x01\x7f\t a\\b"}};
    struct arena mem;
    struct odd o;
    memset(long_name, 0x1f, sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0';
    odd_begin(&o, long_name, names, 1);
    struct tls_info info = {.peer_cert = o.cert};
    arena_init(&mem, 1 << 20, NULL, 0);
    for (unsigned field = 0; field < TLS_PEER_FIELD_COUNT; field++) {
        struct str text;
        if (field == TLS_PEER_CHAIN) // needs a connection
            continue;
        CHECK(tls_peer_text(&info, (enum tls_peer_field)field, &mem, &text));
        CHECK(text.len > 0);
        for (size_t i = 0; i < text.len; i++)
            CHECK(text.ptr[i] >= ' ' && text.ptr[i] < 0x7f);
    }
    arena_fini(&mem);
    odd_end(&o);
}

static void the_certificate_is_whole_in_both_forms(void)
{
    struct arena mem;
    struct odd o;
    struct str cert, pem;
    char der[4096];
    size_t n = 0;
    odd_begin(&o, "Ann", NULL, 0);
    struct tls_info info = {.peer_cert = o.cert};
    arena_init(&mem, 1 << 20, NULL, 0);
    CHECK(tls_peer_text(&info, TLS_PEER_CERT, &mem, &cert));
    CHECK(cert.len > 2 && cert.ptr[0] == ':' && cert.ptr[cert.len - 1] == ':');
    CHECK(base64_decode(str_from(cert.ptr + 1, cert.len - 2), false, der, &n) == ERR_OK);
    CHECK_STR(str_from(der, n), tls_cert_der(o.cert, &mem));
    CHECK(tls_peer_text(&info, TLS_PEER_PEM, &mem, &pem));
    CHECK(str_starts(pem, STR("-----BEGIN%20CERTIFICATE-----%0A")));
    CHECK(str_ends(pem, STR("%0A-----END%20CERTIFICATE-----%0A")));
    arena_fini(&mem);
    odd_end(&o);
}

static void without_a_certificate_only_that_is_told(void)
{
    struct tls_info info = {.version = 0x0304};
    struct arena mem;
    arena_init(&mem, 4096, NULL, 0);
    for (unsigned field = 0; field < TLS_PEER_FIELD_COUNT; field++) {
        struct str text;
        CHECK(tls_peer_text(&info, (enum tls_peer_field)field, &mem, &text));
        CHECK_STR(text, field == TLS_PEER_VERIFY ? STR("NONE") : STR_NONE);
        CHECK(tls_peer_text(NULL, (enum tls_peer_field)field, &mem, &text));
        CHECK_STR(text, field == TLS_PEER_VERIFY ? STR("NONE") : STR_NONE);
    }
    arena_fini(&mem);
}

static void a_full_arena_is_told(void)
{
    struct odd o;
    struct arena mem;
    struct str text;
    odd_begin(&o, "Ann", NULL, 0);
    arena_init(&mem, 16, NULL, 0);
    CHECK(!tls_peer_text(&(struct tls_info){.peer_cert = o.cert}, TLS_PEER_PEM, &mem, &text));
    arena_fini(&mem);
    odd_end(&o);
}

TEST_MAIN(TEST(each_thing_has_its_form), TEST(names_are_told_by_kind),
          TEST(no_name_becomes_another_or_a_line), TEST(all_texts_are_printable_and_whole),
          TEST(the_certificate_is_whole_in_both_forms),
          TEST(without_a_certificate_only_that_is_told), TEST(a_full_arena_is_told))
