// SPDX-License-Identifier: Apache-2.0
#include "tls/key.h"

#include "unit/test.h"

// Keys of these tests alone, made by the openssl command.
static const char sec1[] = "-----BEGIN EC PARAMETERS-----\n"
                           "BggqhkjOPQMBBw==\n"
                           "-----END EC PARAMETERS-----\n"
                           "-----BEGIN EC PRIVATE KEY-----\n"
                           "MHcCAQEEIL7S4Zk+4l03cDaHj5mXzwHGzGxfoqKEv14x0vqWzx12oAoGCCqGSM49\n"
                           "AwEHoUQDQgAEWxhcRyfSYUcCzod7PX/SiFcIzZzbPa8l6a26t0G1kyC8pU7orUQB\n"
                           "IzhQrxQBsw3IkF+4RvGiBW3DOc0Jmy/8fA==\n"
                           "-----END EC PRIVATE KEY-----\n";

static const char pkcs8[] = "-----BEGIN PRIVATE KEY-----\n"
                            "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvtLhmT7iXTdwNoeP\n"
                            "mZfPAcbMbF+iooS/XjHS+pbPHXahRANCAARbGFxHJ9JhRwLOh3s9f9KIVwjNnNs9\n"
                            "ryXprbq3QbWTILylTuitRAEjOFCvFAGzDciQX7hG8aIFbcM5zQmbL/x8\n"
                            "-----END PRIVATE KEY-----\n";

static const char encrypted_pkcs8[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAhAjTOESPDlJQICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEELFnlnZsz+Khr6q29V0bKlAEgZAP\n"
    "MWD95nQC3+j4wW+E/mmWvAXqFXajTp7ddThxCrauP+VjEg9MwU+Oz2G+CfMXOIls\n"
    "0CjqG1cfcP2bWKnfp5+W/HMW3ZX33+rLfhRZhenAT4UnPbFVnEaeE3E9vOlq4eqo\n"
    "gFJTtzmeoZFYocprpBEWtH1qDMCLCrfssBTs2Fsuw+u4iXqEBDjsSFCvyIG/Gq0=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

static const char encrypted_sec1[] =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "Proc-Type: 4,ENCRYPTED\n"
    "DEK-Info: AES-128-CBC,7B0E580027839486086DF77A55CA4237\n"
    "\n"
    "6SW04qSO/+V8pAyLXzTUipeSicOrw9p3mrpc8ZkelDV/ZZCCRMSxObibmARC5Rpq\n"
    "uSMwWlKetEYvtUxhxVy6hvGbnC6b6AJhxSbT/OtGPuLWUBeMGmjeIgHAIqF8xXSG\n"
    "kiKYKrn+eOxiCyRb4t26fhiAKfYICjoX9empf6o69Ug=\n"
    "-----END EC PRIVATE KEY-----\n";

static const char weak_rsa[] = "-----BEGIN RSA PRIVATE KEY-----\n"
                               "MIICXAIBAAKBgQC2/TtGC+4Ujw6jZLkBWRPdMrzNFOBOvGEGE7f2pxQ0fmj8PylT\n"
                               "U7L6AfQbZVyCHA2o5w8D5ky8epsfm9vOkhSCMa0nFJXOG4FbSnt0jN/hikgQCEQ/\n"
                               "3uBdenN7QxEhyjt/FC483x8m23zhwZRyRFEkkzKECihl7aZ9jR/f0FOU6wIDAQAB\n"
                               "AoGBAIPFHN7XDm19isP8bwDafWRm+fAQXWo1WwS+RFX4gKNAeCdU8FRRzGsd5wOn\n"
                               "XRNQUkHTiUt8lruO6o+7c3BwXxUdn8Y/D0X8wAJFEF+S8ggvFvyHIeZE1js3eSPw\n"
                               "2+hH5s+7S/sRIQiAF/7F4TsT1Autg/3HmfAE55pXkAtupVQJAkEA5ZwnKA3aUZkG\n"
                               "BA/VEFzVGwJqgb8qJ2g3BkmR5olIXMezcTqy1TQv34Yvdj3dF8EXKU35rvHdpIuL\n"
                               "elYJLcqF9wJBAMwFWTfU5MSeX/ovmj03FSxEbZpygO23pkYNoZhJw8jh4KPFoSFg\n"
                               "3nhXEGOQbLveCyjPnGqyOB4Dytee9oLaG60CQCXT1QufRKF+0WPn69U3RhCeFEft\n"
                               "45b8b1xE0Jmncll+uQxlfELtxxlPNRCI3pzkPdmbNBBjXn2WU9NCy15U6D8CQE/N\n"
                               "q8dWBCIQnRQ8uIVHXYXSQlkOfvX9RxHR1Sq/d9DE4dzNuihXPs4tqCB55r5ZrV3K\n"
                               "T7HAgojjDN3otR4b+IUCQDuNZa1Q2FzpD7Rg0MfKz5k/YdMZuMZX6QFkGc2Ab5Pq\n"
                               "JB58devB/a0/tDy58fuCxDdYSlgMs20hP72A86uJCLk=\n"
                               "-----END RSA PRIVATE KEY-----\n";

static const char x25519[] = "-----BEGIN PRIVATE KEY-----\n"
                             "MC4CAQAwBQYDK2VuBCIEIIjurvbB6MKKqZHHpa/Y41N1Z7tzaz+Vx6TUQB9gMup8\n"
                             "-----END PRIVATE KEY-----\n";

static const char ed25519[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIMCOTgsJHOt7odNYPVAP8Y4+DQfmCHd5i4sCKxnMst0S\n"
                              "-----END PRIVATE KEY-----\n";

static void keys_of_each_kind_are_made_written_and_read(void)
{
    static const enum tls_key_kind kinds[] = {TLS_KEY_P256, TLS_KEY_P384, TLS_KEY_RSA_2048};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct text pem = {0};
        const char *why = "";
        EVP_PKEY *key = tls_key_new(kinds[i]);
        CHECK(key && tls_key_put_pem(key, &pem));
        CHECK(str_starts(text_str(&pem), STR("-----BEGIN PRIVATE KEY-----\n")));
        EVP_PKEY *again = tls_key_read(text_str(&pem), &why);
        CHECK(again != NULL);
        CHECK_INT(again ? tls_key_kind_of(again) : TLS_KEY_OTHER, kinds[i]);
        tls_key_free(key);
        tls_key_free(again);
        text_wipe(&pem);
    }
}

static void names_of_kinds_are_read(void)
{
    enum tls_key_kind kind = TLS_KEY_OTHER;
    CHECK(tls_key_kind_parse(STR("rsa-4096"), &kind));
    CHECK_INT(kind, TLS_KEY_RSA_4096);
    CHECK_STR(str_of(tls_key_kind_text(kind)), STR("RSA 4096"));
    CHECK(!tls_key_kind_parse(STR("other"), &kind) && !tls_key_kind_parse(STR(""), &kind));
    CHECK(tls_key_new(TLS_KEY_OTHER) == NULL);
}

static void sec1_and_pkcs8_of_one_key_are_the_same(void)
{
    struct text a = {0}, b = {0};
    const char *why = "";
    EVP_PKEY *one = tls_key_read(str_of(sec1), &why), *two = tls_key_read(str_of(pkcs8), &why);
    CHECK(one && two && tls_key_put_pem(one, &a) && tls_key_put_pem(two, &b));
    CHECK_STR(text_str(&a), text_str(&b));
    CHECK_STR(text_str(&b), str_of(pkcs8));
    CHECK_INT(tls_key_bits(one), 256);
    tls_key_free(one);
    tls_key_free(two);
    text_wipe(&a);
    text_wipe(&b);
}

static void an_ed25519_key_is_read_but_of_another_kind(void)
{
    const char *why = "";
    EVP_PKEY *key = tls_key_read(str_of(ed25519), &why);
    CHECK(key && tls_key_kind_of(key) == TLS_KEY_OTHER);
    tls_key_free(key);
}

static void keys_that_cannot_serve_are_refused_with_a_reason(void)
{
    static const struct {
        const char *pem, *why;
    } cases[] = {
        {encrypted_pkcs8, "its private key is encrypted: remove the password"},
        {encrypted_sec1, "its private key is encrypted: remove the password"},
        {weak_rsa, "its private key is too weak"},
        {x25519, "its private key is of a kind that no server uses"},
        {"", "it holds no private key"},
        {"-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n",
         "its private key is damaged"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *why = "";
        CHECK(tls_key_read(str_of(cases[i].pem), &why) == NULL);
        CHECK_STR(str_of(why), str_of(cases[i].why));
    }
}

static void a_jwk_becomes_the_same_key(void)
{
    struct text pem = {0};
    const char *why = "";
    EVP_PKEY *key =
        tls_key_from_ec(STR("\x5b\x18\x5c\x47\x27\xd2\x61\x47\x02\xce\x87\x7b\x3d\x7f\xd2\x88\x57"
                            "\x08\xcd\x9c\xdb\x3d\xaf\x25\xe9\xad\xba\xb7\x41\xb5\x93\x20"),
                        STR("\xbc\xa5\x4e\xe8\xad\x44\x01\x23\x38\x50\xaf\x14\x01\xb3\x0d\xc8\x90"
                            "\x5f\xb8\x46\xf1\xa2\x05\x6d\xc3\x39\xcd\x09\x9b\x2f\xfc\x7c"),
                        STR("\xbe\xd2\xe1\x99\x3e\xe2\x5d\x37\x70\x36\x87\x8f\x99\x97\xcf\x01\xc6"
                            "\xcc\x6c\x5f\xa2\xa2\x84\xbf\x5e\x31\xd2\xfa\x96\xcf\x1d\x76"),
                        &why);
    CHECK(key && tls_key_put_pem(key, &pem));
    CHECK_STR(text_str(&pem), str_of(pkcs8));
    tls_key_free(key);
    text_wipe(&pem);
}

static void a_jwk_whose_halves_differ_is_refused(void)
{
    const char *why = "";
    char d[32] = {1}, zero[32] = {0};
    struct str x = STR("\x5b\x18\x5c\x47\x27\xd2\x61\x47\x02\xce\x87\x7b\x3d\x7f\xd2\x88\x57\x08"
                       "\xcd\x9c\xdb\x3d\xaf\x25\xe9\xad\xba\xb7\x41\xb5\x93\x20");
    struct str y = STR("\xbc\xa5\x4e\xe8\xad\x44\x01\x23\x38\x50\xaf\x14\x01\xb3\x0d\xc8\x90\x5f"
                       "\xb8\x46\xf1\xa2\x05\x6d\xc3\x39\xcd\x09\x9b\x2f\xfc\x7c");
    CHECK(tls_key_from_ec(x, y, str_from(d, sizeof d), &why) == NULL);
    CHECK(tls_key_from_ec(x, str_from(zero, 32), str_from(d, sizeof d), &why) == NULL);
    CHECK(tls_key_from_ec(str_first(x, 31), y, str_from(d, sizeof d), &why) == NULL);
    CHECK(tls_key_from_ec(x, y, STR_NONE, &why) == NULL);
    struct tls_key_rsa rsa = {.n = x, .e = y, .d = x, .p = x, .q = y, .dp = x, .dq = y, .qi = x};
    CHECK(tls_key_from_rsa(&rsa, &why) == NULL);
    CHECK(why && why[0] != '\0');
}

TEST_MAIN(TEST(keys_of_each_kind_are_made_written_and_read), TEST(names_of_kinds_are_read),
          TEST(sec1_and_pkcs8_of_one_key_are_the_same),
          TEST(an_ed25519_key_is_read_but_of_another_kind),
          TEST(keys_that_cannot_serve_are_refused_with_a_reason), TEST(a_jwk_becomes_the_same_key),
          TEST(a_jwk_whose_halves_differ_is_refused))
