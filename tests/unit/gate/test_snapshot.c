// SPDX-License-Identifier: Apache-2.0
#include "unit/gate/built.h"

// The name of the route that a request takes; "" for none.
static struct str route_of(const struct built *b, const char *host, const char *path)
{
    struct exchange x = {.mem = &((struct built *)(uintptr_t)b)->mem};
    headers_init(&x.req.headers, x.mem);
    x.req.method = STR("GET");
    x.req.method_id = METHOD_GET;
    x.req.host = str_of(host);
    x.req.path = str_of(path);
    const struct route *route = b->s ? router_find(b->s->router, 0, &x) : NULL;
    return route ? route->name : STR("");
}

static void an_empty_file_listens_on_80_and_443_and_routes_nothing(void)
{
    struct built b = build("");
    CHECK(b.s != NULL);
    if (b.s) {
        CHECK_INT(b.s->n_entries, 2);
        CHECK_STR(b.s->entries[0].name, STR("web"));
        CHECK_INT(b.s->entries[0].port, 80);
        CHECK(!b.s->entries[0].is_tls && !b.s->doors[0].policy);
        CHECK_STR(b.s->entries[1].name, STR("websecure"));
        CHECK_INT(b.s->entries[1].port, 443);
        CHECK(b.s->entries[1].is_tls && b.s->doors[1].policy);
        CHECK_STR(route_of(&b, "a.example", "/"), STR(""));
    }
    end(&b);
}

static void names_and_paths_of_sites_decide(void)
{
    struct built b = build("sites:\n"
                           "  a.example:\n"
                           "    aliases: [www.a.example]\n"
                           "    to: http://127.0.0.1:1\n"
                           "    routes:\n"
                           "      - { match: PathPrefix(`/api`), to: http://127.0.0.1:2 }\n"
                           "      - { name: deep, match: PathPrefix(`/api/deep`), to: "
                           "http://127.0.0.1:3 }\n"
                           "  '*.example': http://127.0.0.1:4\n"
                           "routes:\n"
                           "  - { match: PathPrefix(`/`), to: http://127.0.0.1:5 }\n");
    CHECK(b.s != NULL);
    CHECK_STR(route_of(&b, "a.example", "/"), STR("a.example"));
    CHECK_STR(route_of(&b, "www.a.example", "/x"), STR("a.example"));
    CHECK_STR(route_of(&b, "a.example", "/api/1"), STR("a.example/1"));
    CHECK_STR(route_of(&b, "a.example", "/api/deep/1"), STR("deep"));
    CHECK_STR(route_of(&b, "b.example", "/api"), STR("*.example"));
    CHECK_STR(route_of(&b, "b.other", "/api"), STR("route/1"));
    end(&b);
}

static void a_priority_puts_a_free_route_before_sites(void)
{
    struct built b = build("sites: { a.example: 'http://127.0.0.1:1' }\n"
                           "routes:\n"
                           "  - { name: first, match: PathPrefix(`/`), to: http://127.0.0.1:5,\n"
                           "      priority: 3000000 }\n");
    CHECK_STR(route_of(&b, "a.example", "/"), STR("first"));
    end(&b);
}

static void names_in_other_scripts_become_a_labels(void)
{
    struct built b = build("sites: { Bücher.example: 'http://127.0.0.1:1' }\n");
    CHECK(b.s != NULL);
    CHECK(route_of(&b, "xn--bcher-kva.example", "/").len > 0);
    end(&b);
}

static void every_mistake_is_told_at_once(void)
{
    static const struct {
        const char *yaml;
        const char *wanted;
    } cases[] = {
        {"sites: { a.example: { to: app } }", "there is no service 'app'"},
        {"sites: { a.example: { to: 'http://x', use: [login] } }", "there is no filter 'login'"},
        {"sites: { a.example: {} }", "leads nowhere"},
        {"sites: { 'http://a': 'http://x' }", "is not a host name"},
        {"sites: { 'a.example:80': 'http://x' }", "is not a host name"},
        {"sites: { a.example: 'http://x', b.example: { aliases: [A.example], to: 'http://x' } }",
         "already belongs to"},
        {"sites: { a.example: { to: 'http://x', entrypoints: [nowhere] } }",
         "there is no entrypoint 'nowhere'"},
        {"sites: { a.example: { to: [app, other] } }", "a list in 'to' is a list of URLs"},
        {"sites: { a.example: { to: 'http://x', replace: /b } }", "'replace' needs 'strip'"},
        {"sites: { a.example: { to: 'ftp://x' } }", "ftp://x"},
        {"routes: [{ match: 'Hots(`a`)', to: 'http://x' }]", "did you mean 'Host'"},
        {"services: { s: { servers: [] } }", "server"},
        {"filters: { f: { redirect: { to: 5, bogus: 1 } } }", "bogus"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct built b = build(cases[i].yaml);
        CHECK(b.s == NULL);
        bool is_told = false;
        for (size_t k = 0; k < b.diags.n; k++) {
            is_told = is_told || strstr(b.diags.items[k].text, cases[i].wanted);
            CHECK(b.diags.items[k].place.line > 0);
        }
        if (!is_told)
            printf("# %s\n# told: %s\n", cases[i].yaml, b.diags.n ? b.diags.items[0].text : "");
        CHECK(is_told);
        end(&b);
    }
}

static void a_snapshot_lives_until_its_last_use_ends(void)
{
    struct built b = build("sites: { a.example: 'http://127.0.0.1:1' }\n");
    CHECK(b.s != NULL);
    snapshot_use(b.s, 0);
    snapshot_use(b.s, 0);
    snapshot_use(b.s, 3);
    CHECK_INT(atomic_load(&b.s->refs), 3);
    snapshot_unuse(b.s, 3);
    snapshot_unuse(b.s, 0);
    CHECK_INT(atomic_load(&b.s->refs), 2);
    snapshot_unuse(b.s, 0);
    CHECK_INT(atomic_load(&b.s->refs), 1);
    end(&b);
}

TEST_MAIN(TEST(an_empty_file_listens_on_80_and_443_and_routes_nothing),
          TEST(names_and_paths_of_sites_decide), TEST(a_priority_puts_a_free_route_before_sites),
          TEST(names_in_other_scripts_become_a_labels), TEST(every_mistake_is_told_at_once),
          TEST(a_snapshot_lives_until_its_last_use_ends))
