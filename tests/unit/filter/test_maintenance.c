// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

static void everybody_gets_the_page_but_those_who_work_on_it(void)
{
    static const struct {
        const char *yaml, *path;
        unsigned status; // 200: passes
        const char *retry;
    } cases[] = {
        {"{}", "/", 503, "600"},
        {"enabled: no", "/", 200, ""},
        {"retry-after: 0", "/", 503, ""},
        {"retry-after: 1500ms", "/", 503, "2"},
        {"status: 404", "/", 404, "600"},
        {"except: 192.0.2.0/24", "/", 200, ""},
        {"except: 192.0.3.0/24", "/", 503, "600"},
        {"except-paths: [/health, /a]", "/health", 200, ""},
        {"except-paths: [/health, /a]", "/health/x", 200, ""},
        {"except-paths: [/health, /a]", "/healthy", 503, "600"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        filter_start(&f, &filter_maintenance, cases[i].yaml, NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", cases[i].path, NULL);
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        if (x->resp.status != cases[i].status)
            printf("# %s: %s\n", cases[i].yaml, cases[i].path);
        CHECK_INT(x->resp.status, cases[i].status);
        CHECK_INT(f.server.n_served, cases[i].status == 200);
        CHECK_INT(x->end, cases[i].status == 200 ? EXCHANGE_END_OK : EXCHANGE_END_FILTERED);
        CHECK_STR(headers_get(&x->resp.headers, FIELD_RETRY_AFTER), str_of(cases[i].retry));
        fixture_end(&e);
        filter_end(&f);
    }
}

static void clients_of_grpc_are_told_in_their_way(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_maintenance, "{}", NULL);
    struct exchange *x = fixture_start(&e, "POST", "a.example", "/s/M", NULL);
    fixture_field(&e, "Content-Type", "application/grpc");
    CHECK_INT(handler_serve(f.filter, x), ERR_OK);
    CHECK_INT(x->resp.status, 200);
    CHECK(headers_find_named(&x->resp.headers, STR("grpc-status")) != NULL);
    CHECK(x->resp.body == NULL);
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"status: 200", "status"},
        {"except: nobody", "except"},
        {"except-paths: health", "health"},
        {"content-type: \"a\\nb\"", "control byte"},
    };
    filter_check_refused(&filter_maintenance, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_maintenance);
}

TEST_MAIN(TEST(everybody_gets_the_page_but_those_who_work_on_it),
          TEST(clients_of_grpc_are_told_in_their_way), TEST(wrong_settings_are_refused),
          TEST(the_table_is_complete))
