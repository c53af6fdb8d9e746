// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

static const struct filter_type *const types[] = {&filter_allow, &filter_deny};

static void an_address_passes_or_is_refused(void)
{
    static const struct {
        const char *addresses, *client;
        bool is_listed;
    } cases[] = {
        {"192.0.2.7", "192.0.2.7", true},
        {"192.0.2.7", "192.0.2.8", false},
        {"[10.0.0.0/8, 192.0.2.0/24]", "192.0.2.255", true},
        {"[10.0.0.0/8, 192.0.2.0/24]", "2001:db8::1", false},
        {"[10.0.0.0/8, '2001:db8::/32']", "2001:db8::1", true},
        {"0.0.0.0/0", "2001:db8::1", false},
        {"'::/0'", "192.0.2.1", false},
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        bool is_deny = i % 2;
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, types[is_deny], cases[i / 2].addresses, NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        CHECK_INT(ip_parse(str_of(cases[i / 2].client), &x->client), ERR_OK);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        bool passes = cases[i / 2].is_listed != is_deny;
        CHECK_INT(x->resp.status, passes ? 200 : 403);
        CHECK_INT(f.server.n_served, passes);
        CHECK_INT(x->end, passes ? EXCHANGE_END_OK : EXCHANGE_END_FILTERED);
        fixture_end(&e);
        filter_end(&f);
    }
}

static void the_one_who_counts_is_the_client_not_the_peer(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_allow, "192.0.2.7", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_INT(ip_parse(STR("10.0.0.1"), &x->client), ERR_OK);
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, 403);
    fixture_end(&e);
    filter_end(&f);
}

static void a_client_without_an_address_is_on_no_list(void)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, types[i], "[0.0.0.0/0, '::/0']", NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        x->client = (struct ip){.family = 0};
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        CHECK_INT(x->resp.status, i == 0 ? 403 : 200);
        fixture_end(&e);
        filter_end(&f);
    }
}

static void the_status_is_a_setting(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_deny, "{ addresses: 192.0.2.7, status: 404 }", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_STR(f.filter->type->explain(f.filter, x), STR("answers this request 404"));
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, 404);
    fixture_end(&e);
    filter_end(&f);
}

static void conditions_of_all_kinds_have_to_be_met(void)
{
    static const struct {
        const char *settings, *method, *path;
        bool is_meant;
    } cases[] = {
        {"{ methods: [POST, put] }", "PUT", "/", true},
        {"{ methods: [POST, put] }", "GET", "/", false},
        {"{ paths: [/admin] }", "GET", "/admin", true},
        {"{ paths: [/admin/] }", "GET", "/admin/x", true},
        {"{ paths: [/admin] }", "GET", "/administration", false},
        {"{ paths: [/] }", "GET", "/x", true},
        {"{ methods: [GET], paths: [/a, /b] }", "GET", "/b", true},
        {"{ methods: [GET], paths: [/a, /b] }", "POST", "/b", false},
        {"{ methods: [GET], addresses: 192.0.2.1 }", "GET", "/", false},
        {"{ headers: { X-Kind: '^ro' } }", "GET", "/", true},
        {"{ headers: { x-kind: bot, X-Kind: '^robot$' } }", "GET", "/", true},
        {"{ headers: { X-Kind: '^bot' } }", "GET", "/", false},
        {"{ headers: { X-Other: '' } }", "GET", "/", false},
        {"{ times: ['00:00-24:00'] }", "GET", "/", true},
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        bool is_deny = i % 2;
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, types[is_deny], cases[i / 2].settings, NULL);
        struct exchange *x =
            fixture_start(&e, cases[i / 2].method, "a.example", cases[i / 2].path, NULL);
        CHECK_INT(headers_add_named(&x->req.headers, STR("X-Kind"), STR("robot")), ERR_OK);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        if ((x->resp.status == 200) != (cases[i / 2].is_meant != is_deny))
            printf("# %s\n", cases[i / 2].settings);
        CHECK_INT(x->resp.status, cases[i / 2].is_meant != is_deny ? 200 : 403);
        fixture_end(&e);
        filter_end(&f);
    }
}

// What a server may read as another path, method or field than stands there: `deny` takes it for
// what it refuses, and `allow` not for what it lets pass.
static void doubtful_spellings_are_read_so_that_they_are_refused(void)
{
    static const struct {
        const char *settings, *path, *field;
        bool allow_passes, deny_passes;
    } cases[] = {
        {"{ paths: [/admin] }", "/admin", "X-A", true, false},
        {"{ paths: [/admin] }", "/x", "X-A", false, true},
        {"{ paths: [/admin] }", "//admin/x", "X-A", false, false},
        {"{ paths: [/admin] }", "/admin;x", "X-A", false, false},
        {"{ paths: [/admin] }", "/x/..;/admin", "X-A", false, false},
        {"{ paths: [/admin] }", "/x%2F..%2Fadmin", "X-A", false, false},
        {"{ paths: [/admin] }", "/%5Cadmin", "X-A", false, false},
        {"{ paths: [/public] }", "/public/..;/admin", "X-A", false, false},
        {"{ paths: [/public] }", "/public/a;b", "X-A", true, false},
        {"{ headers: { X-Kind: bad } }", "/", "X-Kind", true, false},
        {"{ headers: { X-Kind: bad } }", "/", "x_kind", false, false},
        {"{ headers: { X-Kind: bad } }", "/", "X-Other", false, true},
    };
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        bool is_deny = i % 2;
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, types[is_deny], cases[i / 2].settings, NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", cases[i / 2].path, NULL);
        CHECK_INT(headers_add_named(&x->req.headers, str_of(cases[i / 2].field), STR("bad")),
                  ERR_OK);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        bool passes = is_deny ? cases[i / 2].deny_passes : cases[i / 2].allow_passes;
        if (x->resp.status != (passes ? 200 : 403))
            printf("# %s: %s, %s\n", is_deny ? "deny" : "allow", cases[i / 2].settings,
                   cases[i / 2].path);
        CHECK_INT(x->resp.status, passes ? 200 : 403);
        fixture_end(&e);
        filter_end(&f);
    }
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"{ status: 404 }", "name what is meant"},
        {"{ addresses: [] }", "name what is meant"},
        {"{ addresses: 192.0.2.1/24 }", "192.0.2.1/24"},
        {"{ addresses: example.com }", "example.com"},
        {"{ addresses: 192.0.2.1, status: 200 }", "400"},
    };
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        filter_check_refused(types[i], cases, ARRAY_LEN(cases));
}

static void the_tables_are_complete(void)
{
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        filter_check_tables(types[i]);
}

TEST_MAIN(TEST(an_address_passes_or_is_refused),
          TEST(the_one_who_counts_is_the_client_not_the_peer),
          TEST(a_client_without_an_address_is_on_no_list), TEST(the_status_is_a_setting),
          TEST(conditions_of_all_kinds_have_to_be_met),
          TEST(doubtful_spellings_are_read_so_that_they_are_refused),
          TEST(wrong_settings_are_refused), TEST(the_tables_are_complete))
