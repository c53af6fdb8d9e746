// SPDX-License-Identifier: Apache-2.0
#include "gate/snapshot_priv.h"
#include "unit/gate/built.h"

static bool tells(const struct built *b, const char *part)
{
    for (size_t i = 0; i < b->diags.n; i++)
        if (strstr(b->diags.items[i].text, part))
            return true;
    return false;
}

static void a_route_leads_to_an_internal_service(void)
{
    static const char *const cases[] = {
        "sites: { a.example: ping@internal }\n",
        "sites: { a.example: { to: [ping@internal] } }\n",
        ("sites: { a.example: { to: http://10.0.0.1, routes: [\n"
         "  { match: Path(`/ping`), to: ping@internal }] } }\n"),
        "routes: [{ match: Path(`/ping`), to: ping@internal }]\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct built b = build(cases[i]);
        CHECK(b.s != NULL);
        CHECK_INT(b.diags.n, 0);
        bool is_there = false;
        for (size_t k = 0; b.s && k < b.s->n_routes; k++) {
            const struct handler *h = b.s->routes[k].handler;
            while (h->next)
                h = h->next;
            is_there |= h == &internal_ping.handler;
        }
        CHECK(is_there);
        end(&b);
    }
}

static void nothing_else_does(void)
{
    static const struct {
        const char *yaml, *told;
    } cases[] = {
        {"sites: { a.example: pong@internal }\n",
         "those that are: api@internal, metrics@internal, ping@internal"},
        {"sites: { a.example: { to: [ping@internal, http://10.0.0.1] } }\n", "a list of URLs"},
        {"services: { x@internal: { servers: [http://10.0.0.1] } }\n", "can't be a service's name"},
        {"services: { x: { failover: [ping@internal, y] }, y: { servers: [http://10.0.0.1] } }\n",
         "no service 'ping@internal'"},
        {"filters: { f: { forward-auth: { url: ping@internal } } }\n", ""},
        {"entrypoints: { db: { listen: ':5432', protocol: tcp } }\n"
         "routes: [{ match: HostSNI(`*`), entrypoints: [db], to: ping@internal }]\n",
         "only routes for requests"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct built b = build(cases[i].yaml);
        CHECK(b.s == NULL);
        CHECK(tells(&b, cases[i].told));
        end(&b);
    }
}

// What isn't for everybody, by each way in.
static void who_can_be_reached_by_strangers_is_told(void)
{
    static const struct {
        const char *listen, *entry_use, *route_use;
        bool is_open;
    } cases[] = {
        {":80", "[]", "[]", true},
        {"10.0.0.1:80", "[]", "[]", true},
        {"127.0.0.1:80", "[]", "[]", false},
        {"'[::1]:80'", "[]", "[]", false},
        {":80", "[password]", "[]", false},
        {":80", "[]", "[password]", false},
        {":80", "[]", "[lan]", false},
        {":80", "[]", "[slow]", true},
        {":80", "[slow]", "[slow, lan]", false},
    };
    static const struct internal_type secret = {
        .handler = {.name = STR_INIT("secret@internal")}, .doc = "", .is_private = true};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char yaml[1024];
        snprintf(yaml, sizeof yaml,
                 "entrypoints: { web: { listen: \"%s\", use: %s } }\n"
                 "filters:\n"
                 "  lan: { allow: [10.0.0.0/8] }\n"
                 "  slow: { rate-limit: { rate: 1/s } }\n"
                 "  password: { basic-auth: { users: ['a:$2y$05$abcdefghijklmnopqrstuu"
                 "5s2v8.iXieOjg/.AySBTTZIIVFJeBui'] } }\n"
                 "sites: { a.example: { use: %s, to: ping@internal } }\n",
                 cases[i].listen[0] == '\'' ? "[::1]:80" : cases[i].listen, cases[i].entry_use,
                 cases[i].route_use);
        struct built b = build(yaml);
        for (size_t k = 0; k < b.diags.n; k++)
            printf("# %s\n", b.diags.items[k].text);
        CHECK(b.s != NULL && b.diags.n == 0); // a ping is for everybody
        if (!b.s)
            continue;
        struct diags diags = {.n = 0};
        struct builder builder = {.s = b.s, .diags = &diags};
        const struct site_conf *site = b.s->sites[0].item->value;
        if (!snapshot_keeps_strangers_out(&builder, &site->use))
            snapshot_warn_if_open(&builder, &secret, STR("a.example"), site->place, ~UINT64_C(0));
        CHECK_INT(diags.n, cases[i].is_open);
        CHECK_INT(diags.n_errors, 0);
        diags_fini(&diags);
        end(&b);
    }
}

TEST_MAIN(TEST(a_route_leads_to_an_internal_service), TEST(nothing_else_does),
          TEST(who_can_be_reached_by_strangers_is_told))
