// SPDX-License-Identifier: Apache-2.0
#include "gate/meters.h"

#include <stdio.h>

#include "unit/test.h"

static struct str number(char buf[static 16], unsigned i)
{
    return str_from(buf, (size_t)snprintf(buf, 16, "r%u", i));
}

static uint32_t place(struct meter_list *l, const char *name)
{
    return meter_list_place(l, METER_ROUTE, str_of(name), STR("site"), STR("to"));
}

static void the_same_names_have_the_same_number_in_every_list(void)
{
    struct meters *m = meters_new();
    struct meter_list a, b;
    meter_list_init(&a, m);
    meter_list_init(&b, m);
    CHECK_INT(a.n, 2);
    uint32_t at = place(&a, "x");
    CHECK_INT(at, 2);
    CHECK_INT(place(&a, "x"), at); // once in a list
    CHECK_INT(a.n, 3);
    CHECK_INT(place(&b, "y"), 2);
    CHECK_INT(place(&b, "x"), 3);
    CHECK(b.items[3] == a.items[at]);
    CHECK(b.items[2]->id != b.items[3]->id);
    CHECK(meter_list_place(&b, METER_FILTER, STR("x"), STR_NONE, STR_NONE) == 4);
    CHECK(meter_list_place(&b, METER_ROUTE, STR("x"), STR("site"), STR("other")) == 5);
    struct meter *x = a.items[at];
    meter_list_fini(&a);
    meter_list_fini(&b);
    meter_list_init(&a, m); // it was in no list for a while
    CHECK(a.items[place(&a, "x")] == x);
    CHECK_STR(x->name, STR("x"));
    CHECK_STR(x->site, STR("site"));
    CHECK_STR(x->service, STR("to"));
    meter_list_fini(&a);
    meters_free(m);
}

static void without_a_registry_nothing_is_counted(void)
{
    struct meter_list l;
    meter_list_init(&l, NULL);
    CHECK_INT(l.n, 0);
    CHECK_INT(place(&l, "x"), METER_NO_ROUTE);
    meter_list_fini(&l);
    meters_free(NULL);
}

static struct exchange exchange_of(enum method method, unsigned status, int64_t ns)
{
    struct exchange x = {.wire_in = 10, .wire_out = 20, .n_tries = 1};
    x.req.method_id = method;
    x.resp.status = (uint16_t)status;
    x.times.accepted = 1000;
    x.times.finished = 1000 + ns;
    return x;
}

static void beyond_the_limit_there_is_one_for_all(void)
{
    struct meters *m = meters_new();
    struct meter_list l, next;
    struct meter_rows rows = {.items = NULL};
    char name[16];
    meter_list_init(&l, m);
    for (unsigned i = 2; i < METERS_MAX; i++)
        CHECK_INT(meter_list_place(&l, METER_ROUTE, number(name, i), STR_NONE, STR_NONE), i);
    CHECK_INT(place(&l, "beyond"), METER_OTHER);
    struct exchange x = exchange_of(METHOD_GET, 200, 5);
    meter_count(&rows, l.items[7], &x);

    // When those before go, their numbers are others', and count from 0.
    uint64_t life = l.items[7]->life;
    uint32_t id = l.items[7]->id;
    meter_list_init(&next, m);
    meter_list_fini(&l);
    uint32_t at = 0;
    for (unsigned i = 0; i < 100 && (at == 0 || next.items[at]->id != id); i++)
        at = meter_list_place(&next, METER_ROUTE, number(name, 2 * METERS_MAX + i), STR_NONE,
                              STR_NONE);
    CHECK_INT(next.items[at]->id, id);
    CHECK(next.items[at]->life != life);
    struct meter_sums sums;
    meter_sums_init(&sums, &next);
    while (!meter_sums_add(&sums, &next, &rows))
        ;
    CHECK(sums.items[at] == NULL); // what is there is the other's
    meter_sums_fini(&sums);
    meter_count(&rows, next.items[at], &x);
    CHECK_INT(rows.items[id]->requests[METHOD_GET][2], 1);
    meter_rows_fini(&rows);
    meter_list_fini(&next);
    meters_free(m);
}

static void all_of_an_exchange_is_counted(void)
{
    struct meters *m = meters_new();
    struct meter_list l;
    struct meter_rows rows[2] = {{.items = NULL}, {.items = NULL}};
    struct meter_sums sums;
    meter_list_init(&l, m);
    uint32_t at = place(&l, "x");
    struct exchange x = exchange_of(METHOD_GET, 200, 1000000);
    for (unsigned i = 0; i < 3; i++)
        meter_count(&rows[0], l.items[at], &x);
    x = exchange_of(METHOD_OTHER, 502, 70000000000);
    x.n_tries = 4;
    x.end = EXCHANGE_END_SERVER_GONE;
    meter_count(&rows[1], l.items[at], &x);
    x = exchange_of(METHOD_GET, 0, 5); // no answer
    meter_count(&rows[1], l.items[at], &x);
    x = exchange_of(METHOD_GET, 101, 5); // a tunnel's time says nothing
    meter_count(&rows[1], l.items[at], &x);

    meter_sums_init(&sums, &l);
    for (unsigned i = 0; i < 2; i++)
        while (!meter_sums_add(&sums, &l, &rows[i]))
            ;
    const struct meter_row *row = sums.items[at];
    CHECK_INT(row->requests[METHOD_GET][2], 3);
    CHECK_INT(row->requests[METHOD_OTHER][5], 1);
    CHECK_INT(row->requests[METHOD_GET][0], 1);
    CHECK_INT(row->requests[METHOD_GET][1], 1);
    CHECK_INT(row->bytes_in, 60);
    CHECK_INT(row->bytes_out, 120);
    CHECK_INT(row->retries, 3);
    CHECK_INT(row->durations.buckets[metric_bucket_of(1000000)], 3);
    CHECK_INT(row->durations.buckets[METRIC_BUCKETS - 1], 1);
    CHECK_INT(row->durations.buckets[0], 1);
    CHECK_INT(row->durations.sum_ns, 3000000 + 70000000000 + 5);
    CHECK_INT(sums.durations.sum_ns, row->durations.sum_ns);
    CHECK_INT(sums.ends[EXCHANGE_END_OK], 5);
    CHECK_INT(sums.ends[EXCHANGE_END_SERVER_GONE], 1);
    CHECK(sums.items[METER_NO_ROUTE] == NULL);
    meter_sums_fini(&sums);
    meter_rows_fini(&rows[0]);
    meter_rows_fini(&rows[1]);
    meter_list_fini(&l);
    meters_free(m);
}

// Whatever there is, a worker that adds its rows has turns for others in between.
static void ten_thousand_routes_are_added_in_pieces(void)
{
    struct meters *m = meters_new();
    struct meter_list l;
    struct meter_rows rows = {.items = NULL};
    struct meter_sums sums;
    char name[16];
    struct exchange x = exchange_of(METHOD_GET, 200, 5);
    meter_list_init(&l, m);
    for (unsigned i = 0; i < 10000; i++) {
        uint32_t at = meter_list_place(&l, METER_ROUTE, number(name, i), STR_NONE, STR_NONE);
        if (i % 2 == 0)
            meter_count(&rows, l.items[at], &x);
    }
    meter_sums_init(&sums, &l);
    unsigned n_pieces = 1;
    for (; !meter_sums_add(&sums, &l, &rows); n_pieces++)
        ;
    CHECK(n_pieces > 50 && n_pieces < 200);
    CHECK_INT(sums.durations.buckets[0], 5000);
    meter_sums_fini(&sums);
    meter_rows_fini(&rows);
    meter_list_fini(&l);
    meters_free(m);
}

TEST_MAIN(TEST(the_same_names_have_the_same_number_in_every_list),
          TEST(without_a_registry_nothing_is_counted), TEST(beyond_the_limit_there_is_one_for_all),
          TEST(all_of_an_exchange_is_counted), TEST(ten_thousand_routes_are_added_in_pieces))
