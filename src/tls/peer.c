// SPDX-License-Identifier: Apache-2.0
#include "tls/peer.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "base/ascii.h"
#include "base/text.h"
#include "codec/base64.h"
#include "codec/date.h"
#include "codec/ip.h"
#include "tls/x509.h"

// Issuers in a ticket; with longer ones a session isn't resumed.
#define KEPT_MAX_BYTES 8192
#define KEPT_MARK 'c' // first byte of what is kept: that it was, even if there are no issuers

// --- texts ---

static void put_hex(struct text *to, const unsigned char *bytes, size_t n, const char *digits)
{
    for (size_t i = 0; i < n; i++) {
        text_byte(to, digits[bytes[i] >> 4]);
        text_byte(to, digits[bytes[i] & 15]);
    }
}

static const char upper_hex[] = "0123456789ABCDEF", lower_hex[] = "0123456789abcdef";

// Percent-encodes all but letters, digits and what `others` holds, which isn't '%'.
static void put_encoded(struct text *to, struct str s, struct str others)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (ascii_is(c, ASCII_ALPHA | ASCII_DIGIT) || str_find(others, c) != STR_NPOS) {
            text_byte(to, c);
            continue;
        }
        text_byte(to, '%');
        put_hex(to, (const unsigned char *)&c, 1, upper_hex);
    }
}

// A byte sequence of structured fields (RFC 8941 3.3.5).
static void put_sequence(struct text *to, struct str der)
{
    text_byte(to, ':');
    text_reserve(to, (der.len + 2) / 3 * 4 + 2);
    to->len += base64_encode(der, false, to->ptr + to->len);
    text_byte(to, ':');
}

// --- one field ---

static void put_cert(struct text *to, const X509 *cert)
{
    unsigned char *der = NULL;
    int n = i2d_X509(cert, &der);
    if (n > 0)
        put_sequence(to, str_from((const char *)der, (size_t)n));
    OPENSSL_free(der);
}

static void put_pem(struct text *to, X509 *cert)
{
    struct text pem = {.ptr = NULL};
    if (tls_cert_put_pem(cert, &pem))
        put_encoded(to, text_str(&pem), STR("-._~"));
    text_fini(&pem);
}

static void put_name(struct text *to, const X509_NAME *name)
{
    char *ptr = NULL;
    BIO *out = BIO_new(BIO_s_mem());
    if (out && X509_NAME_print_ex(out, name, 0, XN_FLAG_RFC2253) >= 0) {
        long n = BIO_get_mem_data(out, &ptr);
        text_put(to, str_from(ptr, (size_t)n));
    }
    BIO_free(out);
}

static bool is_ip(const ASN1_STRING *value)
{
    return ASN1_STRING_length(value) == 4 || ASN1_STRING_length(value) == 16;
}

static void put_ip(struct text *to, const ASN1_STRING *value)
{
    char buf[46];
    int n = ASN1_STRING_length(value);
    struct ip ip = {.family = n == 4 ? 4 : 6};
    memcpy(ip.bytes, ASN1_STRING_get0_data(value), (size_t)n);
    text_put(to, STR("IP:"));
    text_put(to, ip_text(&ip, buf));
}

// Names of other kinds are left out, and addresses of no family.
static void put_alternative(struct text *to, const GENERAL_NAME *name)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);
    const char *kind = type == GEN_DNS     ? "DNS:"
                       : type == GEN_EMAIL ? "email:"
                       : type == GEN_URI   ? "URI:"
                                           : NULL;
    if (!kind && !(type == GEN_IPADD && is_ip(value)))
        return;
    if (to->len > 0)
        text_byte(to, ',');
    if (!kind) {
        put_ip(to, value);
        return;
    }
    text_put(to, str_of(kind));
    put_encoded(to,
                str_from((const char *)ASN1_STRING_get0_data(value),
                         (size_t)MAX(ASN1_STRING_length(value), 0)),
                STR("-._~:/?#[]@!$&'()*+;="));
}

static void put_alternatives(struct text *to, const X509 *cert)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; all && i < sk_GENERAL_NAME_num(all); i++)
        put_alternative(to, sk_GENERAL_NAME_value(all, i));
    GENERAL_NAMES_free(all);
}

static void put_serial(struct text *to, const X509 *cert)
{
    const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
    if (ASN1_STRING_type(serial) == V_ASN1_NEG_INTEGER)
        text_byte(to, '-');
    put_hex(to, ASN1_STRING_get0_data(serial), (size_t)MAX(ASN1_STRING_length(serial), 0),
            upper_hex);
}

static void put_fingerprint(struct text *to, const X509 *cert)
{
    unsigned char digest[TLS_SHA256_BYTES];
    unsigned n = 0;
    if (X509_digest(cert, EVP_sha256(), digest, &n) == 1)
        put_hex(to, digest, n, lower_hex);
}

static void put_time(struct text *to, const ASN1_TIME *time)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(time, &tm) == 1)
        text_printf(to, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1,
                    tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

// --- issuers ---

static bool is_issuer(const STACK_OF(X509) * chain, int i)
{
    return i > 0 && X509_self_signed(sk_X509_value(chain, i), 0) != 1;
}

static void put_separated(struct text *to, struct str der)
{
    if (to->len > 0)
        text_put(to, STR(", "));
    put_sequence(to, der);
}

// As the handshake has verified it, or from the ticket of one that did.
static void put_chain(struct text *to, SSL *ssl)
{
    const STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    for (int i = 1; chain && i < sk_X509_num(chain); i++) {
        unsigned char *der = NULL;
        int n = is_issuer(chain, i) ? i2d_X509(sk_X509_value(chain, i), &der) : 0;
        if (n > 0)
            put_separated(to, str_from((const char *)der, (size_t)n));
        OPENSSL_free(der);
    }
    void *kept = NULL;
    size_t n_kept = 0;
    if (chain || SSL_SESSION_get0_ticket_appdata(SSL_get0_session(ssl), &kept, &n_kept) != 1)
        return;
    struct str rest = str_skip(str_from(kept, n_kept), MIN(n_kept, (size_t)1));
    while (rest.len > 0) {
        const unsigned char *at = (const unsigned char *)rest.ptr;
        X509 *cert = d2i_X509(NULL, &at, (long)rest.len);
        if (!cert)
            break;
        size_t n = (size_t)(at - (const unsigned char *)rest.ptr);
        put_separated(to, str_first(rest, n));
        rest = str_skip(rest, n);
        X509_free(cert);
    }
}

// --- sessions ---

static int keep_chain(SSL *ssl, void *arg)
{
    (void)arg;
    const STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
    unsigned char kept[KEPT_MAX_BYTES] = {KEPT_MARK}, *at = kept + 1;
    if (!chain) // nobody was verified, or its ticket is renewed: what was kept stays
        return 1;
    for (int i = 1; i < sk_X509_num(chain); i++) {
        int n = is_issuer(chain, i) ? i2d_X509(sk_X509_value(chain, i), NULL) : 0;
        if (n > kept + sizeof kept - at)
            return 1;
        if (n > 0)
            i2d_X509(sk_X509_value(chain, i), &at);
    }
    return SSL_SESSION_set1_ticket_appdata(SSL_get0_session(ssl), kept, (size_t)(at - kept));
}

static bool is_over(const X509 *cert)
{
    return X509_cmp_time(X509_get0_notAfter(cert), NULL) <= 0;
}

static SSL_TICKET_RETURN take_session(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                      size_t name_bytes, SSL_TICKET_STATUS status, void *arg)
{
    (void)ssl, (void)name, (void)name_bytes, (void)arg;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    void *kept;
    size_t n_kept;
    const X509 *cert = SSL_SESSION_get0_peer(session);
    if (cert && (is_over(cert) || SSL_SESSION_get0_ticket_appdata(session, &kept, &n_kept) != 1 ||
                 n_kept == 0))
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

// --- public ---

bool tls_peer_text(const struct tls_info *info, enum tls_peer_field field, struct arena *mem,
                   struct str *ret)
{
    struct text t = {.ptr = NULL};
    X509 *cert = info ? info->peer_cert : NULL;
    if (field == TLS_PEER_VERIFY) {
        *ret = cert ? STR("SUCCESS") : STR("NONE");
        return true;
    }
    *ret = STR_NONE;
    if (!cert)
        return true;
    switch (field) {
    case TLS_PEER_CERT:
        put_cert(&t, cert);
        break;
    case TLS_PEER_CHAIN:
        put_chain(&t, info->ssl);
        break;
    case TLS_PEER_PEM:
        put_pem(&t, cert);
        break;
    case TLS_PEER_SUBJECT:
        put_name(&t, X509_get_subject_name(cert));
        break;
    case TLS_PEER_ISSUER:
        put_name(&t, X509_get_issuer_name(cert));
        break;
    case TLS_PEER_NAMES:
        put_alternatives(&t, cert);
        break;
    case TLS_PEER_SERIAL:
        put_serial(&t, cert);
        break;
    case TLS_PEER_FINGERPRINT:
        put_fingerprint(&t, cert);
        break;
    case TLS_PEER_NOT_BEFORE:
        put_time(&t, X509_get0_notBefore(cert));
        break;
    case TLS_PEER_NOT_AFTER:
        put_time(&t, X509_get0_notAfter(cert));
        break;
    case TLS_PEER_VERIFY:
        break;
    }
    ERR_clear_error();
    bool has_room = true;
    if (t.len > 0) {
        *ret = arena_dup(mem, text_str(&t));
        has_room = ret->ptr != NULL;
    }
    text_fini(&t);
    return has_room;
}

void tls_peer_keep(SSL_CTX *ctx)
{
    if (SSL_CTX_set_session_ticket_cb(ctx, keep_chain, take_session, NULL) != 1)
        panic("OpenSSL refuses callbacks for tickets");
}
