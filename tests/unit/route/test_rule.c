// SPDX-License-Identifier: Apache-2.0
#include "route/rule.h"

#include "unit/route/fixture.h"
#include "unit/test.h"

static struct place place_of_test(void)
{
    return (struct place){"rules.yaml", 3, 10};
}

static struct rule *parse(const char *text, struct arena *mem, struct diags *diags)
{
    struct rule *r = rule_parse(str_of(text), place_of_test(), mem, diags);
    CHECK((r == NULL) == (diags->n_errors > 0));
    return r;
}

struct match_case {
    const char *rule;
    bool matches;
};

// The one request of the tables below.
static struct exchange *request(struct fixture *f)
{
    struct exchange *x = fixture_start(f, "POST", "app.example.com", "/api/v1/items%20new",
                                       "q=a%2Fb+c&debug&empty=&n=42&n=43&q=last");
    fixture_field(f, "X-Tenant", "blue");
    fixture_field(f, "X-Tenant", "green");
    fixture_field(f, "Accept", "text/html");
    fixture_field(f, "Accept", "image/*");
    return x;
}

static void check_matches(const struct match_case *cases, size_t n)
{
    struct fixture f;
    const struct exchange *x = request(&f);
    for (size_t i = 0; i < n; i++) {
        struct diags diags = {.n = 0};
        struct rule *r = parse(cases[i].rule, &f.mem, &diags);
        if (!r || rule_matches(r, x) != cases[i].matches) {
            printf("# %s: wanted %d; %s\n", cases[i].rule, cases[i].matches,
                   diags.n > 0 ? diags.items[0].text : "no error");
            CHECK(false);
        }
        rule_fini(r);
        diags_fini(&diags);
    }
    fixture_end(&f);
}

static void matchers_compare_what_they_name(void)
{
    static const struct match_case cases[] = {
        {"Host(`app.example.com`)", true},
        {"Host(`APP.Example.COM`)", true},
        {"Host(`app.example.com.`)", true},
        {"Host(`other.example.com`)", false},
        {"Host(`example.com`, `app.example.com`)", true},
        {"Host(`*.example.com`)", true},
        {"Host(`*.com`)", false},
        {"Host(`*.app.example.com`)", false},
        {"HostRegexp(`^[a-z]+\\.example\\.com$`)", true},
        {"HostRegexp(`EXAMPLE`)", true},
        {"HostRegexp(`^example`)", false},
        {"Path(`/api/v1/items%20new`)", true},
        {"Path(`/api/v1/items new`)", true},
        {"Path(`/api`)", false},
        {"PathPrefix(`/api`)", true},
        {"PathPrefix(`/ap`)", true},
        {"PathPrefix(`/api/v2`)", false},
        {"PathPrefix(`/x`, `/api/`)", true},
        {"PathRegexp(`v[0-9]+`)", true},
        {"PathRegexp(`^/v[0-9]+`)", false},
        {"Method(`POST`)", true},
        {"Method(`post`)", true},
        {"Method(`GET`, `POST`)", true},
        {"Method(`GET`)", false},
        {"Header(`x-tenant`, `green`)", true},
        {"Header(`X-Tenant`, `Green`)", false},
        {"Header(`Accept`, `image/*`)", true},
        {"Header(`Accept`, `*/*`)", false},
        {"Header(`X-None`, ``)", false},
        {"HeaderRegexp(`X-TENANT`, `^gr`)", true},
        {"HeaderRegexp(`Accept`, `^image/`)", true},
        {"Query(`n`, `43`)", true},
        {"Query(`n`, `4`)", false},
        {"Query(`q`, `a/b c`)", true},
        {"Query(`q`, `last`)", true},
        {"Query(`debug`)", true},
        {"Query(`empty`)", true},
        {"Query(`n`)", false},
        {"Query(`absent`)", false},
        {"QueryRegexp(`q`, `^a/b c$`)", true},
        {"QueryRegexp(`n`, `^4[4-9]$`)", false},
        {"QueryRegexp(`debug`)", true},
        {"ClientIP(`192.0.2.0/24`)", true},
        {"ClientIP(`192.0.2.7`)", true},
        {"ClientIP(`10.0.0.0/8`, `2001:db8::/32`)", false},
        {"host(`app.example.com`)", true},
        {"PATHPREFIX(\"/api\")", true},
        {"Header(\"X-Tenant\", \"gr\\x65en\")", true},
    };
    check_matches(cases, ARRAY_LEN(cases));
}

static void operators_bind_as_in_go(void)
{
    static const struct match_case cases[] = {
        {"Method(`POST`) || Method(`GET`) && Path(`/no`)", true},
        {"(Method(`POST`) || Method(`GET`)) && Path(`/no`)", false},
        {"!Method(`GET`) && PathPrefix(`/api`)", true},
        {"!(Method(`POST`) && PathPrefix(`/api`))", false},
        {"!!Method(`POST`)", true},
        {"!Method(`POST`) || !Path(`/`)", true},
        {" (\n\t( Method(`POST`) ) )\n", true},
        {"Method(`POST`)&&Path(`/no`)||PathPrefix(`/api`)", true},
    };
    check_matches(cases, ARRAY_LEN(cases));
}

static void addresses_are_hosts_as_well(void)
{
    struct fixture f;
    struct exchange *x = fixture_start(&f, "GET", "[2001:db8::1]", "/", NULL);
    struct diags diags = {.n = 0};
    struct rule *r = parse("Host(`2001:DB8:0::1`)", &f.mem, &diags);
    CHECK(r && rule_matches(r, x));
    r = parse("Host(`[2001:db8::1]`)", &f.mem, &diags);
    CHECK(r && rule_matches(r, x));
    x->req.host = STR("192.0.2.1");
    r = parse("Host(`192.0.2.1`)", &f.mem, &diags);
    CHECK(r && rule_matches(r, x));
    diags_fini(&diags);
    fixture_end(&f);
}

static void international_names_become_a_labels(void)
{
    struct fixture f;
    struct exchange *x = fixture_start(&f, "GET", "www.xn--bcher-kva.example", "/", NULL);
    struct diags diags = {.n = 0};
    struct rule *r = parse("Host(`*.Bücher.example`)", &f.mem, &diags);
    CHECK(r && rule_matches(r, x));
    diags_fini(&diags);
    fixture_end(&f);
}

struct error_case {
    const char *rule;
    unsigned line, column;
    const char *text; // a part of the message
};

static void errors_say_where_and_what(void)
{
    static const struct error_case cases[] = {
        {"", 3, 10, "the rule ends where a matcher"},
        {"Host(`a`", 3, 18, "the rule ends where ',' or ')'"},
        {"Host(`a`) & Path(`/`)", 3, 20,
         "expected && or || at character 11 of the rule, found '&'"},
        {"Host(`a`) and Path(`/`)", 3, 20, "found 'and'"},
        {"(Host(`a`)", 3, 20, "&&, || or ')'"},
        {"Host(`a`))", 3, 19, "expected && or ||"},
        {"Host(`a)", 3, 15, "closing backtick"},
        {"Host('a')", 3, 15, "single quotes"},
        {"Host(a)", 3, 15, "a value in backticks"},
        {"Host:a.example", 3, 14, "Traefik 1"},
        {"Host()", 3, 10, "Host takes one or more values, not 0"},
        {"Header(`a`)", 3, 10, "Header takes a name and a value, not 1"},
        {"Query(`a`, `b`, `c`)", 3, 10, "Query takes a name and at most one value, not 3"},
        {"Host(`a.example`) &&\n  Pathprefx(`/`)", 4, 3, "did you mean 'PathPrefix'?"},
        {"HostHeader(`a`)", 3, 10, "use Host"},
        {"Nonsense(`a`)", 3, 10, "unknown matcher 'Nonsense'"},
        {"HostSNI(`a.example`)", 3, 10, "TCP routes"},
        {"Host(`a.example:80`)", 3, 16, "has a port"},
        {"Host(`https://a.example/`)", 3, 16, "leave scheme and path out"},
        {"Host(`*`)", 3, 16, "any host"},
        {"Host(`a.*.example`)", 3, 16, "only as the whole first label"},
        {"Host(`**.example.com`)", 3, 16, "HostRegexp"},
        {"Host(`{sub:[a-z]+}.example`)", 3, 16, "Traefik 2's"},
        {"HostRegexp(`{sub:[a-z]+}.example`)", 3, 22, "Traefik 2's"},
        {"Path(`api`)", 3, 16, "doesn't begin with '/'"},
        {"Path(`/a%2`)", 3, 16, "malformed escape"},
        {"Path(`/../a`)", 3, 16, "climbs"},
        {"Path(`/a?b=c`)", 3, 16, "has a query"},
        {"PathRegexp(`/a(b`)", 3, 26, "at its character 5"},
        {"Method(`G T`)", 3, 18, "is not a word"},
        {"Header(`a b`, `c`)", 3, 18, "is not a word"},
        {"ClientIP(`10.0.0.1/8`)", 3, 20, "bits set"},
        {"ClientIP(`example.com`)", 3, 20, "neither an IP address"},
        {"Header(`a`, \"\\q\")", 3, 24, "backticks take text as it is"},
        {"Host(`a`)\x01", 3, 19, "control byte"},
    };
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diags d = {.n = 0};
        struct rule *r = parse(cases[i].rule, &mem, &d);
        bool is_as_wanted = !r && d.n > 0 && d.items[0].place.line == cases[i].line &&
                            d.items[0].place.column == cases[i].column &&
                            strstr(d.items[0].text, cases[i].text);
        if (!is_as_wanted) {
            printf("# %s: %u:%u %s\n", cases[i].rule, d.n > 0 ? d.items[0].place.line : 0,
                   d.n > 0 ? d.items[0].place.column : 0, d.n > 0 ? d.items[0].text : "accepted");
            CHECK(false);
        }
        diags_fini(&d);
    }
    arena_fini(&mem);
}

static void all_bad_values_of_a_rule_are_reported(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct diags d = {.n = 0};
    CHECK(!parse("Hots(`a`) && Path(`b`) && ClientIP(`c`, `d`) && PathRegexp(`[`)", &mem, &d));
    CHECK_INT(d.n_errors, 5);
    diags_fini(&d);
    arena_fini(&mem);
}

static void a_path_that_requests_never_have_is_warned_of(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct diags d = {.n = 0};
    struct rule *r = parse("Path(`/a/%7euser/./x`)", &mem, &d);
    CHECK(r != NULL && d.n == 1 && d.n_errors == 0);
    CHECK(d.n == 1 && strstr(d.items[0].text, "'/a/~user/x'"));
    rule_fini(r);
    diags_fini(&d);
    arena_fini(&mem);
}

static void limits_end_what_is_too_large(void)
{
    struct arena mem;
    arena_init(&mem, 4 << 20, NULL, 0);
    char text[20000];
    struct diags d = {.n = 0};

    memset(text, '(', 40);
    snprintf(text + 40, sizeof text - 40, "Path(`/`)))))");
    CHECK(!parse(text, &mem, &d));
    CHECK(d.n > 0 && strstr(d.items[0].text, "nested more than 32"));
    diags_fini(&d);

    size_t n = 0;
    for (int i = 0; i < 1100; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "Path(`/`)||");
    snprintf(text + n, sizeof text - n, "Path(`/`)");
    CHECK(!parse(text, &mem, &d));
    CHECK(d.n > 0 && strstr(d.items[0].text, "more than 1024 parts"));
    diags_fini(&d);

    memset(text, ' ', 17000);
    text[17000] = '\0';
    CHECK(!parse(text, &mem, &d));
    CHECK(d.n > 0 && strstr(d.items[0].text, "longer than"));
    diags_fini(&d);
    arena_fini(&mem);
}

static void a_full_arena_is_an_error(void)
{
    const char *text = "Host(`a.example`, `b.example`) && !(PathRegexp(`a+`) || Method(`GET`))";
    for (size_t limit = 0; limit < 64 * 1024; limit += 64) {
        char home[4096];
        struct arena mem;
        arena_init(&mem, 0, home, MIN(limit, sizeof home));
        struct diags d = {.n = 0};
        struct rule *r = rule_parse(str_of(text), place_of_test(), &mem, &d);
        CHECK((r == NULL) == (d.n_errors > 0));
        rule_fini(r);
        diags_fini(&d);
        arena_fini(&mem);
        if (r)
            return;
    }
    CHECK(false);
}

static void a_catastrophic_expression_gives_up_and_matches_nothing(void)
{
    struct fixture f;
    struct exchange *x =
        fixture_start(&f, "GET", "a.example",
                      "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!", NULL);
    struct diags d = {.n = 0};
    struct rule *r = parse("PathRegexp(`^/(a+)+$`)", &f.mem, &d);
    struct rule *inverse = parse("!PathRegexp(`^/(a+)+$`)", &f.mem, &d);
    CHECK(r && !rule_matches(r, x));
    CHECK(inverse && !rule_matches(inverse, x));
    CHECK_STR(rule_why(r, x, &f.mem), STR("PathRegexp(`^/(a+)+$`) gave up: too many steps"));
    rule_fini(r);
    rule_fini(inverse);
    diags_fini(&d);
    fixture_end(&f);
}

static void why_names_the_part_that_decided(void)
{
    static const struct {
        const char *rule, *why;
    } cases[] = {
        {"Method(`GET`)", "Method(`GET`) is false (POST)"},
        {"PathPrefix(`/api`) && Method(`GET`)", "Method(`GET`) is false (POST)"},
        {"PathPrefix(`/api`) && !(Query(`n`, `42`))", "Query(`n`, `42`) is true"},
        {"Path(`/`) || Host(`app.example.com`)",
         "Host(`app.example.com`) is true (app.example.com)"},
        {"PathPrefix(`/api`) && Method(`POST`)", "all conditions are true"},
        {"Path(`/`) || Path(`/b`)", "no alternative is true"},
        {"ClientIP(`10.0.0.0/8`)", "ClientIP(`10.0.0.0/8`) is false (192.0.2.7)"},
    };
    struct fixture f;
    const struct exchange *x = request(&f);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct diags d = {.n = 0};
        struct rule *r = parse(cases[i].rule, &f.mem, &d);
        CHECK(r != NULL);
        if (r)
            CHECK_STR(rule_why(r, x, &f.mem), str_of(cases[i].why));
        rule_fini(r);
        diags_fini(&d);
    }
    fixture_end(&f);
}

TEST_MAIN(TEST(matchers_compare_what_they_name), TEST(operators_bind_as_in_go),
          TEST(addresses_are_hosts_as_well), TEST(international_names_become_a_labels),
          TEST(errors_say_where_and_what), TEST(all_bad_values_of_a_rule_are_reported),
          TEST(a_path_that_requests_never_have_is_warned_of), TEST(limits_end_what_is_too_large),
          TEST(a_full_arena_is_an_error),
          TEST(a_catastrophic_expression_gives_up_and_matches_nothing),
          TEST(why_names_the_part_that_decided))
