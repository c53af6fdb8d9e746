// SPDX-License-Identifier: Apache-2.0
#include "filter/jwt_token.h"

#include "codec/base64.h"
#include "filter/jwk_set.h"
#include "unit/filter/jws_vectors.h"
#include "unit/test.h"

static void tokens_of_all_algorithms_are_read_and_verify(void)
{
    const char *why = NULL;
    struct jwk_set *set = jwk_set_parse(str_of(jws_vector_keys), true, &why);
    CHECK(set != NULL);
    for (size_t i = 0; i < sizeof jws_vectors / sizeof jws_vectors[0]; i++) {
        struct arena mem;
        struct jwt_token t;
        size_t at = 0, n = 0, n_good = 0;
        const struct jws_key *key;
        arena_init(&mem, 1 << 18, NULL, 0);
        CHECK(jwt_token_parse(str_of(jws_vectors[i].token), &mem, &t) == NULL);
        CHECK_STR(str_of(jws_alg_name(t.alg)), str_of(jws_vectors[i].alg));
        CHECK_STR(json_get_text(t.claims, STR("sub")), STR("ada"));
        for (; (key = jwk_set_next(set, t.alg, t.kid, &at)); n++)
            n_good += jws_verify(key, t.alg, t.signed_text, t.signature);
        CHECK(n == 1 && n_good == 1);
        arena_fini(&mem);
    }
    jwk_set_unref(set);
}

// "header.claims.signature" of texts.
static struct str make(const char *header, const char *claims, const char *signature,
                       struct arena *mem)
{
    const char *const parts[] = {header, claims, signature};
    struct str all = STR_NONE;
    for (size_t i = 0; i < 3; i++) {
        struct str part = str_of(parts[i]);
        char *buf = ARENA_ARRAY(mem, char, part.len * 2 + 8);
        size_t n = base64_encode(part, true, buf);
        all = arena_concat(mem, all, i > 0 ? STR(".") : STR_NONE, str_from(buf, n));
    }
    return all;
}

static void what_is_no_token_is_refused_with_a_reason(void)
{
    static const struct {
        const char *header, *claims, *signature, *why;
    } cases[] = {
        {"{\"alg\":\"ES256\"}", "{}", "x", NULL},
        {"{\"alg\":\"none\"}", "{}", "x", "its algorithm is not one that is taken"},
        {"{\"alg\":\"none\"}", "{}", "", "its algorithm is not one that is taken"},
        {"{}", "{}", "x", "its algorithm is not one that is taken"},
        {"{\"alg\":[\"ES256\"]}", "{}", "x", "its algorithm is not one that is taken"},
        {"{\"alg\":\"ES256\",\"alg\":\"none\"}", "{}", "x", "its header is malformed"},
        {"[]", "{}", "x", "its header is malformed"},
        {"{\"alg\":\"ES256\",\"kid\":1}", "{}", "x", "its key's name is no text"},
        {"{\"alg\":\"ES256\",\"typ\":null}", "{}", "x", "its type is no text"},
        {"{\"alg\":\"ES256\",\"crit\":[]}", "{}", "x",
         "it has an extension that is not known here"},
        {"{\"alg\":\"ES256\",\"enc\":\"x\"}", "{}", "x", "it is encrypted or compressed"},
        {"{\"alg\":\"ES256\"}", "[]", "x", "its claims are malformed"},
        {"{\"alg\":\"ES256\"}", "{\"a\":1,\"a\":2}", "x", "its claims are malformed"},
        {"{\"alg\":\"ES256\"}", "", "x", "its claims are malformed"},
        {"{\"alg\":\"ES256\"}", "{}", "", "its signature is malformed"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct arena mem;
        struct jwt_token t;
        arena_init(&mem, 1 << 18, NULL, 0);
        struct str text = make(cases[i].header, cases[i].claims, cases[i].signature, &mem);
        const char *why = jwt_token_parse(text, &mem, &t);
        CHECK_STR(str_of(why), str_of(cases[i].why));
        arena_fini(&mem);
    }
}

static void other_forms_are_refused(void)
{
    static const char *const cases[] = {"",
                                        ".",
                                        "..",
                                        "...",
                                        "a",
                                        "a.b",
                                        "e30.e30",
                                        "e30.e30.e30.e30",
                                        "eyJhbGciOiJFUzI1NiJ9.e30.eA==",
                                        "eyJhbGciOiJFUzI1NiJ9.e30.e+A",
                                        "eyJhbGciOiJFUzI1NiJ9 .e30.eA",
                                        "eyJhbGciOiJFUzI1NiJ9.e30.\xff"};
    static char longer[JWT_TOKEN_MAX_BYTES + 1];
    struct arena mem;
    struct jwt_token t;
    arena_init(&mem, 1 << 18, NULL, 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK(jwt_token_parse(str_of(cases[i]), &mem, &t) != NULL);
    memset(longer, 'a', sizeof longer);
    CHECK_STR(str_of(jwt_token_parse(str_from(longer, sizeof longer), &mem, &t)),
              STR("it is longer than 16 KiB"));
    arena_fini(&mem);
}

TEST_MAIN(TEST(tokens_of_all_algorithms_are_read_and_verify),
          TEST(what_is_no_token_is_refused_with_a_reason), TEST(other_forms_are_refused))
