// SPDX-License-Identifier: Apache-2.0
#include "route/rule_parse.h"

#include "unit/route/rules.h"
#include "unit/test.h"

static void wrong_values_are_errors_at_their_place(void)
{
    static const struct rule_error_case cases[] = {
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
    };
    check_rule_errors(cases, ARRAY_LEN(cases));
}

static void all_bad_values_of_a_rule_are_reported(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct diags d = {.n = 0};
    CHECK(!rule_of("Hots(`a`) && Path(`b`) && ClientIP(`c`, `d`) && PathRegexp(`[`)", &mem, &d));
    CHECK_INT(d.n_errors, 5);
    diags_fini(&d);
    arena_fini(&mem);
}

static void addresses_are_hosts_as_well(void)
{
    struct fixture f;
    struct exchange *x = fixture_start(&f, "GET", "[2001:db8::1]", "/", NULL);
    struct diags diags = {.n = 0};
    struct rule *r = rule_of("Host(`2001:DB8:0::1`)", &f.mem, &diags);
    CHECK(r && rule_matches(r, x));
    r = rule_of("Host(`[2001:db8::1]`)", &f.mem, &diags);
    CHECK(r && rule_matches(r, x));
    x->req.host = STR("192.0.2.1");
    r = rule_of("Host(`192.0.2.1`)", &f.mem, &diags);
    CHECK(r && rule_matches(r, x));
    diags_fini(&diags);
    fixture_end(&f);
}

static void international_names_become_a_labels(void)
{
    struct fixture f;
    struct exchange *x = fixture_start(&f, "GET", "www.xn--bcher-kva.example", "/", NULL);
    struct diags diags = {.n = 0};
    struct rule *r = rule_of("Host(`*.Bücher.example`)", &f.mem, &diags);
    CHECK(r && rule_matches(r, x));
    diags_fini(&diags);
    fixture_end(&f);
}

static void a_path_that_requests_never_have_is_warned_of(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct diags d = {.n = 0};
    struct rule *r = rule_of("Path(`/a/%7euser/./x`)", &mem, &d);
    CHECK(r != NULL && d.n == 1 && d.n_errors == 0);
    CHECK(d.n == 1 && strstr(d.items[0].text, "'/a/~user/x'"));
    rule_fini(r);
    diags_fini(&d);
    arena_fini(&mem);
}

TEST_MAIN(TEST(wrong_values_are_errors_at_their_place), TEST(all_bad_values_of_a_rule_are_reported),
          TEST(addresses_are_hosts_as_well), TEST(international_names_become_a_labels),
          TEST(a_path_that_requests_never_have_is_warned_of))
