// SPDX-License-Identifier: Apache-2.0
#include "unit/gate/built.h"

#define HEAD "entrypoints: { web: ':80', s: { listen: ':443', tls: on } }\n"
#define DEMAND "on-demand: { allow: ['*.Customers.example'], wait: 3s }\n"

static void doors_know_what_may_have_a_certificate(void)
{
    struct built b = build(HEAD DEMAND "sites:\n"
                                       "  '*.shops.example': { to: 'http://127.0.0.1:1', tls: { "
                                       "on-demand: on } }\n"
                                       "  '*.other.example': 'http://127.0.0.1:1'\n");
    CHECK(b.s && b.s->demand);
    if (b.s && b.s->demand) {
        const struct demand_rules *r = b.s->doors[1].demand;
        CHECK(r == b.s->demand);
        CHECK_INT(r->wait_ms, 3000);
        CHECK_INT(r->n_allow, 1);
        CHECK_STR(r->allow[0], STR("*.customers.example"));
        CHECK(map_get(&r->wildcards, STR("shops.example")) != NULL);
        CHECK_INT(r->wildcards.n, 1);
    }
    end(&b);
}

static void without_the_setting_there_is_none(void)
{
    struct built b = build(HEAD "sites: { '*.a.example': 'http://127.0.0.1:1' }\n");
    CHECK(b.s && !b.s->demand && !b.s->doors[1].demand);
    end(&b);
    b = build("entrypoints: { web: ':80' }\n" DEMAND);
    CHECK(b.s && !b.s->demand);
    end(&b);
}

static void a_site_alone_cannot_allow_it(void)
{
    struct built b = build(HEAD "sites: { '*.a.example': { to: 'http://127.0.0.1:1', tls: { "
                                "on-demand: on } } }\n");
    CHECK(!b.s && b.diags.n_errors == 1);
    CHECK(b.diags.n > 0 && strstr(b.diags.items[0].text, "give it 'allow' or 'ask'"));
    end(&b);
    b = build(HEAD DEMAND "sites: { a.example: { to: 'http://127.0.0.1:1', tls: { on-demand: on } "
                          "} }\n");
    CHECK(b.s && b.diags.n == 1 && strstr(b.diags.items[0].text, "does nothing"));
    end(&b);
}

TEST_MAIN(TEST(doors_know_what_may_have_a_certificate), TEST(without_the_setting_there_is_none),
          TEST(a_site_alone_cannot_allow_it))
