// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

#include "codec/url.h"

#define REFUSED "refused"

static void paths_are_kept_refused_or_changed(void)
{
    static const struct {
        const char *yaml, *target, *wanted; // wanted: the path behind, or REFUSED
    } cases[] = {
        {"{}", "/a/b.c~d/", "/a/b.c~d/"},
        {"{}", "/%E4%BD%A0", "/%E4%BD%A0"},
        {"{}", "/A;b=c//d", "/A;b=c//d"},
        {"{}", "/100%25", "/100%25"},
        {"{}", "/a/./b/../c", "/a/c"},
        {"{}", "/a%2Fb", REFUSED},
        {"{}", "/a%2fb", REFUSED},
        {"{}", "/a%5Cb", REFUSED},
        {"{}", "/a\\b", REFUSED},
        {"{}", "/a%0Ab", REFUSED},
        {"{}", "/a%7Fb", REFUSED},
        {"{}", "/%252e%252e/b", REFUSED},
        {"{}", "/%25zz", "/%25zz"},
        {"{}", "/%C0%AF", REFUSED},
        {"{}", "/%FF", REFUSED},
        {"encoded-slashes: keep", "/a%2Fb", "/a%2Fb"},
        {"encoded-slashes: decode", "/a%2Fb%2fc", "/a/b/c"},
        {"encoded-slashes: decode", "/a%2F..%2Fb", REFUSED},
        {"encoded-slashes: decode", "/a%2F.", REFUSED},
        {"encoded-slashes: decode", "/a%2F..b", "/a/..b"},
        {"encoded-slashes: decode", "/%2Fa", "//a"},
        {"{ encoded-slashes: decode, empty-segments: merge }", "/%2Fa", "/a"},
        {"{ encoded-slashes: decode, empty-segments: refuse }", "/%2Fa", REFUSED},
        {"backslashes: keep", "/a\\b", "/a%5Cb"},
        {"backslashes: slash", "/a\\b", "/a/b"},
        {"backslashes: slash", "/a\\..\\b", REFUSED},
        {"dot-segments: refuse", "/a/./b", REFUSED},
        {"dot-segments: refuse", "/a/%2e%2E/b", REFUSED},
        {"dot-segments: refuse", "/a/.%2e", REFUSED},
        {"dot-segments: refuse", "/a/...", "/a/..."},
        {"dot-segments: refuse", "/a/.b/c.", "/a/.b/c."},
        {"empty-segments: merge", "//a///b/", "/a/b/"},
        {"empty-segments: refuse", "/a//b", REFUSED},
        {"double-encoding: keep", "/%252e", "/%252e"},
        {"control-characters: keep", "/%0A", "/%0A"},
        {"invalid-utf8: keep", "/%C0%AF", "/%C0%AF"},
        {"parameters: refuse", "/admin;x", REFUSED},
        {"parameters: refuse", "/admin%3Bx", REFUSED},
        {"{}", "/x/..;/admin", REFUSED},
        {"{}", "/.;x/admin", REFUSED},
        {"{}", "/x/%2e%2e%3bv/admin", REFUSED},
        {"{}", "/x/...;/.a;/b..;", "/x/...;/.a;/b..;"},
        {"encoded-slashes: decode", "/x%2F..;/admin", REFUSED},
        {"upper-case: lower", "/Admin/%C3%84", "/admin/%C3%84"},
        {"upper-case: refuse", "/Admin", REFUSED},
        {"upper-case: refuse", "/admin/%C3%84", "/admin/%C3%84"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_path_policy, cases[i].yaml, NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", cases[i].target, NULL);
        const struct url_path_policy strict = {.decode_slash = false};
        CHECK_INT(url_path_canon(str_of(cases[i].target), &strict, x->mem, &x->req.path), ERR_OK);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        struct str got = f.server.n_served > 0 ? f.server.path : STR(REFUSED);
        if (!str_eq(got, str_of(cases[i].wanted)))
            printf("# %s: %s\n", cases[i].yaml, cases[i].target);
        CHECK_STR(got, str_of(cases[i].wanted));
        CHECK_INT(x->resp.status, f.server.n_served > 0 ? 200 : 400);
        // What passes is canonical.
        struct str again;
        CHECK_INT(url_path_canon(x->req.path, &strict, x->mem, &again), ERR_OK);
        CHECK_STR(again, x->req.path);
        fixture_end(&e);
        filter_end(&f);
    }
}

static void the_status_is_as_set_and_the_asterisk_passes(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_path_policy, "{ status: 404, upper-case: refuse }", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/A", NULL);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, 404);
    CHECK_INT(x->end, EXCHANGE_END_FILTERED);
    fixture_end(&e);
    x = fixture_start(&e, "OPTIONS", "a.example", "*", NULL);
    x->req.is_asterisk = true;
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(f.server.n_served, 1);
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"encoded-slashes: slash", "encoded-slashes"},
        {"dot-segments: keep", "dot-segments"},
        {"status: 500", "status"},
    };
    filter_check_refused(&filter_path_policy, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_path_policy);
}

static void empty_segments_that_the_entrypoint_has_merged_are_refused_as_well(void)
{
    static const struct {
        const char *target;
        size_t n_served;
    } cases[] = {{"/a//b", 0}, {"//", 0}, {"http://a.example//b", 0}, {"/a/b?//c", 1}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_path_policy, "empty-segments: refuse", NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", cases[i].target, NULL);
        x->req.path = STR("/a/b");
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        CHECK_INT(f.server.n_served, cases[i].n_served);
        fixture_end(&e);
        filter_end(&f);
    }
}

TEST_MAIN(TEST(empty_segments_that_the_entrypoint_has_merged_are_refused_as_well),
          TEST(paths_are_kept_refused_or_changed),
          TEST(the_status_is_as_set_and_the_asterisk_passes), TEST(wrong_settings_are_refused),
          TEST(the_table_is_complete))
