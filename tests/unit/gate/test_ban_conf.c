// SPDX-License-Identifier: Apache-2.0
#include "gate/ban_conf.h"

#include "unit/test.h"

static struct arena mem;

static bool build(const char *yaml, struct ban_rules *ret)
{
    struct diags diags = {.n = 0};
    struct ban_conf conf;
    struct conf_node *node = conf_yaml_parse(str_of(yaml), "t.yaml", &mem, &diags);
    bool is_fine = node && conf_read(&ban_section, node, NULL, &mem, &diags, &conf) == ERR_OK &&
                   ban_rules_build(&conf, &mem, &diags, ret);
    diags_fini(&diags);
    return is_fine;
}

static const char *counted_as(const struct ban_rule *r, unsigned status, enum exchange_end end,
                              uint8_t offences)
{
    struct exchange x = {.end = end, .offences = offences};
    x.resp.status = (uint16_t)status;
    x.req.method = STR("GET");
    x.req.path = STR("/login");
    const char *what = NULL;
    return ban_rule_counts(r, &x, &what) ? what : "nothing";
}

static void a_rule_counts_what_it_names(void)
{
    enum { WRONG = 1 << EXCHANGE_OFFENCE_WRONG_PASSWORD, DENIED = 1 << EXCHANGE_OFFENCE_DENIED };
    static const struct {
        const char *count;
        unsigned status;
        enum exchange_end end;
        uint8_t offences;
        const char *wanted;
    } cases[] = {
        {"[wrong-password]", 401, EXCHANGE_END_FILTERED, WRONG, "wrong-password"},
        {"[wrong-password]", 401, EXCHANGE_END_FILTERED, 0, "nothing"},
        {"[wrong-password]", 403, EXCHANGE_END_FILTERED, DENIED, "nothing"},
        {"[denied, wrong-password]", 403, EXCHANGE_END_FILTERED, DENIED, "denied"},
        {"[malformed]", 400, EXCHANGE_END_CLIENT_PROTOCOL, 0, "malformed"},
        {"[malformed]", 400, EXCHANGE_END_OK, 0, "nothing"},
        {"[slow]", 408, EXCHANGE_END_CLIENT_TIMEOUT, 0, "slow"},
        {"[slow]", 200, EXCHANGE_END_CLIENT_TIMEOUT, 0, "slow"},
        {"[slow, flood]", 504, EXCHANGE_END_SERVER_TIMEOUT, 0, "nothing"},
        {"['404']", 404, EXCHANGE_END_OK, 0, "a status"},
        {"['404']", 403, EXCHANGE_END_OK, 0, "nothing"},
        {"[4xx]", 499, EXCHANGE_END_OK, 0, "a status"},
        {"[4XX]", 400, EXCHANGE_END_OK, 0, "a status"},
        {"[5xx]", 599, EXCHANGE_END_OK, 0, "a status"},
        {"[4xx]", 500, EXCHANGE_END_OK, 0, "nothing"},
        {"[4xx]", 200, EXCHANGE_END_OK, 0, "nothing"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char yaml[128];
        struct ban_rules rules;
        snprintf(yaml, sizeof yaml, "rules: { r: { count: %s } }", cases[i].count);
        CHECK(build(yaml, &rules));
        CHECK_STR(
            str_of(counted_as(&rules.items[0], cases[i].status, cases[i].end, cases[i].offences)),
            str_of(cases[i].wanted));
        ban_rules_fini(&rules);
    }
}

static void a_rule_counts_where_it_matches(void)
{
    struct ban_rules rules;
    CHECK(build("rules: { a: { count: [4xx], match: 'Path(`/login`)' }, "
                "b: { count: [4xx], match: 'Path(`/x`)' } }",
                &rules));
    CHECK_STR(str_of(counted_as(&rules.items[0], 404, EXCHANGE_END_OK, 0)), STR("a status"));
    CHECK_STR(str_of(counted_as(&rules.items[1], 404, EXCHANGE_END_OK, 0)), STR("nothing"));
    ban_rules_fini(&rules);
}

static bool counts(const struct ban_rule *r, enum http_offence what)
{
    const char *ignored;
    return ban_rule_counts_offence(r, what, &ignored);
}

static void what_belongs_to_no_request_counts_where_no_request_is_asked_for(void)
{
    struct ban_rules rules;
    CHECK(build("rules: { a: { count: [flood, handshake] }, b: { count: [malformed, slow, 4xx] }, "
                "c: { count: [flood], match: 'Path(`/x`)' } }",
                &rules));
    const struct ban_rule *r = rules.items;
    CHECK(counts(&r[0], HTTP_OFFENCE_FLOOD) && counts(&r[0], HTTP_OFFENCE_HANDSHAKE));
    CHECK(!counts(&r[0], HTTP_OFFENCE_MALFORMED) && !counts(&r[0], HTTP_OFFENCE_SLOW));
    CHECK(counts(&r[1], HTTP_OFFENCE_MALFORMED) && counts(&r[1], HTTP_OFFENCE_SLOW));
    CHECK(!counts(&r[1], HTTP_OFFENCE_FLOOD));
    CHECK(!counts(&r[2], HTTP_OFFENCE_FLOOD));
    ban_rules_fini(&rules);
}

static void what_can_not_be_counted_is_an_error(void)
{
    static const char *const cases[] = {
        "rules: { r: { count: [] } }",      "rules: { r: { count: ['200'] } }",
        "rules: { r: { count: [40x] } }",   "rules: { r: { count: [6xx] } }",
        "rules: { r: { count: [wrong] } }", "rules: { r: { count: [4xx], match: 'Path(' } }",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ban_rules rules = {.n = 0};
        CHECK(!build(cases[i], &rules));
        ban_rules_fini(&rules);
    }
}

static void without_rules_there_are_defaults(void)
{
    struct ban_rules rules;
    CHECK(build("{}", &rules));
    CHECK_INT(rules.n, 0);
    CHECK_INT(rules.status, 403);
    CHECK_INT(rules.v6_bits, 64);
    CHECK(!rules.closes);
    ban_rules_fini(&rules);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(a_rule_counts_what_it_names),
        TEST(a_rule_counts_where_it_matches),
        TEST(what_belongs_to_no_request_counts_where_no_request_is_asked_for),
        TEST(what_can_not_be_counted_is_an_error),
        TEST(without_rules_there_are_defaults),
    };
    arena_init(&mem, 1 << 22, NULL, 0);
    int status = test_main(argc, argv, cases, ARRAY_LEN(cases));
    arena_fini(&mem);
    return status;
}
