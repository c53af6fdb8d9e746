// SPDX-License-Identifier: Apache-2.0
#include "http/page.h"

#include "unit/route/fixture.h"
#include "unit/test.h"

static void pages_are_what_the_client_reads(void)
{
    static const struct {
        const char *accept;
        enum page_kind kind;
        const char *type, *part;
    } cases[] = {
        {NULL, PAGE_TEXT, "text/plain; charset=utf-8",
         "503 Service Unavailable\nSoon.\nrequest test-request-id\n"},
        {"*/*", PAGE_TEXT, "text/plain; charset=utf-8", "request test-request-id"},
        {"text/html,application/xhtml+xml,*/*;q=0.8", PAGE_HTML, "text/html; charset=utf-8",
         "<p>Request test-request-id</p>"},
        {"application/json", PAGE_JSON, "application/json",
         "{\"status\":503,\"error\":\"Service Unavailable\",\"request\":\"test-request-id\"}\n"},
        {"application/problem+json", PAGE_JSON, "application/json", "\"status\":503"},
        {"application/json, text/html", PAGE_HTML, "text/html; charset=utf-8", "<p>Soon.</p>"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture e;
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        if (cases[i].accept)
            fixture_field(&e, "Accept", cases[i].accept);
        CHECK_INT(page_kind_of(x), cases[i].kind);
        struct page p = page_neutral(x, 503, STR("Soon."), 7);
        CHECK_STR(p.content_type, str_of(cases[i].type));
        CHECK(str_search(p.body, str_of(cases[i].part)) != STR_NPOS);
        bool reloads = str_search(p.body, STR("http-equiv=\"refresh\" content=\"7\"")) != STR_NPOS;
        CHECK_INT(reloads, cases[i].kind == PAGE_HTML);
        fixture_end(&e);
    }
}

TEST_MAIN(TEST(pages_are_what_the_client_reads))
