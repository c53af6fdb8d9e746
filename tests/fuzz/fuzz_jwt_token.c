// SPDX-License-Identifier: Apache-2.0
// Tokens as clients send them. Property: what is taken has three parts, of which the first two are
// what was signed; its algorithm isn't `none`; and no signature of a stranger's is right, whatever
// key is there.
#include "filter/jwk_set.h"
#include "filter/jwt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define KEYS                                                                                       \
    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\","                                                \
    "\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                                       \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"},"                                      \
    "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]" \
    "}"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct conf_texts none;
    static struct jwk_set *keys;
    const struct jwt_conf conf = {.needs_expiry = true, .issuers = none};
    struct arena mem;
    struct jwt_token t;
    struct str text = str_from((const char *)data, size), value;
    const char *why;
    arena_init(&mem, (size_t)1 << 20, NULL, 0);
    if (!keys)
        keys = jwk_set_parse(STR(KEYS), false, &why);
    ASSERT(keys && jwk_set_n(keys) == 2);
    if (jwt_token_parse(text, &mem, &t) == NULL) {
        ASSERT(t.signed_text.ptr == text.ptr && t.signed_text.len < text.len);
        ASSERT(text.ptr[t.signed_text.len] == '.' && t.signature.len > 0);
        ASSERT(t.claims->kind == JSON_OBJECT);
        size_t at = 0;
        const struct jws_key *key;
        while ((key = jwk_set_next(keys, t.alg, t.kid, &at)))
            ASSERT(jws_key_fits(key, t.alg) && !jws_verify(key, t.alg, t.signed_text, t.signature));
        if (jwt_check_claims(&conf, t.claims, 1000) == JWT_GOOD)
            ASSERT(json_get(t.claims, STR("exp")) != NULL);
        for (const struct json *c = t.claims->first; c; c = c->next)
            if (jwt_claim_text(c, &mem, &value))
                ASSERT(filter_value_fault(value) == NULL);
    }
    arena_fini(&mem);
    return 0;
}
