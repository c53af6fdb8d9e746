// SPDX-License-Identifier: Apache-2.0
// The certificates as bytes between keeper and gate: the keeper packs what it has read and checked,
// the gate builds its store (tls/store.h) from it. They hold private keys: whoever packs or maps
// them wipes or unmaps them when done.
#pragma once

#include "base/arena.h"
#include "base/text.h"

struct tls_bundle_item {
    struct str id;           // of the certificate: in status and logs
    const struct str *names; // as in the certificate: lower case, "*.example.com", IP addresses
    size_t n_names;
    struct str chain_pem; // leaf first, in order
    struct str key_pem;   // PKCS#8
    bool is_default;      // answers names that no other one has; at most one item
    bool is_local_ca;     // no public authority made it
};

#define TLS_BUNDLE_ITEMS_MAX 100000u
#define TLS_BUNDLE_NAMES_MAX 10000u // of one item

// Appends n items to `to`, which grows once: no copy of a key is left behind.
void tls_bundle_pack(const struct tls_bundle_item *items, size_t n, struct text *to);

// The items of a bundle, the array in mem, the texts borrowed from bytes. False: the bytes are no
// bundle, or mem has no room. No length in them is trusted.
bool tls_bundle_unpack(struct str bytes, struct arena *mem, struct tls_bundle_item **ret,
                       size_t *ret_n);
