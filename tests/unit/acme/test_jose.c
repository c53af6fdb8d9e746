// SPDX-License-Identifier: Apache-2.0
#include "acme/jose.h"

#include <openssl/evp.h>

#include "codec/base64.h"
#include "tls/key.h"
#include "unit/test.h"

#define EC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define EC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

static struct str decode(const char *text, char *buf)
{
    size_t n = 0;
    CHECK_INT(base64_decode(str_of(text), true, buf, &n), ERR_OK);
    return str_from(buf, n);
}

// The key of RFC 7515 A.3.
static EVP_PKEY *example_key(void)
{
    const char *why;
    char x[48], y[48], d[48];
    EVP_PKEY *key = tls_key_from_ec(decode(EC_X, x), decode(EC_Y, y),
                                    decode("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI", d), &why);
    CHECK(key != NULL);
    return key;
}

static void a_key_has_its_canonical_form_and_thumbprint(void)
{
    EVP_PKEY *key = example_key();
    struct text jwk = {0};
    char thumbprint[JOSE_THUMBPRINT_BYTES + 1];
    CHECK(jose_put_jwk(key, &jwk));
    CHECK_STR(text_str(&jwk),
              STR("{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" EC_X "\",\"y\":\"" EC_Y "\"}"));
    CHECK(jose_thumbprint(key, thumbprint));
    CHECK_STR(str_of(thumbprint), STR("oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"));
    text_fini(&jwk);
    tls_key_free(key);
}

static void each_kind_of_key_has_its_algorithm(void)
{
    static const struct {
        enum tls_key_kind kind;
        const char *algorithm;
        size_t signature_bytes;
    } cases[] = {{TLS_KEY_P256, "ES256", 86},
                 {TLS_KEY_P384, "ES384", 128},
                 {TLS_KEY_RSA_2048, "RS256", 342}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        EVP_PKEY *key = tls_key_new(cases[i].kind);
        CHECK_STR(str_of(jose_algorithm(key)), str_of(cases[i].algorithm));
        // Often enough that numbers with zeros in front come up.
        for (int run = 0; run < (i == 2 ? 1 : 300); run++) {
            struct text jws = {0};
            CHECK(jose_sign(key, &(struct jose_header){.url = STR("https://ca.example/")},
                            STR("{}"), &jws));
            size_t at = str_search(text_str(&jws), STR("\"signature\":\""));
            CHECK_INT(jws.len - at - 13 - 2, cases[i].signature_bytes);
            text_fini(&jws);
        }
        tls_key_free(key);
    }
    EVP_PKEY *other = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    CHECK(jose_algorithm(other) == NULL);
    tls_key_free(other);
}

// What base64url of the member between quotes says.
static struct str member(const struct text *jws, const char *before, char *buf)
{
    struct str rest = str_skip(text_str(jws), str_search(text_str(jws), str_of(before)));
    struct str value;
    size_t n = 0;
    str_cut(str_skip(rest, strlen(before)), '"', &value, NULL);
    CHECK_INT(base64_decode(value, true, buf, &n), ERR_OK);
    return str_from(buf, n);
}

static void a_header_is_json_whatever_is_in_it(void)
{
    EVP_PKEY *key = example_key();
    struct text jws = {0};
    char buf[1024];
    struct jose_header header = {
        .kid = STR("https://ca.example/\"\n,\"alg\":\"none"),
        .nonce = STR("abc"),
        .url = STR("https://ca.example/new"),
    };
    CHECK(jose_sign(key, &header, STR("{\"a\":1}"), &jws));
    CHECK_STR(member(&jws, "\"protected\":\"", buf),
              STR("{\"alg\":\"ES256\",\"kid\":\"https://ca.example/\\\"\\n,\\\"alg\\\":\\\"none\","
                  "\"nonce\":\"abc\",\"url\":\"https://ca.example/new\"}"));
    CHECK_STR(member(&jws, "\"payload\":\"", buf), STR("{\"a\":1}"));
    text_fini(&jws);
    tls_key_free(key);
}

static void without_a_kid_the_key_itself_is_sent(void)
{
    EVP_PKEY *key = example_key();
    struct text jws = {0};
    char buf[1024];
    CHECK(jose_sign(key, &(struct jose_header){.url = STR("u")}, STR_NONE, &jws));
    CHECK_STR(member(&jws, "\"protected\":\"", buf),
              STR("{\"alg\":\"ES256\",\"jwk\":{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"" EC_X
                  "\",\"y\":\"" EC_Y "\"},\"url\":\"u\"}"));
    CHECK_STR(member(&jws, "\"payload\":\"", buf), STR(""));
    text_fini(&jws);
    tls_key_free(key);
}

static void a_secret_signs_the_binding(void)
{
    struct text jws = {0};
    struct jose_header header = {.kid = STR("kid-1"), .url = STR("https://ca.example/new")};
    CHECK(jose_mac(STR("secret"), &header, STR("{\"a\":1}"), &jws));
    CHECK_STR(text_str(&jws),
              STR("{\"protected\":"
                  "\"eyJhbGciOiJIUzI1NiIsImtpZCI6ImtpZC0xIiwidXJsIjoiaHR0cHM6Ly9jYS5leGFtcGxlL25ldy"
                  "J9\",\"payload\":\"eyJhIjoxfQ\","
                  "\"signature\":\"vYoKs_ioLbeSRaJ33tj-dJy3LApOcnrT0o_GoCHB2LU\"}"));
    text_fini(&jws);
}

TEST_MAIN(TEST(a_key_has_its_canonical_form_and_thumbprint),
          TEST(each_kind_of_key_has_its_algorithm), TEST(a_header_is_json_whatever_is_in_it),
          TEST(without_a_kid_the_key_itself_is_sent), TEST(a_secret_signs_the_binding))
