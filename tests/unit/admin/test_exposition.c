// SPDX-License-Identifier: Apache-2.0
#include "admin/exposition.h"

#include "unit/test.h"

static const struct metric counter = {"x_bytes", METRIC_COUNTER, "bytes", "a, b",
                                      "Bytes of \"x\"\nand \\."};
static const struct metric gauge = {"y", METRIC_GAUGE, "", "", "Ys."};
static const struct metric histogram = {"z_seconds", METRIC_HISTOGRAM, "seconds", "a", "Zs."};
static const struct metric info = {"i", METRIC_INFO, "", "v", "Is."};

static struct text out;

static struct exposition begin(enum exposition_form form)
{
    text_fini(&out);
    return (struct exposition){.form = form, .to = &out};
}

static void the_client_chooses_the_form(void)
{
    static const struct {
        const char *accept;
        enum exposition_form form;
    } cases[] = {
        {"", EXPOSITION_PROMETHEUS},
        {"*/*", EXPOSITION_PROMETHEUS},
        {"text/plain", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-text", EXPOSITION_OPENMETRICS},
        {"Application/OpenMetrics-Text ; version=1.0.0", EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;"
         "version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,text/plain;version=0.0.4;q=0.2,"
         "*/*;q=0.1",
         EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text;q=0.2,text/plain;q=0.30", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-text;q=0", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-text;q=0.000", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-text;q=0.001", EXPOSITION_OPENMETRICS},
        {"application/openmetrics-text;q=x", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-text;q=-1", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-text;q=0.1234", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-text;q=2", EXPOSITION_PROMETHEUS},
        {"application/openmetrics-text;q=1.", EXPOSITION_OPENMETRICS},
        {",,;;,application/openmetrics-text,", EXPOSITION_OPENMETRICS},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(exposition_choose(str_of(cases[i].accept)), cases[i].form);
}

static void counters_differ_in_name_between_the_forms(void)
{
    const struct metric_label labels[] = {{"a", STR("1\"\\\n2")}, {"b", STR("")}};
    struct exposition e = begin(EXPOSITION_PROMETHEUS);
    exposition_head(&e, &counter);
    exposition_count(&e, &counter, labels, 2, UINT64_MAX);
    exposition_count(&e, &counter, NULL, 0, 0);
    exposition_end(&e);
    CHECK_STR(text_str(&out), STR("# TYPE x_bytes_total counter\n"
                                  "# HELP x_bytes_total Bytes of \"x\"\\nand \\\\.\n"
                                  "x_bytes_total{a=\"1\\\"\\\\\\n2\",b=\"\"} 18446744073709551615\n"
                                  "x_bytes_total 0\n"));
    e = begin(EXPOSITION_OPENMETRICS);
    exposition_head(&e, &counter);
    exposition_count(&e, &counter, labels + 1, 1, 5);
    exposition_end(&e);
    CHECK_STR(text_str(&out), STR("# TYPE x_bytes counter\n# UNIT x_bytes bytes\n"
                                  "# HELP x_bytes Bytes of \\\"x\\\"\\nand \\\\.\n"
                                  "x_bytes_total{b=\"\"} 5\n# EOF\n"));
    text_fini(&out);
}

static void gauges_and_facts_are_written_as_they_are(void)
{
    struct exposition e = begin(EXPOSITION_OPENMETRICS);
    exposition_head(&e, &gauge);
    exposition_seconds(&e, &gauge, NULL, 0, 12000000034);
    exposition_seconds(&e, &gauge, NULL, 0, -1);
    exposition_head(&e, &info);
    exposition_count(&e, &info, &(struct metric_label){"v", STR("9")}, 1, 1);
    CHECK_STR(text_str(&out), STR("# TYPE y gauge\n# HELP y Ys.\ny 12.000000034\ny 0.000000000\n"
                                  "# TYPE i info\n# HELP i Is.\ni_info{v=\"9\"} 1\n"));
    e = begin(EXPOSITION_PROMETHEUS);
    exposition_head(&e, &info);
    CHECK_STR(text_str(&out), STR("# TYPE i_info gauge\n# HELP i_info Is.\n"));
    text_fini(&out);
}

static void histograms_are_cumulated(void)
{
    struct metric_histogram h = {.sum_ns = 3500000000};
    struct exposition e = begin(EXPOSITION_PROMETHEUS);
    h.buckets[0] = 1;
    h.buckets[2] = 2;
    h.buckets[METRIC_BUCKETS - 1] = 3;
    exposition_histogram(&e, &histogram, &(struct metric_label){"a", STR("b")}, 1, &h);
    struct str all = text_str(&out);
    CHECK(str_starts(all, STR("z_seconds_bucket{a=\"b\",le=\"0.000244140625\"} 1\n"
                              "z_seconds_bucket{a=\"b\",le=\"0.00048828125\"} 1\n"
                              "z_seconds_bucket{a=\"b\",le=\"0.0009765625\"} 3\n")));
    CHECK(str_ends(all, STR("z_seconds_bucket{a=\"b\",le=\"64.0\"} 3\n"
                            "z_seconds_bucket{a=\"b\",le=\"+Inf\"} 6\n"
                            "z_seconds_sum{a=\"b\"} 3.500000000\nz_seconds_count{a=\"b\"} 6\n")));
    text_fini(&out);
}

TEST_MAIN(TEST(the_client_chooses_the_form), TEST(counters_differ_in_name_between_the_forms),
          TEST(gauges_and_facts_are_written_as_they_are), TEST(histograms_are_cumulated))
