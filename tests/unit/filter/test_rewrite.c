// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

#define REFUSED "refused"

static void paths_are_rewritten(void)
{
    static const struct {
        const char *yaml, *path, *query, *wanted; // what the server sees: path?query
    } cases[] = {
        {"{ from: '^/wiki/([^/]+)$', to: '/index.php?title=$1' }", "/wiki/A", NULL,
         "/index.php?title=A"},
        {"{ from: '^/wiki/([^/]+)$', to: '/index.php?title=$1' }", "/wiki/A&b=c", "x=y",
         "/index.php?title=A%26b%3Dc&x=y"},
        // Nor does what stands behind or between what was found become parameters.
        {"{ from: '^/wiki/([^/]+)', to: '/index.php?title=$1' }", "/wiki/A/&b=c", NULL,
         "/index.php?title=A/%26b%3Dc"},
        {"{ from: 'w([0-9])', to: '?v$1' }", "/w1&a=b/w2&c", NULL, "/?v1%26a%3Db/?v2%26c"},
        // The first segment becomes no host.
        {"{ from: '^/app(/.*)$', to: '$1' }", "/app//b.example/", NULL, "/b.example/"},
        {"{ from: '^/app', to: '' }", "/app///b.example/", NULL, "/b.example/"},
        {"{ from: 'x', to: 'y' }", "//x", NULL, "//y"},
        // What is left of a path without its prefix is the root.
        {"{ from: '^/app(.*)$', to: '$1' }", "/app", NULL, "/"},
        {"{ from: '^/app(.*)$', to: '$1' }", "/app", "x=y", "/?x=y"},
        {"{ from: '^/app', to: '' }", "/app", NULL, "/"},
        {"{ from: '^/get', to: '', with-query: yes }", "/get", "id=7", "/?id=7"},
        {"{ from: '^/wiki/([^/]+)$', to: '/index.php?' }", "/wiki/A", "x=y", "/index.php?x=y"},
        {"{ from: '^/wiki/([^/]+)$', to: '/index.php' }", "/wiki/A", "x=y", "/index.php?x=y"},
        {"{ from: '^/wiki/([^/]+)$', to: '/index.php' }", "/wiki/A/b", "x=y", "/wiki/A/b?x=y"},
        {"{ from: '^/API/', to: '/v2/', ignore-case: yes }", "/api/x", NULL, "/v2/x"},
        {"{ from: '^/API/', to: '/v2/' }", "/api/x", NULL, "/api/x"},
        {"{ from: 'foo', to: 'bar' }", "/foo/foo", NULL, "/bar/bar"},
        {"{ from: '^/(?<a>[^/]+)/(?<b>.*)$', to: '/$b/$a' }", "/x/y", NULL, "/y/x"},
        {"{ from: '^/get\\?id=([0-9]+)$', to: '/items/$1', with-query: yes }", "/get", "id=7",
         "/items/7"},
        {"{ from: 'a', to: 'b', with-query: yes }", "/a", "a=a", "/b?b=b"},
        {"{ from: '^/x%2F', to: '/y/' }", "/x%2Fa", NULL, "/y/a"},
        // What a client brings in isn't resolved, and what is no path isn't sent.
        {"{ from: '^/f\\?p=(.*)$', to: '/files/$1', with-query: yes }", "/f", "p=../../etc",
         REFUSED},
        {"{ from: '^/f\\?p=(.*)$', to: '/files/$1', with-query: yes }", "/f", "p=%2e%2e/etc",
         REFUSED},
        {"{ from: '^/f\\?p=(.*)$', to: '/files/$1', with-query: yes }", "/f", "p=a%00b", REFUSED},
        {"{ from: '^/f\\?p=(.*)$', to: '/files/$1', with-query: yes }", "/f", "p=%zz", REFUSED},
        {"{ from: '^/f\\?p=(.*)$', to: '/files/$1', with-query: yes }", "/f", "p=a\\b",
         "/files/a%5Cb"},
        {"{ from: '^/', to: '' }", "/a", NULL, REFUSED},
        {"{ from: '^/(.*)$', to: 'http://b/$1' }", "/a", NULL, REFUSED},
        {"{ from: '(.)', to: '$1$1$1$1$1$1$1$1' }", "/%41", NULL, REFUSED}, // broken escapes
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_rewrite, cases[i].yaml, NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", cases[i].path, cases[i].query);
        if (f.filter)
            CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        struct str got = STR(REFUSED);
        if (f.server.n_served > 0 && x->req.has_query)
            got = arena_concat(x->mem, x->req.path, STR("?"), x->req.query);
        else if (f.server.n_served > 0)
            got = x->req.path;
        if (!str_eq(got, str_of(cases[i].wanted)))
            printf("# %s: %s\n", cases[i].yaml, cases[i].path);
        CHECK_STR(got, str_of(cases[i].wanted));
        CHECK_INT(x->resp.status, f.server.n_served > 0 ? 200 : 400);
        fixture_end(&e);
        filter_end(&f);
    }
}

static void an_expression_that_gives_up_fails_closed(void)
{
    static char path[3000] = "/";
    struct filter_fixture f;
    struct fixture e;
    memset(path + 1, 'a', sizeof path - 2);
    filter_start(&f, &filter_rewrite, "{ from: '(a+)+[bc]', to: '/x' }", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", path, NULL);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, 400);
    CHECK_INT(f.server.n_served, 0);
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"{ from: /a }", "to"},
        {"{ to: /a }", "from"},
        {"{ from: '(a', to: /b }", "at its character"},
        {"{ from: '(a)', to: /$2 }", "no group"},
        {"{ from: a, to: '/a b' }", "a byte that paths can't hold"},
        {"{ from: a, to: '/a#b' }", "a byte that paths can't hold"},
    };
    filter_check_refused(&filter_rewrite, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_rewrite);
}

TEST_MAIN(TEST(paths_are_rewritten), TEST(an_expression_that_gives_up_fails_closed),
          TEST(wrong_settings_are_refused), TEST(the_table_is_complete))
