// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

struct redirect_case {
    const char *yaml, *method, *path, *query;
    unsigned status;
    const char *location; // NULL: passed on
};

static void check(const struct redirect_case *cases, size_t n, const char *scheme, uint16_t port)
{
    for (size_t i = 0; i < n; i++) {
        const struct redirect_case *c = &cases[i];
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_redirect, c->yaml, NULL);
        struct exchange *x = fixture_start(&e, c->method, "www.example.com", c->path, c->query);
        x->req.scheme = str_of(scheme);
        x->req.port = port;
        x->req.is_asterisk = str_eq(x->req.path, STR("*"));
        if (f.filter) {
            CHECK_INT(handler_serve(f.filter, x), ERR_OK);
            CHECK_INT(x->resp.status, c->status);
            CHECK_STR(headers_get(&x->resp.headers, FIELD_LOCATION), str_of(c->location));
            CHECK_INT(f.server.n_served, c->location == NULL);
            CHECK_INT(x->trail.n, 1);
        }
        fixture_end(&e);
        filter_end(&f);
    }
}

static void templates_are_filled_from_the_request(void)
{
    static const struct redirect_case cases[] = {
        {"to: 'https://new.example{path}{query}'", "GET", "/a/b", "x=1", 301,
         "https://new.example/a/b?x=1"},
        {"to: 'https://new.example{path}{query}'", "GET", "/a", NULL, 301, "https://new.example/a"},
        {"to: 'https://new.example{path}{query}'", "GET", "/a", "", 301, "https://new.example/a?"},
        {"'https://new.example/'", "HEAD", "/a", NULL, 301, "https://new.example/"},
        {"to: '{scheme}://{host}:{port}/new'", "GET", "/a", NULL, 301,
         "http://www.example.com:80/new"},
        {"to: /moved{path}", "POST", "/a", NULL, 308, "/moved/a"},
        {"{ to: /x, permanent: false }", "GET", "/a", NULL, 302, "/x"},
        {"{ to: /x, permanent: false }", "PUT", "/a", NULL, 307, "/x"},
        {"{ to: /x, code: 303 }", "POST", "/a", NULL, 303, "/x"},
    };
    check(cases, ARRAY_LEN(cases), "http", 0);
}

static void a_path_never_becomes_another_host(void)
{
    static const struct redirect_case cases[] = {
        {"to: '{path}'", "GET", "//evil.example/", NULL, 301, "/evil.example/"},
        {"to: '/{path}'", "GET", "/evil.example/", NULL, 301, "/evil.example/"},
        {"to: 'https://a.example{path}'", "OPTIONS", "*", NULL, 308, "https://a.example/"},
    };
    check(cases, ARRAY_LEN(cases), "http", 0);
}

static void scheme_redirects_what_comes_by_the_other_one(void)
{
    static const struct redirect_case from_http[] = {
        {"scheme: https", "GET", "/a", "b=c", 301, "https://www.example.com/a?b=c"},
        {"scheme: https", "POST", "/a", NULL, 308, "https://www.example.com/a"},
        {"{ scheme: https, port: 8443 }", "GET", "/a", NULL, 301, "https://www.example.com:8443/a"},
        {"{ scheme: https, port: 443 }", "GET", "/a", NULL, 301, "https://www.example.com/a"},
        {"scheme: http", "GET", "/a", NULL, 200, NULL},
    };
    check(from_http, ARRAY_LEN(from_http), "http", 8080);
    static const struct redirect_case from_https[] = {
        {"scheme: https", "GET", "/a", NULL, 200, NULL},
        {"{ scheme: https, port: 8443 }", "GET", "/a", NULL, 200, NULL},
        {"{ scheme: https, port: 443 }", "GET", "/a", NULL, 301, "https://www.example.com/a"},
    };
    check(from_https, ARRAY_LEN(from_https), "https", 8443);
}

static void a_request_without_host_is_not_redirected_to_it(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_redirect, "scheme: https", NULL);
    struct exchange *x = fixture_start(&e, "GET", "", "/", NULL);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, 400);
    CHECK(headers_find(&x->resp.headers, FIELD_LOCATION) == NULL);
    fixture_end(&e);
    filter_end(&f);
}

static void a_full_arena_is_a_503(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_redirect, "scheme: https", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    e.mem.limit_bytes = 0;
    while (arena_alloc(&e.mem, 1, 1, 1))
        continue;
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, 503);
    CHECK_INT(x->end, EXCHANGE_END_RESOURCES);
    fixture_end(&e);
    filter_end(&f);
}

static void explain_says_where_to(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_redirect, "scheme: https", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/x", NULL);
    CHECK_STR(f.filter->type->explain(f.filter, x),
              STR("redirects with 301 to https://a.example/x"));
    x->req.scheme = STR("https");
    CHECK_STR(f.filter->type->explain(f.filter, x), STR("passes on: comes by https"));
    fixture_end(&e);
    filter_end(&f);
}

static void expressions_choose_and_bring_their_groups(void)
{
    static const struct redirect_case cases[] = {
        {"{ from: '^/blog/([0-9]+)/(.*)$', to: 'https://b.example/$2?y=$1' }", "GET", "/blog/7/a",
         NULL, 301, "https://b.example/a?y=7"},
        {"{ from: '^/blog/', to: '/news{query}' }", "GET", "/blog/7", "x", 301, "/news?x"},
        {"{ from: '^/blog/', to: /news }", "GET", "/Blog/7", NULL, 200, NULL},
        {"{ from: '^/blog/', to: /news, ignore-case: yes }", "GET", "/Blog/7", NULL, 301, "/news"},
        {"{ from: '^/a\\?id=([0-9]+)$', of: path-and-query, to: '/b/$1' }", "GET", "/a", "id=5",
         301, "/b/5"},
        {"{ from: '^/(.*)$', to: '/$1' }", "GET", "//evil.example", NULL, 301, "/evil.example"},
        {"{ from: '^http://www\\.(.*?)/(.*)$', of: url, to: 'https://$1/$2' }", "GET", "/x", "y=1",
         301, "https://example.com/x?y=1"},
        {"{ from: '^http://([^/]*)/(.*)$', of: url, to: 'http://$1/$2' }", "GET", "/x", "y=1", 200,
         NULL},
        {"{ from: '^http://[^/]*/(.*)$', of: url, to: 'https://$1/' }", "GET", "/a@evil.example",
         NULL, 400, ""},
        {"{ from: 'p=(.*)$', of: path-and-query, to: '/$1' }", "GET", "/", "p=\\\\evil.example",
         400, ""},
        {"{ from: '^/(?<l>de|en)/', to: '/${l}{path}$$', permanent: no }", "GET", "/de/x", NULL,
         302, "/de/de/x$"},
    };
    check(cases, ARRAY_LEN(cases), "http", 0);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"{ from: '^/(.*)$', to: 'https://x$1' }", "would choose the host"},
        {"{ from: '^/(.*)$', to: '//$1' }", "would choose the host"},
        {"{ from: '^/(.*)$', to: 'https://{host}$1' }", "would choose the host"},
        {"{ from: '^/(.*)$', to: '/$2' }", "groups of 'from'"},
        {"{ from: '(', to: /x }", "at its character"},
        {"{ from: a, scheme: https }", "belongs to 'to'"},
        {"{ to: /x, of: url }", "about 'from'"},
        {"{ to: /x, ignore-case: yes }", "about 'from'"},
        {"{}", "either 'to'"},
        {"{ to: /x, scheme: https }", "either 'to'"},
        {"{ to: /x, port: 1 }", "belongs to 'scheme'"},
        {"to: example.com", "begins with none of"},
        {"to: 'javascript:alert(1)'", "begins with none of"},
        {"to: '/{nonsense}'", "there are {scheme}"},
        {"to: \"/a\\r\\nSet-Cookie: x\"", "byte that URLs"},
        {"to: \"/a b\"", "byte that URLs can't hold"},
    };
    filter_check_refused(&filter_redirect, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_redirect);
}

static void check_site(uint16_t to_port, const char *method, const char *scheme, uint16_t port,
                       unsigned status, const char *location)
{
    struct filter_fixture f = {.server.handler.type = &mock_type};
    struct fixture e;
    arena_init(&f.mem, 1 << 20, NULL, 0);
    const struct filter_env env = {.mem = &f.mem, .diags = &f.diags};
    struct handler *h = filter_to_https(to_port, &f.server.handler, &env);
    struct exchange *x = fixture_start(&e, method, "www.example.com", "/a b", "x=1");
    x->req.scheme = str_of(scheme);
    x->req.path = STR("/a%20b");
    x->req.port = port;
    CHECK(h != NULL);
    CHECK_INT(handler_serve(h, x), ERR_OK);
    CHECK_INT(x->resp.status, status);
    CHECK_STR(headers_get(&x->resp.headers, FIELD_LOCATION), str_of(location));
    fixture_end(&e);
    arena_fini(&f.mem);
}

static void a_site_redirects_to_the_same_url_by_https(void)
{
    check_site(443, "GET", "http", 0, 301, "https://www.example.com/a%20b?x=1");
    check_site(443, "HEAD", "http", 80, 301, "https://www.example.com/a%20b?x=1");
    check_site(8443, "POST", "http", 8080, 308, "https://www.example.com:8443/a%20b?x=1");
}

static void a_site_serves_what_comes_by_https_at_any_port(void)
{
    check_site(443, "GET", "https", 0, 200, NULL);
    check_site(443, "GET", "https", 9443, 200, NULL);
    check_site(8443, "GET", "https", 443, 200, NULL);
}

TEST_MAIN(TEST(expressions_choose_and_bring_their_groups),
          TEST(a_site_redirects_to_the_same_url_by_https),
          TEST(a_site_serves_what_comes_by_https_at_any_port),
          TEST(templates_are_filled_from_the_request), TEST(a_path_never_becomes_another_host),
          TEST(scheme_redirects_what_comes_by_the_other_one),
          TEST(a_request_without_host_is_not_redirected_to_it), TEST(a_full_arena_is_a_503),
          TEST(explain_says_where_to), TEST(wrong_settings_are_refused),
          TEST(the_table_is_complete))
