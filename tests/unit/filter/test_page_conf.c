// SPDX-License-Identifier: Apache-2.0
#include "filter/page_conf.h"

#include "unit/route/fixture.h"
#include "unit/test.h"

static void variables_are_filled_in(void)
{
    static const struct {
        const char *template, *wanted;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"{status} {reason}: {request-id}", "404 Not Found: test-request-id"},
        {"{status}{status}", "404404"},
        {"{{status}} {other} {", "{404} {other} {"},
        {"{status", "{status"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture e;
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        CHECK_STR(page_fill(x, 404, str_of(cases[i].template)), str_of(cases[i].wanted));
        fixture_end(&e);
    }
}

static void own_pages_go_to_those_who_read_them(void)
{
    static const struct {
        const char *file, *body, *type, *accept, *wanted;
    } cases[] = {
        {"<b>{status}</b>", NULL, "text/html", NULL, "<b>404</b>"},
        {"<b>{status}</b>", NULL, "text/html", "text/html", "<b>404</b>"},
        {"<b>{status}</b>", NULL, "text/html", "application/json",
         "{\"status\":404,\"error\":\"Not Found\",\"request\":\"test-request-id\"}\n"},
        {NULL, "{ \"s\": {status} }", "application/json", "text/html", "{ \"s\": 404 }"},
        {"", NULL, "text/html", NULL, ""},
        {NULL, NULL, "text/html", NULL, "404 Not Found\nrequest test-request-id\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture e;
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        if (cases[i].accept)
            fixture_field(&e, "Accept", cases[i].accept);
        const struct page_conf conf = {
            .file = {.content = str_of(cases[i].file), .is_set = cases[i].file != NULL},
            .body = {.text = str_of(cases[i].body)},
            .content_type = {.text = str_of(cases[i].type)}};
        struct page p = page_of(&conf, x, 404, STR_NONE, 0);
        CHECK(p.body.ptr != NULL);
        CHECK_STR(p.body, str_of(cases[i].wanted));
        fixture_end(&e);
    }
}

TEST_MAIN(TEST(variables_are_filled_in), TEST(own_pages_go_to_those_who_read_them))
