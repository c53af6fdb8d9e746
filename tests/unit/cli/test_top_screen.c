// SPDX-License-Identifier: Apache-2.0
#include "cli/top_screen.h"

#include "base/utf8.h"
#include "unit/test.h"

static struct top_sample many(int n, int64_t at_ms, int factor)
{
    struct text t = {.ptr = NULL};
    struct top_sample s;
    text_printf(&t, "{\"at_ms\":%lld,\"gate_started_ms\":1,\"bounds_s\":[0.001,1.0],",
                (long long)at_ms);
    text_put(&t, STR("\"connections\":12,\"idle\":2,\"all\":{\"requests\":4},\"routes\":["));
    for (int i = 0; i < n; i++)
        text_printf(&t,
                    "%s{\"name\":\"r\xc3\xbc%d\x1b\",\"site\":\"\",\"service\":\"app\","
                    "\"requests\":%d,\"bytes_out\":%d,\"durations\":[0,%d]}",
                    i > 0 ? "," : "", i, i * factor, i * factor * 3000, i * factor);
    text_put(&t, STR("],\"servers\":[{\"service\":\"app\",\"server\":\"http://10.0.0.1\","
                     "\"state\":\"up\",\"requests\":5,\"connections\":3}]}"));
    for (size_t i = 0; i < t.len; i++) // JSON holds no control character as it is
        if (t.ptr[i] == 0x1b)
            t.ptr[i] = '!';
    json_t *j = json_loadb(t.ptr, t.len, 0, NULL);
    CHECK(top_sample_read(j, &s));
    json_decref(j);
    text_fini(&t);
    return s;
}

static size_t width_of(struct str line)
{
    size_t n = 0;
    while (line.len > 0) {
        uint32_t code;
        size_t len = utf8_decode(line, &code);
        CHECK(len > 0 && code >= 0x20);
        line = str_skip(line, MAX(len, (size_t)1));
        n++;
    }
    return n;
}

static void a_screen_is_never_larger_than_its_terminal(void)
{
    static const struct {
        size_t width, height;
    } sizes[] = {{80, 24}, {200, 60}, {20, 6}, {1, 1}, {40, 4}, {12, 100}};
    struct top_sample a = many(50, 1000, 0), b = many(50, 2000, 10);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        for (unsigned list = 0; list < TOP_LISTS; list++) {
            struct text t = {.ptr = NULL};
            struct str rest, line;
            size_t n = 0;
            const struct top_view view = {.list = (enum top_list)list, .first = 45};
            top_screen_put(&a, &b, &view, sizes[i].width, sizes[i].height, &t);
            rest = text_str(&t);
            for (bool has_more = true; has_more; n++) {
                has_more = str_cut(rest, '\n', &line, &rest);
                CHECK(width_of(line) <= sizes[i].width);
            }
            CHECK(n <= MAX(sizes[i].height, (size_t)4));
            text_fini(&t);
        }
    }
    top_sample_fini(&a);
    top_sample_fini(&b);
}

static void rows_show_rates_and_durations(void)
{
    struct top_sample a = many(3, 1000, 0), b = many(3, 2000, 10);
    struct text t = {.ptr = NULL};
    const struct top_view view = {.list = TOP_ROUTES};
    top_screen_put(&a, &b, &view, 120, 20, &t);
    CHECK(str_search(text_str(&t), STR("12 connections, 2 idle")) != STR_NPOS);
    CHECK(str_search(
              text_str(&t),
              STR("r\xc3\xbc"
                  "2!               20        0        0    500ms    990ms       0B      59K")) !=
          STR_NPOS);
    CHECK(str_search(text_str(&t), STR("by req/s   s sites")) != STR_NPOS);
    text_fini(&t);
    top_sample_fini(&a);
    top_sample_fini(&b);
}

static void all_lists_are_printed_and_told_as_json(void)
{
    struct top_sample a = many(2, 1000, 0), b = many(2, 2000, 10);
    struct text t = {.ptr = NULL};
    top_put_all(&a, &b, &t);
    CHECK(str_search(text_str(&t), STR("\nsites ")) != STR_NPOS);
    CHECK(str_search(text_str(&t), STR("\nservers ")) != STR_NPOS);
    CHECK(str_search(text_str(&t), STR("app http://10.0.0.1")) != STR_NPOS);
    json_t *j = top_json(&a, &b);
    double rate;
    const char *state;
    CHECK_INT(json_unpack(j, "{s:[{s:F}],s:[{s:s}]}", "services", "requests_per_s", &rate,
                          "servers", "state", &state),
              0);
    CHECK(rate > 9.99 && rate < 10.01);
    CHECK_STR(str_of(state), STR("up"));
    json_decref(j);
    text_fini(&t);
    top_sample_fini(&a);
    top_sample_fini(&b);
}

TEST_MAIN(TEST(a_screen_is_never_larger_than_its_terminal), TEST(rows_show_rates_and_durations),
          TEST(all_lists_are_printed_and_told_as_json))
