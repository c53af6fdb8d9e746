// SPDX-License-Identifier: Apache-2.0
// Certificates for tests: a root, an intermediate and leaves, made anew in each run.
#pragma once

#include "tls/x509.h"
#include "unit/test.h"

#define MADE_NOW_S 1800000000 // the time of the tests: 2027-01-15
#define MADE_DAY_S 86400

struct made_ca {
    EVP_PKEY *root_key, *mid_key; // own
    X509 *root, *mid;             // own
};

static inline void made_ca_begin(struct made_ca *ca)
{
    struct tls_cert_wish wish = {
        .role = TLS_CERT_ROOT,
        .common_name = STR("Test root"),
        .not_before_s = MADE_NOW_S - 100 * MADE_DAY_S,
        .not_after_s = MADE_NOW_S + 1000 * MADE_DAY_S,
    };
    ca->root_key = tls_key_new(TLS_KEY_P256);
    ca->root = tls_cert_make(&wish, ca->root_key, NULL, NULL);
    wish.role = TLS_CERT_INTERMEDIATE;
    wish.common_name = STR("Test intermediate");
    ca->mid_key = tls_key_new(TLS_KEY_P256);
    ca->mid = tls_cert_make(&wish, ca->mid_key, ca->root, ca->root_key);
    if (!ca->root || !ca->mid)
        abort();
}

static inline void made_ca_end(struct made_ca *ca)
{
    tls_key_free(ca->root_key);
    tls_key_free(ca->mid_key);
    tls_cert_free(ca->root);
    tls_cert_free(ca->mid);
}

struct made_leaf {
    EVP_PKEY *key;         // owns
    X509 *cert;            // owns
    struct text leaf_pem;  // the leaf alone
    struct text chain_pem; // leaf and intermediate
    struct text key_pem;
};

// A leaf of the intermediate, valid from a day ago for n_days.
static inline void made_leaf_begin(struct made_leaf *leaf, const struct made_ca *ca,
                                   enum tls_key_kind kind, struct str name, int n_days)
{
    struct str wild[2] = {name};
    char buf[300];
    int len = snprintf(buf, sizeof buf, "*." STR_FMT, STR_ARG(name));
    wild[1] = str_from(buf, (size_t)len);
    struct tls_cert_wish wish = {
        .role = TLS_CERT_LEAF,
        .names = wild,
        .n_names = 2,
        .not_before_s = MADE_NOW_S - MADE_DAY_S,
        .not_after_s = MADE_NOW_S - MADE_DAY_S + n_days * MADE_DAY_S,
    };
    *leaf = (struct made_leaf){.key = tls_key_new(kind)};
    leaf->cert = tls_cert_make(&wish, leaf->key, ca->mid, ca->mid_key);
    if (!leaf->cert || !tls_cert_put_pem(leaf->cert, &leaf->leaf_pem) ||
        !tls_cert_put_pem(leaf->cert, &leaf->chain_pem) ||
        !tls_cert_put_pem(ca->mid, &leaf->chain_pem) || !tls_key_put_pem(leaf->key, &leaf->key_pem))
        abort();
}

static inline void made_leaf_end(struct made_leaf *leaf)
{
    tls_key_free(leaf->key);
    tls_cert_free(leaf->cert);
    text_fini(&leaf->leaf_pem);
    text_fini(&leaf->chain_pem);
    text_wipe(&leaf->key_pem);
}
