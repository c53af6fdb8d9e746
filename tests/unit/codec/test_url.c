// SPDX-License-Identifier: Apache-2.0
#include "codec/url.h"

#include "unit/test.h"

#define LABEL_63 "a12345678901234567890123456789012345678901234567890123456789012"

static const struct url_path_policy strict = {.decode_slash = false};

static void authorities_split_into_host_and_port(void)
{
    static const struct {
        struct str in, host;
        uint16_t port;
        bool is_ip;
    } cases[] = {
        {STR_INIT("example.com"), STR_INIT("example.com"), 0, false},
        {STR_INIT("Example.COM:8080"), STR_INIT("Example.COM"), 8080, false},
        {STR_INIT("example.com:"), STR_INIT("example.com"), 0, false},
        {STR_INIT("example.com.:443"), STR_INIT("example.com."), 443, false},
        {STR_INIT("localhost"), STR_INIT("localhost"), 0, false},
        {STR_INIT("my_app.local"), STR_INIT("my_app.local"), 0, false},
        {STR_INIT("r3---x.example"), STR_INIT("r3---x.example"), 0, false},
        {STR_INIT("a:65535"), STR_INIT("a"), 65535, false},
        {STR_INIT("a:00080"), STR_INIT("a"), 80, false},
        {STR_INIT("192.0.2.1:80"), STR_INIT("192.0.2.1"), 80, true},
        {STR_INIT("1.2.3.4.example"), STR_INIT("1.2.3.4.example"), 0, false},
        {STR_INIT("1and1.com"), STR_INIT("1and1.com"), 0, false},
        {STR_INIT("x.0xyz"), STR_INIT("x.0xyz"), 0, false},
        {STR_INIT("[::1]"), STR_INIT("[::1]"), 0, true},
        {STR_INIT("[2001:db8::1]:8443"), STR_INIT("[2001:db8::1]"), 8443, true},
        {STR_INIT("[::ffff:1.2.3.4]:"), STR_INIT("[::ffff:1.2.3.4]"), 0, true},
        {STR_INIT(LABEL_63 ".example"), STR_INIT(LABEL_63 ".example"), 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct url_authority got;
        CHECK_INT(url_authority_parse(cases[i].in, &got), ERR_OK);
        CHECK_STR(got.host, cases[i].host);
        CHECK_INT(got.port, cases[i].port);
        CHECK(got.is_ip == cases[i].is_ip);
    }
}

static void malformed_authorities_are_refused(void)
{
    static const char *const cases[] = {
        "",
        ":",
        ":80",
        ".",
        "..",
        ".a",
        "a..b",
        "a.b..",
        "a b",
        "a\tb",
        "a/b",
        "a?b",
        "a#b",
        "a\\b",
        "user@host",
        "user:pass@host",
        "a:b",
        "a:80:80",
        "a:-1",
        "a:+80",
        "a: 80",
        "a:080000",
        "a%2eb",
        "a!b",
        "a$b",
        "a,b",
        "a;b",
        "a=b",
        "a*b",
        "*.a",
        "a\x7f",
        "a\xc3\xa4",
        "a\"b",
        "<a>",
        "1.2.3",
        "1.2.3.256",
        "1.2.3.4.5",
        "1.2.3.4.",
        "01.2.3.4",
        "a.1",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "127.0.0.0x1",
        "a.0x",
        "a.0XFF",
        "[",
        "[]",
        "[::1",
        "::1",
        "[::1]x",
        "[::1]]",
        "[::1]80",
        "[1.2.3.4]",
        "[::1%25eth0]",
        "[::1%eth0]",
        "[v1.x]",
        "[[::1]]",
        "x[::1]",
        LABEL_63 "x.example",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct url_authority got = {.port = 7};
        enum err err = url_authority_parse(str_of(cases[i]), &got);
        if (err != ERR_SYNTAX)
            printf("# '%s' gives %d\n", cases[i], (int)err);
        CHECK_INT(err, ERR_SYNTAX);
        CHECK_INT(got.port, 7);
    }
}

static void impossible_ports_are_out_of_range(void)
{
    struct url_authority got;
    CHECK_INT(url_authority_parse(STR("a:0"), &got), ERR_RANGE);
    CHECK_INT(url_authority_parse(STR("a:00000"), &got), ERR_RANGE);
    CHECK_INT(url_authority_parse(STR("a:65536"), &got), ERR_RANGE);
    CHECK_INT(url_authority_parse(STR("[::1]:99999"), &got), ERR_RANGE);
}

static void names_may_have_253_bytes_and_a_dot(void)
{
    char name[255];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 50 == 49 ? '.' : 'a';
    struct url_authority got;
    CHECK_INT(url_authority_parse(str_from(name, 253), &got), ERR_OK);
    CHECK_INT(url_authority_parse(str_from(name, 254), &got), ERR_SYNTAX);
    name[253] = '.';
    CHECK_INT(url_authority_parse(str_from(name, 254), &got), ERR_OK);
    CHECK_INT(url_authority_parse(str_from(name, 255), &got), ERR_SYNTAX);
}

static void hosts_become_lower_case_without_the_last_dot(void)
{
    static const struct {
        struct str in, wanted;
    } cases[] = {
        {STR_INIT("Example.COM."), STR_INIT("example.com")},
        {STR_INIT("example.com"), STR_INIT("example.com")},
        {STR_INIT("[2001:DB8::A]"), STR_INIT("[2001:db8::a]")},
        {STR_INIT(""), STR_INIT("")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[32];
        CHECK_STR(url_host_canon(cases[i].in, buf), cases[i].wanted);
        CHECK(url_host_is_canon(cases[i].in) == str_eq(cases[i].in, cases[i].wanted));
        CHECK(url_host_is_canon(cases[i].wanted));
    }
}

static void targets_split_by_form(void)
{
    static const struct {
        struct str in;
        bool is_connect;
        struct url_target wanted;
    } cases[] = {
        {STR_INIT("/"), false, {.form = URL_ORIGIN, .path = STR_INIT("/")}},
        {STR_INIT("/a/b?c=d?e"),
         false,
         {.form = URL_ORIGIN,
          .path = STR_INIT("/a/b"),
          .query = STR_INIT("c=d?e"),
          .has_query = true}},
        {STR_INIT("/a?"), false, {.form = URL_ORIGIN, .path = STR_INIT("/a"), .has_query = true}},
        {STR_INIT("//evil.example/"),
         false,
         {.form = URL_ORIGIN, .path = STR_INIT("//evil.example/")}},
        {STR_INIT("/http://x/"), false, {.form = URL_ORIGIN, .path = STR_INIT("/http://x/")}},
        {STR_INIT("*"), false, {.form = URL_ASTERISK}},
        {STR_INIT("http://a.example"),
         false,
         {.form = URL_ABSOLUTE,
          .scheme = STR_INIT("http"),
          .authority = STR_INIT("a.example"),
          .path = STR_INIT("/")}},
        {STR_INIT("HTTPS://u@a:1/x/y?q"),
         false,
         {.form = URL_ABSOLUTE,
          .scheme = STR_INIT("HTTPS"),
          .authority = STR_INIT("u@a:1"),
          .path = STR_INIT("/x/y"),
          .query = STR_INIT("q"),
          .has_query = true}},
        {STR_INIT("a+b-c.9://[::1]:80?q"),
         false,
         {.form = URL_ABSOLUTE,
          .scheme = STR_INIT("a+b-c.9"),
          .authority = STR_INIT("[::1]:80"),
          .path = STR_INIT("/"),
          .query = STR_INIT("q"),
          .has_query = true}},
        {STR_INIT("a.example:443"),
         true,
         {.form = URL_AUTHORITY, .authority = STR_INIT("a.example:443")}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct url_target got, wanted = cases[i].wanted;
        CHECK_INT(url_target_parse(cases[i].in, cases[i].is_connect, &got), ERR_OK);
        CHECK_INT(got.form, wanted.form);
        CHECK_STR(got.scheme, wanted.scheme);
        CHECK_STR(got.authority, wanted.authority);
        CHECK_STR(got.path, wanted.path);
        CHECK_STR(got.query, wanted.query);
        CHECK(got.has_query == wanted.has_query);
    }
}

static void malformed_targets_are_refused(void)
{
    static const struct {
        const char *in;
        bool is_connect;
    } cases[] = {
        {"", false},         {"", true},           {"a", false},         {"a.example:443", false},
        {"**", false},       {"*/", false},        {"?q", false},        {"http:", false},
        {"http:/a", false},  {"http://", false},   {"http:///a", false}, {"http://?q", false},
        {"://a", false},     {"1http://a", false}, {"ht tp://a", false}, {"h_t://a", false},
        {"/a#b", false},     {"/#", false},        {"/a?b#c", false},    {"http://a/#", false},
        {"/a b", false},     {"/a\tb", false},     {"/a\x01", false},    {"/a\x7f", false},
        {"/a\r\nb", false},  {"/\xc3\xa4", false}, {" /", false},        {"/a", true},
        {"http://a/", true}, {"*", true},          {"a:1?q", true},      {"a:1#", true},
        {"a :443", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct url_target got;
        CHECK_INT(url_target_parse(str_of(cases[i].in), cases[i].is_connect, &got), ERR_SYNTAX);
    }
    struct url_target got;
    CHECK_INT(url_target_parse(str_from("/a\0b", 4), false, &got), ERR_SYNTAX);
}

struct path_case {
    const char *raw, *wanted; // wanted NULL: err
    enum err err;
};

// Each accepted result has to be a fixed point, too.
static void check_paths(const struct path_case *cases, size_t n,
                        const struct url_path_policy *policy)
{
    for (size_t i = 0; i < n; i++) {
        struct arena mem;
        arena_init(&mem, 1 << 16, NULL, 0);
        struct str raw = str_of(cases[i].raw), got = STR("refused"), again = STR("refused");
        enum err err = url_path_canon(raw, policy, &mem, &got);
        if (err != cases[i].err)
            printf("# for '%s'\n", cases[i].raw);
        CHECK_INT(err, cases[i].err);
        CHECK_STR(got, cases[i].wanted ? str_of(cases[i].wanted) : STR("refused"));
        if (err == ERR_OK) {
            CHECK((got.ptr == raw.ptr) == str_eq(got, raw));
            CHECK_INT(url_path_canon(got, policy, &mem, &again), ERR_OK);
            CHECK(again.ptr == got.ptr);
        }
        arena_fini(&mem);
    }
}

static void paths_become_canonical(void)
{
    static const struct path_case cases[] = {
        {"/", "/", ERR_OK},
        {"/a/b/c.html", "/a/b/c.html", ERR_OK},
        {"/.well-known/acme-challenge/x", "/.well-known/acme-challenge/x", ERR_OK},
        {"/a/...", "/a/...", ERR_OK},
        {"/a/..b/.c/d.", "/a/..b/.c/d.", ERR_OK},
        {"/-._~!$&'()*+,;=:@", "/-._~!$&'()*+,;=:@", ERR_OK},
        // escapes
        {"/%61%2D%2e%5F%7e", "/a-._~", ERR_OK},
        {"/a%20b", "/a%20b", ERR_OK},
        {"/a%2fb", "/a%2Fb", ERR_OK},
        {"/a%2Fb", "/a%2Fb", ERR_OK},
        {"/%3f%23%25", "/%3F%23%25", ERR_OK},
        {"/%c3%A4", "/%C3%A4", ERR_OK},
        {"/%C3%A4", "/%C3%A4", ERR_OK},
        {"/%1F", "/%1F", ERR_OK},
        {"/%21%40", "/%21%40", ERR_OK}, // sub-delims keep what was written: RFC 3986 2.2
        {"/%252e%252e/", "/%252e%252e/", ERR_OK},
        {"/\"<>^`{|}\\[]", "/%22%3C%3E%5E%60%7B%7C%7D%5C%5B%5D", ERR_OK},
        {"/\x80\xff\x7f\x01 ", "/%80%FF%7F%01%20", ERR_OK},
        {"/a%5cb", "/a%5Cb", ERR_OK},
        // dot segments
        {"/.", "/", ERR_OK},
        {"/./", "/", ERR_OK},
        {"/a/.", "/a/", ERR_OK},
        {"/a/./b", "/a/b", ERR_OK},
        {"/a/..", "/", ERR_OK},
        {"/a/../", "/", ERR_OK},
        {"/a/b/..", "/a/", ERR_OK},
        {"/a/b/../c", "/a/c", ERR_OK},
        {"/a/b/c/./../../g", "/a/g", ERR_OK}, // RFC 3986 5.2.4
        {"/a/%2e%2e/b", "/b", ERR_OK},
        {"/a/.%2e/b", "/b", ERR_OK},
        {"/a/%2E./b", "/b", ERR_OK},
        {"/a/%2e/b", "/a/b", ERR_OK},
        {"/a/%2e%2e", "/", ERR_OK},
        {"/a/..;/b", "/a/..;/b", ERR_OK},
        {"/a/..%2fb", "/a/..%2Fb", ERR_OK},
        {"/a/..\\..\\b", "/a/..%5C..%5Cb", ERR_OK},
        {"/a/%2e%2e;x=1/b", "/a/..;x=1/b", ERR_OK},
        // empty segments
        {"//", "//", ERR_OK},
        {"//a//b", "//a//b", ERR_OK},
        {"/a//../b", "/a/b", ERR_OK},
        {"/a/..//b", "//b", ERR_OK},
        {"//..", "/", ERR_OK},
        // refused
        {"/..", NULL, ERR_RANGE},
        {"/../a", NULL, ERR_RANGE},
        {"/a/../..", NULL, ERR_RANGE},
        {"/a/../../a", NULL, ERR_RANGE},
        {"/./%2e%2e/", NULL, ERR_RANGE},
        {"//../..", NULL, ERR_RANGE},
        {"/%", NULL, ERR_SYNTAX},
        {"/%4", NULL, ERR_SYNTAX},
        {"/a%", NULL, ERR_SYNTAX},
        {"/%zz", NULL, ERR_SYNTAX},
        {"/%4g/", NULL, ERR_SYNTAX},
        {"/%u0041", NULL, ERR_SYNTAX},
        {"/a%00b", NULL, ERR_SYNTAX},
        {"", NULL, ERR_SYNTAX},
        {"a", NULL, ERR_SYNTAX},
        {"*", NULL, ERR_SYNTAX},
        {"%2Fa", NULL, ERR_SYNTAX},
    };
    check_paths(cases, ARRAY_LEN(cases), &strict);
}

static void decoded_slashes_hide_no_dots(void)
{
    static const struct path_case cases[] = {
        {"/a%2fb", "/a/b", ERR_OK},
        {"/a/..%2fb", "/b", ERR_OK},
        {"/a%2f..%2fb", "/b", ERR_OK},
        {"/a%2F%2e%2e%2Fb", "/b", ERR_OK},
        {"/%2f", "//", ERR_OK},
        {"/a%252fb", "/a%252fb", ERR_OK},
        {"/a%5cb", "/a%5Cb", ERR_OK},
        {"/..%2fb", NULL, ERR_RANGE},
        {"/a%2f..%2f..", NULL, ERR_RANGE},
    };
    static const struct url_path_policy policy = {.decode_slash = true};
    check_paths(cases, ARRAY_LEN(cases), &policy);
}

static void hidden_slashes_can_be_refused(void)
{
    static const struct path_case cases[] = {
        {"/a/b", "/a/b", ERR_OK},         {"/a%2fb", NULL, ERR_SYNTAX},
        {"/a%2Fb", NULL, ERR_SYNTAX},     {"/a%5cb", NULL, ERR_SYNTAX},
        {"/a%5Cb", NULL, ERR_SYNTAX},     {"/a\\b", NULL, ERR_SYNTAX},
        {"/a%252fb", "/a%252fb", ERR_OK},
    };
    static const struct url_path_policy refuse = {.reject_slash = true};
    static const struct url_path_policy refuse_first = {.reject_slash = true, .decode_slash = true};
    check_paths(cases, ARRAY_LEN(cases), &refuse);
    check_paths(cases, ARRAY_LEN(cases), &refuse_first);
}

static void slashes_merge_on_demand(void)
{
    static const struct path_case cases[] = {
        {"//", "/", ERR_OK},        {"///a////b//", "/a/b/", ERR_OK},
        {"/a//../b", "/b", ERR_OK}, {"/a/.//b", "/a/b", ERR_OK},
        {"/a/..//b", "/b", ERR_OK}, {"/a%2F/b", "/a%2F/b", ERR_OK},
        {"//..", NULL, ERR_RANGE},  {"/a//", "/a/", ERR_OK},
        {"/a/./", "/a/", ERR_OK},
    };
    static const struct url_path_policy policy = {.merge_slashes = true};
    check_paths(cases, ARRAY_LEN(cases), &policy);
    static const struct path_case decoded[] = {
        {"/a%2F%2fb", "/a/b", ERR_OK},
        {"/%2F%2F..", NULL, ERR_RANGE},
    };
    static const struct url_path_policy both = {.merge_slashes = true, .decode_slash = true};
    check_paths(decoded, ARRAY_LEN(decoded), &both);
}

static void dots_and_nul_stay_on_demand(void)
{
    static const struct path_case dots[] = {
        {"/a/../b/.", "/a/../b/.", ERR_OK},
        {"/..", "/..", ERR_OK},
        {"/%2e%2E/x", "/../x", ERR_OK},
    };
    static const struct url_path_policy keep_dots = {.keep_dots = true};
    check_paths(dots, ARRAY_LEN(dots), &keep_dots);

    struct arena mem;
    arena_init(&mem, 1 << 16, NULL, 0);
    static const struct url_path_policy allow_nul = {.allow_nul = true};
    struct str got;
    CHECK_INT(url_path_canon(STR("/a%00b"), &allow_nul, &mem, &got), ERR_OK);
    CHECK_STR(got, STR("/a%00b"));
    CHECK_INT(url_path_canon(str_from("/a\0b", 4), &allow_nul, &mem, &got), ERR_OK);
    CHECK_STR(got, STR("/a%00b"));
    CHECK_INT(url_path_canon(str_from("/a\0b", 4), &strict, &mem, &got), ERR_SYNTAX);
    arena_fini(&mem);
}

static void a_full_arena_is_a_limit(void)
{
    struct arena mem;
    arena_init(&mem, 8, NULL, 0);
    struct str got;
    CHECK_INT(url_path_canon(STR("/aaaaaaaaaaaaaaaa/.."), &strict, &mem, &got), ERR_LIMIT);
    CHECK_INT(url_path_canon(STR("/aaaaaaaaaaaaaaaa"), &strict, &mem, &got), ERR_OK);
    CHECK(url_decode(STR("aaaaaaaaaaaaaaaa%20"), false, &mem).ptr == NULL);
    arena_fini(&mem);
}

static void escapes_are_decoded_where_they_are_well_formed(void)
{
    static const struct {
        struct str in;
        bool plus_is_space;
        struct str wanted;
    } cases[] = {
        {STR_INIT("plain"), true, STR_INIT("plain")},
        {STR_INIT("a%20b%2Fc"), false, STR_INIT("a b/c")},
        {STR_INIT("a+b"), false, STR_INIT("a+b")},
        {STR_INIT("a+b%2B"), true, STR_INIT("a b+")},
        {STR_INIT("%"), false, STR_INIT("%")},
        {STR_INIT("%4"), false, STR_INIT("%4")},
        {STR_INIT("%zz%41"), false, STR_INIT("%zzA")},
        {STR_INIT("%%41"), false, STR_INIT("%A")},
        {STR_INIT("%2541"), false, STR_INIT("%41")},
        {STR_INIT("x%00y"), false, STR_INIT("x\0y")},
        {STR_INIT(""), true, STR_INIT("")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        arena_init(&mem, 1 << 16, NULL, 0);
        struct str got = url_decode(cases[i].in, cases[i].plus_is_space, &mem);
        CHECK_STR(got, cases[i].wanted);
        if (str_find(cases[i].in, '%') == STR_NPOS && str_eq(got, cases[i].in))
            CHECK(got.ptr == cases[i].in.ptr);
        arena_fini(&mem);
    }
}

static void queries_give_their_pairs_in_order(void)
{
    struct str rest = STR("a=1&b&&c==2&=x&d=&");
    static const struct str wanted[][2] = {
        {STR_INIT("a"), STR_INIT("1")},  {STR_INIT("b"), STR_INIT("")},
        {STR_INIT("c"), STR_INIT("=2")}, {STR_INIT(""), STR_INIT("x")},
        {STR_INIT("d"), STR_INIT("")},
    };
    struct str name, value;
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
        CHECK(url_query_next(&rest, &name, &value));
        CHECK_STR(name, wanted[i][0]);
        CHECK_STR(value, wanted[i][1]);
    }
    CHECK(!url_query_next(&rest, &name, &value));
    CHECK(!url_query_next(&rest, &name, &value));
}

static void dot_segments_are_told_escaped_or_not(void)
{
    static const struct {
        const char *path;
        bool has_dots;
    } cases[] = {{"/", false},     {"/a/b", false},     {"/.a/b./c..", false}, {"/...", false},
                 {"/.", true},     {"/a/../b", true},   {"/a/%2e%2E/b", true}, {"/a/.%2e", true},
                 {"/%2e/a", true}, {"/a%2F../b", false}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(url_path_has_dots(str_of(cases[i].path)), cases[i].has_dots);
}

TEST_MAIN(TEST(dot_segments_are_told_escaped_or_not), TEST(authorities_split_into_host_and_port),
          TEST(malformed_authorities_are_refused), TEST(impossible_ports_are_out_of_range),
          TEST(names_may_have_253_bytes_and_a_dot),
          TEST(hosts_become_lower_case_without_the_last_dot), TEST(targets_split_by_form),
          TEST(malformed_targets_are_refused), TEST(paths_become_canonical),
          TEST(decoded_slashes_hide_no_dots), TEST(hidden_slashes_can_be_refused),
          TEST(slashes_merge_on_demand), TEST(dots_and_nul_stay_on_demand),
          TEST(a_full_arena_is_a_limit), TEST(escapes_are_decoded_where_they_are_well_formed),
          TEST(queries_give_their_pairs_in_order))
