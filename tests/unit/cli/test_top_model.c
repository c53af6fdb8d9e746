// SPDX-License-Identifier: Apache-2.0
#include "cli/top_model.h"

#include "base/mem.h"
#include "unit/test.h"

#define BEGIN                                                                                      \
    "{\"gate_started_ms\":1,\"bounds_s\":[0.001,0.002,0.004],\"connections\":5,\"idle\":3,"

static struct top_sample sample(const char *rest)
{
    char text[4096];
    struct top_sample s;
    snprintf(text, sizeof text, "%s%s", BEGIN, rest);
    json_error_t error;
    json_t *j = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!j)
        printf("# %s\n", error.text);
    CHECK(top_sample_read(j, &s));
    json_decref(j);
    return s;
}

static bool is_near(double a, double b)
{
    return a - b < 0.0001 && b - a < 0.0001;
}

static void rates_are_what_came_between_two_looks(void)
{
    struct top_sample a = sample("\"at_ms\":1000,\"routes\":[{\"name\":\"x\",\"site\":\"x\","
                                 "\"service\":\"app\",\"requests\":100,\"4xx\":1,\"5xx\":2,"
                                 "\"bytes_in\":10,\"bytes_out\":20,\"durations\":[50,50]}]}");
    struct top_sample b = sample("\"at_ms\":3000,\"routes\":[{\"name\":\"x\",\"site\":\"x\","
                                 "\"service\":\"app\",\"requests\":300,\"4xx\":5,\"5xx\":2,"
                                 "\"bytes_in\":1010,\"bytes_out\":20,\"durations\":[150,150]},"
                                 "{\"name\":\"x/1\",\"site\":\"x\",\"service\":\"app\","
                                 "\"requests\":20,\"durations\":[0,0,0,20]}]}");
    struct top_row *rows;
    CHECK_INT(top_rows(&a, &b, TOP_ROUTES, TOP_BY_RATE, &rows), 2);
    CHECK_STR(rows[0].name, STR("x"));
    CHECK(is_near(rows[0].rates[TOP_REQUESTS], 100));
    CHECK(is_near(rows[0].rates[TOP_REFUSED], 2));
    CHECK(is_near(rows[0].rates[TOP_FAILED], 0));
    CHECK(is_near(rows[0].rates[TOP_BYTES_IN], 500));
    CHECK(is_near(rows[0].p50_ms, 1));
    CHECK(is_near(rows[0].p99_ms, 1.98));
    CHECK(is_near(rows[1].rates[TOP_REQUESTS], 10));
    CHECK(is_near(rows[1].p99_ms, 4)); // beyond the last bound nothing is known
    mem_free(rows);
    CHECK_INT(top_rows(&a, &b, TOP_SITES, TOP_BY_RATE, &rows), 1);
    CHECK(is_near(rows[0].rates[TOP_REQUESTS], 110));
    mem_free(rows);
    CHECK_INT(top_rows(&a, &b, TOP_SERVICES, TOP_BY_RATE, &rows), 1);
    CHECK_STR(rows[0].name, STR("app"));
    mem_free(rows);
    top_sample_fini(&a);
    top_sample_fini(&b);
}

static void another_gate_and_the_first_look_give_no_rates(void)
{
    struct top_sample a = sample("\"at_ms\":1000,\"all\":{\"requests\":100}}");
    struct top_sample b = sample("\"at_ms\":2000,\"all\":{\"requests\":300}}");
    CHECK(is_near(top_total(&a, &b).rates[TOP_REQUESTS], 200));
    CHECK(is_near(top_total(NULL, &b).rates[TOP_REQUESTS], 0));
    a.gate = 2;
    CHECK(is_near(top_total(&a, &b).rates[TOP_REQUESTS], 0));
    CHECK(top_total(&a, &b).p50_ms < 0);
    top_sample_fini(&a);
    top_sample_fini(&b);
}

static void counters_that_went_back_began_anew(void)
{
    struct top_sample a = sample("\"at_ms\":1000,\"all\":{\"requests\":100}}");
    struct top_sample b = sample("\"at_ms\":2000,\"all\":{\"requests\":30}}");
    CHECK(is_near(top_total(&a, &b).rates[TOP_REQUESTS], 30));
    top_sample_fini(&a);
    top_sample_fini(&b);
}

static void servers_are_named_with_their_service(void)
{
    struct top_sample s = sample(
        "\"at_ms\":1000,\"servers\":[{\"service\":\"app\",\"server\":\"http://a\","
        "\"state\":\"down\",\"requests\":1,\"connections\":4},"
        "{\"service\":\"http://b\",\"server\":\"http://b\",\"requests\":1,\"connections\":0}],"
        "\"filters\":[{\"name\":\"lock\",\"requests\":9}]}");
    struct top_row *rows;
    CHECK_INT(top_rows(NULL, &s, TOP_SERVERS, TOP_BY_NAME, &rows), 2);
    CHECK_STR(rows[0].name, STR("app http://a"));
    CHECK_STR(str_of(rows[0].state), STR("down"));
    CHECK_INT(rows[0].n_open, 4);
    CHECK_STR(rows[1].name, STR("http://b"));
    mem_free(rows);
    CHECK_INT(top_rows(NULL, &s, TOP_FILTERS, TOP_BY_NAME, &rows), 1);
    mem_free(rows);
    top_sample_fini(&s);
}

static void rows_are_sorted_by_what_is_chosen(void)
{
    struct top_sample a = sample("\"at_ms\":1000}");
    struct top_sample b = sample("\"at_ms\":2000,\"routes\":["
                                 "{\"name\":\"a\",\"requests\":1,\"5xx\":1,\"bytes_out\":5,"
                                 "\"durations\":[0,1]},"
                                 "{\"name\":\"b\",\"requests\":2,\"bytes_out\":9,"
                                 "\"durations\":[2]},"
                                 "{\"name\":\"c\",\"requests\":3,\"durations\":[0,0,3]}]}");
    static const char *const wanted[TOP_SORTS] = {[TOP_BY_RATE] = "c",
                                                  [TOP_BY_P99] = "c",
                                                  [TOP_BY_ERRORS] = "a",
                                                  [TOP_BY_BYTES] = "b",
                                                  [TOP_BY_NAME] = "a"};
    for (unsigned by = 0; by < TOP_SORTS; by++) {
        struct top_row *rows;
        CHECK_INT(top_rows(&a, &b, TOP_ROUTES, (enum top_sort)by, &rows), 3);
        CHECK_STR(rows[0].name, str_of(wanted[by]));
        mem_free(rows);
    }
    top_sample_fini(&a);
    top_sample_fini(&b);
}

static void nonsense_is_no_sample(void)
{
    static const char *const cases[] = {"{}", "[]", "{\"at_ms\":0}", "{\"at_ms\":\"x\"}"};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct top_sample s;
        json_t *j = json_loads(cases[i], 0, NULL);
        CHECK(!top_sample_read(j, &s));
        json_decref(j);
    }
}

TEST_MAIN(TEST(rates_are_what_came_between_two_looks),
          TEST(another_gate_and_the_first_look_give_no_rates),
          TEST(counters_that_went_back_began_anew), TEST(servers_are_named_with_their_service),
          TEST(rows_are_sorted_by_what_is_chosen), TEST(nonsense_is_no_sample))
