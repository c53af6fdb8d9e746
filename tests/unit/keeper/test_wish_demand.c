// SPDX-License-Identifier: Apache-2.0
#include "keeper/wish_demand.h"

#include "keeper/load.h"
#include "unit/test.h"

#define TLS "state: /nowhere\nentrypoints: { s: { listen: ':2', tls: on } }\n"

static struct loaded loaded_of(const char *yaml)
{
    struct loaded l;
    load_begin(&l);
    struct conf_node *root =
        conf_yaml_parse(arena_dup(&l.mem, str_of(yaml)), "test.yaml", &l.mem, &l.diags);
    CHECK(root && load_tree(&l, root, NULL));
    return l;
}

static void what_settings_say_is_wanted(void)
{
    struct loaded l = loaded_of(TLS "email: a@b.example\n"
                                    "on-demand: { allow: ['*.A.example'], ask: 'http://h/', limit: "
                                    "1/s, names-max: 7, forget-after: 2d }\n"
                                    "sites: { '*.a.example': { to: 'http://h:1', aliases: "
                                    "[b.example], tls: { on-demand: on } } }\n");
    struct wish *w = wish_new(l.snapshot);
    const struct demand_wish *d = &w->demand;
    CHECK(d->is_on && d->n_allow == 1 && d->n_sources == 1);
    CHECK_STR(d->allow[0], STR("*.a.example"));
    CHECK_STR(d->ask, STR("http://h/"));
    CHECK_STR(d->sources[0].issuer, STR("letsencrypt"));
    CHECK_INT(d->limit, 1000000);
    CHECK_INT(d->names_max, 7);
    CHECK_INT(d->forget_s, 2 * 86400);
    // The wildcard isn't ordered, the site's other name is.
    CHECK_INT(w->issue.n_needs, 1);
    CHECK_INT(w->issue.needs[0].n_names, 1);
    CHECK_STR(w->issue.needs[0].names[0], STR("b.example"));
    CHECK_INT(w->certs.names[0].n_names, 2);
    wish_free(w);
    load_fini(&l);
}

static void without_the_setting_or_tls_nothing_is(void)
{
    static const char *const cases[] = {TLS "email: a@b.example\n",
                                        "state: /nowhere\nentrypoints: { web: ':1' }\n"
                                        "email: a@b.example\non-demand: { allow: a.example }\n"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct loaded l = loaded_of(cases[i]);
        struct wish *w = wish_new(l.snapshot);
        CHECK(!w->demand.is_on);
        wish_free(w);
        load_fini(&l);
    }
}

static void who_may_have_them_and_who_signs_must_be_said(void)
{
    static const struct {
        const char *yaml, *text;
    } cases[] = {
        {TLS "email: a@b.example\non-demand: on\n", "needs 'allow' or 'ask'"},
        {TLS "on-demand: { allow: a.example }\n", "needs an authority"},
        {TLS "email: a@b.example\non-demand: { allow: a.example, issuer: local }\n",
         "needs an authority"},
        {TLS "email: a@b.example\non-demand: { allow: a.example }\n", NULL},
        {TLS "email: a@b.example\non-demand: { ask: 'http://h/' }\n", NULL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct loaded l = loaded_of(cases[i].yaml);
        size_t before = l.diags.n;
        enum err err = wish_demand_check(l.snapshot, &l.diags);
        CHECK((err == ERR_OK) == (cases[i].text == NULL));
        CHECK_INT(l.diags.n - before, cases[i].text ? 1 : 0);
        if (cases[i].text && l.diags.n > before)
            CHECK(strstr(l.diags.items[before].text, cases[i].text) != NULL);
        load_fini(&l);
    }
}

TEST_MAIN(TEST(what_settings_say_is_wanted), TEST(without_the_setting_or_tls_nothing_is),
          TEST(who_may_have_them_and_who_signs_must_be_said))
