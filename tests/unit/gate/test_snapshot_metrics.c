// SPDX-License-Identifier: Apache-2.0
#include "gate/snapshot_priv.h"
#include "unit/gate/built.h"

static const struct route *find(const struct snapshot *s, const char *entry, const char *host,
                                const char *path)
{
    struct exchange x = {.req = {.host = str_of(host), .path = str_of(path)}};
    int index = snapshot_find_entry(s, str_of(entry));
    return index < 0 ? NULL : router_find(s->router, (unsigned)index, &x);
}

static void its_entrypoint_has_its_route_and_no_other(void)
{
    struct built b = build("metrics: '127.0.0.1:9100'\n"
                           "sites: { a.example: http://10.0.0.1 }\n"
                           "routes: [{ match: Path(`/x`), to: http://10.0.0.1 }]\n");
    CHECK(b.s != NULL && b.diags.n == 0);
    if (!b.s)
        return;
    CHECK_INT(b.s->n_entries, 3); // beside the default ones
    const struct route *r = find(b.s, "metrics", "whoever", "/metrics");
    CHECK(r && str_eq(r->service_name, STR("metrics@internal")));
    CHECK(r &&
          r->handler->next == &internal_metrics.handler); // behind the one that asks from where
    CHECK(!find(b.s, "metrics", "a.example", "/"));
    CHECK(!find(b.s, "metrics", "a.example", "/x"));
    CHECK(!find(b.s, "web", "whoever", "/metrics"));
    CHECK(find(b.s, "web", "a.example", "/metrics"));
    end(&b);
}

static void without_a_place_to_listen_there_is_nothing(void)
{
    struct built b = build("metrics: { durations: total }\n");
    CHECK(b.s && b.s->n_entries == 2 && b.s->n_routes == 0);
    CHECK(b.s && b.s->settings.metrics.durations == METRICS_DURATIONS_TOTAL);
    end(&b);
}

static void what_is_wrong_is_told(void)
{
    static const struct {
        const char *yaml, *told;
    } cases[] = {
        {"metrics: '9100'\n", "not an address to listen on"},
        {"metrics: ':80'\nentrypoints: { web: ':80' }\n", "has this address already"},
        {"metrics: ':81'\nentrypoints: { metrics: ':80' }\n", "call this one otherwise"},
        {"metrics: { listen: ':81', from: [nobody-knows] }\n", "nobody-knows"},
        {"metrics: { durations: all }\n", "expected one of route or total"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct built b = build(cases[i].yaml);
        CHECK(b.s == NULL);
        bool is_told = false;
        for (size_t k = 0; k < b.diags.n; k++)
            is_told |= strstr(b.diags.items[k].text, cases[i].told) != NULL;
        if (!is_told && b.diags.n > 0)
            printf("# %s\n", b.diags.items[0].text);
        CHECK(is_told);
        end(&b);
    }
}

static void a_route_to_them_needs_a_lock(void)
{
    struct built b = build("sites: { a.example: metrics@internal }\n");
    CHECK(b.s && b.diags.n == 1 && b.diags.n_errors == 0);
    end(&b);
}

TEST_MAIN(TEST(its_entrypoint_has_its_route_and_no_other),
          TEST(without_a_place_to_listen_there_is_nothing), TEST(what_is_wrong_is_told),
          TEST(a_route_to_them_needs_a_lock))
