// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

static void only_what_is_listed_passes(void)
{
    static const struct {
        const char *yaml, *method;
        unsigned status; // 200: it passes
        const char *allow;
    } cases[] = {
        {"[GET, POST]", "GET", 200, ""},
        {"[GET, POST]", "HEAD", 200, ""},
        {"[GET, POST]", "POST", 200, ""},
        {"[GET, POST]", "PUT", 405, "GET, POST, HEAD"},
        {"[GET, POST]", "get", 405, "GET, POST, HEAD"},
        {"[GET, POST]", "OPTIONS", 405, "GET, POST, HEAD"},
        {"POST", "HEAD", 405, "POST"},
        {"{ allow: [GET], answer-options: yes }", "OPTIONS", 204, "GET, HEAD, OPTIONS"},
        {"{ allow: [GET], answer-options: yes }", "PUT", 405, "GET, HEAD, OPTIONS"},
        {"{ allow: [OPTIONS, HEAD], answer-options: yes }", "OPTIONS", 200, ""},
        {"[PURGE]", "PURGE", 200, ""},
        {"[PURGE]", "PURG", 405, "PURGE"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_methods, cases[i].yaml, NULL);
        struct exchange *x = fixture_start(&e, cases[i].method, "a.example", "/", NULL);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        if (x->resp.status != cases[i].status)
            printf("# %s: %s\n", cases[i].yaml, cases[i].method);
        CHECK_INT(x->resp.status, cases[i].status);
        CHECK_INT(f.server.n_served, cases[i].status == 200);
        CHECK_STR(headers_get(&x->resp.headers, FIELD_ALLOW), str_of(cases[i].allow));
        CHECK_INT(x->end, cases[i].status == 200 ? EXCHANGE_END_OK : EXCHANGE_END_FILTERED);
        fixture_end(&e);
        filter_end(&f);
    }
}

static void another_method_in_a_field_does_not_pass(void)
{
    static const char *const names[] = {"X-HTTP-Method-Override", "x-http-method",
                                        "X-Method-Override", "X_HTTP_METHOD_OVERRIDE"};
    static const struct {
        const char *yaml;
        bool stays;
    } cases[] = {{"POST", false}, {"{ allow: POST, keep-overrides: yes }", true}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
            struct filter_fixture f;
            struct fixture e;
            filter_start(&f, &filter_methods, cases[i].yaml, NULL);
            struct exchange *x = fixture_start(&e, "POST", "a.example", "/", NULL);
            fixture_field(&e, names[k], "DELETE");
            CHECK_INT(handler_serve(f.filter, x), ERR_OK);
            CHECK_INT(headers_find_named(&f.server.headers, str_of(names[k])) != NULL,
                      cases[i].stays);
            fixture_end(&e);
            filter_end(&f);
        }
    }
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"{}", "allow"},
        {"[]", "empty"},
        {"['G T']", "is no method"},
        {"['']", "is no method"},
        {"get", "told apart by case"},
    };
    filter_check_refused(&filter_methods, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_methods);
}

TEST_MAIN(TEST(only_what_is_listed_passes), TEST(another_method_in_a_field_does_not_pass),
          TEST(wrong_settings_are_refused), TEST(the_table_is_complete))
