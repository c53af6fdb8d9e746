// SPDX-License-Identifier: Apache-2.0
#include "filter/jwt.h"
#include "unit/filter/fixture.h"
#include "unit/test.h"

#define SETTINGS                                                                                   \
    "{ secret: 0123456789abcdef0123456789abcdef, from: [authorization, \"cookie:sid\", "           \
    "\"query:t\", "                                                                                \
    "\"header:X-Jwt\"] }"

struct find_case {
    const char *fields[6]; // name, value, …
    const char *query;
    enum jwt_found found;
    const char *token;
    const char *query_left, *cookie_left; // NULL: none
};

static void the_first_place_that_has_one_counts(void)
{
    static const struct find_case cases[] = {
        {{NULL}, NULL, JWT_NOT_THERE, "", NULL, NULL},
        {{"Authorization", "Bearer a.b.c"}, NULL, JWT_FOUND, "a.b.c", NULL, NULL},
        {{"authorization", "bearer  a.b.c "}, NULL, JWT_FOUND, "a.b.c", NULL, NULL},
        {{"Authorization", "Bearer\ta", "Cookie", "sid=c"}, NULL, JWT_FOUND, "a", NULL, NULL},
        {{"Authorization", "Basic eDp5"}, NULL, JWT_NOT_THERE, "", NULL, NULL},
        {{"Authorization", "Basic eDp5", "Cookie", "sid=c"}, NULL, JWT_FOUND, "c", NULL, NULL},
        {{"Authorization", "Bearer a", "Cookie", "sid=c; k"}, "t=q&u", JWT_FOUND, "a", "u", "k"},
        {{"Authorization", "Bearer a", "Authorization", "Bearer a"},
         NULL,
         JWT_AMBIGUOUS,
         "",
         NULL,
         NULL},
        {{"Cookie", "a=1; sid=c; b=2"}, NULL, JWT_FOUND, "c", NULL, "a=1; b=2"},
        {{"Cookie", "a=1", "Cookie", "sid=c", "Cookie", "b"}, NULL, JWT_FOUND, "c", NULL, "a=1; b"},
        {{"Cookie", "sid=c; sid=d"}, NULL, JWT_AMBIGUOUS, "", NULL, NULL},
        {{"Cookie", "xsid=c; sidx=d; SID=e"}, NULL, JWT_NOT_THERE, "", NULL, NULL},
        {{NULL}, "a=1&t=q&b=&c", JWT_FOUND, "q", "a=1&b=&c", NULL},
        {{NULL}, "t=q", JWT_FOUND, "q", NULL, NULL},
        {{NULL}, "t=q&t=r", JWT_AMBIGUOUS, "", NULL, NULL},
        {{NULL}, "t=q&%74=r", JWT_AMBIGUOUS, "", NULL, NULL},
        {{NULL}, "%74=q&a", JWT_FOUND, "q", "a", NULL},
        {{"x-jwt", "h", "X_Jwt", "i"}, NULL, JWT_AMBIGUOUS, "", NULL, NULL},
        {{"x-jwt", "h"}, "T=q", JWT_FOUND, "h", "T=q", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct find_case *c = &cases[i];
        struct filter_fixture f;
        struct fixture e;
        struct str token = STR_NONE;
        const struct jwt_place *place = NULL;
        filter_start(&f, &filter_jwt, SETTINGS, NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", c->query);
        for (size_t k = 0; k < ARRAY_LEN(c->fields) && c->fields[k]; k += 2)
            fixture_field(&e, c->fields[k], c->fields[k + 1]);
        enum jwt_found found = jwt_find((const struct jwt *)(void *)f.filter, x, &token, &place);
        CHECK_INT(found, c->found);
        if (found == JWT_FOUND) {
            CHECK_STR(token, str_of(c->token));
            const struct jwt *j = (const struct jwt *)(const void *)f.filter;
            const struct jwt_place *used = place;
            CHECK_INT(jwt_strip(j, used, x), ERR_OK); // the others
            CHECK_INT(jwt_find(j, x, &token, &place), JWT_FOUND);
            CHECK_STR(token, str_of(c->token));
            CHECK(place == used);
            CHECK_INT(jwt_strip(j, NULL, x), ERR_OK);
            CHECK_INT(x->req.has_query, c->query_left != NULL);
            CHECK_STR(x->req.query, str_of(c->query_left));
            CHECK_STR(headers_get(&x->req.headers, FIELD_COOKIE), str_of(c->cookie_left));
            CHECK_INT(jwt_find(j, x, &token, &place), JWT_NOT_THERE);
            const struct field *left = headers_find(&x->req.headers, FIELD_AUTHORIZATION);
            CHECK(!left || str_starts(left->value, STR("Basic ")));
        }
        fixture_end(&e);
        filter_end(&f);
    }
}

TEST_MAIN(TEST(the_first_place_that_has_one_counts))
