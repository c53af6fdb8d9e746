// SPDX-License-Identifier: Apache-2.0
#include "route/router.h"

#include <time.h>

#include "base/mem.h"
#include "base/text.h"
#include "unit/route/fixture.h"
#include "unit/test.h"

static const struct handler_type some_type = {.name = "some"};
static const struct handler some_handler = {.type = &some_type};

#define ALL_ENTRIES UINT64_MAX

static struct route route_of(const char *name, const char *rule, int64_t priority, uint64_t entries,
                             struct arena *mem)
{
    struct diags diags = {.n = 0};
    struct route r = {
        .name = str_of(name),
        .place = {"routes.yaml", 1, 1},
        .rule_text = str_of(rule),
        .rule = rule_parse(str_of(rule), (struct place){.source = NULL}, mem, &diags),
        .priority = priority,
        .entries = entries,
        .handler = &some_handler,
    };
    CHECK(r.rule != NULL);
    diags_fini(&diags);
    return r;
}

static struct str found(const struct router *r, unsigned entry, const char *host, const char *path)
{
    struct fixture f;
    const struct exchange *x = fixture_start(&f, "GET", host, path, NULL);
    const struct route *route = router_find(r, entry, x);
    fixture_end(&f);
    return route ? route->name : STR("none");
}

static void the_best_of_exact_wildcard_and_any_host_is_found(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct route routes[] = {
        route_of("exact", "Host(`a.example.com`)", 0, ALL_ENTRIES, &mem),
        route_of("exact-api", "Host(`a.example.com`) && PathPrefix(`/api`)", 0, ALL_ENTRIES, &mem),
        route_of("wild", "Host(`*.example.com`)", 1, ALL_ENTRIES, &mem),
        route_of("health", "Path(`/healthz`)", 1000, ALL_ENTRIES, &mem),
        route_of("rest", "PathPrefix(`/`)", 2, ALL_ENTRIES, &mem),
        route_of("two", "Host(`b.example.org`) || Host(`c.example.org`)", 0, ALL_ENTRIES, &mem),
        route_of("regexp", "HostRegexp(`^r[0-9]`)", 0, ALL_ENTRIES, &mem),
        route_of("nothost", "!Host(`a.example.com`) && Path(`/not`)", 0, ALL_ENTRIES, &mem),
    };
    struct router *r = router_build(routes, ARRAY_LEN(routes), &mem);
    static const struct {
        const char *host, *path, *wanted;
    } cases[] = {
        {"a.example.com", "/", "exact"},         {"a.example.com", "/api/x", "exact-api"},
        {"a.example.com", "/healthz", "health"}, {"b.example.com", "/", "rest"},
        {"b.b.example.com", "/", "rest"},        {"b.example.org", "/", "two"},
        {"c.example.org", "/", "two"},           {"r2.example.org", "/", "regexp"},
        {"d.example.org", "/not", "nothost"},    {"", "/", "rest"},
        {".example.com", "/", "rest"},           {"example.com", "/", "rest"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(found(r, 0, cases[i].host, cases[i].path), str_of(cases[i].wanted));
    router_fini(r);
    arena_fini(&mem);
}

static void equals_go_to_the_longer_rule_then_to_the_first(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct route routes[] = {
        route_of("short", "PathPrefix(`/a`)", 0, ALL_ENTRIES, &mem),
        route_of("long", "PathPrefix(`/a/long`)", 0, ALL_ENTRIES, &mem),
        route_of("first", "PathPrefix(`/b`)", 7, ALL_ENTRIES, &mem),
        route_of("second", "PathPrefix(`/b`)", 7, ALL_ENTRIES, &mem),
        route_of("negative", "PathPrefix(`/a/long/but/last`)", -1, ALL_ENTRIES, &mem),
    };
    struct router *r = router_build(routes, ARRAY_LEN(routes), &mem);
    CHECK_STR(found(r, 0, "h", "/a/long/x"), STR("long"));
    CHECK_STR(found(r, 0, "h", "/a/x"), STR("short"));
    CHECK_STR(found(r, 0, "h", "/b"), STR("first"));
    CHECK_STR(found(r, 0, "h", "/a/long/but/last"), STR("long"));
    CHECK_STR(found(r, 0, "h", "/c"), STR("none"));
    router_fini(r);
    arena_fini(&mem);
}

static void routes_are_seen_only_through_their_entrypoints(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct route routes[] = {
        route_of("inner", "Host(`a.example`)", 9, 2, &mem),
        route_of("outer", "Host(`a.example`)", 1, 1, &mem),
    };
    struct router *r = router_build(routes, ARRAY_LEN(routes), &mem);
    CHECK_STR(found(r, 0, "a.example", "/"), STR("outer"));
    CHECK_STR(found(r, 1, "a.example", "/"), STR("inner"));
    CHECK_STR(found(r, 2, "a.example", "/"), STR("none"));
    CHECK_STR(found(r, 64, "a.example", "/"), STR("none"));
    router_fini(r);
    arena_fini(&mem);
}

static void a_route_that_is_off_answers_503_and_hides_wider_ones(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct route routes[] = {
        route_of("app", "Host(`a.example`)", 0, ALL_ENTRIES, &mem),
        route_of("admin", "Host(`a.example`) && PathPrefix(`/admin`)", 0, ALL_ENTRIES, &mem),
        route_of("broken-rule", "PathPrefix(`/`)", 1000, ALL_ENTRIES, &mem),
    };
    routes[1].handler = NULL;
    routes[1].off_why = STR("there is no filter 'auth'");
    routes[2].rule = NULL;
    struct router *r = router_build(routes, ARRAY_LEN(routes), &mem);
    struct fixture f;
    struct exchange *x = fixture_start(&f, "GET", "a.example", "/admin/x", NULL);
    const struct route *route = router_find(r, 0, x);
    CHECK(route != NULL && str_eq(route->name, STR("admin")));
    if (route) {
        CHECK_INT(handler_serve(route->handler, x), ERR_OK);
        CHECK_INT(x->resp.status, 503);
        CHECK_STR(route->handler->type->explain(route->handler, x),
                  STR("there is no filter 'auth'"));
    }
    fixture_end(&f);
    CHECK_STR(found(r, 0, "a.example", "/"), STR("app"));
    router_fini(r);
    arena_fini(&mem);
}

static void an_expression_that_gives_up_opens_no_other_route(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct route routes[] = {
        route_of("guarded", "PathRegexp(`^/(a+)+$`)", 0, ALL_ENTRIES, &mem),
        route_of("open", "PathPrefix(`/`)", 1, ALL_ENTRIES, &mem),
    };
    struct router *r = router_build(routes, ARRAY_LEN(routes), &mem);
    CHECK_STR(found(r, 0, "a", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!"),
              STR("none"));
    CHECK_STR(found(r, 0, "a", "/b"), STR("open"));
    router_fini(r);
    arena_fini(&mem);
}

struct story {
    struct text text;
    int left;
};

static bool tell(void *arg, const struct route *route, bool matches, struct str why)
{
    struct story *s = arg;
    text_printf(&s->text, STR_FMT " %s: " STR_FMT "\n", STR_ARG(route->name),
                matches ? "yes" : "no", STR_ARG(why));
    return --s->left > 0;
}

static void explain_tells_of_every_candidate_in_order(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct route routes[] = {
        route_of("site", "Host(`a.example`)", 0, ALL_ENTRIES, &mem),
        route_of("api", "Host(`a.example`) && PathPrefix(`/api`)", 0, ALL_ENTRIES, &mem),
        route_of("inner", "Host(`a.example`) && Path(`/`)", 0, 2, &mem),
        route_of("other", "Host(`b.example`)", 0, ALL_ENTRIES, &mem),
    };
    struct router *r = router_build(routes, ARRAY_LEN(routes), &mem);
    struct fixture f;
    const struct exchange *x = fixture_start(&f, "GET", "a.example", "/", NULL);
    struct story s = {.left = 10};
    router_explain(r, 0, x, &f.mem, tell, &s);
    CHECK_STR(text_str(&s.text), STR("api no: PathPrefix(`/api`) is false (/)\n"
                                     "inner no: not reachable through this entrypoint\n"
                                     "site yes: Host(`a.example`) is true (a.example)\n"));
    text_fini(&s.text);
    s = (struct story){.left = 1};
    router_explain(r, 0, x, &f.mem, tell, &s);
    CHECK_STR(text_str(&s.text), STR("api no: PathPrefix(`/api`) is false (/)\n"));
    text_fini(&s.text);
    fixture_end(&f);
    router_fini(r);
    arena_fini(&mem);
}

static void check_warns_of_routes_that_never_match(void)
{
    static const struct {
        const char *first, *second;
        bool is_shadowed; // the second, which is tried after the first
    } cases[] = {
        {"Host(`a.example`)", "Host(`a.example`)", true},
        {"Host(`a.example`)", "Host(`a.example`) && PathPrefix(`/x`)", true},
        {"Host(`a.example`) && PathPrefix(`/x`)", "Host(`a.example`)", false},
        {"Host(`*.example`)", "Host(`a.example`) && Path(`/`)", true},
        {"Host(`*.example`)", "Host(`a.example`, `example`)", false},
        {"Host(`a.example`, `b.example`)", "Host(`b.example`) || Host(`a.example`)", true},
        {"PathPrefix(`/`)", "Host(`a.example`)", true},
        {"PathPrefix(`/a`)", "Path(`/ab`) && Method(`GET`)", true},
        {"PathPrefix(`/a/`)", "Path(`/a`)", false},
        {"HostRegexp(`^a\\.`)", "Host(`a.example`)", true},
        {"HostRegexp(`^b\\.`)", "Host(`a.example`)", false},
        {"!Method(`GET`)", "!Method(`GET`, `HEAD`)", true},
        {"!Method(`GET`, `HEAD`)", "!Method(`GET`)", false},
        {"ClientIP(`10.0.0.0/8`)", "ClientIP(`10.1.0.0/16`) && Path(`/`)", true},
        {"Header(`X`, `1`)", "Header(`X`, `1`) && Query(`a`)", true},
        {"Query(`a`)", "Query(`a`, `1`)", false},
        {"Path(`/`) || Path(`/a`)", "Path(`/a`)", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        arena_init(&mem, 1 << 20, NULL, 0);
        struct route routes[] = {
            route_of("second", cases[i].second, 1, ALL_ENTRIES, &mem),
            route_of("first", cases[i].first, 2, ALL_ENTRIES, &mem),
        };
        struct router *r = router_build(routes, ARRAY_LEN(routes), &mem);
        struct diags d = {.n = 0};
        router_check(r, &mem, &d);
        if ((d.n == 1) != cases[i].is_shadowed || d.n > 1) {
            printf("# %s before %s: %s\n", cases[i].first, cases[i].second,
                   d.n > 0 ? d.items[0].text : "nothing");
            CHECK(false);
        }
        CHECK_INT(d.n_errors, 0);
        diags_fini(&d);
        // Not when they are reached through different entrypoints.
        routes[1].entries = 2;
        routes[0].entries = 3;
        struct router *apart = router_build(routes, ARRAY_LEN(routes), &mem);
        router_check(apart, &mem, &d);
        CHECK_INT(d.n, 0);
        diags_fini(&d);
        router_fini(apart);
        router_fini(r);
        arena_fini(&mem);
    }
}

static void check_warns_of_contradictions(void)
{
    static const struct {
        const char *rule;
        bool is_impossible;
    } cases[] = {
        {"Host(`a.example`) && Host(`b.example`)", true},
        {"Host(`a.example`) && Host(`*.example`)", false},
        {"Host(`a.b.example`) && Host(`*.example`)", true},
        {"Method(`GET`) && Method(`POST`, `PUT`)", true},
        {"Path(`/a`) && PathPrefix(`/b`)", true},
        {"PathPrefix(`/a`) && PathPrefix(`/a/b`)", false},
        {"ClientIP(`10.0.0.0/8`) && ClientIP(`192.0.2.0/24`)", true},
        {"Host(`a`) && (Method(`GET`) && Method(`PUT`) || Path(`/`))", false},
        {"Header(`X`, `1`) && Header(`X`, `2`)", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        arena_init(&mem, 1 << 20, NULL, 0);
        struct route route = route_of("r", cases[i].rule, 0, 1, &mem);
        struct router *r = router_build(&route, 1, &mem);
        struct diags d = {.n = 0};
        router_check(r, &mem, &d);
        CHECK_INT(d.n, cases[i].is_impossible);
        diags_fini(&d);
        router_fini(r);
        arena_fini(&mem);
    }
}

static int64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

// Prints what building and a look-up cost; no limits here, machines differ.
static void ten_thousand_hosts_are_found_by_hash(void)
{
    enum { N = 10000 };
    struct arena mem;
    arena_init(&mem, 64 << 20, NULL, 0);
    struct route *routes = MEM_ARRAY(struct route, N);
    int64_t start = now_ns();
    for (size_t i = 0; i < N; i++) {
        struct str name = arena_printf(&mem, "site%zu.example.com", i);
        struct str rule = arena_printf(&mem, "Host(`" STR_FMT "`)", STR_ARG(name));
        routes[i] = route_of(name.ptr, rule.ptr, 0, 1, &mem);
    }
    int64_t parsed = now_ns();
    struct router *r = router_build(routes, N, &mem);
    int64_t built = now_ns();
    struct router *one = router_build(routes, 1, &mem);
    struct fixture f;
    struct exchange *x = fixture_start(&f, "GET", "", "/", NULL);
    enum { ROUNDS = 100000 };
    int64_t t0 = now_ns();
    x->req.host = routes[0].name;
    for (size_t i = 0; i < ROUNDS; i++)
        CHECK(router_find(one, 0, x) == &routes[0]);
    int64_t t1 = now_ns();
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t k = i * 7919 % N;
        x->req.host = routes[k].name;
        CHECK(router_find(r, 0, x) == &routes[k]);
    }
    int64_t t2 = now_ns();
    printf("# 10000 routes: parsed in %.1f ms, built in %.1f ms; a match: %.0f ns of one, %.0f ns "
           "of 10000\n",
           (double)(parsed - start) / 1e6, (double)(built - parsed) / 1e6,
           (double)(t1 - t0) / ROUNDS, (double)(t2 - t1) / ROUNDS);
    fixture_end(&f);
    router_fini(one);
    router_fini(r);
    mem_free(routes);
    arena_fini(&mem);
}

TEST_MAIN(TEST(the_best_of_exact_wildcard_and_any_host_is_found),
          TEST(equals_go_to_the_longer_rule_then_to_the_first),
          TEST(routes_are_seen_only_through_their_entrypoints),
          TEST(a_route_that_is_off_answers_503_and_hides_wider_ones),
          TEST(an_expression_that_gives_up_opens_no_other_route),
          TEST(explain_tells_of_every_candidate_in_order),
          TEST(check_warns_of_routes_that_never_match), TEST(check_warns_of_contradictions),
          TEST(ten_thousand_hosts_are_found_by_hash))
