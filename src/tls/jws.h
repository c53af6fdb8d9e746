// SPDX-License-Identifier: Apache-2.0
// Signatures of JSON (JWS, RFC 7515, with the algorithms of RFC 7518 and RFC 8037): public keys and
// secrets, and whether a signature is theirs. Keys are immutable; any thread verifies by them.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

// id, family of keys, digest
#define JWS_ALG_LIST(X)                                                                            \
    X(RS256, RSA, SHA256)                                                                          \
    X(RS384, RSA, SHA384)                                                                          \
    X(RS512, RSA, SHA512)                                                                          \
    X(PS256, RSA, SHA256)                                                                          \
    X(PS384, RSA, SHA384)                                                                          \
    X(PS512, RSA, SHA512)                                                                          \
    X(ES256, P256, SHA256)                                                                         \
    X(ES384, P384, SHA384)                                                                         \
    X(ES512, P521, SHA512)                                                                         \
    X(EdDSA, ED25519, NONE)                                                                        \
    X(HS256, SECRET, SHA256)                                                                       \
    X(HS384, SECRET, SHA384)                                                                       \
    X(HS512, SECRET, SHA512)

enum jws_alg {
#define X(id, family, digest) JWS_##id,
    JWS_ALG_LIST(X)
#undef X
};
#define JWS_ALG_ONE(id, family, digest) +1
#define JWS_ALG_COUNT (0 JWS_ALG_LIST(JWS_ALG_ONE))

const char *jws_alg_name(enum jws_alg alg); // "ES256"
// False: it is none of these; "none" isn't one, and case counts (RFC 7515 4.1.1).
bool jws_alg_parse(struct str name, enum jws_alg *ret);
bool jws_alg_is_secret(enum jws_alg alg); // HS…: who can verify can sign

struct jws_key;

// From the members of a JWK, in binary (RFC 7518 6.2, 6.3; RFC 8037 2). RSA keys have 2048 to 8192
// bits. NULL: *ret_why (static) says what is wrong.
struct jws_key *jws_key_of_rsa(struct str n, struct str e, const char **ret_why);
struct jws_key *jws_key_of_ec(struct str curve, struct str x, struct str y, const char **ret_why);
struct jws_key *jws_key_of_okp(struct str curve, struct str x, const char **ret_why);
// A secret of at least 32 bytes; it is copied, and wiped at the end.
struct jws_key *jws_key_of_secret(struct str secret, const char **ret_why);
// The first PEM block with a public key or a certificate.
struct jws_key *jws_key_of_pem(struct str pem, const char **ret_why);
// Accepts NULL.
void jws_key_free(struct jws_key *key);

// Whether the key is of the algorithm's type and size: never verify by one that doesn't fit, or a
// public key would serve as a secret (RFC 8725 3.1).
bool jws_key_fits(const struct jws_key *key, enum jws_alg alg);

// What the key is, so that two are told apart: a digest of it.
#define JWS_KEY_ID_BYTES 32
const uint8_t *jws_key_id(const struct jws_key *key);

// Whether signature is the key's over text. False for a key that doesn't fit.
bool jws_verify(const struct jws_key *key, enum jws_alg alg, struct str text, struct str signature);
