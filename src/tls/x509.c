// SPDX-License-Identifier: Apache-2.0
#include "tls/x509.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/ascii.h"
#include "codec/base64.h"
#include "codec/ip.h"
#include "tls/pem.h"

#define CERT_MEM_MAX_BYTES ((size_t)2 << 20)
#define CERT_NAMES_MAX 1000
#define DNS_NAME_MAX_BYTES 253
#define SUBJECT_MAX_BYTES 1024
#define SERIAL_MAX_BYTES 64 // RFC 5280 4.1.2.2 allows 20

// --- what a certificate says ---

static bool read_time(const ASN1_TIME *time, int64_t *ret_s)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) != 1)
        return false;
    *ret_s = timegm(&tm);
    return true;
}

// One line, escaped so that a log line stays one.
static struct str name_text(const X509_NAME *name, struct arena *mem)
{
    BIO *out = BIO_new(BIO_s_mem());
    char *ptr = NULL;
    struct str text = STR_NONE;
    if (out && X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253) >= 0) {
        long len = BIO_get_mem_data(out, &ptr);
        text = arena_dup(mem, str_first(str_from(ptr, (size_t)len), SUBJECT_MAX_BYTES));
    }
    BIO_free(out);
    return text;
}

static struct str name_part(const X509_NAME *name, int nid, struct arena *mem)
{
    unsigned char *utf8 = NULL;
    int at = X509_NAME_get_index_by_NID(name, nid, -1);
    const X509_NAME_ENTRY *entry = at < 0 ? NULL : X509_NAME_get_entry(name, at);
    int len = entry ? ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(entry)) : -1;
    struct str text = STR_NONE;
    if (len > 0)
        text = arena_dup(mem, str_first(str_from((const char *)utf8, (size_t)len), 256));
    OPENSSL_free(utf8);
    return text;
}

// Names of certificates go into tables and logs: what isn't one is left out.
static struct str dns_name(const ASN1_STRING *s, struct arena *mem)
{
    struct str name =
        str_from((const char *)ASN1_STRING_get0_data(s), (size_t)MAX(ASN1_STRING_length(s), 0));
    if (str_ends(name, STR(".")))
        name.len--;
    struct str labels = str_starts(name, STR("*.")) ? str_skip(name, 2) : name;
    if (labels.len == 0 || name.len > DNS_NAME_MAX_BYTES)
        return STR_NONE;
    for (size_t i = 0; i < labels.len; i++) {
        char c = labels.ptr[i];
        if (!ascii_is(c, ASCII_ALPHA | ASCII_DIGIT) && c != '-' && c != '_' && c != '.')
            return STR_NONE;
    }
    struct str copy = arena_dup(mem, name);
    char *at = copy.len > 0 ? (char *)(uintptr_t)copy.ptr : NULL;
    for (size_t i = 0; i < copy.len; i++)
        at[i] = ascii_lower(at[i]);
    return copy;
}

static struct str ip_name(const ASN1_STRING *s, struct arena *mem)
{
    int len = ASN1_STRING_length(s);
    char buf[46];
    struct ip ip = {.family = len == 4 ? 4 : 6};
    if (len != 4 && len != 16)
        return STR_NONE;
    memcpy(ip.bytes, ASN1_STRING_get0_data(s), (size_t)len);
    return arena_dup(mem, ip_text(&ip, buf));
}

static bool read_names(const X509 *cert, struct arena *mem, struct tls_cert_info *ret)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    int n_all = all ? MIN(sk_GENERAL_NAME_num(all), CERT_NAMES_MAX) : 0;
    struct str *names = ARENA_ARRAY(mem, struct str, (size_t)n_all);
    size_t n = 0;
    for (int i = 0; names && i < n_all; i++) {
        int type;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(all, i), &type);
        struct str name = type == GEN_DNS     ? dns_name(value, mem)
                          : type == GEN_IPADD ? ip_name(value, mem)
                                              : STR_NONE;
        if (name.len > 0)
            names[n++] = name;
    }
    GENERAL_NAMES_free(all);
    ret->names = names;
    ret->n_names = n;
    return names != NULL;
}

static bool read_serial(const X509 *cert, struct arena *mem, struct str *ret)
{
    unsigned char *der = NULL;
    int len = i2d_ASN1_INTEGER(X509_get0_serialNumber(cert), &der);
    bool is_fine = len > 2 && len <= SERIAL_MAX_BYTES + 2; // a tag and a length of one byte each
    if (is_fine)
        *ret = arena_dup(mem, str_from((const char *)der + 2, (size_t)len - 2));
    OPENSSL_free(der);
    return is_fine && ret->ptr;
}

static bool read_key(const X509 *cert, struct tls_cert_info *ret)
{
    unsigned char *der = NULL;
    unsigned len = 0;
    const EVP_PKEY *key = X509_get0_pubkey(cert);
    int n = key ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der) : -1;
    bool is_fine = n > 0 && EVP_Digest(der, (size_t)n, ret->spki_sha256, NULL, EVP_sha256(), NULL);
    OPENSSL_free(der);
    if (!is_fine || X509_digest(cert, EVP_sha256(), ret->sha256, &len) != 1)
        return false;
    ret->key = tls_key_kind_of(key);
    ret->key_bits = tls_key_bits(key);
    return true;
}

bool tls_cert_info(X509 *cert, struct arena *mem, struct tls_cert_info *ret)
{
    const X509_NAME *issuer = X509_get_issuer_name(cert);
    *ret = (struct tls_cert_info){
        .subject = name_text(X509_get_subject_name(cert), mem),
        .issuer = name_text(issuer, mem),
        .issuer_name = name_part(issuer, NID_commonName, mem),
        .is_self_signed = X509_self_signed(cert, 1) == 1,
        .is_ca = X509_check_ca(cert) == 1,
    };
    if (ret->issuer_name.len == 0)
        ret->issuer_name = name_part(issuer, NID_organizationName, mem);
    const ASN1_OCTET_STRING *aki = X509_get0_authority_key_id(cert);
    if (aki && ASN1_STRING_length(aki) > 0 && ASN1_STRING_length(aki) <= SERIAL_MAX_BYTES)
        ret->authority_key_id = arena_dup(mem, str_from((const char *)ASN1_STRING_get0_data(aki),
                                                        (size_t)ASN1_STRING_length(aki)));
    bool is_fine = ret->subject.ptr && ret->issuer.ptr && read_names(cert, mem, ret) &&
                   read_time(X509_get0_notBefore(cert), &ret->not_before_s) &&
                   read_time(X509_get0_notAfter(cert), &ret->not_after_s) &&
                   read_serial(cert, mem, &ret->serial) && read_key(cert, ret);
    ERR_clear_error();
    return is_fine;
}

bool tls_cert_covers(const struct tls_cert_info *info, struct str name)
{
    struct str parent, first;
    struct ip ip;
    bool has_parent = ip_parse(name, &ip) != ERR_OK && str_cut(name, '.', &first, &parent) &&
                      first.len > 0 && !str_eq(first, STR("*"));
    for (size_t i = 0; i < info->n_names; i++) {
        struct str own = info->names[i];
        if (str_eq(own, name))
            return true;
        if (has_parent && str_starts(own, STR("*.")) && str_eq(str_skip(own, 2), parent))
            return true;
    }
    return false;
}

struct str tls_cert_ari_id(const struct tls_cert_info *info, struct arena *mem)
{
    char aki[SERIAL_MAX_BYTES * 2], serial[SERIAL_MAX_BYTES * 2];
    if (info->authority_key_id.len == 0)
        return STR_NONE;
    size_t n_aki = base64_encode(info->authority_key_id, true, aki);
    size_t n_serial = base64_encode(info->serial, true, serial);
    return arena_concat(mem, str_from(aki, n_aki), STR("."), str_from(serial, n_serial));
}

// --- certificates in files ---

void tls_cert_free(X509 *cert)
{
    X509_free(cert);
}

void tls_certs_free(X509 **certs, size_t n)
{
    for (size_t i = 0; i < n; i++)
        X509_free(certs[i]);
}

X509 *tls_cert_read_der(struct str der, const char **ret_why)
{
    const unsigned char *at = (const unsigned char *)der.ptr;
    X509 *cert = d2i_X509(NULL, &at, (long)der.len);
    ERR_clear_error();
    if (cert && at == (const unsigned char *)der.ptr + der.len)
        return cert;
    X509_free(cert);
    *ret_why = "a certificate in it is damaged";
    return NULL;
}

static bool read_certs(struct str pem, size_t max, struct arena *mem, X509 **ret, size_t *ret_n,
                       const char **ret_why)
{
    struct tls_pem_block block;
    enum io io = IO_EOF;
    size_t n = 0;
    while (n < max && (io = tls_pem_next(&pem, mem, &block, ret_why)) == IO_DONE) {
        if (block.kind != TLS_PEM_CERTIFICATE)
            continue;
        ret[n] = tls_cert_read_der(block.der, ret_why);
        if (!ret[n]) {
            io = IO_FAIL;
            break;
        }
        n++;
    }
    if (io == IO_EOF && n == 0)
        *ret_why = "it holds no certificate";
    if (io != IO_FAIL && n > 0) {
        *ret_n = n;
        return true;
    }
    tls_certs_free(ret, n);
    return false;
}

bool tls_certs_read(struct str pem, X509 *ret[static TLS_CHAIN_MAX], size_t *ret_n,
                    const char **ret_why)
{
    struct arena mem;
    arena_init(&mem, CERT_MEM_MAX_BYTES, NULL, 0);
    bool is_fine = read_certs(pem, TLS_CHAIN_MAX, &mem, ret, ret_n, ret_why);
    arena_wipe(&mem);
    return is_fine;
}

X509 *tls_cert_read(struct str pem, const char **ret_why)
{
    struct arena mem;
    X509 *cert = NULL;
    size_t n;
    arena_init(&mem, CERT_MEM_MAX_BYTES, NULL, 0);
    bool is_fine = read_certs(pem, 1, &mem, &cert, &n, ret_why);
    arena_wipe(&mem);
    return is_fine ? cert : NULL;
}

struct str tls_cert_der(X509 *cert, struct arena *mem)
{
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    struct str copy = len > 0 ? arena_dup(mem, str_from((const char *)der, (size_t)len)) : STR_NONE;
    OPENSSL_free(der);
    return copy;
}

bool tls_cert_put_pem(X509 *cert, struct text *to)
{
    unsigned char *der = NULL;
    int len = i2d_X509(cert, &der);
    if (len > 0)
        tls_pem_put(to, STR("CERTIFICATE"), str_from((const char *)der, (size_t)len));
    OPENSSL_free(der);
    return len > 0;
}

bool tls_cert_has_key(const X509 *cert, const EVP_PKEY *key)
{
    bool has_key = X509_check_private_key(cert, key) == 1;
    ERR_clear_error();
    return has_key;
}
