// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

// A field's values joined by " | "; "-" for none.
static struct str get(struct exchange *x, const char *name)
{
    struct str all = STR_NONE;
    for (const struct field *f = headers_next(&x->resp.headers, NULL); f;
         f = headers_next(&x->resp.headers, f))
        if (str_ieq(f->name, str_of(name)))
            all = all.ptr ? arena_concat(x->mem, all, STR(" | "), f->value) : f->value;
    return all.ptr ? all : STR("-");
}

static void origins_are_taken_as_they_are_written(void)
{
    static const struct {
        const char *yaml, *origin, *wanted;
    } cases[] = {
        {"https://a.example", "https://a.example", "https://a.example"},
        {"https://a.example", "http://a.example", "-"},
        {"https://a.example", "https://a.example:8443", "-"},
        {"https://a.example", "https://a.example.evil", "-"},
        {"https://a.example", "https://A.example", "-"},
        {"https://a.example", "null", "-"},
        {"https://a.example", NULL, "-"},
        {"[https://a.example, http://b.example]", "http://b.example", "http://b.example"},
        {"'https://*.a.example'", "https://x.a.example", "https://x.a.example"},
        {"'https://*.a.example'", "https://x.y.a.example", "https://x.y.a.example"},
        {"'https://*.a.example'", "https://a.example", "-"},
        {"'https://*.a.example'", "https://.a.example", "-"},
        {"'https://*.a.example'", "https://evil/.a.example", "-"},
        {"'https://*.a.example'", "https://evil:1@x.a.example", "-"},
        {"'https://*.a.example'", "https://evil#.a.example", "-"},
        {"'https://*.a.example'", "https://evilXa.example", "-"},
        {"'http://localhost:*'", "http://localhost:5173", "http://localhost:5173"},
        {"'http://localhost:*'", "http://localhost", "-"},
        {"'http://localhost:*'", "http://localhost:", "-"},
        {"'http://localhost:*'", "http://localhost:1@evil", "-"},
        {"'*'", "https://any.example", "*"},
        {"'*'", NULL, "*"},
        {"origin-patterns: 'https://pr-[0-9]+\\.a\\.dev'", "https://pr-7.a.dev",
         "https://pr-7.a.dev"},
        {"origin-patterns: 'https://pr-[0-9]+\\.a\\.dev'", "https://pr-7.a.dev.evil", "-"},
        {"origin-patterns: 'https://pr-[0-9]+\\.a\\.dev'", "xhttps://pr-7.a.dev", "-"},
        {"origin-patterns: 'b|https://a\\.dev'", "https://a.dev", "https://a.dev"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_cors, cases[i].yaml, NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        if (cases[i].origin)
            fixture_field(&e, "Origin", cases[i].origin);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        struct str got = get(x, "Access-Control-Allow-Origin");
        if (!str_eq(got, str_of(cases[i].wanted)))
            printf("# %s: %s\n", cases[i].yaml, cases[i].origin ? cases[i].origin : "no origin");
        CHECK_STR(got, str_of(cases[i].wanted));
        CHECK_STR(get(x, "Vary"), str_eq(got, STR("*")) ? STR("-") : STR("Origin"));
        CHECK_INT(f.server.n_served, 1);
        fixture_end(&e);
        filter_end(&f);
    }
}

struct preflight_case {
    const char *yaml, *headers; // headers: Access-Control-Request-Headers
    const char *origin, *name, *wanted;
};

static void preflights_are_answered_and_no_server_hears_of_them(void)
{
    static const char all[] =
        "{ origins: https://a.example, methods: [GET, PUT], headers: [X-A, Authorization], "
        "expose: [X-Total], credentials: yes, max-age: 2m }";
    static const struct preflight_case cases[] = {
        {all, "x-a", "https://a.example", "Access-Control-Allow-Origin", "https://a.example"},
        {all, "x-a", "https://a.example", "Access-Control-Allow-Methods", "GET, PUT"},
        {all, "x-a", "https://a.example", "Access-Control-Allow-Headers", "X-A, Authorization"},
        {all, "x-a", "https://a.example", "Access-Control-Allow-Credentials", "true"},
        {all, "x-a", "https://a.example", "Access-Control-Max-Age", "120"},
        {all, "x-a", "https://a.example", "Access-Control-Expose-Headers", "-"},
        {all, "x-a", "https://a.example", "Vary",
         "Origin | Access-Control-Request-Method | Access-Control-Request-Headers"},
        {all, "x-a", "https://b.example", "Access-Control-Allow-Origin", "-"},
        {all, "x-a", "https://b.example", "Access-Control-Allow-Methods", "-"},
        {all, "x-a", "https://b.example", "Vary",
         "Origin | Access-Control-Request-Method | Access-Control-Request-Headers"},
        {"'*'", NULL, "https://b.example", "Access-Control-Allow-Origin", "*"},
        {"'*'", NULL, "https://b.example", "Access-Control-Allow-Methods", "GET, HEAD, POST"},
        {"'*'", "x-a", "https://b.example", "Access-Control-Allow-Headers", "-"},
        {"{ origins: https://a.example, headers: '*' }", "x-a, x-b", "https://a.example",
         "Access-Control-Allow-Headers", "x-a, x-b"},
        {"{ origins: https://a.example, headers: '*' }", "x-a; x", "https://a.example",
         "Access-Control-Allow-Headers", "-"},
        {"{ origins: https://a.example, headers: '*' }", NULL, "https://a.example",
         "Access-Control-Allow-Headers", "-"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_cors, cases[i].yaml, NULL);
        struct exchange *x = fixture_start(&e, "OPTIONS", "a.example", "/", NULL);
        fixture_field(&e, "Origin", cases[i].origin);
        fixture_field(&e, "Access-Control-Request-Method", "PUT");
        if (cases[i].headers)
            fixture_field(&e, "Access-Control-Request-Headers", cases[i].headers);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        CHECK_INT(f.server.n_served, 0);
        bool is_allowed = !str_eq(get(x, "Access-Control-Allow-Origin"), STR("-"));
        CHECK_INT(x->resp.status, is_allowed ? 204 : 403);
        CHECK(x->end == EXCHANGE_END_FILTERED);
        struct str got = get(x, cases[i].name);
        if (!str_eq(got, str_of(cases[i].wanted)))
            printf("# %s: %s\n", cases[i].yaml, cases[i].name);
        CHECK_STR(got, str_of(cases[i].wanted));
        fixture_end(&e);
        filter_end(&f);
    }
}

static void other_options_go_on_to_the_server(void)
{
    static const struct {
        const char *method, *field;
    } cases[] = {{"OPTIONS", "Origin"},
                 {"OPTIONS", "Access-Control-Request-Method"},
                 {"GET", "Access-Control-Request-Method"}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_cors, "https://a.example", NULL);
        struct exchange *x = fixture_start(&e, cases[i].method, "a.example", "/", NULL);
        fixture_field(&e, cases[i].field, "https://a.example");
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        CHECK_INT(f.server.n_served, 1);
        fixture_end(&e);
        filter_end(&f);
    }
}

static void what_the_server_says_of_it_is_replaced(void)
{
    static const char *const own[] = {"Access-Control-Allow-Origin",
                                      "*",
                                      "access-control-allow-credentials",
                                      "true",
                                      "Access-Control-Allow-Headers",
                                      "*",
                                      "Access-Control-Whatever",
                                      "1",
                                      "Vary",
                                      "Accept-Encoding, Origin",
                                      NULL};
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_cors, "{ origins: https://a.example, expose: [X-A, X-B] }", NULL);
    f.server.fields = own;
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    fixture_field(&e, "Origin", "https://a.example");
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_STR(get(x, "Access-Control-Allow-Origin"), STR("https://a.example"));
    CHECK_STR(get(x, "Access-Control-Allow-Credentials"), STR("-"));
    CHECK_STR(get(x, "Access-Control-Allow-Headers"), STR("-"));
    CHECK_STR(get(x, "Access-Control-Whatever"), STR("-"));
    CHECK_STR(get(x, "Access-Control-Expose-Headers"), STR("X-A, X-B"));
    CHECK_STR(get(x, "Vary"), STR("Accept-Encoding, Origin"));
    fixture_end(&e);
    filter_end(&f);
}

static void two_origins_are_none(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_cors, "https://a.example", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    fixture_field(&e, "Origin", "https://a.example");
    fixture_field(&e, "Origin", "https://a.example");
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_STR(get(x, "Access-Control-Allow-Origin"), STR("-"));
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"{}", "origins"},
        {"{ origins: '*', credentials: yes }", "name the origins"},
        {"{ origins: https://a.example, methods: '*', credentials: yes }", "take '*' for a name"},
        {"{ origins: https://a.example, expose: '*', credentials: yes }", "take '*' for a name"},
        {"{ origins: '*', origin-patterns: a }", "takes all already"},
        {"{ origins: ['*', https://a.example] }", "is no origin"},
        {"'null'", "sandboxed"},
        {"a.example", "write a scheme"},
        {"https://", "without a path"},
        {"https://a.example/", "without a path"},
        {"https://A.example", "lower case"},
        {"https://\xc3\xa4.example", "lower case"},
        {"'https://a.*.example'", "neither the first label"},
        {"'https://*a.example'", "neither the first label"},
        {"'https://*'", "neither the first label"},
        {"'https://*.a.example:*'", "neither the first label"},
        {"{ origins: https://a.example, methods: 'G T' }", "is no name"},
        {"{ origins: https://a.example, headers: ['a,b'] }", "is no name"},
        {"{ origins: https://a.example, max-age: 2d }", "max-age"},
        {"origin-patterns: ['a', '(b']", "at its character 3"},
        {"{ origin-patterns: ['.*'], credentials: yes }", "fits 'null'"},
        {"{ origin-patterns: ['null|https://a\\.example'], credentials: yes }", "fits 'null'"},
        {"{ origin-patterns: ['https://.*'], credentials: yes }", "fits 'https://a.invalid'"},
    };
    filter_check_refused(&filter_cors, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_cors);
}

TEST_MAIN(TEST(origins_are_taken_as_they_are_written),
          TEST(preflights_are_answered_and_no_server_hears_of_them),
          TEST(other_options_go_on_to_the_server), TEST(what_the_server_says_of_it_is_replaced),
          TEST(two_origins_are_none), TEST(wrong_settings_are_refused), TEST(the_table_is_complete))
