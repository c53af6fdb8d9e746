// SPDX-License-Identifier: Apache-2.0
// Private keys: made, read, written. An EVP_PKEY is shared by counting (EVP_PKEY_up_ref) and wiped
// by OpenSSL when the last owner frees it. What holds a key's bytes is wiped by who owns it
// (text_wipe, arena_wipe).
#pragma once

#include <openssl/types.h>

#include "base/arena.h"
#include "base/text.h"

#define TLS_KEY_KIND_LIST(X)                                                                       \
    X(P256, "p-256", "ECDSA P-256")                                                                \
    X(P384, "p-384", "ECDSA P-384")                                                                \
    X(RSA_2048, "rsa-2048", "RSA 2048")                                                            \
    X(RSA_3072, "rsa-3072", "RSA 3072")                                                            \
    X(RSA_4096, "rsa-4096", "RSA 4096")                                                            \
    X(OTHER, "other", "other")

enum tls_key_kind {
#define X(id, name, text) TLS_KEY_##id,
    TLS_KEY_KIND_LIST(X)
#undef X
};

// "p-256", as in settings.
const char *tls_key_kind_name(enum tls_key_kind kind);
// "ECDSA P-256", for people.
const char *tls_key_kind_text(enum tls_key_kind kind);
// False: no such kind, or OTHER.
bool tls_key_kind_parse(struct str name, enum tls_key_kind *ret);

// A new key; not of kind OTHER. NULL: OpenSSL can't. Takes seconds for RSA 4096.
EVP_PKEY *tls_key_new(enum tls_key_kind kind) MUST_CHECK;
// NULL is allowed.
void tls_key_free(EVP_PKEY *key);

// The first key in pem (PKCS#8, SEC 1, PKCS#1); certificates beside it are skipped. NULL: *ret_why
// says why; a key with a password is refused.
EVP_PKEY *tls_key_read(struct str pem, const char **ret_why) MUST_CHECK;
// The same of one DER structure.
EVP_PKEY *tls_key_read_der(struct str der, const char **ret_why) MUST_CHECK;

// Appends the key as a PKCS#8 block. False: OpenSSL can't.
bool tls_key_put_pem(EVP_PKEY *key, struct text *to) MUST_CHECK;

// A P-256 key from the members of a JWK (RFC 7518 6.2), or an RSA key from its (6.3), in binary.
EVP_PKEY *tls_key_from_ec(struct str x, struct str y, struct str d, const char **ret_why)
    MUST_CHECK;
struct tls_key_rsa {
    struct str n, e, d, p, q, dp, dq, qi; // big-endian
};
EVP_PKEY *tls_key_from_rsa(const struct tls_key_rsa *rsa, const char **ret_why) MUST_CHECK;

enum tls_key_kind tls_key_kind_of(const EVP_PKEY *key);
unsigned tls_key_bits(const EVP_PKEY *key);
