// SPDX-License-Identifier: Apache-2.0
#include "tls/jws.h"

#include "base/arena.h"
#include "codec/base64.h"
#include "unit/test.h"

// RFC 7515 A.3: ES256.
#define RFC_TEXT                                                                                   \
    "eyJhbGciOiJFUzI1NiJ9."                                                                        \
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"                     \
    "bS9pc19yb290Ijp0cnVlfQ"
#define RFC_SIGNATURE                                                                              \
    "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"
#define RFC_X "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"
#define RFC_Y "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"

static struct str decoded(const char *text, char *buf)
{
    size_t len = 0;
    CHECK_INT(base64_decode(str_of(text), true, buf, &len), ERR_OK);
    return str_from(buf, len);
}

static struct jws_key *rfc_key(void)
{
    char x[64], y[64];
    const char *why = NULL;
    struct jws_key *key = jws_key_of_ec(STR("P-256"), decoded(RFC_X, x), decoded(RFC_Y, y), &why);
    CHECK(key != NULL);
    return key;
}

static void the_example_of_the_rfc_verifies_and_nothing_near_it(void)
{
    char buf[128];
    struct jws_key *key = rfc_key();
    struct str signature = decoded(RFC_SIGNATURE, buf);
    CHECK(jws_verify(key, JWS_ES256, STR(RFC_TEXT), signature));
    CHECK(!jws_verify(key, JWS_ES256, STR(RFC_TEXT "x"), signature));
    CHECK(!jws_verify(key, JWS_ES384, STR(RFC_TEXT), signature));
    CHECK(!jws_verify(key, JWS_HS256, STR(RFC_TEXT), signature));
    CHECK(!jws_verify(key, JWS_ES256, STR(RFC_TEXT), str_first(signature, 63)));
    CHECK(!jws_verify(key, JWS_ES256, STR(RFC_TEXT), STR_NONE));
    char zeros[64] = {0};
    CHECK(!jws_verify(key, JWS_ES256, STR(RFC_TEXT), str_from(zeros, sizeof zeros)));
    for (size_t i = 0; i < signature.len; i++) {
        buf[i] ^= 1;
        CHECK(!jws_verify(key, JWS_ES256, STR(RFC_TEXT), signature));
        buf[i] ^= 1;
    }
    jws_key_free(key);
}

static void algorithms_are_known_by_their_exact_names(void)
{
    static const char *const unknown[] = {"none", "None", "es256",  "ES256K",
                                          "RS1",  "",     "HS256 ", "dir"};
    enum jws_alg alg;
    for (unsigned i = 0; i < JWS_ALG_COUNT; i++) {
        CHECK(jws_alg_parse(str_of(jws_alg_name((enum jws_alg)i)), &alg));
        CHECK_INT(alg, i);
        CHECK_INT(jws_alg_is_secret((enum jws_alg)i), *jws_alg_name((enum jws_alg)i) == 'H');
    }
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++)
        CHECK(!jws_alg_parse(str_of(unknown[i]), &alg));
}

static void a_secret_fits_by_its_length(void)
{
    static const struct {
        size_t bytes;
        bool is_taken, fits[3];
    } cases[] = {{0, false, {false}},
                 {31, false, {false}},
                 {32, true, {true, false, false}},
                 {48, true, {true, true, false}},
                 {64, true, {true, true, true}}};
    static const char secret[64] = "x";
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why = NULL;
        struct jws_key *key = jws_key_of_secret(str_from(secret, cases[i].bytes), &why);
        CHECK_INT(key != NULL, cases[i].is_taken);
        CHECK_INT(why == NULL, cases[i].is_taken);
        for (unsigned k = 0; key && k < 3; k++)
            CHECK_INT(jws_key_fits(key, (enum jws_alg)(JWS_HS256 + k)), cases[i].fits[k]);
        jws_key_free(key);
    }
}

static void malformed_keys_are_refused_with_a_reason(void)
{
    char x[64], y[64];
    struct str xs = decoded(RFC_X, x), ys = decoded(RFC_Y, y);
    char n[1025];
    memset(n, 0xc1, sizeof n);
    const struct jws_key *keys[16];
    const char *whys[16] = {NULL};
    size_t k = 0;
    keys[k] = jws_key_of_ec(STR("P-256"), xs, xs, &whys[k]); // not on the curve
    k++;
    keys[k] = jws_key_of_ec(STR("P-384"), xs, ys, &whys[k]);
    k++;
    keys[k] = jws_key_of_ec(STR("secp256k1"), xs, ys, &whys[k]);
    k++;
    keys[k] = jws_key_of_ec(STR("P-256"), STR_NONE, STR_NONE, &whys[k]);
    k++;
    keys[k] = jws_key_of_okp(STR("Ed448"), xs, &whys[k]);
    k++;
    keys[k] = jws_key_of_okp(STR("Ed25519"), str_first(xs, 31), &whys[k]);
    k++;
    keys[k] = jws_key_of_rsa(str_from(n, 128), STR("\1\0\1"), &whys[k]);
    k++;
    keys[k] = jws_key_of_rsa(str_from(n, 1025), STR("\1\0\1"), &whys[k]);
    k++;
    keys[k] = jws_key_of_rsa(str_from(n, 256), STR("\1"), &whys[k]);
    k++;
    keys[k] = jws_key_of_rsa(str_from(n, 256), STR("\2"), &whys[k]);
    k++;
    keys[k] = jws_key_of_rsa(str_from(n, 256), STR("\1\0\0\0\1"), &whys[k]);
    k++;
    keys[k] = jws_key_of_pem(STR("nonsense"), &whys[k]);
    k++;
    keys[k] = jws_key_of_pem(STR_NONE, &whys[k]);
    k++;
    for (size_t i = 0; i < k; i++)
        CHECK(keys[i] == NULL && whys[i] != NULL);
}

static void two_keys_have_two_ids(void)
{
    const char *why = NULL;
    struct jws_key *a = rfc_key(), *b = rfc_key();
    struct jws_key *c = jws_key_of_secret(STR("0123456789abcdef0123456789abcdef"), &why);
    CHECK(memcmp(jws_key_id(a), jws_key_id(b), JWS_KEY_ID_BYTES) == 0);
    CHECK(memcmp(jws_key_id(a), jws_key_id(c), JWS_KEY_ID_BYTES) != 0);
    jws_key_free(a);
    jws_key_free(b);
    jws_key_free(c);
    jws_key_free(NULL);
}

TEST_MAIN(TEST(the_example_of_the_rfc_verifies_and_nothing_near_it),
          TEST(algorithms_are_known_by_their_exact_names), TEST(a_secret_fits_by_its_length),
          TEST(malformed_keys_are_refused_with_a_reason), TEST(two_keys_have_two_ids))
