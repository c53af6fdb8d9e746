// SPDX-License-Identifier: Apache-2.0
// Certificates and requests made here: the other half of tls/x509.h.
#include <openssl/err.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "codec/ip.h"
#include "tls/x509.h"

#define SERIAL_BYTES 16
#define DNS_NAME_MAX_BYTES 253
#define COMMON_NAME_MAX_BYTES 64             // RFC 5280 A.1 ub-common-name
#define ACME_IDENTIFIER "1.3.6.1.5.5.7.1.31" // RFC 8737 6.1
#define CHALLENGE_LIFE_S (7 * 86400)
#define BACKDATE_S 3600 // clocks differ

static GENERAL_NAME *general_name(struct str name)
{
    struct ip ip;
    bool is_ip = ip_parse(name, &ip) == ERR_OK;
    struct str bytes = is_ip ? str_from((const char *)ip.bytes, ip.family == 4 ? 4 : 16) : name;
    if (name.len == 0 || name.len > DNS_NAME_MAX_BYTES)
        return NULL;
    GENERAL_NAME *g = GENERAL_NAME_new();
    ASN1_STRING *value = ASN1_STRING_type_new(is_ip ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);
    if (g && value && ASN1_STRING_set(value, bytes.ptr, (int)bytes.len) == 1) {
        GENERAL_NAME_set0_value(g, is_ip ? GEN_IPADD : GEN_DNS, value);
        return g;
    }
    GENERAL_NAME_free(g);
    ASN1_STRING_free(value);
    return NULL;
}

// The extension with the names; NULL when one is none.
static X509_EXTENSION *names_extension(const struct str *names, size_t n, bool is_critical)
{
    X509_EXTENSION *ext = NULL;
    GENERAL_NAMES *all = GENERAL_NAMES_new();
    for (size_t i = 0; all && i < n; i++) {
        GENERAL_NAME *g = general_name(names[i]);
        if (!g || sk_GENERAL_NAME_push(all, g) <= 0) {
            GENERAL_NAME_free(g);
            goto out;
        }
    }
    ext = all ? X509V3_EXT_i2d(NID_subject_alt_name, is_critical, all) : NULL;
out:
    GENERAL_NAMES_free(all);
    return ext;
}

static const EVP_MD *digest_for(const EVP_PKEY *key)
{
    if (EVP_PKEY_is_a(key, "ED25519") || EVP_PKEY_is_a(key, "ED448"))
        return NULL; // they digest themselves
    return tls_key_kind_of(key) == TLS_KEY_P384 ? EVP_sha384() : EVP_sha256();
}

// --- a request ---

static bool request_names(X509_REQ *req, const struct str *names, size_t n)
{
    X509_EXTENSION *ext = names_extension(names, n, false);
    STACK_OF(X509_EXTENSION) *all = sk_X509_EXTENSION_new_null();
    bool is_fine = ext && all && sk_X509_EXTENSION_push(all, ext) > 0;
    if (is_fine) {
        is_fine = X509_REQ_add_extensions(req, all) == 1;
        sk_X509_EXTENSION_pop(all);
    }
    X509_EXTENSION_free(ext);
    sk_X509_EXTENSION_free(all);
    return is_fine;
}

bool tls_csr_make(EVP_PKEY *key, const struct str *names, size_t n_names, struct arena *mem,
                  struct str *ret_der)
{
    unsigned char *der = NULL;
    int len = -1;
    X509_REQ *req = X509_REQ_new();
    if (req && n_names > 0 && X509_REQ_set_version(req, 0) == 1 &&
        X509_REQ_set_pubkey(req, key) == 1 && request_names(req, names, n_names) &&
        X509_REQ_sign(req, key, digest_for(key)) > 0)
        len = i2d_X509_REQ(req, &der);
    *ret_der = len > 0 ? arena_dup(mem, str_from((const char *)der, (size_t)len)) : STR_NONE;
    OPENSSL_free(der);
    X509_REQ_free(req);
    ERR_clear_error();
    return ret_der->ptr != NULL;
}

// --- a certificate ---

static bool set_serial(X509 *cert)
{
    unsigned char bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof bytes) != 1)
        return false;
    bytes[0] = (unsigned char)((bytes[0] & 0x7f) | 0x40); // positive, always of this length
    BIGNUM *bn = BN_bin2bn(bytes, sizeof bytes, NULL);
    bool is_fine = bn && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert));
    BN_free(bn);
    return is_fine;
}

static bool set_subject(X509 *cert, struct str common_name)
{
    struct str cn = str_first(common_name, COMMON_NAME_MAX_BYTES);
    return cn.len == 0 ||
           X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_UTF8,
                                      (const unsigned char *)cn.ptr, (int)cn.len, -1, 0) == 1;
}

static bool add_owned(X509 *cert, X509_EXTENSION *ext)
{
    bool is_fine = ext && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return is_fine;
}

static bool add_text(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    return add_owned(cert, X509V3_EXT_conf_nid(NULL, &ctx, nid, value));
}

// RFC 8737 3: a critical extension whose value is an OCTET STRING of 32 bytes.
static bool add_acme_identifier(X509 *cert, struct str digest)
{
    unsigned char value[2 + TLS_SHA256_BYTES] = {V_ASN1_OCTET_STRING, TLS_SHA256_BYTES};
    if (digest.len != TLS_SHA256_BYTES)
        return false;
    memcpy(value + 2, digest.ptr, digest.len);
    ASN1_OBJECT *oid = OBJ_txt2obj(ACME_IDENTIFIER, 1);
    ASN1_OCTET_STRING *data = ASN1_OCTET_STRING_new();
    bool is_fine = oid && data && ASN1_OCTET_STRING_set(data, value, sizeof value) == 1 &&
                   add_owned(cert, X509_EXTENSION_create_by_OBJ(NULL, oid, 1, data));
    ASN1_OBJECT_free(oid);
    ASN1_OCTET_STRING_free(data);
    return is_fine;
}

static const struct {
    const char *basic;
    const char *usage;
    const char *extended;
} roles[] = {
    [TLS_CERT_LEAF] = {.basic = "critical,CA:FALSE",
                       .usage = "critical,digitalSignature",
                       .extended = "serverAuth"},
    [TLS_CERT_ROOT] = {.basic = "critical,CA:TRUE", .usage = "critical,keyCertSign,cRLSign"},
    [TLS_CERT_INTERMEDIATE] = {.basic = "critical,CA:TRUE,pathlen:0",
                               .usage = "critical,digitalSignature,keyCertSign,cRLSign"},
};

static bool add_extensions(X509 *cert, const struct tls_cert_wish *wish, const EVP_PKEY *key,
                           X509 *issuer)
{
    bool is_rsa_leaf = wish->role == TLS_CERT_LEAF && EVP_PKEY_is_a(key, "RSA");
    const char *usage =
        is_rsa_leaf ? "critical,digitalSignature,keyEncipherment" : roles[wish->role].usage;
    bool is_fine = add_text(cert, issuer, NID_basic_constraints, roles[wish->role].basic) &&
                   add_text(cert, issuer, NID_key_usage, usage) &&
                   add_text(cert, issuer, NID_subject_key_identifier, "hash") &&
                   add_text(cert, issuer, NID_authority_key_identifier, "keyid:always");
    if (is_fine && roles[wish->role].extended)
        is_fine = add_text(cert, issuer, NID_ext_key_usage, roles[wish->role].extended);
    if (is_fine && wish->n_names > 0) // RFC 5280 4.2.1.6: critical where the subject is empty
        is_fine = add_owned(
            cert, names_extension(wish->names, wish->n_names, wish->common_name.len == 0));
    if (is_fine && wish->acme_identifier.len > 0)
        is_fine = add_acme_identifier(cert, wish->acme_identifier);
    return is_fine;
}

X509 *tls_cert_make(const struct tls_cert_wish *wish, EVP_PKEY *key, X509 *issuer,
                    EVP_PKEY *issuer_key)
{
    X509 *cert = X509_new();
    EVP_PKEY *signer = issuer ? issuer_key : key;
    bool is_fine = cert && X509_set_version(cert, 2) == 1 && set_serial(cert) &&
                   ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)wish->not_before_s) &&
                   ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)wish->not_after_s) &&
                   set_subject(cert, wish->common_name) &&
                   X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert)) == 1 &&
                   X509_set_pubkey(cert, key) == 1 &&
                   add_extensions(cert, wish, key, issuer ? issuer : cert) &&
                   X509_sign(cert, signer, digest_for(signer)) > 0;
    ERR_clear_error();
    if (is_fine)
        return cert;
    X509_free(cert);
    return NULL;
}

bool tls_challenge_make(struct str name, const uint8_t digest[static TLS_SHA256_BYTES],
                        int64_t now_s, struct text *chain_pem, struct text *key_pem)
{
    struct tls_cert_wish wish = {
        .role = TLS_CERT_LEAF,
        .common_name = STR("ACME challenge"),
        .names = &name,
        .n_names = 1,
        .not_before_s = now_s - BACKDATE_S,
        .not_after_s = now_s + CHALLENGE_LIFE_S,
        .acme_identifier = str_from((const char *)digest, TLS_SHA256_BYTES),
    };
    EVP_PKEY *key = tls_key_new(TLS_KEY_P256);
    X509 *cert = key ? tls_cert_make(&wish, key, NULL, NULL) : NULL;
    bool is_fine = cert && tls_cert_put_pem(cert, chain_pem) && tls_key_put_pem(key, key_pem);
    X509_free(cert);
    EVP_PKEY_free(key);
    return is_fine;
}
