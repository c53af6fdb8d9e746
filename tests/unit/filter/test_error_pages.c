// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/asking.h"
#include "unit/test.h"

static struct str body_of(struct exchange *x)
{
    struct str piece = STR_NONE;
    if (x->resp.body)
        CHECK_INT(body_read(x->resp.body, &piece, BODY_NO_WAIT), IO_DONE);
    return piece;
}

#define PAGES "{ pages: [{ statuses: 404, body: 'own {status}' }, { statuses: [500-599] }]"
#define NEUTRAL "502 Bad Gateway\nrequest test-request-id\n"

static void bodies_of_errors_are_replaced(void)
{
    static const struct {
        const char *yaml;
        unsigned status;
        enum exchange_end end;
        const char *wanted; // NULL: as it was
    } cases[] = {
        {PAGES " }", 404, EXCHANGE_END_OK, "own 404"},
        {PAGES " }", 404, EXCHANGE_END_NO_ROUTE, "own 404"},
        {PAGES " }", 502, EXCHANGE_END_OK, NEUTRAL},
        {PAGES " }", 403, EXCHANGE_END_OK, NULL},
        {PAGES " }", 301, EXCHANGE_END_OK, NULL},
        {PAGES ", of: server }", 404, EXCHANGE_END_OK, "own 404"},
        {PAGES ", of: server }", 404, EXCHANGE_END_NO_ROUTE, NULL},
        {PAGES ", of: proxy }", 404, EXCHANGE_END_NO_ROUTE, "own 404"},
        {PAGES ", of: proxy }", 404, EXCHANGE_END_OK, NULL},
        {"[500-599]", 502, EXCHANGE_END_OK, NEUTRAL},
        {"[{ statuses: 404, body: first }, { statuses: 404, body: second }]", 404, EXCHANGE_END_OK,
         "first"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_error_pages, cases[i].yaml, NULL);
        f.server.status = cases[i].status;
        f.server.end = cases[i].end;
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        if (f.filter)
            CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        CHECK_INT(x->resp.status, cases[i].status);
        CHECK_INT(x->end, cases[i].end);
        struct str got = body_of(x);
        if (cases[i].wanted)
            CHECK_STR(got, str_of(cases[i].wanted));
        else
            CHECK(!str_starts(got, STR("own")));
        fixture_end(&e);
        filter_end(&f);
    }
}

static void fields_that_describe_the_old_body_go_and_others_stay(void)
{
    static const char *const fields[] = {"Content-Encoding",
                                         "gzip",
                                         "ETag",
                                         "\"a\"",
                                         "Content-Length",
                                         "6",
                                         "Last-Modified",
                                         "x",
                                         "Content-Disposition",
                                         "attachment",
                                         "Content-Language",
                                         "de",
                                         "Set-Cookie",
                                         "a=b",
                                         "WWW-Authenticate",
                                         "Basic",
                                         "Retry-After",
                                         "5",
                                         NULL};
    static const char *const gone[] = {"Content-Encoding",    "ETag",
                                       "Content-Length",      "Last-Modified",
                                       "Content-Disposition", "Content-Language"};
    static const char *const kept[] = {"Set-Cookie", "WWW-Authenticate", "Retry-After"};
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_error_pages, "[{ statuses: 401, body: x, content-type: text/x }]",
                 NULL);
    f.server.status = 401;
    f.server.fields = fields;
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(gone); i++)
        CHECK(!headers_find_named(&x->resp.headers, str_of(gone[i])));
    for (size_t i = 0; i < ARRAY_LEN(kept); i++)
        CHECK(headers_find_named(&x->resp.headers, str_of(kept[i])) != NULL);
    CHECK_STR(headers_get(&x->resp.headers, FIELD_CONTENT_TYPE), STR("text/x"));
    CHECK_INT(headers_remove(&x->resp.headers, FIELD_CONTENT_TYPE), 1);
    CHECK_INT(x->resp.body->length, 1);
    fixture_end(&e);
    filter_end(&f);
}

static void clients_of_grpc_and_upgrades_are_left_alone(void)
{
    for (int i = 0; i < 2; i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_error_pages, "[{ statuses: 400-599, body: own }]", NULL);
        f.server.status = 500;
        struct exchange *x = fixture_start(&e, "POST", "a.example", "/", NULL);
        if (i == 0)
            fixture_field(&e, "Content-Type", "application/grpc");
        else
            x->req.is_upgrade = true;
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        CHECK_STR(body_of(x), STR("served"));
        fixture_end(&e);
        filter_end(&f);
    }
}

static void a_service_has_the_page_or_the_neutral_one_is_shown(void)
{
    static const char *const typed[] = {"Content-Type", "text/css", NULL};
    static const char *const coded[] = {"Content-Encoding", "gzip", NULL};
    static const struct {
        unsigned status;
        const char *const *fields;
        const char *body, *wanted, *type;
    } cases[] = {
        {200, typed, "page", "page", "text/css"},
        {200, NULL, "page", "page", "text/html; charset=utf-8"},
        {404, NULL, "page", NEUTRAL, "text/plain; charset=utf-8"},
        {200, coded, "page", NEUTRAL, "text/plain; charset=utf-8"},
        {0, NULL, "page", NEUTRAL, "text/plain; charset=utf-8"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct asking a;
        asking_start(&a, &filter_error_pages,
                     "[{ statuses: 500-599, service: pages, path: \"/e/{status}.html\" }]");
        a.f.server.status = 502;
        a.auth.status = cases[i].status;
        a.auth.fields = cases[i].fields;
        a.auth.body = cases[i].body;
        asking_serve(&a);
        CHECK_STR(a.f.services.asked, STR("pages"));
        CHECK_INT(a.x->resp.status, 502);
        CHECK(str_starts(str_of(a.auth.text), STR("GET a.example/e/502.html\n")));
        CHECK_STR(body_of(a.x), str_of(cases[i].wanted));
        CHECK_STR(headers_get(&a.x->resp.headers, FIELD_CONTENT_TYPE), str_of(cases[i].type));
        asking_end(&a);
    }
}

static void a_silent_service_is_not_waited_for(void)
{
    struct asking a;
    asking_start(&a, &filter_error_pages,
                 "{ pages: [{ statuses: 502, service: pages }], timeout: 100ms }");
    a.f.server.status = 502;
    a.auth.is_silent = true;
    asking_serve(&a);
    CHECK_STR(body_of(a.x), STR(NEUTRAL));
    asking_end(&a);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"{}", "pages"},
        {"[{ body: x }]", "statuses"},
        {"[{ statuses: 200, body: x }]", "is no status"},
        {"[{ statuses: 500, body: x, service: y }]", "name one"},
        {"[{ statuses: 500, service: y, path: 'a' }]", "is no path"},
        {"[{ statuses: 500, service: y, path: '/a?b' }]", "is no path"},
    };
    filter_check_refused(&filter_error_pages, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_error_pages);
}

TEST_MAIN(TEST(bodies_of_errors_are_replaced),
          TEST(fields_that_describe_the_old_body_go_and_others_stay),
          TEST(clients_of_grpc_and_upgrades_are_left_alone),
          TEST(a_service_has_the_page_or_the_neutral_one_is_shown),
          TEST(a_silent_service_is_not_waited_for), TEST(wrong_settings_are_refused),
          TEST(the_table_is_complete))
