// SPDX-License-Identifier: Apache-2.0
#include "filter/jwk_set.h"

#include "base/attr.h"
#include "unit/filter/jws_vectors.h"
#include "unit/test.h"

#define EC                                                                                         \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","      \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define OKP                                                                                        \
    "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define OCT "\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY\""

static size_t count(const struct jwk_set *set, enum jws_alg alg, const char *kid)
{
    size_t at = 0, n = 0;
    while (jwk_set_next(set, alg, str_of(kid), &at))
        n++;
    return n;
}

static void sets_hold_the_keys_that_are_for_signatures(void)
{
    static const struct {
        const char *text;
        size_t n, n_with_secrets;
    } cases[] = {
        {jws_vector_keys, 5, 6},
        {"{" EC "}", 1, 1},
        {"{\"keys\":[{" EC "},{" OKP "},{" OCT "}]}", 2, 3},
        {"{\"keys\":[{" EC ",\"use\":\"sig\"},{" EC ",\"use\":\"enc\"},{" EC ",\"use\":1}]}", 1, 1},
        {"{\"keys\":[{" EC ",\"key_ops\":[\"verify\"]},{" EC ",\"key_ops\":[\"sign\"]}]}", 1, 1},
        {"{\"keys\":[{" EC ",\"alg\":\"ES256\"},{" EC ",\"alg\":\"ECDH-ES\"}]}", 1, 1},
        {"{\"keys\":[{\"kty\":\"EC\"},{\"kty\":\"what\"},{},7,null,{" OKP "}]}", 1, 1},
        {"{\"keys\":[]}", 0, 0},
        {"{\"keys\":{}}", 0, 0},
        {"{}", 0, 0},
        {"[]", 0, 0},
        {"nonsense", 0, 0},
        {"{\"keys\":[{" OCT "}]}", 0, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (int secrets = 0; secrets < 2; secrets++) {
            const char *why = NULL;
            struct jwk_set *set = jwk_set_parse(str_of(cases[i].text), secrets, &why);
            size_t wanted = secrets ? cases[i].n_with_secrets : cases[i].n;
            CHECK_INT(set ? jwk_set_n(set) : 0, wanted);
            CHECK((set == NULL) == (why != NULL));
            jwk_set_unref(set);
        }
    }
}

static void keys_are_found_by_type_purpose_and_name(void)
{
    const char *why = NULL;
    struct jwk_set *set = jwk_set_parse(STR("{\"keys\":[{" EC ",\"kid\":\"a\"},{" EC
                                            ",\"kid\":\"b\",\"alg\":\"ES256\"},{" OKP "},{" OKP
                                            ",\"kid\":\"c\",\"alg\":\"ES256\"}]}"),
                                        false, &why);
    CHECK(set != NULL);
    CHECK_INT(count(set, JWS_ES256, "a"), 1);
    CHECK_INT(count(set, JWS_ES256, "b"), 1);
    CHECK_INT(count(set, JWS_ES256, ""), 2);
    CHECK_INT(count(set, JWS_ES256, "z"), 0);
    CHECK_INT(count(set, JWS_EdDSA, "z"), 1); // a key without a name is anybody's
    CHECK_INT(count(set, JWS_EdDSA, "c"), 1); // c itself says that it is for another
    CHECK_INT(count(set, JWS_ES384, ""), 0);
    CHECK_INT(count(set, JWS_HS256, ""), 0);
    struct jwk_set *same = jwk_set_ref(set);
    jwk_set_unref(set);
    CHECK_INT(jwk_set_n(same), 4);
    jwk_set_unref(same);
    jwk_set_unref(NULL);
}

static void a_set_has_no_more_keys_than_the_limit(void)
{
    static char text[64 * 1024];
    struct str one = STR("{" OKP "}");
    const char *why = NULL;
    char *at = str_copy(text, STR("{\"keys\":["));
    for (unsigned i = 0; i < JWK_SET_MAX + 20; i++) {
        if (i > 0)
            *at++ = ',';
        at = str_copy(at, one);
    }
    at = str_copy(at, STR("]}"));
    struct jwk_set *set = jwk_set_parse(str_from(text, (size_t)(at - text)), false, &why);
    CHECK(set && jwk_set_n(set) == JWK_SET_MAX);
    jwk_set_unref(set);
}

static void a_key_that_is_named_is_not_behind_others(void)
{
    const char *why = NULL;
    size_t at = 0;
    struct jwk_set *set = jwk_set_parse(STR("{\"keys\":[{" EC "},{" EC "},{" EC
                                            ",\"kid\":\"b\"},{" EC "},{" EC ",\"kid\":\"a\"}]}"),
                                        false, &why);
    CHECK_INT(jwk_set_n(set), 5);
    CHECK(jwk_set_next(set, JWS_ES256, STR("a"), &at) != NULL);
    CHECK_INT(at, 2);                         // the second of those with names
    CHECK_INT(count(set, JWS_ES256, "a"), 4); // those without are tried after it
    jwk_set_unref(set);
}

TEST_MAIN(TEST(a_key_that_is_named_is_not_behind_others),
          TEST(sets_hold_the_keys_that_are_for_signatures),
          TEST(keys_are_found_by_type_purpose_and_name),
          TEST(a_set_has_no_more_keys_than_the_limit))
