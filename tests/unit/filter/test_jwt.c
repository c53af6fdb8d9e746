// SPDX-License-Identifier: Apache-2.0
#include "filter/jwt.h"
#include "unit/filter/fixture.h"
#include "unit/filter/jws_vectors.h"
#include "unit/test.h"

#define SECRET "secret: 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const char *token_of(const char *alg)
{
    for (size_t i = 0; i < ARRAY_LEN(jws_vectors); i++)
        if (strcmp(jws_vectors[i].alg, alg) == 0)
            return jws_vectors[i].token;
    return "";
}

struct serve_case {
    const char *yaml, *alg; // NULL: no token
    unsigned status;
    const char *challenge; // what WWW-Authenticate has
};

static void the_answer_tells_what_is_wrong_and_no_more(void)
{
    static const struct serve_case cases[] = {
        {"{ " SECRET " }", "HS256", 200, NULL},
        {"{ " SECRET " }", "HS512", 200, NULL},
        {"{ " SECRET " }", NULL, 401, "Bearer realm=\"Restricted\""},
        {"{ " SECRET " }", "RS256", 401, "error=\"invalid_token\""},
        {"{ " SECRET ", algorithms: HS512 }", "HS256", 401, "error=\"invalid_token\""},
        {"{ secret: 1123456789abcdef0123456789abcdef }", "HS256", 401, "error=\"invalid_token\""},
        {"{ " SECRET ", issuer: me }", "HS256", 401, "error=\"invalid_token\""},
        {"{ " SECRET ", required: { role: admin } }", "HS256", 403, "error=\"insufficient_scope\""},
        {"{ " SECRET ", required: { sub: ada } }", "HS256", 200, NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct serve_case *c = &cases[i];
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_jwt, c->yaml, NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        struct str field = arena_printf(x->mem, "Bearer %s", c->alg ? token_of(c->alg) : "");
        if (c->alg)
            fixture_field(&e, "Authorization", field.ptr);
        CHECK(f.filter != NULL);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        CHECK_INT(x->resp.status, c->status);
        CHECK_INT(f.server.n_served, c->status == 200);
        CHECK_STR(x->user, c->status == 200 ? STR("ada") : STR_NONE);
        struct str got = headers_get(&x->resp.headers, FIELD_WWW_AUTHENTICATE);
        CHECK(c->challenge ? str_search(got, str_of(c->challenge)) != STR_NPOS : got.len == 0);
        CHECK_INT(x->trail.n, 1);
        fixture_end(&e);
        filter_end(&f);
    }
}

static void servers_get_the_claims_and_not_the_token(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_jwt,
                 "{ " SECRET ", strip: yes, headers: { X-User: sub, X-Mail: email } }", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    struct str field = arena_printf(x->mem, "Bearer %s", token_of("HS384"));
    fixture_field(&e, "Authorization", field.ptr);
    fixture_field(&e, "X_User", "root");
    fixture_field(&e, "x-mail", "root@a.example");
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    const struct headers *h = &f.server.headers;
    CHECK_STR(headers_find_named(h, STR("X-User"))->value, STR("ada"));
    CHECK(!headers_find_named(h, STR("X-Mail")) && !headers_find_named(h, STR("X_User")));
    CHECK(!headers_find(h, FIELD_AUTHORIZATION));
    fixture_end(&e);
    filter_end(&f);
}

static void explain_says_what_is_asked_for(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_jwt,
                 "{ " SECRET ", jwks-url: \"http://a/b\", headers: { X-User: sub } }", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_STR(f.filter->type->explain(f.filter, x),
              STR("asks for a signed token (keys given: 1, others from http://a/b); servers get: "
                  "X-User"));
    fixture_end(&e);
    filter_end(&f);
}

TEST_MAIN(TEST(the_answer_tells_what_is_wrong_and_no_more),
          TEST(servers_get_the_claims_and_not_the_token), TEST(explain_says_what_is_asked_for))
