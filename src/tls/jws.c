// SPDX-License-Identifier: Apache-2.0
#include "tls/jws.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"

#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 8192
#define RSA_EXPONENT_MAX_BYTES 4 // larger ones serve nobody but who wants us to compute
#define SECRET_MIN_BYTES 32      // RFC 7518 3.2, of HS256
#define POINT_MAX_BYTES (1 + 2 * 66)

enum family {
    FAMILY_RSA,
    FAMILY_P256,
    FAMILY_P384,
    FAMILY_P521,
    FAMILY_ED25519,
    FAMILY_SECRET,
};

static const struct curve {
    const char *name, *group; // of JWK, of OpenSSL
    const char *other;        // as keys from certificates call it
    size_t bytes;             // of a coordinate, and of half a signature
} curves[] = {
    [FAMILY_P256] = {"P-256", "P-256", "prime256v1", 32},
    [FAMILY_P384] = {"P-384", "P-384", "secp384r1", 48},
    [FAMILY_P521] = {"P-521", "P-521", "secp521r1", 66},
};

struct jws_key {
    enum family family;
    EVP_PKEY *public_key; // owns; NULL of secrets
    struct str secret;    // owns
    uint8_t id[JWS_KEY_ID_BYTES];
};

// --- algorithms ---

static const struct {
    const char *name;
    enum family family;
    const char *digest;
} algs[] = {
#define X(id, family_, digest_) [JWS_##id] = {#id, FAMILY_##family_, #digest_},
    JWS_ALG_LIST(X)
#undef X
};

const char *jws_alg_name(enum jws_alg alg)
{
    return algs[alg].name;
}

bool jws_alg_parse(struct str name, enum jws_alg *ret)
{
    for (size_t i = 0; i < ARRAY_LEN(algs); i++) {
        if (!str_eq(name, str_of(algs[i].name)))
            continue;
        *ret = (enum jws_alg)i;
        return true;
    }
    return false;
}

bool jws_alg_is_secret(enum jws_alg alg)
{
    return algs[alg].family == FAMILY_SECRET;
}

// --- keys ---

static const uint8_t *bytes_of(struct str s)
{
    return (const uint8_t *)s.ptr;
}

// The digest of its DER form, which has everything that makes a public key.
static bool set_id(struct jws_key *key)
{
    uint8_t *der = NULL;
    int len = i2d_PUBKEY(key->public_key, &der);
    bool is_fine = len > 0 && SHA256(der, (size_t)len, key->id) != NULL;
    OPENSSL_free(der);
    return is_fine;
}

static bool is_group(const EVP_PKEY *key, const struct curve *c)
{
    char name[32];
    size_t len = 0;
    return EVP_PKEY_get_group_name(key, name, sizeof name, &len) == 1 &&
           (strcmp(name, c->group) == 0 || strcmp(name, c->other) == 0);
}

static const char *fault_of_rsa(const EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);
    BIGNUM *e = NULL;
    if (bits < RSA_BITS_MIN)
        return "is an RSA key of less than 2048 bits";
    if (bits > RSA_BITS_MAX)
        return "is an RSA key of more than 8192 bits";
    bool is_fine = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &e) == 1 && BN_is_odd(e) &&
                   !BN_is_one(e) && BN_num_bytes(e) <= RSA_EXPONENT_MAX_BYTES;
    BN_free(e);
    return is_fine ? NULL : "has an RSA exponent that isn't used";
}

// What is wrong with it; NULL: *ret is its family.
static const char *find_family(const EVP_PKEY *key, enum family *ret)
{
    if (EVP_PKEY_is_a(key, "RSA") || EVP_PKEY_is_a(key, "RSA-PSS")) {
        *ret = FAMILY_RSA;
        return fault_of_rsa(key);
    }
    *ret = FAMILY_ED25519;
    if (EVP_PKEY_is_a(key, "ED25519"))
        return NULL;
    for (*ret = FAMILY_P256; *ret <= FAMILY_P521; (*ret)++)
        if (EVP_PKEY_is_a(key, "EC") && is_group(key, &curves[*ret]))
            return NULL;
    return "is none of RSA, P-256, P-384, P-521 and Ed25519";
}

// Takes over the key.
static struct jws_key *wrap(EVP_PKEY *public_key, const char **ret_why)
{
    enum family family = FAMILY_RSA;
    const char *why = public_key ? find_family(public_key, &family) : "is malformed";
    ERR_clear_error();
    if (why) {
        EVP_PKEY_free(public_key);
        *ret_why = why;
        return NULL;
    }
    struct jws_key *key = MEM_NEW(struct jws_key);
    key->family = family;
    key->public_key = public_key;
    if (set_id(key))
        return key;
    jws_key_free(key);
    *ret_why = "is malformed";
    return NULL;
}

// A public key of parameters, which are the builder's. NULL: they make none.
static EVP_PKEY *make_key(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    bool is_made = params && ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
                   EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) == 1;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    return is_made ? key : NULL;
}

struct jws_key *jws_key_of_rsa(struct str n, struct str e, const char **ret_why)
{
    if (n.len == 0 || n.len > RSA_BITS_MAX / 8 || e.len == 0 || e.len > RSA_EXPONENT_MAX_BYTES) {
        *ret_why = "is no RSA key of 2048 to 8192 bits";
        return NULL;
    }
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(bytes_of(n), (int)n.len, NULL);
    BIGNUM *exponent = BN_bin2bn(bytes_of(e), (int)e.len, NULL);
    EVP_PKEY *key = NULL;
    if (build && modulus && exponent &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        key = make_key("RSA", build);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(exponent);
    return wrap(key, ret_why);
}

struct jws_key *jws_key_of_ec(struct str curve, struct str x, struct str y, const char **ret_why)
{
    unsigned char point[POINT_MAX_BYTES] = {4}; // uncompressed (SEC 1, 2.3.3)
    const struct curve *c = NULL;
    for (size_t i = FAMILY_P256; i <= FAMILY_P521; i++)
        if (str_eq(curve, str_of(curves[i].name)))
            c = &curves[i];
    // RFC 7518 6.2.1.2: coordinates have the full length of the curve's.
    if (!c || x.len != c->bytes || y.len != c->bytes) {
        *ret_why = "is on another curve than P-256, P-384 and P-521, or not of its length";
        return NULL;
    }
    memcpy(point + 1, x.ptr, x.len);
    memcpy(point + 1 + x.len, y.ptr, y.len);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (build &&
        OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, c->group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * x.len) == 1)
        key = make_key("EC", build); // which refuses points that aren't on the curve
    OSSL_PARAM_BLD_free(build);
    return wrap(key, ret_why);
}

struct jws_key *jws_key_of_okp(struct str curve, struct str x, const char **ret_why)
{
    if (!str_eq(curve, STR("Ed25519")) || x.len != 32) {
        *ret_why = "is no Ed25519 key of 32 bytes";
        return NULL;
    }
    return wrap(EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, bytes_of(x), x.len), ret_why);
}

struct jws_key *jws_key_of_secret(struct str secret, const char **ret_why)
{
    if (secret.len < SECRET_MIN_BYTES) {
        *ret_why = "is a secret of less than 32 bytes, which can be guessed";
        return NULL;
    }
    struct jws_key *key = MEM_NEW(struct jws_key);
    key->family = FAMILY_SECRET;
    key->secret = (struct str){mem_copy(secret.ptr, secret.len), secret.len};
    SHA256(bytes_of(secret), secret.len, key->id);
    return key;
}

static EVP_PKEY *read_public(BIO *bio)
{
    EVP_PKEY *key = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL);
    if (key || BIO_reset(bio) != 1)
        return key;
    X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    key = cert ? X509_get_pubkey(cert) : NULL;
    X509_free(cert);
    return key;
}

struct jws_key *jws_key_of_pem(struct str pem, const char **ret_why)
{
    BIO *bio = pem.len <= INT_MAX ? BIO_new_mem_buf(pem.ptr, (int)pem.len) : NULL;
    EVP_PKEY *key = bio ? read_public(bio) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    if (!key) {
        *ret_why = "has no public key and no certificate in PEM form";
        return NULL;
    }
    return wrap(key, ret_why);
}

void jws_key_free(struct jws_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->public_key);
    if (key->secret.len > 0) {
        mem_wipe((void *)(uintptr_t)key->secret.ptr, key->secret.len);
        mem_free((void *)(uintptr_t)key->secret.ptr);
    }
    mem_free(key);
}

static size_t digest_bytes(enum jws_alg alg)
{
    const char *name = algs[alg].digest;
    return strcmp(name, "SHA256") == 0 ? 32 : strcmp(name, "SHA384") == 0 ? 48 : 64;
}

bool jws_key_fits(const struct jws_key *key, enum jws_alg alg)
{
    // RFC 7518 3.2: a secret is as long as the hash at least.
    return key->family == algs[alg].family &&
           (key->family != FAMILY_SECRET || key->secret.len >= digest_bytes(alg));
}

const uint8_t *jws_key_id(const struct jws_key *key)
{
    return key->id;
}

// --- verifying ---

static bool verify_secret(const struct jws_key *key, enum jws_alg alg, struct str text,
                          struct str signature)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    size_t len = 0;
    if (!EVP_Q_mac(NULL, "HMAC", NULL, algs[alg].digest, NULL, key->secret.ptr, key->secret.len,
                   bytes_of(text), text.len, mac, sizeof mac, &len))
        return false;
    return len == signature.len && CRYPTO_memcmp(mac, signature.ptr, len) == 0;
}

// RFC 7518 3.4: r and s, each of the curve's length; OpenSSL wants them in DER. 0: they are none.
static size_t to_der(const struct curve *c, struct str signature, uint8_t *buf, size_t cap)
{
    int len = 0;
    if (signature.len != 2 * c->bytes)
        return 0;
    ECDSA_SIG *sig = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(bytes_of(signature), (int)c->bytes, NULL);
    BIGNUM *s = BN_bin2bn(bytes_of(signature) + c->bytes, (int)c->bytes, NULL);
    if (sig && r && s && ECDSA_SIG_set0(sig, r, s) == 1) {
        r = s = NULL; // sig's
        len = i2d_ECDSA_SIG(sig, NULL);
        len = len > 0 && (size_t)len <= cap ? i2d_ECDSA_SIG(sig, &buf) : 0;
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(sig);
    return len > 0 ? (size_t)len : 0;
}

static bool is_pss(enum jws_alg alg)
{
    return alg == JWS_PS256 || alg == JWS_PS384 || alg == JWS_PS512;
}

// RFC 7518 3.5: the salt is as long as the hash, and MGF1's hash is the same.
static bool set_pss(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
}

bool jws_verify(const struct jws_key *key, enum jws_alg alg, struct str text, struct str signature)
{
    uint8_t der[2 * 66 + 16];
    if (!jws_key_fits(key, alg))
        return false;
    if (key->family == FAMILY_SECRET)
        return verify_secret(key, alg, text, signature);
    if (key->family != FAMILY_RSA && key->family != FAMILY_ED25519) {
        size_t len = to_der(&curves[key->family], signature, der, sizeof der);
        signature = str_from((const char *)der, len);
    }
    const char *digest = key->family == FAMILY_ED25519 ? NULL : algs[alg].digest;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *key_ctx = NULL;
    bool is_good =
        ctx && signature.len > 0 &&
        EVP_DigestVerifyInit_ex(ctx, &key_ctx, digest, NULL, NULL, key->public_key, NULL) == 1 &&
        (!is_pss(alg) || set_pss(key_ctx)) &&
        EVP_DigestVerify(ctx, bytes_of(signature), signature.len, bytes_of(text), text.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return is_good;
}
