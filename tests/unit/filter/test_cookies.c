// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

static void attributes_are_forced_as_browsers_read_them(void)
{
    static const struct {
        const char *yaml, *scheme, *cookie, *wanted;
    } cases[] = {
        {"{}", "https", "a=b", "a=b; Secure"},
        {"{}", "http", "a=b", "a=b"},
        {"{}", "http", "a=b; secure", "a=b; Secure"},
        {"secure: always", "http", "a=b", "a=b; Secure"},
        {"secure: keep", "https", "a=b; Max-Age=5; Path=/x", "a=b; Max-Age=5; Path=/x"},
        {"http-only: yes", "http", "a=b; HTTPONLY=x; httponly", "a=b; HttpOnly"},
        {"same-site: Lax", "http", "a=b", "a=b; SameSite=Lax"},
        {"same-site: Lax", "http", "a=b; SameSite=Strict", "a=b; SameSite=Strict"},
        {"same-site: Lax", "http", "a=b; SameSite=Strict;samesite = none", "a=b; SameSite=Lax"},
        {"same-site: Lax", "http", "a=b; SameSite=whatever", "a=b; SameSite=Lax"},
        {"same-site: Strict", "http", "a=b; SameSite=Lax", "a=b; SameSite=Strict"},
        {"same-site: None", "https", "a=b; SameSite=Lax", "a=b; Secure; SameSite=None"},
        {"same-site: None", "http", "a=b; SameSite=Lax", "a=b; SameSite=Lax"},
        {"same-site: Lax", "http", "a=b;;  ; Expires=Thu, 01 Jan 2026 00:00:00 GMT",
         "a=b; Expires=Thu, 01 Jan 2026 00:00:00 GMT; SameSite=Lax"},
        {"http-only: yes", "http", "a=\"b;Secure", "a=\"b; Secure; HttpOnly"},
        {"http-only: yes", "http", "", "; HttpOnly"},
        {"http-only: yes", "http", "alone", "alone; HttpOnly"},
        {"http-only: yes", "http", "=b; Path", "=b; Path; HttpOnly"},
        {"{ names: ['se.*'], http-only: yes }", "http", "session=b", "session=b; HttpOnly"},
        {"{ names: ['se.*'], http-only: yes }", "http", " session = b", " session = b; HttpOnly"},
        {"{ names: ['se.*'], http-only: yes }", "http", "xse=b", "xse=b"},
        {"{ names: ['se|x'], http-only: yes }", "http", "xse=b", "xse=b"},
        {"paths: { /in: /out }", "http", "a=b; Path=/in/x", "a=b; Path=/out/x"},
        {"paths: { /in: /out }", "http", "a=b; path=/in", "a=b; Path=/out"},
        {"paths: { /in: /out }", "http", "a=b; Path=/in/", "a=b; Path=/out"},
        {"paths: { /in: /out }", "http", "a=b; Path=/inner", "a=b; Path=/inner"},
        {"paths: { /in: / }", "http", "a=b; Path=/in", "a=b; Path=/"},
        {"paths: { /: /app }", "http", "a=b; Path=/", "a=b; Path=/app"},
        {"paths: { /: /app }", "http", "a=b; Path=/x", "a=b; Path=/app/x"},
        {"paths: { /: /app }", "http", "__Host-a=b; Path=/", "__Host-a=b; Path=/"},
        {"domains: { in.test: out.test }", "http", "a=b; Domain=.IN.test", "a=b; Domain=out.test"},
        {"domains: { in.test: '' }", "http", "a=b; Domain=in.test", "a=b"},
        {"domains: { in.test: '' }", "http", "a=b; Domain=x.in.test", "a=b; Domain=x.in.test"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *const fields[] = {"Set-Cookie", cases[i].cookie, NULL};
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_cookies, cases[i].yaml, NULL);
        f.server.fields = fields;
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        x->req.scheme = str_of(cases[i].scheme);
        if (f.filter)
            CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        struct str got = headers_get(&x->resp.headers, FIELD_SET_COOKIE);
        if (!str_eq(got, str_of(cases[i].wanted)))
            printf("# %s: %s\n", cases[i].yaml, cases[i].cookie);
        CHECK_STR(got, str_of(cases[i].wanted));
        fixture_end(&e);
        filter_end(&f);
    }
}

static void each_cookie_is_shaped_and_nothing_else(void)
{
    static const char *const fields[] = {"Set-Cookie", "a=1", "X", "a=1",
                                         "set-cookie", "b=2", NULL};
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_cookies, "secure: always", NULL);
    f.server.fields = fields;
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    const struct field *first = headers_find(&x->resp.headers, FIELD_SET_COOKIE);
    CHECK_STR(first->value, STR("a=1; Secure"));
    CHECK_STR(headers_find_named(&x->resp.headers, STR("X"))->value, STR("a=1"));
    headers_drop(&x->resp.headers, first);
    CHECK_STR(headers_get(&x->resp.headers, FIELD_SET_COOKIE), STR("b=2; Secure"));
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"{ secure: keep, same-site: None }", "aren't Secure"},
        {"same-site: Maybe", "same-site"},
        {"names: ['(']", "at its character"},
        {"paths: { in: /out }", "both are paths"},
        {"paths: { /in: out }", "both are paths"},
        {"paths: { /in/: /out }", "both are paths"},
        {"paths: { /in: '/out; x' }", "both are paths"},
        {"domains: { a: 'b; Secure' }", "no such bytes"},
    };
    filter_check_refused(&filter_cookies, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_cookies);
}

TEST_MAIN(TEST(attributes_are_forced_as_browsers_read_them),
          TEST(each_cookie_is_shaped_and_nothing_else), TEST(wrong_settings_are_refused),
          TEST(the_table_is_complete))
