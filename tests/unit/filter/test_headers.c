// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

static struct str get(const struct headers *h, const char *name)
{
    const struct field *f = headers_find_named(h, str_of(name));
    return f ? f->value : STR("absent");
}

static void both_directions_are_changed(void)
{
    static const char *const answered[] = {
        "Server", "secret/1.2", "X-Frame-Options", "ALLOW", "Vary", "Accept", NULL};
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_headers,
                 "request:\n"
                 "  remove: [X-Debug, cookie]\n"
                 "  set: { X-Tenant: blue, User-Agent: proxy }\n"
                 "response:\n"
                 "  remove: Server\n"
                 "  set: { x-frame-options: DENY }\n"
                 "  add: { Vary: Cookie }\n",
                 NULL);
    f.server.fields = answered;
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    fixture_field(&e, "x-debug", "1");
    fixture_field(&e, "Cookie", "a=b");
    fixture_field(&e, "X-Tenant", "red");
    fixture_field(&e, "X-Tenant", "green");
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_STR(get(&f.server.headers, "X-Debug"), STR("absent"));
    CHECK_STR(get(&f.server.headers, "Cookie"), STR("absent"));
    CHECK_STR(get(&f.server.headers, "X-Tenant"), STR("blue"));
    CHECK_INT(headers_remove_named(&f.server.headers, STR("X-Tenant")), 1);
    CHECK_STR(get(&f.server.headers, "User-Agent"), STR("proxy"));
    CHECK_STR(get(&x->resp.headers, "Server"), STR("absent"));
    CHECK_STR(get(&x->resp.headers, "X-Frame-Options"), STR("DENY"));
    CHECK_STR(get(&x->resp.headers, "Vary"), STR("Accept"));
    CHECK_INT(headers_remove_named(&x->resp.headers, STR("Vary")), 2);
    fixture_end(&e);
    filter_end(&f);
}

static void names_that_servers_cannot_tell_apart_are_the_same(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_headers,
                 "request: { remove: [X-User], set: { X-Tenant: blue, X_Own: a } }\n", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    fixture_field(&e, "X_User", "root");
    fixture_field(&e, "x_tenant", "red");
    fixture_field(&e, "X-Own", "theirs");
    fixture_field(&e, "X_Other", "stays");
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_STR(get(&f.server.headers, "X_User"), STR("absent"));
    CHECK_STR(get(&f.server.headers, "X_Tenant"), STR("absent"));
    CHECK_STR(get(&f.server.headers, "X-Tenant"), STR("blue"));
    CHECK_STR(get(&f.server.headers, "X-Own"), STR("absent"));
    CHECK_STR(get(&f.server.headers, "X_Own"), STR("a"));
    CHECK_STR(get(&f.server.headers, "X_Other"), STR("stays"));
    fixture_end(&e);
    filter_end(&f);
}

static void an_empty_filter_changes_nothing(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_headers, "{}", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(f.server.headers.n, 0);
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"request: { set: { Content-Length: 5 } }", "frames the message"},
        {"request: { add: { transfer-encoding: chunked } }", "frames the message"},
        {"response: { remove: [Connection] }", "belongs to one connection"},
        {"response: { set: { Upgrade: x } }", "belongs to one connection"},
        {"request: { set: { Host: a } }", "set by the service"},
        {"request: { set: { 'X Y': a } }", "is not a field name"},
        {"request: { set: { X: \"a\\r\\nY: b\" } }", "control byte"},
        {"response: { add: { X: ' a' } }", "white space"},
        {"response: { nonsense: 1 }", "nonsense"},
    };
    filter_check_refused(&filter_headers, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_headers);
}

TEST_MAIN(TEST(both_directions_are_changed),
          TEST(names_that_servers_cannot_tell_apart_are_the_same),
          TEST(an_empty_filter_changes_nothing), TEST(wrong_settings_are_refused),
          TEST(the_table_is_complete))
