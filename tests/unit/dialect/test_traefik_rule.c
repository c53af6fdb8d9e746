// SPDX-License-Identifier: Apache-2.0
#include "dialect/traefik_rule.h"

#include "route/rule.h"
#include "unit/test.h"

static const struct {
    const char *rule, *wanted;
    bool is_v2;
} cases[] = {
    {"Host(`a.example`) && PathPrefix(`/api`)", "Host(`a.example`) && PathPrefix(`/api`)", false},
    {"Host(`a`, `b`) || Path(`/x{2}`)", "Host(`a`, `b`) || Path(`/x{2}`)", false},
    {"HostHeader(`a`)", "Host(`a`)", false},
    {"Headers(`X-A`, `1`) && HeadersRegexp(`X-B`, `^1`)",
     "Header(`X-A`, `1`) && HeaderRegexp(`X-B`, `^1`)", false},
    {"HostRegexp(`{sub:[a-z]+}.example.com`)", "HostRegexp(`^(?:[a-z]+)\\.example\\.com$`)", false},
    {"HostRegexp(`{sub}.example.com`, `b.{x:c|d}`)",
     "HostRegexp(`^[^.]+\\.example\\.com$`, `^b\\.(?:c|d)$`)", false},
    {"HostRegexp(`^.+\\.example\\.com$`)", "HostRegexp(`^.+\\.example\\.com$`)", false},
    {"HostRegexp(`^a{1,3}$`)", "HostRegexp(`^a{1,3}$`)", false},
    {"HostRegexp(`a.example`)", "HostRegexp(`^a\\.example$`)", true},
    {"Path(`/p/{id:[0-9]{1,3}}`)", "PathRegexp(`^/p/(?:[0-9]{1,3})$`)", false},
    {"PathPrefix(`/{name}/x`)", "PathRegexp(`^/[^/]+/x`)", false},
    {"Query(`a=b`)", "Query(`a`, `b`)", false},
    {"Query(`a=b`, `c=d`) && Host(`x`)", "(Query(`a`, `b`) && Query(`c`, `d`)) && Host(`x`)",
     false},
    {"Query(`id={id:[0-9]+}`)", "QueryRegexp(`id`, `^(?:[0-9]+)$`)", false},
    {"Query(`a`, `b`)", "Query(`a`, `b`)", false},
    {"hostheader(\"a\")", "Host(`a`)", false},
    {"Header(`HostHeader(x)`, \"Headers(`a`)\")", "Header(`HostHeader(x)`, \"Headers(`a`)\")",
     false},
    {"Headers(`a`, \"`\")", "Header(`a`, \"`\")", false},
    {"HostSNIRegexp(`{x:.+}.a`)", "HostSNIRegexp(`^(?:.+)\\.a$`)", false},
    {"Host:a.example", "Host:a.example", false},
    {"Headers(`a", "Headers(`a", false},
    {"Headers('a', 'b')", "Headers('a', 'b')", false},
    {"PathPrefix(`/{a`)", "PathPrefix(`/{a`)", false},
    {"", "", false},
};

static void rules_of_version_2_become_those_of_version_3(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str rule = traefik_rule(str_of(cases[i].rule), cases[i].is_v2, &mem);
        CHECK_STR(rule, str_of(cases[i].wanted));
        CHECK_STR(traefik_rule(rule, false, &mem), rule);
    }
    arena_fini(&mem);
}

static void what_is_translated_is_understood(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    for (size_t i = 2; i < 16; i++) {
        struct rule *rule;
        struct diags diags = {.n = 0};
        struct str text = traefik_rule(str_of(cases[i].rule), cases[i].is_v2, &mem);
        rule = rule_parse(text, (struct place){.line = 0}, &mem, &diags);
        CHECK(rule != NULL);
        rule_fini(rule);
        diags_fini(&diags);
    }
    arena_fini(&mem);
}

int main(int argc, char **argv)
{
    const struct test_case tests[] = {
        TEST(rules_of_version_2_become_those_of_version_3),
        TEST(what_is_translated_is_understood),
    };
    return test_main(argc, argv, tests, ARRAY_LEN(tests));
}
