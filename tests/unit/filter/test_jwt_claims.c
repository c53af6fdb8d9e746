// SPDX-License-Identifier: Apache-2.0
#include "filter/jwt.h"
#include "unit/filter/fixture.h"
#include "unit/test.h"

#define NOW 1000000

struct claims_case {
    const char *claims;
    enum jwt_verdict wanted;
};

static void check_all(const char *yaml, const struct claims_case *cases, size_t n)
{
    struct filter_fixture f;
    filter_start(&f, &filter_jwt, yaml, NULL);
    const struct jwt *j = (const struct jwt *)(void *)f.filter;
    for (size_t i = 0; j && i < n; i++) {
        const char *why;
        const struct json *claims = json_parse(str_of(cases[i].claims), &f.mem, &why);
        CHECK(claims != NULL);
        enum jwt_verdict got = jwt_check_claims(j->conf, claims, NOW);
        if (got != cases[i].wanted)
            printf("# %s\n", cases[i].claims);
        CHECK_INT(got, cases[i].wanted);
    }
    filter_end(&f);
}

#define SECRET "secret: 0123456789abcdef0123456789abcdef"

static void times_are_held_to_the_second(void)
{
    static const struct claims_case cases[] = {
        {"{\"exp\":1000001}", JWT_GOOD},
        {"{\"exp\":999991}", JWT_GOOD},
        {"{\"exp\":999990}", JWT_EXPIRED},
        {"{\"exp\":0}", JWT_EXPIRED},
        {"{\"exp\":-1}", JWT_EXPIRED},
        {"{\"exp\":1.0e7}", JWT_GOOD},
        {"{}", JWT_NO_EXPIRY},
        {"{\"exp\":null}", JWT_TIMES},
        {"{\"exp\":\"2000000\"}", JWT_TIMES},
        {"{\"exp\":1e40}", JWT_TIMES},
        {"{\"exp\":2e6,\"nbf\":1000010}", JWT_GOOD},
        {"{\"exp\":2e6,\"nbf\":1000011}", JWT_NOT_YET},
        {"{\"exp\":2e6,\"iat\":1000011}", JWT_ISSUED_LATER},
        {"{\"exp\":2e6,\"iat\":true}", JWT_TIMES},
        {"{\"exp\":9223372036854775807,\"nbf\":-9223372036854775807}", JWT_GOOD},
    };
    check_all("{ " SECRET ", leeway: 10s }", cases, ARRAY_LEN(cases));
    static const struct claims_case without[] = {{"{}", JWT_GOOD}, {"{\"exp\":1}", JWT_EXPIRED}};
    check_all("{ " SECRET ", require-expiry: no }", without, ARRAY_LEN(without));
}

static void issuer_and_audience_are_compared_exactly(void)
{
    static const struct claims_case cases[] = {
        {"{\"iss\":\"a\",\"aud\":\"x\"}", JWT_GOOD},
        {"{\"iss\":\"b\",\"aud\":[\"q\",\"y\"]}", JWT_GOOD},
        {"{\"iss\":\"A\",\"aud\":\"x\"}", JWT_ISSUER},
        {"{\"iss\":[\"a\"],\"aud\":\"x\"}", JWT_ISSUER},
        {"{\"aud\":\"x\"}", JWT_ISSUER},
        {"{\"iss\":\"a\"}", JWT_AUDIENCE},
        {"{\"iss\":\"a\",\"aud\":[]}", JWT_AUDIENCE},
        {"{\"iss\":\"a\",\"aud\":\"xx\"}", JWT_AUDIENCE},
        {"{\"iss\":\"a\",\"aud\":[[\"x\"]]}", JWT_AUDIENCE},
    };
    check_all("{ " SECRET ", require-expiry: no, issuer: [a, b], audience: [x, y] }", cases,
              ARRAY_LEN(cases));
}

static void claims_are_required_with_one_of_their_values(void)
{
    static const struct claims_case cases[] = {
        {"{\"scope\":\"a write b\",\"r\":{\"s\":[\"x\"]},\"ok\":true,\"n\":7,\"any\":0}", JWT_GOOD},
        {"{\"scope\":\"read\",\"r.s\":\"x\",\"ok\":true,\"n\":\"7\",\"any\":false}", JWT_GOOD},
        {"{\"scope\":\"reader\",\"r.s\":\"x\",\"ok\":true,\"n\":7,\"any\":1}", JWT_REQUIRED},
        {"{\"scope\":\"read\",\"r\":\"x\",\"ok\":true,\"n\":7,\"any\":1}", JWT_REQUIRED},
        {"{\"scope\":\"read\",\"r.s\":\"x y\",\"ok\":true,\"n\":7,\"any\":1}", JWT_REQUIRED},
        {"{\"scope\":\"read\",\"r.s\":\"x\",\"ok\":false,\"n\":7,\"any\":1}", JWT_REQUIRED},
        {"{\"scope\":\"read\",\"r.s\":\"x\",\"ok\":true,\"n\":7}", JWT_REQUIRED},
        {"{\"scope\":\"read\",\"r.s\":\"x\",\"ok\":true,\"n\":7,\"any\":null}", JWT_REQUIRED},
    };
    check_all("{ " SECRET
              ", require-expiry: no, required: { scope: [read, write], r.s: [x, z], ok: "
              "true, n: 7, any: [] } }",
              cases, ARRAY_LEN(cases));
}

static void claims_become_values_of_fields_or_nothing(void)
{
    static const struct {
        const char *json, *wanted; // NULL: nothing
    } cases[] = {{"\"ada\"", "ada"},
                 {"7", "7"},
                 {"true", "true"},
                 {"[\"a\",2,false]", "a,2,false"},
                 {"\"Lovelace, Ada\"", "Lovelace, Ada"},
                 {"[\"staff,admin\",\"a\"]", NULL},
                 {"[]", ""},
                 {"\"\"", ""},
                 {"null", NULL},
                 {"{}", NULL},
                 {"[[\"a\"]]", NULL},
                 {"\"a\\r\\nX-Evil: 1\"", NULL},
                 {"\"a\\u0000\"", NULL},
                 {"\" a\"", NULL},
                 {"\"\\u00e9\"", "\xc3\xa9"},
                 {"[\"a\",\"b\\n\"]", NULL}};
    struct arena mem;
    arena_init(&mem, 1 << 18, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *why;
        struct str text = STR_NONE;
        const struct json *v = json_parse(str_of(cases[i].json), &mem, &why);
        CHECK_INT(jwt_claim_text(v, &mem, &text), cases[i].wanted != NULL);
        CHECK_STR(text, str_of(cases[i].wanted));
    }
    CHECK(!jwt_claim_text(NULL, &mem, &(struct str){NULL, 0}));
    arena_fini(&mem);
}

static void types_are_compared_as_media_types(void)
{
    static const struct {
        const char *types, *typ;
        bool fits;
    } cases[] = {
        {"at+jwt", "at+jwt", true},
        {"at+jwt", "application/AT+JWT", true},
        {"application/at+jwt", "at+jwt", true},
        {"[JWT, at+jwt]", "jwt", true},
        {"at+jwt", "JWT", false},
        {"at+jwt", "", false},
        {"at+jwt", "text/at+jwt", false},
        {"[]", "JWT", true},
        {"[]", "", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        char yaml[128];
        snprintf(yaml, sizeof yaml, "{ " SECRET ", token-type: %s }", cases[i].types);
        filter_start(&f, &filter_jwt, yaml, NULL);
        const struct jwt *j = (const struct jwt *)(void *)f.filter;
        CHECK(j && jwt_type_fits(j->conf, str_of(cases[i].typ)) == cases[i].fits);
        filter_end(&f);
    }
}

TEST_MAIN(TEST(types_are_compared_as_media_types), TEST(times_are_held_to_the_second),
          TEST(issuer_and_audience_are_compared_exactly),
          TEST(claims_are_required_with_one_of_their_values),
          TEST(claims_become_values_of_fields_or_nothing))
