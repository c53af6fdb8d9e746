// SPDX-License-Identifier: Apache-2.0
// Signed JSON for ACME: JWS (RFC 7515), JWK (RFC 7517), thumbprints (RFC 7638). Pure.
#pragma once

#include <openssl/types.h>

#include "base/text.h"

// "ES256" …; NULL: the key is of a kind that isn't used for this.
const char *jose_algorithm(const EVP_PKEY *key);

// The public key in RFC 7638's canonical form. False: OpenSSL can't.
bool jose_put_jwk(const EVP_PKEY *key, struct text *to) MUST_CHECK;

// base64url(SHA-256) of it.
#define JOSE_THUMBPRINT_BYTES 43
bool jose_thumbprint(const EVP_PKEY *key, char ret[static JOSE_THUMBPRINT_BYTES + 1]) MUST_CHECK;

struct jose_header {
    struct str kid;   // empty: the key itself is sent
    struct str nonce; // empty: none
    struct str url;
};

// Appends a flattened JWS (RFC 7515 7.2.2) signed by key. False: OpenSSL can't.
bool jose_sign(EVP_PKEY *key, const struct jose_header *header, struct str payload, struct text *to)
    MUST_CHECK;

// The same with HS256 and a secret: external account binding (RFC 8555 7.3.4).
bool jose_mac(struct str secret, const struct jose_header *header, struct str payload,
              struct text *to) MUST_CHECK;

void jose_put_base64url(struct text *to, struct str bytes);
