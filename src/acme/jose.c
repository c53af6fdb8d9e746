// SPDX-License-Identifier: Apache-2.0
#include "acme/jose.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include "base/mem.h"
#include "codec/base64.h"
#include "codec/json.h"
#include "tls/key.h"

#define NUMBER_MAX_BYTES 2048
#define SIGNATURE_MAX_BYTES 2304

struct algorithm {
    const char *name;
    const char *curve; // NULL: RSA
    const char *digest;
    int coordinate_bytes;
};

// RFC 7518 3.1.
static const struct algorithm es256 = {"ES256", "P-256", "SHA256", 32};
static const struct algorithm es384 = {"ES384", "P-384", "SHA384", 48};
static const struct algorithm rs256 = {"RS256", NULL, "SHA256", 0};

static const struct algorithm *algorithm_of(const EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "RSA"))
        return tls_key_bits(key) <= NUMBER_MAX_BYTES * 8 ? &rs256 : NULL;
    enum tls_key_kind kind = tls_key_kind_of(key);
    return kind == TLS_KEY_P256 ? &es256 : kind == TLS_KEY_P384 ? &es384 : NULL;
}

const char *jose_algorithm(const EVP_PKEY *key)
{
    const struct algorithm *alg = algorithm_of(key);
    return alg ? alg->name : NULL;
}

void jose_put_base64url(struct text *to, struct str bytes)
{
    char buf[1024];
    _Static_assert(sizeof buf % 4 == 0, "whole groups, so that pieces can be joined");
    for (struct str left = bytes; left.len > 0; left = str_skip(left, sizeof buf / 4 * 3)) {
        size_t n = base64_encode(str_first(left, sizeof buf / 4 * 3), true, buf);
        text_put(to, str_from(buf, n));
    }
}

// bytes 0: as many as the number has (RFC 7518 6.3.1.1).
static bool put_number(const EVP_PKEY *key, const char *param, int bytes, struct text *to)
{
    unsigned char buf[NUMBER_MAX_BYTES];
    BIGNUM *number = NULL;
    int len = -1;
    if (EVP_PKEY_get_bn_param(key, param, &number) == 1) {
        int wanted = bytes > 0 ? bytes : BN_num_bytes(number);
        len = wanted <= NUMBER_MAX_BYTES ? BN_bn2binpad(number, buf, wanted) : -1;
    }
    BN_free(number);
    if (len > 0)
        jose_put_base64url(to, str_from((const char *)buf, (size_t)len));
    return len > 0;
}

bool jose_put_jwk(const EVP_PKEY *key, struct text *to)
{
    const struct algorithm *alg = algorithm_of(key);
    bool is_fine = alg != NULL;
    if (!is_fine)
        return false;
    // RFC 7638 3.2: required members alone, in order of their names.
    if (alg->curve) {
        text_printf(to, "{\"crv\":\"%s\",\"kty\":\"EC\",\"x\":\"", alg->curve);
        is_fine = put_number(key, OSSL_PKEY_PARAM_EC_PUB_X, alg->coordinate_bytes, to);
        text_put(to, STR("\",\"y\":\""));
        is_fine = is_fine && put_number(key, OSSL_PKEY_PARAM_EC_PUB_Y, alg->coordinate_bytes, to);
    } else {
        text_put(to, STR("{\"e\":\""));
        is_fine = put_number(key, OSSL_PKEY_PARAM_RSA_E, 0, to);
        text_put(to, STR("\",\"kty\":\"RSA\",\"n\":\""));
        is_fine = is_fine && put_number(key, OSSL_PKEY_PARAM_RSA_N, 0, to);
    }
    text_put(to, STR("\"}"));
    ERR_clear_error();
    return is_fine;
}

bool jose_thumbprint(const EVP_PKEY *key, char ret[static JOSE_THUMBPRINT_BYTES + 1])
{
    struct text jwk = {0}, text = {0};
    unsigned char digest[32];
    bool is_fine = jose_put_jwk(key, &jwk) &&
                   EVP_Digest(jwk.ptr, jwk.len, digest, NULL, EVP_sha256(), NULL) == 1;
    if (is_fine) {
        jose_put_base64url(&text, str_from((const char *)digest, sizeof digest));
        ASSERT(text.len == JOSE_THUMBPRINT_BYTES);
        memcpy(ret, text.ptr, text.len + 1);
    }
    text_fini(&jwk);
    text_fini(&text);
    return is_fine;
}

// RFC 7518 3.4: both numbers at full length, without DER.
static bool plain_signature(const struct algorithm *alg, const unsigned char *der, size_t der_len,
                            unsigned char *ret, size_t *ret_len)
{
    const unsigned char *at = der;
    int n = alg->coordinate_bytes;
    ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &at, (long)der_len);
    bool is_fine = sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), ret, n) == n &&
                   BN_bn2binpad(ECDSA_SIG_get0_s(sig), ret + n, n) == n;
    ECDSA_SIG_free(sig);
    *ret_len = (size_t)n * 2;
    return is_fine;
}

static bool put_signature(EVP_PKEY *key, const struct algorithm *alg, struct str input,
                          struct text *to)
{
    unsigned char sig[SIGNATURE_MAX_BYTES], plain[96];
    size_t len = sizeof sig, plain_len;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool is_fine = ctx &&
                   EVP_DigestSignInit_ex(ctx, NULL, alg->digest, NULL, NULL, key, NULL) == 1 &&
                   EVP_DigestSign(ctx, sig, &len, (const unsigned char *)input.ptr, input.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    if (!is_fine)
        return false;
    if (!alg->curve) {
        jose_put_base64url(to, str_from((const char *)sig, len));
        return true;
    }
    if (!plain_signature(alg, sig, len, plain, &plain_len))
        return false;
    jose_put_base64url(to, str_from((const char *)plain, plain_len));
    return true;
}

static void put_member(struct text *to, const char *name, struct str value)
{
    if (value.len == 0)
        return;
    text_printf(to, ",\"%s\":", name);
    json_text_str(to, value);
}

// "protected.payload", the input of the signature.
static bool put_input(const char *alg, const EVP_PKEY *jwk, const struct jose_header *header,
                      struct str payload, struct text *to)
{
    struct text head = {0};
    bool is_fine = true;
    text_printf(&head, "{\"alg\":\"%s\"", alg);
    if (jwk) {
        text_put(&head, STR(",\"jwk\":"));
        is_fine = jose_put_jwk(jwk, &head);
    }
    put_member(&head, "kid", header->kid);
    put_member(&head, "nonce", header->nonce);
    put_member(&head, "url", header->url);
    text_byte(&head, '}');
    jose_put_base64url(to, text_str(&head));
    text_byte(to, '.');
    jose_put_base64url(to, payload);
    text_fini(&head);
    return is_fine;
}

static void put_flattened(struct str input, struct str signature, struct text *to)
{
    struct str head, payload;
    str_cut(input, '.', &head, &payload);
    text_printf(to, "{\"protected\":\"" STR_FMT "\",\"payload\":\"" STR_FMT, STR_ARG(head),
                STR_ARG(payload));
    text_printf(to, "\",\"signature\":\"" STR_FMT "\"}", STR_ARG(signature));
}

bool jose_sign(EVP_PKEY *key, const struct jose_header *header, struct str payload, struct text *to)
{
    const struct algorithm *alg = algorithm_of(key);
    struct text input = {0}, signature = {0};
    bool is_fine =
        alg && put_input(alg->name, header->kid.len > 0 ? NULL : key, header, payload, &input) &&
        put_signature(key, alg, text_str(&input), &signature);
    if (is_fine)
        put_flattened(text_str(&input), text_str(&signature), to);
    text_fini(&input);
    text_fini(&signature);
    return is_fine;
}

bool jose_mac(struct str secret, const struct jose_header *header, struct str payload,
              struct text *to)
{
    struct text input = {0}, signature = {0};
    unsigned char mac[32];
    size_t len = 0;
    bool is_fine = put_input("HS256", NULL, header, payload, &input) &&
                   EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret.ptr, secret.len,
                             (const unsigned char *)input.ptr, input.len, mac, sizeof mac, &len);
    if (is_fine) {
        jose_put_base64url(&signature, str_from((const char *)mac, len));
        put_flattened(text_str(&input), text_str(&signature), to);
    }
    mem_wipe(mac, sizeof mac);
    ERR_clear_error();
    text_fini(&input);
    text_fini(&signature);
    return is_fine;
}
