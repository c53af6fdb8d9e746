// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

static void requests_are_mapped(void)
{
    static const struct {
        const struct filter_type *type;
        const char *yaml, *path, *wanted;
    } cases[] = {
        {&filter_strip_prefix, "/api", "/api/users", "/users"},
        {&filter_strip_prefix, "/api", "/api", "/"},
        {&filter_strip_prefix, "/api", "/api/", "/"},
        {&filter_strip_prefix, "/api/", "/api/users", "/users"},
        {&filter_strip_prefix, "/api", "/apis/users", "/apis/users"},
        {&filter_strip_prefix, "/api", "/other", "/other"},
        {&filter_strip_prefix, "/api", "/api//evil.example/", "/evil.example/"},
        {&filter_strip_prefix, "/", "/x", "/x"},
        {&filter_strip_prefix, "[/v1, /v2]", "/v2/x", "/x"},
        {&filter_strip_prefix, "/a%7eb", "/a~b/c", "/c"},
        {&filter_strip_prefix, "/api", "*", "*"},
        {&filter_add_prefix, "/v2", "/x", "/v2/x"},
        {&filter_add_prefix, "/v2/", "/", "/v2/"},
        {&filter_add_prefix, "/v2", "*", "*"},
        {&filter_replace_path, "/fixed", "/any/path", "/fixed"},
        {&filter_replace_path, "/fixed/", "/any/path", "/fixed/"},
        {&filter_replace_path, "/", "/any/path", "/"},
        {&filter_replace_path, "{ from: /app, to: /srv/v2 }", "/app/x", "/srv/v2/x"},
        {&filter_replace_path, "{ from: /app, to: /srv/v2 }", "/app", "/srv/v2"},
        {&filter_replace_path, "{ from: /app, to: / }", "/app/x", "/x"},
        {&filter_replace_path, "{ from: /app, to: /srv }", "/apple", "/apple"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, cases[i].type, cases[i].yaml, NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", cases[i].path, NULL);
        x->req.is_asterisk = str_eq(x->req.path, STR("*"));
        CHECK(f.filter != NULL);
        if (f.filter) {
            CHECK_INT(handler_serve(f.filter, x), ERR_OK);
            CHECK_STR(f.server.path, str_of(cases[i].wanted));
        }
        fixture_end(&e);
        filter_end(&f);
    }
}

static void servers_are_told_of_the_prefix_and_not_by_clients(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_strip_prefix, "/api", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/api/x", NULL);
    fixture_field(&e, "X-Forwarded-Prefix", "/forged");
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    const struct field *told = headers_find_named(&f.server.headers, STR("X-Forwarded-Prefix"));
    CHECK(told != NULL && str_eq(told->value, STR("/api")));
    fixture_end(&e);
    filter_end(&f);
}

struct back_case {
    const char *said, *wanted;
};

static void check_back(const char *strip, const char *replace, const char *path, const char *field,
                       const struct back_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char *const fields[] = {field, cases[i].said, NULL};
        struct fixture e;
        struct arena mem;
        struct diags diags = {.n = 0};
        arena_init(&mem, 1 << 16, NULL, 0);
        const struct filter_env env = {.mem = &mem, .diags = &diags};
        struct mock_server server = {.handler.type = &mock_type, .fields = fields};
        const struct conf_text from = {.text = str_of(strip)}, to = {.text = str_of(replace)};
        struct handler *h = filter_prefix_mapping(&from, &to, &server.handler, &env);
        CHECK(h != NULL);
        struct exchange *x = fixture_start(&e, "GET", "www.example.com", path, NULL);
        if (h) {
            CHECK_INT(handler_serve(h, x), ERR_OK);
            CHECK_INT(x->resp.status, 200);
            CHECK_STR(headers_find_named(&x->resp.headers, str_of(field))->value,
                      str_of(cases[i].wanted));
        }
        fixture_end(&e);
        arena_fini(&mem);
        diags_fini(&diags);
    }
}

static void locations_get_the_prefix_back(void)
{
    static const struct back_case cases[] = {
        {"/login", "/app/login"},
        {"/login?to=/x#top", "/app/login?to=/x#top"},
        {"/", "/app/"},
        {"login", "login"},
        {"?page=2", "?page=2"},
        {"", ""},
        {"/app/login", "/app/login"},
        {"/apple", "/app/apple"},
        {"http://www.example.com/login", "http://www.example.com/app/login"},
        {"https://WWW.example.com/login", "https://WWW.example.com/app/login"},
        {"http://www.example.com", "http://www.example.com/app/"},
        {"http://www.example.com?x=1", "http://www.example.com/app/?x=1"},
        {"http://www.example.com:81/login", "http://www.example.com:81/login"},
        {"//www.example.com/login", "//www.example.com/app/login"},
        {"http://10.0.0.9:8080/login", "/app/login"},
        {"http://10.0.0.9/login", "http://10.0.0.9/login"},
        {"https://other.example/login", "https://other.example/login"},
        {"http://bad host/", "http://bad host/"},
        {"/../x%zz", "/app/../x%zz"},
    };
    check_back("/app", "", "/app/x", "Location", cases, ARRAY_LEN(cases));
    check_back("/app", "", "/app/x", "Content-Location", cases, ARRAY_LEN(cases));
    static const struct back_case replaced[] = {
        {"/srv/v2/login", "/app/login"},
        {"/srv/v2", "/app"},
        {"/srv/v20", "/srv/v20"},
        {"/elsewhere", "/elsewhere"},
        {"http://10.0.0.9:8080//evil.example/", "/evil.example/"},
    };
    check_back("/app", "/srv/v2", "/app/x", "Location", replaced, ARRAY_LEN(replaced));
    static const struct back_case added[] = {
        {"/v2/x", "/x"},
        {"/v2", "/"},
        {"/v2//evil.example/", "/evil.example/"},
    };
    check_back("/", "/v2", "/x", "Location", added, ARRAY_LEN(added));
}

static void answers_to_other_paths_are_left_alone(void)
{
    static const struct back_case cases[] = {{"/login", "/login"}};
    check_back("/app", "", "/other", "Location", cases, ARRAY_LEN(cases));
}

static void cookies_get_the_prefix_back(void)
{
    static const struct back_case cases[] = {
        {"a=b; Path=/; HttpOnly", "a=b; Path=/app; HttpOnly"},
        {"a=b;path=/sub", "a=b; Path=/app/sub"},
        {"a=b; Path=/app/sub", "a=b; Path=/app/sub"},
        {"a=b", "a=b"},
        {"a=b; Secure", "a=b; Secure"},
        {"a=b; Path", "a=b; Path"},
        {"__Host-a=b; Path=/; Secure", "__Host-a=b; Path=/; Secure"},
        {"a=b; Domain=10.0.0.9; Path=/", "a=b; Path=/app"},
        {"a=b; Domain=example.com; Path=/", "a=b; Domain=example.com; Path=/app"},
        // Quotes protect nothing (RFC 6265 5.2).
        {"a=\";Path=/x\"; Path=/", "a=\"; Path=/app/x\"; Path=/app"},
    };
    check_back("/app", "", "/app/x", "Set-Cookie", cases, ARRAY_LEN(cases));
    static const struct back_case added[] = {
        {"a=b; Path=/v2", "a=b; Path=/"},
        {"a=b; Path=/v2/", "a=b; Path=/"},
        {"a=b; Path=/v2/x", "a=b; Path=/x"},
        {"a=b; Path=/", "a=b; Path=/"},
    };
    check_back("/", "/v2", "/x", "Set-Cookie", added, ARRAY_LEN(added));
}

static void every_cookie_of_an_answer_is_corrected(void)
{
    static const char *const fields[] = {"Set-Cookie", "a=1; Path=/", "Set-Cookie", "b=2; Path=/b",
                                         NULL};
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_strip_prefix, "/app", NULL);
    f.server.fields = fields;
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/app/", NULL);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    size_t n = 0;
    for (const struct field *h = headers_next(&x->resp.headers, NULL); h;
         h = headers_next(&x->resp.headers, h))
        if (h->id == FIELD_SET_COOKIE)
            CHECK_STR(h->value, n++ == 0 ? STR("a=1; Path=/app") : STR("b=2; Path=/app/b"));
    CHECK_INT(n, 2);
    fixture_end(&e);
    filter_end(&f);
}

// A server that needs no memory to answer.
static enum err serve_full(const struct handler *h, struct exchange *x)
{
    (void)h;
    static struct field fields[2];
    fields[0] = FIELD(FIELD_LOCATION, STR("/login"));
    fields[1] = FIELD(FIELD_SET_COOKIE, STR("a=b; Path=/"));
    x->resp.status = 302;
    x->resp.headers.items = fields;
    x->resp.headers.n = x->resp.headers.cap = 2;
    return ERR_OK;
}

static const struct handler_type full_type = {.name = "full", .serve = serve_full};

// The exchange's memory ends at every possible point.
static void a_full_arena_is_a_503(void)
{
    bool has_served = false;
    for (size_t room = 0; room <= 4096 && !has_served; room += 16) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_strip_prefix, "/app", NULL);
        f.server.handler.type = &full_type;
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/app/x", NULL);
        char home[4096];
        struct arena small;
        arena_init(&small, 0, home, room);
        x->mem = &small;
        headers_init(&x->req.headers, &small);
        headers_init(&x->resp.headers, &small);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        has_served = x->resp.status == 302;
        CHECK(has_served || x->resp.status == 503);
        fixture_end(&e);
        arena_fini(&small);
        filter_end(&f);
    }
    CHECK(has_served);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case strip[] = {
        {"{}", "prefixes"},
        {"api", "doesn't begin with '/'"},
        {"[/a, /b%2]", "malformed escape"},
        {"/a?b", "more than a path"},
    };
    filter_check_refused(&filter_strip_prefix, strip, ARRAY_LEN(strip));
    static const struct refused_case replace[] = {
        {"{}", "needs either 'path'"},
        {"{ path: /a, from: /b, to: /c }", "needs either 'path'"},
        {"{ from: /b }", "needs either 'path'"},
        {"{ path: x }", "doesn't begin with '/'"},
        {"{ from: x, to: /y }", "doesn't begin with '/'"},
    };
    filter_check_refused(&filter_replace_path, replace, ARRAY_LEN(replace));
}

static void explain_shows_the_path_that_servers_get(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_strip_prefix, "/api", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/api/x", NULL);
    CHECK_STR(f.filter->type->explain(f.filter, x), STR("makes the path /x"));
    CHECK_STR(x->req.path, STR("/x"));
    CHECK_STR(f.filter->type->explain(f.filter, x), STR("leaves the path as it is"));
    fixture_end(&e);
    filter_end(&f);
}

static void the_tables_are_complete(void)
{
    filter_check_tables(&filter_strip_prefix);
    filter_check_tables(&filter_add_prefix);
    filter_check_tables(&filter_replace_path);
}

TEST_MAIN(TEST(requests_are_mapped), TEST(servers_are_told_of_the_prefix_and_not_by_clients),
          TEST(locations_get_the_prefix_back), TEST(answers_to_other_paths_are_left_alone),
          TEST(cookies_get_the_prefix_back), TEST(every_cookie_of_an_answer_is_corrected),
          TEST(a_full_arena_is_a_503), TEST(wrong_settings_are_refused),
          TEST(explain_shows_the_path_that_servers_get), TEST(the_tables_are_complete))
