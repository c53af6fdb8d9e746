// SPDX-License-Identifier: Apache-2.0
#include "rt/log_repeat.h"

#include <pthread.h>

#include "rt/log.h"
#include "unit/test.h"

static const char kind_a[] = "server %s is gone", kind_b[] = "disk is full";

struct told {
    unsigned n_calls, level;
    uint64_t n_left_out;
    const char *kind;
};

static void on_told(void *arg, const char *kind, unsigned level, uint64_t n_left_out)
{
    struct told *t = arg;
    t->n_calls++;
    t->kind = kind;
    t->level = level;
    t->n_left_out += n_left_out;
}

// Of n lines at one time.
static unsigned count_allowed(const char *kind, unsigned n, unsigned max, int64_t now_ms)
{
    unsigned n_allowed = 0;
    for (unsigned i = 0; i < n; i++)
        n_allowed += log_repeats_allow(kind, LOG_WARN, max, now_ms);
    return n_allowed;
}

static void more_than_the_limit_is_left_out_and_told_once(void)
{
    struct told told = {0};
    CHECK_INT(count_allowed(kind_a, 100, 30, 1000), 30);
    CHECK(log_repeats_sweep(1000 + LOG_REPEATS_MS - 1, false, on_told, &told));
    CHECK_INT(told.n_calls, 0); // more may come
    CHECK(!log_repeats_sweep(1000 + LOG_REPEATS_MS, false, on_told, &told));
    CHECK(told.n_calls == 1 && told.n_left_out == 70);
    CHECK(told.kind == kind_a && told.level == LOG_WARN);
    CHECK(!log_repeats_sweep(1000000, false, on_told, &told));
    CHECK_INT(told.n_calls, 1);
}

static void each_kind_has_a_limit_of_its_own(void)
{
    struct told told = {0};
    CHECK_INT(count_allowed(kind_a, 40, 30, 2000000), 30);
    CHECK_INT(count_allowed(kind_b, 40, 30, 2000000), 30);
    CHECK_INT(count_allowed(kind_b, 10, 30, 2000000), 0);
    CHECK(!log_repeats_sweep(2000001, true, on_told, &told)); // the end: all is told at once
    CHECK(told.n_calls == 2 && told.n_left_out == 30);
}

static void after_the_time_lines_are_written_again(void)
{
    struct told told = {0};
    CHECK_INT(count_allowed(kind_a, 9, 5, 3000000), 5);
    CHECK_INT(count_allowed(kind_a, 9, 5, 3000000 + LOG_REPEATS_MS - 1), 0);
    CHECK_INT(count_allowed(kind_a, 9, 5, 3000000 + LOG_REPEATS_MS), 5);
    // A storm that never ends is told of all the same.
    log_repeats_sweep(3000000 + LOG_REPEATS_MS, false, on_told, &told);
    CHECK(told.n_calls == 1 && told.n_left_out == 4 + 9 + 4);
}

static void *storm_of_thread(void *arg)
{
    *(unsigned *)arg = count_allowed(kind_a, 10, 5, 4000000);
    return NULL;
}

static void threads_count_for_themselves(void)
{
    struct told told = {0};
    pthread_t thread;
    unsigned n_allowed = 0;
    CHECK_INT(pthread_create(&thread, NULL, storm_of_thread, &n_allowed), 0);
    CHECK_INT(count_allowed(kind_a, 10, 5, 4000000), 5);
    pthread_join(thread, NULL);
    CHECK_INT(n_allowed, 5);
    log_repeats_sweep(4000000, true, on_told, &told);
    CHECK(told.n_calls == 2 && told.n_left_out == 10);
}

static void kinds_beyond_the_table_have_no_limit(void)
{
    static char kinds[1000];
    struct told told = {0};
    unsigned n_limited = 0;
    for (size_t i = 0; i < sizeof kinds; i++)
        n_limited += count_allowed(&kinds[i], 3, 1, 5000000) == 1;
    CHECK(n_limited > 100 && n_limited < 200);
    log_repeats_sweep(5000000, true, on_told, &told);
    CHECK_INT(told.n_left_out, 2 * n_limited);
}

static void a_kind_is_named_by_its_text(void)
{
    static const struct {
        const char *format;
        struct str expected;
    } cases[] = {
        {"plain", STR_INIT("plain")},
        {"exchange %.*s: %s%s: %u, %-5lld|", STR_INIT("exchange *: *: *, *|")},
        {"100%% of %zu", STR_INIT("100% of *")},
        {"%s", STR_INIT("*")},
        {"broken %", STR_INIT("broken *")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[64];
        CHECK_STR(log_repeats_name(cases[i].format, buf, sizeof buf), cases[i].expected);
    }
    char small[5];
    CHECK_STR(log_repeats_name("long text", small, sizeof small), STR("long "));
}

TEST_MAIN(TEST(more_than_the_limit_is_left_out_and_told_once),
          TEST(each_kind_has_a_limit_of_its_own), TEST(after_the_time_lines_are_written_again),
          TEST(threads_count_for_themselves), TEST(a_kind_is_named_by_its_text),
          TEST(kinds_beyond_the_table_have_no_limit)) // fills this thread's table for good
