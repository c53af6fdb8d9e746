// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

static void the_answer_is_the_settings_and_no_server_is_asked(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_respond,
                 "{ status: 503, body: 'Back at noon.', content-type: text/html, headers: { "
                 "Retry-After: '120' } }",
                 NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, 503);
    CHECK_INT(f.server.n_served, 0);
    CHECK_INT(x->end, EXCHANGE_END_FILTERED);
    CHECK_STR(headers_get(&x->resp.headers, FIELD_CONTENT_TYPE), STR("text/html"));
    CHECK_STR(headers_get(&x->resp.headers, FIELD_RETRY_AFTER), STR("120"));
    struct str piece = STR_NONE;
    CHECK(x->resp.body != NULL);
    if (x->resp.body) {
        CHECK_INT(body_read(x->resp.body, &piece, BODY_NO_WAIT), IO_DONE);
        CHECK_STR(piece, STR("Back at noon."));
    }
    fixture_end(&e);
    filter_end(&f);
}

static void a_text_alone_is_the_body(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_respond, "hello", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, 200);
    CHECK_STR(headers_get(&x->resp.headers, FIELD_CONTENT_TYPE), STR("text/plain; charset=utf-8"));
    fixture_end(&e);
    filter_end(&f);
}

static void an_answer_may_have_no_body(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_respond, "status: 204", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, 204);
    CHECK(x->resp.body == NULL);
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"{ status: 204, body: x }", "has no body"},
        {"status: 100", "200"},
        {"headers: { Content-Length: '4' }", "frames the message"},
        {"content-type: \"a\\nb\"", "content type"},
    };
    filter_check_refused(&filter_respond, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_respond);
}

TEST_MAIN(TEST(the_answer_is_the_settings_and_no_server_is_asked), TEST(a_text_alone_is_the_body),
          TEST(an_answer_may_have_no_body), TEST(wrong_settings_are_refused),
          TEST(the_table_is_complete))
