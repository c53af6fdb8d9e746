// SPDX-License-Identifier: Apache-2.0
// Caddyfiles in, settings out.
#include "dialect/dialect.h"

#include "unit/dialect/converted.h"

#define SITE "http://a.example {\n"
#define REFUSED "not-carried-over"

static void addresses_become_entrypoints(void)
{
    static const struct line_case cases[] = {
        {"a.example {", {"listen: \":443\"", "tls: on", "entrypoints: [websecure, web]"}, {NULL}},
        {"http://a.example {", {"listen: \":80\"", "tls: off", "merge-slashes: no"}, {NULL}},
        {"http://a.example {\nrespond /x y", {WITHOUT "merge-slashes"}, {NULL}},
        {"http://a.example {\n@a {\nnot {\npath /x\n}\n}\nrespond @a y",
         {WITHOUT "merge-slashes"},
         {NULL}},
        {"http://a.example:81, http://b.example:81 {", {"aliases: [b.example]", ":81"}, {NULL}},
        {"a.example:8443 {", {"listen: \":8443\"", "tls: on"}, {NULL}},
        {":8080 {", {"listen: \":8080\"", "PathPrefix(`/`)", "entrypoints: [port-8080]"}, {NULL}},
        {"localhost {", {"issuer: local"}, {NULL}},
        {"*.a.example {", {"\"*.a.example\""}, {NULL}},
        {"http://a.example, http://*.a.example {", {"a.example:", "\"*.a.example\":"}, {NULL}},
        {":80, a.example/path {", {":80"}, {"isn't understood"}},
    };
    convert_lines(&dialect_caddy, "", "respond hi\n}\n", cases, ARRAY_LEN(cases));
}

static void matchers_become_rules(void)
{
    static const struct line_case cases[] = {
        {"respond /a/* x", {"(?i)^/a/`"}, {NULL}},
        {"respond /a x", {"(?i)^/a$"}, {NULL}},
        {"respond /a/*/b x", {"(?i)^/a/[^/]*/b$"}, {NULL}},
        {"@x path *.php /b\nrespond @x 404", {".*\\\\.php$"}, {NULL}},
        {"@x method GET POST\nrespond @x 404", {"Method(`GET`) || Method(`POST`)"}, {NULL}},
        {"@x header A b*\nrespond @x 404", {"HeaderRegexp(`A`, `^b`)"}, {NULL}},
        {"@x header !A\nrespond @x 404", {"!HeaderRegexp(`A`, ``)"}, {NULL}},
        {"@x remote_ip 10.0.0.0/8\nrespond @x 404", {"ClientIP(`10.0.0.0/8`)"}, {NULL}},
        {"@x query a=b\nrespond @x 404", {"Query(`a`, `b`)"}, {NULL}},
        {"@x not path /a\nrespond @x 404", {"!(PathRegexp(`(?i)^/a$`))"}, {NULL}},
        {"@x path_regexp ^/a\nrespond @x 404", {"PathRegexp(`^/a`)"}, {NULL}},
        {"@x {\npath /a\nmethod GET\n}\nrespond @x 404", {") && ("}, {NULL}},
        {"@x expression {method} == 'GET'\nrespond @x 404", {REFUSED}, {"its matcher"}},
        {"@x path {vars.a}\nrespond @x 404", {REFUSED}, {"its matcher"}},
        {"respond @none 404", {REFUSED}, {"its matcher"}},
    };
    convert_lines(&dialect_caddy, SITE, "}\n", cases, ARRAY_LEN(cases));
}

static void directives_become_filters_and_services(void)
{
    static const struct line_case cases[] = {
        {"reverse_proxy 10.0.0.1:80 10.0.0.2:80",
         {"http://10.0.0.1:80, http://10.0.0.2:80"},
         {NULL}},
        {"reverse_proxy :9000", {"http://localhost:9000"}, {NULL}},
        {"reverse_proxy unix//run/a.sock", {"unix:/run/a.sock"}, {NULL}},
        {"reverse_proxy https://10.0.0.1 {\ntransport http {\ntls_insecure_skip_verify\n}\n}",
         {"https://10.0.0.1", "verify: off"},
         {NULL}},
        {"reverse_proxy 10.0.0.1 {\nlb_policy cookie x\nhealth_uri /h\nhealth_status 2xx\n}",
         {"cookie: x", "path: /h", "200-299"},
         {NULL}},
        {"reverse_proxy 10.0.0.1 {\nheader_up Host {upstream_hostport}\nheader_down -Server\n}",
         {"host: server", "remove: [Server]"},
         {NULL}},
        {"reverse_proxy {env.X}", {REFUSED}, {"servers or options"}},
        {"reverse_proxy 10.0.0.1 {\nhandle_response {\n}\n}", {REFUSED}, {"servers or options"}},
        {"redir https://b.example{uri}", {"https://b.example{path}{query}", "code: 302"}, {NULL}},
        {"redir https://b.example{vars.x}", {REFUSED}, {"placeholder"}},
        {"respond gone 410", {"status: 410", "body: gone"}, {NULL}},
        {"abort", {"status: 403"}, {"closed connection"}},
        {"header X-A b\nrespond hi", {"X-A: b"}, {NULL}},
        {"request_header -Cookie\nreverse_proxy 10.0.0.1", {"remove: [Cookie]"}, {NULL}},
        {"rewrite * /x\nreverse_proxy 10.0.0.1", {"path: /x"}, {NULL}},
        {"uri strip_prefix /x\nreverse_proxy 10.0.0.1", {"from: \"(?i)^/x/?\"", "to: /"}, {NULL}},
        {"uri replace a b\nreverse_proxy 10.0.0.1", {"from: a", "with-query: yes"}, {NULL}},
        {"uri query a b\nreverse_proxy 10.0.0.1", {REFUSED}, {"can't be changed"}},
        {"request_body {\nmax_size 10MB\n}\nrespond hi", {"max: 10000000"}, {NULL}},
        {"encode gzip\nrespond hi", {"codings: [gzip]"}, {NULL}},
        {"forward_auth 10.0.0.9:9 {\nuri /v\ncopy_headers A\n}\nrespond hi",
         {"address: http://10.0.0.9:9", "auth-response-headers: [A]"},
         {NULL}},
        {"forward_auth 10.0.0.9:9 {\nuri /v\nmethod POST\n}\nrespond hi",
         {REFUSED},
         {"only 'uri'"}},
        {"basicauth {\nada "
         "$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG\n}\nrespond x",
         {"basic-auth:", "ada:$2a$14$"},
         {NULL}},
        {"basicauth scrypt {\nada x\n}\nrespond x", {REFUSED}, {"bcrypt"}},
        {"file_server", {REFUSED}, {"put a server behind"}},
        {"rate_limit 5\nreverse_proxy 10.0.0.1", {REFUSED}, {"nothing here does the same"}},
    };
    convert_lines(&dialect_caddy, SITE, "}\n", cases, ARRAY_LEN(cases));
}

static bool comes_before(const struct text *t, const char *a, const char *b)
{
    size_t x = str_search(text_str(t), str_of(a)), y = str_search(text_str(t), str_of(b));
    return x != STR_NPOS && y != STR_NPOS && x < y;
}

static void directives_have_the_order_of_caddy(void)
{
    struct converted c;
    convert_with(&dialect_caddy,
                 STR(SITE "handle {\nrespond all\n}\nhandle /a/b/* {\nrespond long\n}\n"
                          "handle_path /a/* {\nrespond /x short\n}\n}\n"),
                 &c);
    CHECK(c.passes);
    CHECK(comes_before(&c.yaml, "match: \"PathRegexp(`(?i)^/a/b/`)\"", "(?i)^/a/x$"));
    CHECK(comes_before(&c.yaml, "(?i)^/a/x$", "match: \"PathPrefix(`/`)\""));
    converted_fini(&c);
    // What a module brings is refused where it is used; what moves Caddy's own isn't understood.
    convert_with(&dialect_caddy, STR("{\norder x first\n}\n" SITE "respond hi\n}\n"), &c);
    CHECK(c.passes && c.n_closed == 0);
    converted_fini(&c);
    convert_with(&dialect_caddy,
                 STR("{\norder respond first\n}\n" SITE "redir /x\nrespond hi\n}\n"), &c);
    CHECK(c.passes && c.n_closed == 0 && !strstr(c.yaml.ptr, "redirect:"));
    converted_fini(&c);
    convert_with(&dialect_caddy, STR("{\norder respond somewhere\n}\n" SITE "respond hi\n}\n"), &c);
    CHECK(c.n_closed == 1);
    converted_fini(&c);
}

static void what_protects_all_stays_in_front_of_each_way(void)
{
    struct converted c;
    convert_with(&dialect_caddy,
                 STR("a.example {\ntls {\nclient_auth {\nmode request\n}\n}\n"
                     "reverse_proxy 10.0.0.1\n}\n"),
                 &c);
    CHECK(c.n_closed > 0 && converted_has(&c.yaml, REFUSED));
    CHECK(str_search(text_str(&c.yaml), STR("to: a.example")) == STR_NPOS);
    converted_fini(&c);
}

static void broken_files_are_refused(void)
{
    static const char *const texts[] = {"",
                                        "a.example {\n",
                                        "}\n",
                                        "a {\nrespond \"x\n}\n",
                                        "import none\n",
                                        "a {\nrespond <<X\nx\n}\n"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct converted c;
        convert_with(&dialect_caddy, str_of(texts[i]), &c);
        CHECK(!c.is_read && c.faults.len > 0);
        converted_fini(&c);
    }
}

TEST_MAIN(TEST(addresses_become_entrypoints), TEST(matchers_become_rules),
          TEST(directives_become_filters_and_services), TEST(directives_have_the_order_of_caddy),
          TEST(what_protects_all_stays_in_front_of_each_way), TEST(broken_files_are_refused))
