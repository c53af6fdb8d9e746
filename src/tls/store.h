// SPDX-License-Identifier: Apache-2.0
// Certificates by server name: immutable, counted, shared by all workers. Built from a bundle
// (tls/bundle.h) off the workers.
#pragma once

#include <openssl/types.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/str.h"

struct tls_store;

#define TLS_CHAIN_DIGEST_BYTES 32

// One certificate with its chain and key. Lives as long as its store.
struct tls_chain {
    struct str id;
    X509 *leaf;            // owns
    STACK_OF(X509) * rest; // owns: intermediates, may be empty
    EVP_PKEY *key;         // owns
    int64_t not_after_s;
    bool is_local_ca;
    uint8_t digest[TLS_CHAIN_DIGEST_BYTES]; // of the PEM texts that it was read from
};

// What a name is answered with: the client's offer chooses between the two. At least one is there.
struct tls_entry {
    const struct tls_chain *ecdsa; // or NULL
    const struct tls_chain *rsa;   // or NULL
};

// A certificate that can't be used is left out, with a warning. NULL, with an error, only when the
// bytes are no bundle. The caller holds one ref.
struct tls_store *tls_store_build(struct str bundle, struct diags *diags) MUST_CHECK;

// The same; what `before` (NULL: none) has already isn't read anew, which takes OpenSSL about a
// millisecond for each.
struct tls_store *tls_store_rebuild(struct str bundle, const struct tls_store *before,
                                    struct diags *diags) MUST_CHECK;

// An empty one.
struct tls_store *tls_store_new(void);

// Any thread.
struct tls_store *tls_store_ref(struct tls_store *s);
// NULL is allowed.
void tls_store_unref(struct tls_store *s);

// By the exact name, else by a wildcard for its first label. server_name: lower case. NULL: none.
const struct tls_entry *tls_store_find_exact(const struct tls_store *s, struct str server_name);
// By the exact name alone. NULL: none.
const struct tls_entry *tls_store_find_own(const struct tls_store *s, struct str server_name);
// Answers names that no certificate has. NULL: none.
const struct tls_entry *tls_store_default(const struct tls_store *s);
// The one or the other.
const struct tls_entry *tls_store_find(const struct tls_store *s, struct str server_name);

size_t tls_store_n_chains(const struct tls_store *s);
// Of them, in the bundle's order.
const struct tls_chain *tls_store_chain(const struct tls_store *s, size_t i);
