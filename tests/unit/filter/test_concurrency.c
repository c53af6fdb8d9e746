// SPDX-License-Identifier: Apache-2.0
#include "unit/filter/fixture.h"
#include "unit/test.h"

static void begin(struct handler *h, struct fixture *e, const char *client, const char *path)
{
    struct exchange *x = fixture_start(e, "GET", "a.example", path, NULL);
    CHECK_INT(ip_parse(str_of(client), &x->client), ERR_OK);
    CHECK_INT(handler_serve(h, x), ERR_OK);
}

static void end(struct fixture *e)
{
    exchange_end_guards(&e->x);
    fixture_end(e);
}

static struct str retry_after(const struct fixture *e)
{
    return headers_get(&e->x.resp.headers, FIELD_RETRY_AFTER);
}

static void each_client_has_so_many_at_a_time(void)
{
    struct filter_fixture f;
    struct fixture e[6];
    static const struct {
        const char *client;
        unsigned status;
    } cases[] = {
        {"192.0.2.1", 200},   {"192.0.2.1", 200},   {"192.0.2.1", 429},
        {"2001:db8::1", 200}, {"2001:db8::2", 200}, {"2001:db8::3", 429}, // the same /64
    };
    filter_start(&f, &filter_concurrency, "{ max: 2 }", NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        begin(f.filter, &e[i], cases[i].client, "/");
        CHECK_INT(e[i].x.resp.status, cases[i].status);
        CHECK_STR(retry_after(&e[i]), cases[i].status == 200 ? STR_NONE : STR("1"));
        CHECK_INT(e[i].x.end, cases[i].status == 200 ? EXCHANGE_END_OK : EXCHANGE_END_FILTERED);
    }
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        end(&e[i]);
    begin(f.filter, &e[0], "192.0.2.1", "/"); // the places are free again
    CHECK_INT(e[0].x.resp.status, 200);
    end(&e[0]);
    filter_end(&f);
}

static void keys_status_and_retry_are_as_set(void)
{
    struct filter_fixture f;
    struct fixture e[3];
    filter_start(&f, &filter_concurrency, "{ max: 1, key: path, status: 503, retry-after: 90s }",
                 NULL);
    begin(f.filter, &e[0], "192.0.2.1", "/a");
    begin(f.filter, &e[1], "192.0.2.2", "/a");
    begin(f.filter, &e[2], "192.0.2.1", "/b");
    CHECK_INT(e[0].x.resp.status, 200);
    CHECK_INT(e[1].x.resp.status, 503);
    CHECK_STR(retry_after(&e[1]), STR("90"));
    CHECK_INT(e[2].x.resp.status, 200);
    for (size_t i = 0; i < ARRAY_LEN(e); i++)
        end(&e[i]);
    filter_end(&f);
}

static void a_dry_run_refuses_nothing_and_says_what_it_would(void)
{
    struct filter_fixture f;
    struct fixture e[2];
    filter_start(&f, &filter_concurrency, "{ max: 1, dry-run: yes }", NULL);
    for (size_t i = 0; i < 2; i++) {
        begin(f.filter, &e[i], "192.0.2.1", "/");
        CHECK_INT(e[i].x.resp.status, 200);
        CHECK_STR(str_of(e[i].x.trail.steps[0].what),
                  i == 0 ? STR("passed") : STR("would have denied"));
    }
    for (size_t i = 0; i < 2; i++)
        end(&e[i]);
    filter_end(&f);
}

// As two routes that use it, or two snapshots, of which one has another limit.
static void filters_of_one_name_count_together(void)
{
    struct filter_fixture f;
    struct fixture e[3];
    filter_start(&f, &filter_concurrency, "{ max: 2 }", NULL);
    struct handler *same = filter_once_more(&f, "{ max: 1 }", &f.server.handler);
    begin(f.filter, &e[0], "192.0.2.1", "/");
    begin(same, &e[1], "192.0.2.1", "/");
    CHECK_INT(e[1].x.resp.status, 429);
    begin(f.filter, &e[2], "192.0.2.1", "/");
    CHECK_INT(e[2].x.resp.status, 200);
    for (size_t i = 0; i < ARRAY_LEN(e); i++)
        end(&e[i]);
    same->type->fini(same);
    filter_end(&f);
}

// As an entrypoint and a route that use it.
static void an_exchange_that_comes_by_twice_counts_once(void)
{
    struct filter_fixture f;
    struct fixture e[2];
    filter_start(&f, &filter_concurrency, "{ max: 1, key: path }", NULL);
    struct handler *outer = filter_once_more(&f, "{ max: 1, key: path }", f.filter);
    for (size_t i = 0; i < 2; i++) {
        begin(outer, &e[i], "192.0.2.1", "/");
        CHECK_INT(e[i].x.resp.status, i == 0 ? 200 : 429);
        CHECK_INT(e[i].x.trail.n, i == 0 ? 2 : 1);
    }
    for (size_t i = 0; i < 2; i++)
        end(&e[i]);
    begin(outer, &e[0], "192.0.2.1", "/"); // its one place is free again
    CHECK_INT(e[0].x.resp.status, 200);
    end(&e[0]);
    outer->type->fini(outer);
    filter_end(&f);
}

static void too_many_keys_are_refused(void)
{
    struct filter_fixture f;
    struct fixture e[101];
    filter_start(&f, &filter_concurrency, "{ max: 1, keys-max: 100 }", NULL);
    for (unsigned i = 0; i < ARRAY_LEN(e); i++) {
        char client[32];
        snprintf(client, sizeof client, "192.0.2.%u", i);
        begin(f.filter, &e[i], client, "/");
        CHECK_INT(e[i].x.resp.status, i < 100 ? 200 : 429);
    }
    for (size_t i = 0; i < ARRAY_LEN(e); i++)
        end(&e[i]);
    filter_end(&f);
}

static void explain_says_what_it_counts(void)
{
    struct filter_fixture f;
    struct fixture e;
    filter_start(&f, &filter_concurrency, "20", NULL);
    struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
    CHECK_STR(f.filter->type->explain(f.filter, x),
              STR("counts it; refuses what is beyond 20 at a time"));
    fixture_end(&e);
    filter_end(&f);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case refused[] = {
        {"{ key: client-ip }", "max"},         {"{ max: 0 }", "1"},
        {"{ max: 5, key: nobody }", "no key"}, {"{ max: 5, status: 200 }", "400"},
        {"{ max: 5, retry-after: 0s }", "1s"},
    };
    filter_check_refused(&filter_concurrency, refused, ARRAY_LEN(refused));
}

static void tables_are_complete(void)
{
    filter_check_tables(&filter_concurrency);
}

TEST_MAIN(TEST(each_client_has_so_many_at_a_time), TEST(keys_status_and_retry_are_as_set),
          TEST(a_dry_run_refuses_nothing_and_says_what_it_would),
          TEST(filters_of_one_name_count_together),
          TEST(an_exchange_that_comes_by_twice_counts_once), TEST(too_many_keys_are_refused),
          TEST(explain_says_what_it_counts), TEST(wrong_settings_are_refused),
          TEST(tables_are_complete))
