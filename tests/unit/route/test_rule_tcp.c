// SPDX-License-Identifier: Apache-2.0
// Rules about connections: HostSNI, HostSNIRegexp, ClientIP.
#include "route/router.h"
#include "route/rule_priv.h"
#include "unit/route/fixture.h"
#include "unit/test.h"

static struct rule *tcp_rule(const char *text, struct arena *mem, struct diags *diags)
{
    return rule_parse_tcp(str_of(text), (struct place){"rules.yaml", 3, 10}, mem, diags);
}

static void connections_match_by_server_name_and_address(void)
{
    static const struct {
        const char *rule, *name;
        bool matches;
    } cases[] = {
        {"HostSNI(`a.example`)", "a.example", true},
        {"HostSNI(`A.Example.`)", "a.example", true},
        {"hostsni(`a.example`)", "a.example", true},
        {"HostSNI(`a.example`)", "b.example", false},
        {"HostSNI(`a.example`)", "", false},
        {"HostSNI(`a.example`, `b.example`)", "b.example", true},
        {"HostSNI(`*.example`)", "b.example", true},
        {"HostSNI(`*.example`)", "a.b.example", false},
        {"HostSNI(`*.example`)", "example", false},
        {"HostSNI(`*`)", "a.example", true},
        {"HostSNI(`*`)", "", true},
        {"HostSNI(`a.example`, `*`)", "", true},
        {"HostSNI(`bücher.example`)", "xn--bcher-kva.example", true},
        {"HostSNIRegexp(`^db[0-9]+\\.example$`)", "db7.example", true},
        {"HostSNIRegexp(`^db[0-9]+\\.example$`)", "db.example", false},
        {"HostSNIRegexp(`^DB`)", "db.example", true},
        {"HostSNIRegexp(`^.+$`)", "", false},
        {"HostSNI(`*`) && ClientIP(`192.0.2.0/24`)", "", true},
        {"HostSNI(`*`) && ClientIP(`10.0.0.0/8`)", "", false},
        {"HostSNI(`a.example`) && !ClientIP(`10.0.0.0/8`)", "a.example", true},
        {"HostSNI(`a.example`) || HostSNI(`b.example`)", "b.example", true},
        {"!HostSNI(`a.example`)", "", true},
        {"!HostSNI(`a.example`)", "a.example", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        struct diags diags = {.n = 0};
        const struct exchange *x = fixture_start(&f, "", cases[i].name, "", NULL);
        struct rule *r = tcp_rule(cases[i].rule, &f.mem, &diags);
        if (!r || rule_matches(r, x) != cases[i].matches) {
            printf("# %s of '%s'\n", cases[i].rule, cases[i].name);
            CHECK(false);
        }
        CHECK(!r || rule_why(r, x, &f.mem).len > 0);
        rule_fini(r);
        diags_fini(&diags);
        fixture_end(&f);
    }
}

static void what_no_connection_shows_is_refused(void)
{
    static const struct {
        const char *rule, *says;
    } cases[] = {
        {"HostSNI(`a.example`) && Host(`a.example`)", "see no requests"},
        {"HostSNI(`a.example`) && PathPrefix(`/api`)", "see no requests"},
        {"HostSNI(`10.0.0.1`)", "is an address"},
        {"HostSNI(`a.example:443`)", "has a port"},
        {"HostSNI(`a.*`)", "only as the whole first label"},
        {"HostSNI(``)", "is empty"},
        {"HostSNI(`*`) && ALPN(`h2`)", "HostSNI, HostSNIRegexp and ClientIP"},
        {"HostSNIRegexp(`(`)", "in the expression"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        arena_init(&mem, 1 << 20, NULL, 0);
        CHECK(tcp_rule(cases[i].rule, &mem, &diags) == NULL);
        CHECK_INT(diags.n_errors, 1);
        if (diags.n > 0 && !strstr(diags.items[0].text, cases[i].says)) {
            printf("# %s: %s\n", cases[i].rule, diags.items[0].text);
            CHECK(false);
        }
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

static void a_rule_is_known_for_tcp_before_it_is_parsed(void)
{
    static const struct {
        const char *rule;
        bool is_tcp;
    } cases[] = {
        {"HostSNI(`a`)", true},
        {"ClientIP(`10.0.0.1`) && !hostsniregexp(`a`)", true},
        {"HostSNI(", true},
        {"Host(`a`)", false},
        {"Host(`HostSNI(a)`)", false},
        {"PathRegexp(\"\\\"HostSNI\")", false},
        {"PathRegexp(\"a\\\\\") || HostSNI(`a`)", true},
        {"HostSNIs(`a`)", false},
        {"Path(`HostSNI", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(rule_is_tcp(str_of(cases[i].rule)), cases[i].is_tcp);
}

static void only_rules_about_names_need_one(void)
{
    static const struct {
        const char *rule;
        bool needs_name, is_any, needs_only_host;
    } cases[] = {
        {"HostSNI(`*`)", false, true, true},
        {"HostSNI(`*`, `a`)", false, true, true},
        {"HostSNI(`*`) && ClientIP(`10.0.0.1`)", false, true, false},
        {"HostSNI(`a`)", true, false, true},
        {"HostSNI(`a`) || HostSNI(`*`)", true, true, true},
        {"!HostSNI(`*.a`)", true, true, false},
        {"HostSNIRegexp(`.`)", true, true, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        struct rule_hosts hosts = {.n = 0};
        arena_init(&mem, 1 << 20, NULL, 0);
        struct rule *r = tcp_rule(cases[i].rule, &mem, &diags);
        CHECK(r && rule_hosts(r, &mem, &hosts));
        if (r) {
            CHECK_INT(rule_needs_name(r), cases[i].needs_name);
            CHECK_INT(hosts.is_any, cases[i].is_any);
            CHECK_INT(rule_needs_only_host(r), cases[i].needs_only_host);
        }
        rule_fini(r);
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

static const struct handler_type some_type = {.name = "some"};
static const struct handler some_handler = {.type = &some_type};

static struct route route_of(const char *name, const char *rule, struct arena *mem)
{
    struct diags diags = {.n = 0};
    struct route r = {
        .name = str_of(name),
        .place = {"routes.yaml", 1, 1},
        .rule_text = str_of(rule),
        .rule = tcp_rule(rule, mem, &diags),
        .entries = 1,
        .handler = &some_handler,
    };
    CHECK(r.rule != NULL);
    diags_fini(&diags);
    return r;
}

static void a_router_finds_names_before_the_route_for_all(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct route routes[] = {
        route_of("all", "HostSNI(`*`)", &mem),
        route_of("mail", "HostSNI(`mail.example`)", &mem),
        route_of("inside", "HostSNI(`mail.example`) && ClientIP(`192.0.2.0/24`)", &mem),
        route_of("wild", "HostSNI(`*.example`)", &mem),
        route_of("shadowed", "HostSNI(`b.x`)", &mem),
    };
    routes[4].priority = 1;
    struct router *r = router_build(routes, ARRAY_LEN(routes), &mem);
    static const struct {
        const char *name, *wanted;
    } cases[] = {
        {"mail.example", "inside"}, {"www.example", "wild"}, {"", "all"},
        {"a.b.example", "all"},     {"b.x", "all"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        const struct exchange *x = fixture_start(&f, "", cases[i].name, "", NULL);
        const struct route *found = router_find(r, 0, x);
        CHECK_STR(found ? found->name : STR_NONE, str_of(cases[i].wanted));
        CHECK(router_find(r, 1, x) == NULL);
        fixture_end(&f);
    }
    struct diags diags = {.n = 0};
    router_check(r, &mem, &diags);
    CHECK_INT(diags.n, 1); // `shadowed`, by `all`
    diags_fini(&diags);
    router_fini(r);
    arena_fini(&mem);
}

TEST_MAIN(TEST(connections_match_by_server_name_and_address),
          TEST(what_no_connection_shows_is_refused),
          TEST(a_rule_is_known_for_tcp_before_it_is_parsed), TEST(only_rules_about_names_need_one),
          TEST(a_router_finds_names_before_the_route_for_all))
