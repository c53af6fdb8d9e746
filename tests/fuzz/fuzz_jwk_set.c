// SPDX-License-Identifier: Apache-2.0
// JWK sets as servers send them. Property: every key that is taken fits at least one algorithm,
// none fits those of two types, and secrets are never taken unless they may be.
#include "filter/jwk_set.h"

#include "base/assert.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct jwk_set *set, bool takes_secrets)
{
    size_t n_found = 0;
    for (unsigned alg = 0; alg < JWS_ALG_COUNT; alg++) {
        size_t at = 0;
        const struct jws_key *key;
        while ((key = jwk_set_next(set, (enum jws_alg)alg, STR_NONE, &at))) {
            n_found++;
            bool is_secret = jws_alg_is_secret((enum jws_alg)alg);
            ASSERT(takes_secrets || !is_secret);
            ASSERT(!is_secret || !jws_key_fits(key, JWS_RS256));
            ASSERT(!jws_verify(key, (enum jws_alg)alg, STR("text"), STR("signature")));
        }
    }
    ASSERT(jwk_set_n(set) > 0 && jwk_set_n(set) <= JWK_SET_MAX);
    (void)n_found; // a key that is for an algorithm of another type is never found
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    for (int takes_secrets = 0; takes_secrets < 2; takes_secrets++) {
        const char *why = NULL;
        struct jwk_set *set =
            jwk_set_parse(str_from((const char *)data, size), takes_secrets, &why);
        ASSERT((set == NULL) == (why != NULL));
        if (set)
            check(set, takes_secrets);
        jwk_set_unref(set);
    }
    return 0;
}
