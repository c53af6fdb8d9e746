// SPDX-License-Identifier: Apache-2.0
#include "keeper/wish_issuers.h"

#include "keeper/load.h"
#include "unit/test.h"

#define HEAD "state: /nowhere\nentrypoints: { web: ':1', s: { listen: ':2', tls: on } }\n"
#define TWO "issuers: { first: { acme: {} }, second: { acme: { directory: zerossl } } }\n"
#define SITES                                                                                      \
    "sites:\n"                                                                                     \
    "  usual.example.com: 'http://h:1'\n"                                                          \
    "  own.example.com: { to: 'http://h:1', tls: { issuer: [second, first] } }\n"                  \
    "  local.example.com: { to: 'http://h:1', tls: { issuer: local } }\n"                          \
    "  mixed.example.com: { to: 'http://h:1', aliases: [mixed.local] }\n"                          \
    "  forced.test: { to: 'http://h:1', tls: { issuer: second } }\n"

static void load(struct loaded *l, const char *settings)
{
    load_begin(l);
    struct conf_node *root = conf_yaml_parse(str_of(settings), "test.yaml", &l->mem, &l->diags);
    CHECK(root && load_tree(l, root, NULL));
}

static const struct issue_need *need_of(const struct wish *w, const char *id)
{
    for (size_t i = 0; i < w->issue.n_needs; i++) {
        if (str_eq(w->issue.needs[i].id, str_of(id)))
            return &w->issue.needs[i];
    }
    return NULL;
}

// "first second" of a site; empty: the local CA.
static struct str sources_of(const struct wish *w, const char *id, char *buf, size_t n_bytes)
{
    const struct issue_need *need = need_of(w, id);
    struct writer out;
    writer_init(&out, buf, n_bytes);
    for (size_t i = 0; need && i < need->n_sources; i++) {
        writer_put(&out, i > 0 ? STR(" ") : STR_NONE);
        writer_put(&out, need->sources[i].issuer);
    }
    return writer_str(&out);
}

static void each_site_has_its_issuers_in_order(void)
{
    static const struct {
        const char *settings, *site, *sources;
    } cases[] = {
        {HEAD TWO SITES, "usual.example.com", "first"},
        {HEAD TWO "issuer: [second, first]\n" SITES, "usual.example.com", "second first"},
        {HEAD TWO "issuer: second\n" SITES, "usual.example.com", "second"},
        {HEAD TWO "issuer: local\n" SITES, "usual.example.com", ""},
        {HEAD TWO "issuer: local\n" SITES, "own.example.com", "second first"},
        {HEAD TWO SITES, "local.example.com", ""},
        {HEAD TWO SITES, "forced.test", "second"},
        {HEAD "email: a@b.example\nsites: { a.example.com: 'http://h:1' }\n", "a.example.com",
         "letsencrypt"},
        {HEAD "sites: { a.example.com: 'http://h:1' }\n", "a.example.com", ""},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[128];
        struct loaded l;
        load(&l, cases[i].settings);
        struct diags diags = {.n = 0};
        struct wish *w = wish_new(l.snapshot);
        CHECK_INT(wish_issuers_check(l.snapshot, &diags), ERR_OK);
        CHECK_STR(sources_of(w, cases[i].site, buf, sizeof buf), str_of(cases[i].sources));
        wish_free(w);
        load_fini(&l);
    }
}

static void local_names_are_not_asked_of_authorities_by_default(void)
{
    struct loaded l;
    load(&l, HEAD TWO SITES);
    struct wish *w = wish_new(l.snapshot);
    const struct issue_need *need = need_of(w, "mixed.example.com");
    CHECK(need && need->n_names == 1);
    CHECK_STR(need->names[0], STR("mixed.example.com"));
    wish_free(w);
    load_fini(&l);
}

static void wrong_names_are_told_with_their_places(void)
{
    static const struct {
        const char *settings, *error;
    } cases[] = {
        {"issuer: nobody\n", "test.yaml:1:9: error: there is no issuer 'nobody'"},
        {TWO "issuer: [first, local]\n", "test.yaml:2:17: error: local stands alone"},
        {TWO "issuer: [first, first]\n", "test.yaml:2:17: error: 'first' is there already"},
        {"issuers: { LE: { acme: {} } }\n", "test.yaml:1:12: error: 'LE' is no name"},
        {"issuers: { a@b: { acme: {} } }\n", "test.yaml:1:12: error: 'a@b' is no name"},
        {"issuers: { local: { acme: {} } }\n", "test.yaml:1:12: error: local is the local CA"},
        {"email: a@b.example\nissuer: [letsencrypt, other]\n",
         "test.yaml:2:23: error: there is no issuer 'other'"},
        {"sites: { a.example: { to: 'http://h:1', tls: { issuer: [x] } } }\n",
         "test.yaml:1:57: error: there is no issuer 'x'"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[512];
        struct loaded l;
        struct diags diags = {.n = 0};
        load(&l, cases[i].settings);
        CHECK(wish_issuers_check(l.snapshot, &diags) != ERR_OK);
        CHECK_INT(diags.n, 1);
        struct str error = diag_text(&diags.items[0], buf, sizeof buf);
        CHECK_STR(str_first(error, strlen(cases[i].error)), str_of(cases[i].error));
        diags_fini(&diags);
        load_fini(&l);
    }
}

static void a_wildcard_without_dns_is_warned_of(void)
{
    static const struct {
        const char *settings;
        size_t n_warnings;
    } cases[] = {
        {"email: a@b.example\nsites: { '*.a.example.com': 'http://h:1' }\n", 1},
        {TWO "issuer: [first, second]\nsites: { '*.a.example.com': 'http://h:1' }\n", 2},
        {TWO "issuer: local\nsites: { '*.a.example.com': 'http://h:1' }\n", 0},
        {TWO "sites: { '*.a.test': 'http://h:1' }\n", 0},
        {TWO "sites: { '*.a.example.com': { to: 'http://h:1', tls: off } }\n", 0},
        {"sites: { '*.a.example.com': 'http://h:1' }\n", 0},
        {"issuers: { le: { acme: { dns-update: { server: 192.0.2.1 } } } }\n"
         "sites: { '*.a.example.com': 'http://h:1' }\n",
         0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct loaded l;
        struct diags diags = {.n = 0};
        load(&l, cases[i].settings);
        CHECK_INT(wish_issuers_check(l.snapshot, &diags), ERR_OK);
        CHECK_INT(diags.n, cases[i].n_warnings);
        for (size_t k = 0; k < diags.n; k++)
            CHECK(strstr(diags.items[k].text, "'*.a.example.com' needs dns-01"));
        diags_fini(&diags);
        load_fini(&l);
    }
}

TEST_MAIN(TEST(each_site_has_its_issuers_in_order),
          TEST(local_names_are_not_asked_of_authorities_by_default),
          TEST(wrong_names_are_told_with_their_places), TEST(a_wildcard_without_dns_is_warned_of))
