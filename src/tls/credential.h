// SPDX-License-Identifier: Apache-2.0
// A certificate chain with the key that belongs to it, from PEM in any order: what a file, a
// folder of the store or an authority's answer must be before it is used.
#pragma once

#include "base/err.h"
#include "tls/x509.h"

// What is not right with a chain and key that can be used all the same.
enum tls_flaw {
    TLS_FLAW_EXPIRED = 1,
    TLS_FLAW_NOT_YET = 2,
    TLS_FLAW_INCOMPLETE = 4, // the leaf stands alone and isn't self-signed: as a rule, an
                             // intermediate is missing
    TLS_FLAW_NO_NAMES = 8,   // without a SAN it matches no name
};
// For people; of the first one of flaws. "" for none.
const char *tls_flaw_text(unsigned flaws);

// A chain and the key that belongs to it, read, checked and put in order.
struct tls_credential {
    struct str chain_pem; // leaf first, each signed by the next; what isn't of it is left out
    struct str key_pem;   // PKCS#8
    struct tls_cert_info leaf;
    size_t n_chain;
    unsigned flaws; // enum tls_flaw
};

// From text that holds certificates and one key, in any order, and perhaps a second text. All in
// mem, which holds a secret then. ERR_SYNTAX with *ret_why: unreadable, a key with a password,
// without a certificate that belongs to the key …
enum err tls_credential_read(struct str pem, struct str more_pem, int64_t now_s, struct arena *mem,
                             struct tls_credential *ret, const char **ret_why) MUST_CHECK;

// The same from a certificate that was made here with its key, followed by n_rest others as PEM:
// nothing is checked. False: OpenSSL can't, or mem has no room.
bool tls_credential_make(X509 *leaf, EVP_PKEY *key, struct str rest_pem, size_t n_rest,
                         int64_t now_s, struct arena *mem, struct tls_credential *ret) MUST_CHECK;
