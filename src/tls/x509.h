// SPDX-License-Identifier: Apache-2.0
// X.509 certificates (RFC 5280): read, checked, made. A certificate from a file or an authority is
// data: whatever is wrong with it is an error value. Values are in the caller's arena.
#pragma once

#include <openssl/types.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"
#include "tls/digest.h"
#include "tls/key.h"

#define TLS_CHAIN_MAX 16u

// --- what a certificate says ---

struct tls_cert_info {
    struct str subject; // "CN=a.example,O=…" (RFC 2253 form)
    struct str issuer;
    struct str issuer_name;  // the issuer's common name, or else its organisation
    const struct str *names; // SAN: DNS names in lower case, IP addresses as text; the CN is none
    size_t n_names;
    int64_t not_before_s, not_after_s; // since 1970
    struct str serial;                 // content bytes of the DER INTEGER, a leading 0 included
    struct str authority_key_id;       // keyIdentifier; empty: none
    uint8_t spki_sha256[TLS_SHA256_BYTES];
    uint8_t sha256[TLS_SHA256_BYTES]; // of the certificate
    enum tls_key_kind key;
    unsigned key_bits;
    bool is_self_signed;
    bool is_ca;
};

// False: mem has no room, or a field makes no sense.
bool tls_cert_info(X509 *cert, struct arena *mem, struct tls_cert_info *ret) MUST_CHECK;

// True when the certificate's names cover name (lower case, or an IP address); a wildcard stands
// for one label (RFC 6125 6.4.3).
bool tls_cert_covers(const struct tls_cert_info *info, struct str name);

// The certificate's id for renewal information (RFC 9773 4.1): base64url(AKI).base64url(serial).
// Empty: it has no AKI, or mem no room.
struct str tls_cert_ari_id(const struct tls_cert_info *info, struct arena *mem);

// --- certificates in files ---

// The first certificate in pem (keys beside it are skipped). NULL with *ret_why.
X509 *tls_cert_read(struct str pem, const char **ret_why) MUST_CHECK;
// The same of one DER structure.
X509 *tls_cert_read_der(struct str der, const char **ret_why) MUST_CHECK;
// All of them, in their order: *ret_n, at most TLS_CHAIN_MAX, at least 1. False with *ret_why.
bool tls_certs_read(struct str pem, X509 *ret[static TLS_CHAIN_MAX], size_t *ret_n,
                    const char **ret_why) MUST_CHECK;
void tls_certs_free(X509 **certs, size_t n);
// NULL is allowed.
void tls_cert_free(X509 *cert);
bool tls_cert_put_pem(X509 *cert, struct text *to) MUST_CHECK;
// In mem; empty: no room.
struct str tls_cert_der(X509 *cert, struct arena *mem);
bool tls_cert_has_key(const X509 *cert, const EVP_PKEY *key);

// --- made here ---

// A certificate request (RFC 2986) for names (DNS or IP), as DER, signed by key. False: OpenSSL
// can't, or a name is none.
bool tls_csr_make(EVP_PKEY *key, const struct str *names, size_t n_names, struct arena *mem,
                  struct str *ret_der) MUST_CHECK;

enum tls_cert_role { TLS_CERT_LEAF, TLS_CERT_ROOT, TLS_CERT_INTERMEDIATE };

struct tls_cert_wish {
    enum tls_cert_role role;
    struct str common_name; // of the subject; may be empty for a leaf with names
    const struct str *names;
    size_t n_names;
    int64_t not_before_s, not_after_s;
    struct str acme_identifier; // TLS_SHA256_BYTES, or empty: RFC 8737 3, critical
};

// issuer NULL: signed with its own key (issuer_key is ignored). NULL: OpenSSL can't, or a name is
// none.
X509 *tls_cert_make(const struct tls_cert_wish *wish, EVP_PKEY *key, X509 *issuer,
                    EVP_PKEY *issuer_key) MUST_CHECK;

// The self-signed certificate of a TLS-ALPN-01 challenge (RFC 8737) and its key, as PEM appended to
// both texts. digest: SHA-256 of the key authorisation.
bool tls_challenge_make(struct str name, const uint8_t digest[static TLS_SHA256_BYTES],
                        int64_t now_s, struct text *chain_pem, struct text *key_pem) MUST_CHECK;
