// SPDX-License-Identifier: Apache-2.0
#include "route/rule_parse.h"

#include "unit/route/rules.h"
#include "unit/test.h"

static void syntax_errors_say_where_and_what(void)
{
    static const struct rule_error_case cases[] = {
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
        {"Header(`a`, \"\\q\")", 3, 24, "backticks take text as it is"},
        {"Host(`a`)\x01", 3, 19, "control byte"},
    };
    check_rule_errors(cases, ARRAY_LEN(cases));
}

static void limits_end_what_is_too_large(void)
{
    struct arena mem;
    arena_init(&mem, 4 << 20, NULL, 0);
    char text[20000];
    struct diags d = {.n = 0};

    memset(text, '(', 40);
    snprintf(text + 40, sizeof text - 40, "Path(`/`)))))");
    CHECK(!rule_of(text, &mem, &d));
    CHECK(d.n > 0 && strstr(d.items[0].text, "nested more than 32"));
    diags_fini(&d);

    size_t n = 0;
    for (int i = 0; i < 1100; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "Path(`/`)||");
    snprintf(text + n, sizeof text - n, "Path(`/`)");
    CHECK(!rule_of(text, &mem, &d));
    CHECK(d.n > 0 && strstr(d.items[0].text, "more than 1024 parts"));
    diags_fini(&d);

    memset(text, ' ', 17000);
    text[17000] = '\0';
    CHECK(!rule_of(text, &mem, &d));
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
        struct rule *r = rule_parse(str_of(text), (struct place){"rules.yaml", 3, 10}, &mem, &d);
        CHECK((r == NULL) == (d.n_errors > 0));
        rule_fini(r);
        diags_fini(&d);
        arena_fini(&mem);
        if (r)
            return;
    }
    CHECK(false);
}

TEST_MAIN(TEST(syntax_errors_say_where_and_what), TEST(limits_end_what_is_too_large),
          TEST(a_full_arena_is_an_error))
