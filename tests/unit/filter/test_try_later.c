// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

static struct str body_of(struct exchange *x)
{
    struct str piece = STR_NONE;
    if (x->resp.body)
        CHECK_INT(body_read(x->resp.body, &piece, BODY_NO_WAIT), IO_DONE);
    return piece;
}

static void only_a_service_that_cannot_be_reached_is_one_to_try_later(void)
{
    static const struct {
        const char *yaml;
        unsigned status;
        enum exchange_end end;
        bool is_later;
    } cases[] = {
        {"{}", 503, EXCHANGE_END_NO_SERVER, true},
        {"{}", 502, EXCHANGE_END_SERVER_CONNECT, true},
        {"{}", 504, EXCHANGE_END_SERVER_CONNECT_TIMEOUT, true},
        {"{}", 504, EXCHANGE_END_SERVER_TIMEOUT, false},
        {"{}", 502, EXCHANGE_END_SERVER_PROTOCOL, false},
        {"{}", 404, EXCHANGE_END_NO_ROUTE, false},
        {"{}", 503, EXCHANGE_END_OK, false}, // the server's own
        {"statuses: [502-503]", 503, EXCHANGE_END_OK, true},
        {"statuses: [502-503]", 504, EXCHANGE_END_OK, false},
        {"statuses: [502-503]", 502, EXCHANGE_END_SERVER_PROTOCOL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_try_later, cases[i].yaml, NULL);
        f.server.status = cases[i].status;
        f.server.end = cases[i].end;
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        CHECK_INT(x->resp.status, cases[i].is_later ? 503 : cases[i].status);
        CHECK_STR(headers_get(&x->resp.headers, FIELD_RETRY_AFTER),
                  cases[i].is_later ? STR("5") : STR_NONE);
        CHECK_INT(x->end, cases[i].end); // the log tells the truth
        fixture_end(&e);
        filter_end(&f);
    }
}

static void browsers_come_again_by_themselves(void)
{
    static const struct {
        const char *method, *accept;
        bool reloads;
    } cases[] = {{"GET", "text/html", true},
                 {"POST", "text/html", false},
                 {"GET", "application/json", false},
                 {"GET", "*/*", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_try_later, "30s", NULL);
        f.server.status = 503;
        f.server.end = EXCHANGE_END_NO_SERVER;
        struct exchange *x = fixture_start(&e, cases[i].method, "a.example", "/", NULL);
        fixture_field(&e, "Accept", cases[i].accept);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        struct str body = body_of(x);
        CHECK_INT(str_search(body, STR("content=\"30\"")) != STR_NPOS, cases[i].reloads);
        CHECK(str_search(body, STR("secret")) == STR_NPOS);
        CHECK_STR(headers_get(&x->resp.headers, FIELD_RETRY_AFTER), STR("30"));
        fixture_end(&e);
        filter_end(&f);
    }
}

static void clients_of_grpc_keep_what_they_were_told(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_try_later, "{}", NULL);
    f.server.status = 503;
    f.server.end = EXCHANGE_END_NO_SERVER;
    struct exchange *x = fixture_start(&e, "POST", "a.example", "/", NULL);
    fixture_field(&e, "Content-Type", "application/grpc");
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, 200);
    CHECK(headers_find(&x->resp.headers, FIELD_RETRY_AFTER) == NULL);
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"retry-after: 0", "retry-after"},
        {"statuses: [200]", "is no status"},
    };
    filter_check_refused(&filter_try_later, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_try_later);
}

TEST_MAIN(TEST(only_a_service_that_cannot_be_reached_is_one_to_try_later),
          TEST(browsers_come_again_by_themselves), TEST(clients_of_grpc_keep_what_they_were_told),
          TEST(wrong_settings_are_refused), TEST(the_table_is_complete))
