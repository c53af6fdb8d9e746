// SPDX-License-Identifier: Apache-2.0
#include "upstream/window.h"

#include <pthread.h>
#include <stdbool.h>

#include "unit/test.h"

#define LONG_MS 1000

static void the_window_before_counts_and_older_ones_do_not(void)
{
    struct window w = {.number = 0};
    for (int i = 0; i < 10; i++)
        (void)window_add(&w, i < 4, LONG_MS, 5000);
    struct window_sum s = window_add(&w, true, LONG_MS, 5999);
    CHECK_INT(s.n, 11);
    CHECK_INT(s.n_bad, 5);
    s = window_add(&w, false, LONG_MS, 6000);
    CHECK_INT(s.n, 12);
    CHECK_INT(s.n_bad, 5);
    s = window_add(&w, false, LONG_MS, 7500);
    CHECK_INT(s.n, 2);
    CHECK_INT(s.n_bad, 0);
    s = window_add(&w, true, LONG_MS, 9500); // a window without any lies between
    CHECK_INT(s.n, 1);
    CHECK_INT(s.n_bad, 1);
    s = window_add(&w, true, LONG_MS, 9400); // a clock behind changes nothing
    CHECK_INT(s.n, 2);
    window_reset(&w);
    s = window_add(&w, false, LONG_MS, 9500);
    CHECK_INT(s.n, 1);
}

static void a_window_of_another_length_begins_anew(void)
{
    struct window w = {.number = 0};
    for (int i = 0; i < 10; i++)
        (void)window_add(&w, true, LONG_MS / 10, 5000);
    (void)window_add(&w, true, LONG_MS, 5000);
    struct window_sum s = window_add(&w, false, LONG_MS, 6000);
    CHECK_INT(s.n, 2);
    s = window_add(&w, false, LONG_MS, 8000);
    CHECK_INT(s.n, 1);
    CHECK_INT(s.n_bad, 0);
}

static void a_share_needs_enough_requests(void)
{
    static const struct {
        uint64_t n, n_bad;
        uint32_t n_min, percent;
        bool is_bad;
    } cases[] = {
        {10, 5, 10, 50, true}, {10, 4, 10, 50, false}, {9, 9, 10, 50, false},  {10, 0, 1, 1, false},
        {100, 1, 1, 1, true},  {10, 10, 1, 100, true}, {10, 9, 1, 100, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(window_sum_is_bad((struct window_sum){cases[i].n, cases[i].n_bad}, cases[i].n_min,
                                    cases[i].percent),
                  cases[i].is_bad);
}

static void *add_many(void *arg)
{
    for (int i = 0; i < 50000; i++)
        (void)window_add(arg, i % 2 == 0, LONG_MS, 5000);
    return NULL;
}

static void two_threads_lose_nothing_inside_a_window(void)
{
    struct window w = {.number = 5};
    pthread_t a, b;
    CHECK_INT(pthread_create(&a, NULL, add_many, &w), 0);
    CHECK_INT(pthread_create(&b, NULL, add_many, &w), 0);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    struct window_sum s = window_add(&w, false, LONG_MS, 5000);
    CHECK_INT(s.n, 100001);
    CHECK_INT(s.n_bad, 50000);
}

TEST_MAIN(TEST(the_window_before_counts_and_older_ones_do_not), TEST(a_share_needs_enough_requests),
          TEST(a_window_of_another_length_begins_anew),
          TEST(two_threads_lose_nothing_inside_a_window))
