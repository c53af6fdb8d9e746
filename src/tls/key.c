// SPDX-License-Identifier: Apache-2.0
#include "tls/key.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/x509.h>

#include "tls/pem.h"

#define KEY_MEM_MAX_BYTES ((size_t)1 << 20)
#define SECURITY_BITS_MIN 112 // NIST SP 800-57 5.6.1: RSA 2048, P-224
#define KEY_BITS_MAX 16384
#define COORDINATE_MAX_BYTES 48 // of P-384

static const struct {
    const char *name;
    const char *text;
} kinds[] = {
#define X(id, name_, text_) {.name = name_, .text = text_},
    TLS_KEY_KIND_LIST(X)
#undef X
};

const char *tls_key_kind_name(enum tls_key_kind kind)
{
    return kinds[kind].name;
}

const char *tls_key_kind_text(enum tls_key_kind kind)
{
    return kinds[kind].text;
}

bool tls_key_kind_parse(struct str name, enum tls_key_kind *ret)
{
    for (size_t i = 0; i < TLS_KEY_OTHER; i++) {
        if (str_eq(name, str_of(kinds[i].name))) {
            *ret = (enum tls_key_kind)i;
            return true;
        }
    }
    return false;
}

EVP_PKEY *tls_key_new(enum tls_key_kind kind)
{
    switch (kind) {
    case TLS_KEY_P256:
        return EVP_EC_gen("P-256");
    case TLS_KEY_P384:
        return EVP_EC_gen("P-384");
    case TLS_KEY_RSA_2048:
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048);
    case TLS_KEY_RSA_3072:
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)3072);
    case TLS_KEY_RSA_4096:
        return EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)4096);
    case TLS_KEY_OTHER:
        break;
    }
    return NULL;
}

void tls_key_free(EVP_PKEY *key)
{
    EVP_PKEY_free(key);
}

// What can sign a handshake, is strong enough for it, and not so large that signing takes seconds.
static const char *complaint(const EVP_PKEY *key)
{
    static const char *const names[] = {"EC", "RSA", "RSA-PSS", "ED25519", "ED448"};
    bool is_known = false;
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        is_known = is_known || EVP_PKEY_is_a(key, names[i]);
    if (!is_known)
        return "its private key is of a kind that no server uses";
    if (EVP_PKEY_get_security_bits(key) < SECURITY_BITS_MIN)
        return "its private key is too weak";
    if (EVP_PKEY_get_bits(key) > KEY_BITS_MAX)
        return "its private key is too large";
    return NULL;
}

// One DER structure of a given form. OpenSSL 3.0 reads a key four times as fast when it needn't try
// every kind.
static EVP_PKEY *decode(struct str der, const char *form, const char *kind)
{
    EVP_PKEY *key = NULL;
    const unsigned char *at = (const unsigned char *)der.ptr;
    size_t left = der.len;
    OSSL_DECODER_CTX *ctx =
        OSSL_DECODER_CTX_new_for_pkey(&key, "DER", form, kind, EVP_PKEY_KEYPAIR, NULL, NULL);
    bool is_whole = ctx && OSSL_DECODER_from_data(ctx, &at, &left) == 1 && left == 0;
    OSSL_DECODER_CTX_free(ctx);
    ERR_clear_error();
    if (is_whole)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

// The kind of a PKCS#8 key as its object identifier. False: it's none.
static bool read_kind(struct str der, char *ret, int ret_bytes)
{
    const unsigned char *at = (const unsigned char *)der.ptr;
    const ASN1_OBJECT *kind = NULL;
    PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.len);
    bool is_known = info && PKCS8_pkey_get0(&kind, NULL, NULL, NULL, info) == 1 &&
                    OBJ_obj2txt(ret, ret_bytes, kind, 1) < ret_bytes;
    PKCS8_PRIV_KEY_INFO_free(info);
    ERR_clear_error();
    return is_known;
}

EVP_PKEY *tls_key_read_der(struct str der, const char **ret_why)
{
    char kind[80];
    EVP_PKEY *key = NULL;
    *ret_why = "its private key is damaged";
    if (der.len == 0 || der.len > TLS_PEM_BLOCK_MAX_BYTES)
        return NULL;
    if (read_kind(der, kind, sizeof kind)) {
        key = decode(der, "PrivateKeyInfo", kind);
    } else {
        key = decode(der, "type-specific", "EC"); // SEC 1
        if (!key)
            key = decode(der, "type-specific", "RSA"); // PKCS#1
    }
    if (!key)
        return NULL;
    *ret_why = complaint(key);
    if (!*ret_why)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

EVP_PKEY *tls_key_read(struct str pem, const char **ret_why)
{
    struct arena mem;
    struct tls_pem_block block;
    EVP_PKEY *key = NULL;
    enum io io;
    arena_init(&mem, KEY_MEM_MAX_BYTES, NULL, 0);
    while ((io = tls_pem_next(&pem, &mem, &block, ret_why)) == IO_DONE) {
        if (block.kind == TLS_PEM_KEY || block.kind == TLS_PEM_ENCRYPTED_KEY)
            break;
    }
    if (io == IO_EOF)
        *ret_why = "it holds no private key";
    else if (io == IO_DONE && block.kind == TLS_PEM_ENCRYPTED_KEY)
        *ret_why = "its private key is encrypted: remove the password";
    else if (io == IO_DONE)
        key = tls_key_read_der(block.der, ret_why);
    arena_wipe(&mem);
    return key;
}

bool tls_key_put_pem(EVP_PKEY *key, struct text *to)
{
    unsigned char *der = NULL;
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    int len = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;
    PKCS8_PRIV_KEY_INFO_free(info);
    if (len <= 0)
        return false;
    tls_pem_put(to, STR("PRIVATE KEY"), str_from((const char *)der, (size_t)len));
    OPENSSL_clear_free(der, (size_t)len);
    return true;
}

// --- from parts ---

struct parts {
    OSSL_PARAM_BLD *build;
    BIGNUM *numbers[8]; // owns: the builder borrows them
    size_t n;
    bool has_failed;
};

static void begin_parts(struct parts *p)
{
    *p = (struct parts){.build = OSSL_PARAM_BLD_new()};
    p->has_failed = !p->build;
}

static void add_number(struct parts *p, const char *name, struct str bytes)
{
    ASSERT(p->n < ARRAY_LEN(p->numbers));
    BIGNUM *bn = NULL;
    if (bytes.len > 0 && bytes.len <= KEY_BITS_MAX / 8 + 1)
        bn = BN_bin2bn((const unsigned char *)bytes.ptr, (int)bytes.len, NULL);
    if (!bn || p->has_failed || !OSSL_PARAM_BLD_push_BN(p->build, name, bn))
        p->has_failed = true;
    p->numbers[p->n++] = bn;
}

static EVP_PKEY *end_parts(struct parts *p, const char *type, const char **ret_why)
{
    EVP_PKEY *key = NULL;
    OSSL_PARAM *params = p->has_failed ? NULL : OSSL_PARAM_BLD_to_param(p->build);
    EVP_PKEY_CTX *ctx = params ? EVP_PKEY_CTX_new_from_name(NULL, type, NULL) : NULL;
    *ret_why = "its private key is damaged";
    if (ctx && EVP_PKEY_fromdata_init(ctx) == 1 &&
        EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_KEYPAIR, params) == 1)
        *ret_why = complaint(key);
    EVP_PKEY_CTX_free(ctx);
    ctx = key && !*ret_why ? EVP_PKEY_CTX_new(key, NULL) : NULL;
    if (ctx && EVP_PKEY_pairwise_check(ctx) != 1)
        *ret_why = "its private and public keys don't belong together";
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params); // wipes what came from secret numbers
    OSSL_PARAM_BLD_free(p->build);
    for (size_t i = 0; i < p->n; i++)
        BN_clear_free(p->numbers[i]);
    ERR_clear_error();
    if (!*ret_why)
        return key;
    EVP_PKEY_free(key);
    return NULL;
}

EVP_PKEY *tls_key_from_ec(struct str x, struct str y, struct str d, const char **ret_why)
{
    // RFC 7518 6.2.1.2: coordinates have the full length of the curve's.
    unsigned char point[1 + 2 * COORDINATE_MAX_BYTES] = {4}; // uncompressed
    const char *group = x.len == 32 ? "P-256" : "P-384";
    *ret_why = "its private key is on a curve that isn't P-256 or P-384";
    if ((x.len != 32 && x.len != 48) || y.len != x.len || d.len > x.len)
        return NULL;
    memcpy(point + 1, x.ptr, x.len);
    memcpy(point + 1 + x.len, y.ptr, y.len);
    struct parts p;
    begin_parts(&p);
    if (!p.has_failed)
        p.has_failed =
            !OSSL_PARAM_BLD_push_utf8_string(p.build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) ||
            !OSSL_PARAM_BLD_push_octet_string(p.build, OSSL_PKEY_PARAM_PUB_KEY, point,
                                              1 + 2 * x.len);
    add_number(&p, OSSL_PKEY_PARAM_PRIV_KEY, d);
    return end_parts(&p, "EC", ret_why);
}

EVP_PKEY *tls_key_from_rsa(const struct tls_key_rsa *rsa, const char **ret_why)
{
    struct parts p;
    begin_parts(&p);
    add_number(&p, OSSL_PKEY_PARAM_RSA_N, rsa->n);
    add_number(&p, OSSL_PKEY_PARAM_RSA_E, rsa->e);
    add_number(&p, OSSL_PKEY_PARAM_RSA_D, rsa->d);
    add_number(&p, OSSL_PKEY_PARAM_RSA_FACTOR1, rsa->p);
    add_number(&p, OSSL_PKEY_PARAM_RSA_FACTOR2, rsa->q);
    add_number(&p, OSSL_PKEY_PARAM_RSA_EXPONENT1, rsa->dp);
    add_number(&p, OSSL_PKEY_PARAM_RSA_EXPONENT2, rsa->dq);
    add_number(&p, OSSL_PKEY_PARAM_RSA_COEFFICIENT1, rsa->qi);
    return end_parts(&p, "RSA", ret_why);
}

// --- what it is ---

unsigned tls_key_bits(const EVP_PKEY *key)
{
    int bits = EVP_PKEY_get_bits(key);
    return bits > 0 ? (unsigned)bits : 0;
}

static bool is_on(const EVP_PKEY *key, const char *group)
{
    char name[32];
    size_t len;
    // The name is "prime256v1" or "secp384r1", whatever it was made by.
    return EVP_PKEY_get_group_name(key, name, sizeof name, &len) == 1 && strcmp(name, group) == 0;
}

enum tls_key_kind tls_key_kind_of(const EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "EC"))
        return is_on(key, "prime256v1")  ? TLS_KEY_P256
               : is_on(key, "secp384r1") ? TLS_KEY_P384
                                         : TLS_KEY_OTHER;
    if (!EVP_PKEY_is_a(key, "RSA"))
        return TLS_KEY_OTHER;
    switch (tls_key_bits(key)) {
    case 2048:
        return TLS_KEY_RSA_2048;
    case 3072:
        return TLS_KEY_RSA_3072;
    case 4096:
        return TLS_KEY_RSA_4096;
    default:
        return TLS_KEY_OTHER;
    }
}
