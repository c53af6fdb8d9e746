// SPDX-License-Identifier: Apache-2.0
// TCP routes in settings: where they are reached, where they lead, and what they can't have.
#include "unit/gate/built.h"

#define THREE                                                                                      \
    "entrypoints: { web: ':80', secure: { listen: ':443', tls: on },"                              \
    " raw: { listen: ':5432', protocol: tcp } }"

static struct built build_at(const char *entrypoints, const char *rest)
{
    char yaml[4096];
    int n = snprintf(yaml, sizeof yaml, "%s\n%s", entrypoints, rest);
    CHECK(n > 0 && (size_t)n < sizeof yaml);
    return build(yaml);
}

// The name of the TCP route that takes a connection; "" for none.
static struct str route_of(const struct built *b, unsigned entry, const char *name)
{
    struct exchange x = {.req = {.is_raw = true, .host = str_of(name)}};
    const struct route *route =
        b->s && b->s->tcp_router ? router_find(b->s->tcp_router, entry, &x) : NULL;
    return route ? route->name : STR("");
}

static void routes_are_reached_where_they_may_be(void)
{
    struct built b =
        build_at(THREE, "routes:\n"
                        "  - { match: HostSNI(`a.x`), passthrough: on, to: 'tcp://h:1',"
                        " name: through }\n"
                        "  - { match: HostSNI(`b.x`), to: 'tcp://h:1', name: plain }\n"
                        "  - { match: HostSNI(`c.x`), passthrough: on, entrypoints: "
                        "[secure], to: 'unix:/s', name: only }\n"
                        "  - { match: Host(`a.x`), to: 'http://h:1' }\n");
    CHECK_INT(b.diags.n, 0);
    static const struct {
        unsigned entry;
        const char *name, *wanted;
    } cases[] = {
        {0, "a.x", ""},        {0, "b.x", ""},      {1, "a.x", "through"}, {1, "b.x", ""},
        {2, "a.x", "through"}, {2, "b.x", "plain"}, {2, "c.x", ""},        {1, "c.x", "only"},
        {1, "d.x", ""},        {2, "", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(route_of(&b, cases[i].entry, cases[i].name), str_of(cases[i].wanted));
    CHECK(b.s && b.s->tcp && b.s->tcp[2].is_on && b.s->tcp[2].reads_hello && !b.s->tcp[1].is_on);
    CHECK(b.s && b.s->n_routes == 1 && b.s->routes[0].entries == ~(uint64_t)4);
    end(&b);
}

static void a_client_is_heard_only_where_a_route_asks_for_a_name(void)
{
    static const struct {
        const char *routes;
        bool reads_hello;
    } cases[] = {
        {"[{ match: HostSNI(`*`), to: 'tcp://h:1' }]", false},
        {"[{ match: HostSNI(`*`) && ClientIP(`10.0.0.1`), to: 'tcp://h:1' }]", false},
        {"[{ match: HostSNI(`*`), to: 'tcp://h:1' }, { match: HostSNI(`a`), to: 'tcp://h:1' }]",
         true},
        {"[{ match: HostSNIRegexp(`a`), to: 'tcp://h:1' }]", true},
        {"[{ match: HostSNI(`*`), to: 'tcp://h:1' }, { match: HostSNI(`a`), passthrough: on, "
         "entrypoints: [secure], to: 'tcp://h:1' }]",
         false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char yaml[400];
        snprintf(yaml, sizeof yaml, "routes: %s\n", cases[i].routes);
        struct built b = build_at(THREE, yaml);
        CHECK_INT(b.diags.n, 0);
        CHECK(b.s && b.s->tcp && b.s->tcp[2].reads_hello == cases[i].reads_hello);
        end(&b);
    }
}

static void what_a_tcp_route_cannot_have_is_told(void)
{
    static const struct {
        const char *rest, *says;
    } cases[] = {
        {"{ match: HostSNI(`a`), to: 'tcp://h:1', use: [f] }", "nothing can be done to"},
        {"{ match: HostSNI(`a`), to: 'tcp://h:1', strip: /a }", "nothing can be done to"},
        {"{ match: HostSNI(`a`) && PathPrefix(`/x`), to: 'tcp://h:1' }", "see no requests"},
        {"{ match: HostSNI(`a`), to: 'http://h:1' }", "has servers for HTTP"},
        {"{ match: HostSNI(`a`), to: app }", "has servers for HTTP"},
        {"{ match: HostSNI(`a`), to: none }", "there is no service"},
        {"{ match: HostSNI(`a`) }", "leads nowhere"},
        {"{ match: HostSNI(`a`), to: 'tcp://h:1', entrypoints: [web] }", "is for plain HTTP"},
        {"{ match: HostSNI(`a`), to: 'tcp://h:1', entrypoints: [secure] }", "needs 'passthrough"},
        {"{ match: HostSNI(`a`), to: 'tcp://h:1', entrypoints: [no] }", "there is no entrypoint"},
        {"{ match: Host(`a`), to: 'tcp://h:1' }", "is for requests"},
        {"{ match: Host(`a`), to: told }", "'proxy-protocol', which is for TCP"},
        {"{ match: Host(`a`), to: 'http://h:1', passthrough: on }", "needs a rule about the"},
        {"{ match: Host(`a`), to: 'http://h:1', entrypoints: [raw] }", "has 'protocol: tcp'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char yaml[600];
        snprintf(
            yaml, sizeof yaml,
            "filters: { f: { strip-prefix: { prefixes: [/a] } } }\n"
            "services: { app: 'http://h:1', told: { servers: 'unix:/s', proxy-protocol: v1 } }\n"
            "routes:\n  - { match: HostSNI(`z`), to: 'tcp://h:1', entrypoints: [raw] }\n"
            "  - %s\n",
            cases[i].rest);
        struct built b = build_at(THREE, yaml);
        CHECK(b.s == NULL);
        CHECK_INT(b.diags.n_errors, 1);
        if (b.diags.n > 0 && !strstr(b.diags.items[0].text, cases[i].says)) {
            printf("# %s: %s\n", cases[i].rest, b.diags.items[0].text);
            CHECK(false);
        }
        CHECK(b.diags.n == 0 || b.diags.items[0].place.line > 0);
        end(&b);
    }
}

static void entrypoints_for_tcp_are_for_nothing_else(void)
{
    struct built b = build_at("entrypoints: { raw: { listen: ':5432', protocol: tcp, tls: on } }",
                              "routes: [{ match: HostSNI(`*`), to: 'tcp://h:1' }]\n");
    CHECK(b.s == NULL);
    CHECK(b.diags.n == 1 && strstr(b.diags.items[0].text, "leave out 'tls'"));
    end(&b);
    b = build_at("entrypoints: { raw: { listen: ':5432', protocol: tcp } }", "");
    CHECK(b.s != NULL);
    CHECK(b.diags.n == 1 && strstr(b.diags.items[0].text, "no TCP route takes"));
    end(&b);
    b = build_at("entrypoints: { web: ':80' }",
                 "routes: [{ match: HostSNI(`*`), to: 'tcp://h:1' }]");
    CHECK(b.s == NULL);
    CHECK(b.diags.n == 1 && strstr(b.diags.items[0].text, "no entrypoint can take"));
    end(&b);
}

TEST_MAIN(TEST(routes_are_reached_where_they_may_be),
          TEST(a_client_is_heard_only_where_a_route_asks_for_a_name),
          TEST(what_a_tcp_route_cannot_have_is_told),
          TEST(entrypoints_for_tcp_are_for_nothing_else))
