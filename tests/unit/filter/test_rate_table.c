// SPDX-License-Identifier: Apache-2.0
#include "filter/rate_table.h"

#include <pthread.h>

#include "base/attr.h"
#include "unit/test.h"

#define S 1000000000ll

// --- one key ---

static void a_burst_is_allowed_at_once_and_then_the_rate(void)
{
    static const struct {
        int64_t at_ns;
        bool is_within;
        int64_t wait_ns, left, reset_ns;
    } cases[] = {
        {100 * S, true, 0, 2, S},
        {100 * S, true, 0, 1, 2 * S},
        {100 * S, true, 0, 0, 3 * S},
        {100 * S, false, S, 0, 3 * S},
        {100 * S + S / 2, false, S / 2, 0, 5 * S / 2},
        {101 * S, true, 0, 0, 3 * S}, // a refusal costs nothing
        {101 * S, false, S, 0, 3 * S},
        {103 * S, true, 0, 1, 2 * S},
        {200 * S, true, 0, 2, S}, // a long pause gives no more than the burst
        {200 * S, true, 0, 1, 2 * S},
        {200 * S, true, 0, 0, 3 * S},
        {200 * S, false, S, 0, 3 * S},
    };
    struct rate_table *t = rate_table_new(100);
    const struct rate rate = {.interval_ns = S, .burst = 3};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rate_verdict v = rate_table_take(t, 42, &rate, 0, cases[i].at_ns);
        CHECK_INT(v.is_within, cases[i].is_within);
        CHECK_INT(v.wait_ns, cases[i].wait_ns);
        CHECK_INT(v.left, cases[i].left);
        CHECK_INT(v.reset_ns, cases[i].reset_ns);
    }
    rate_table_free(t);
}

static void what_is_given_back_did_not_count(void)
{
    struct rate_table *t = rate_table_new(100);
    const struct rate rate = {.interval_ns = S, .burst = 2};
    CHECK(rate_table_take(t, 7, &rate, 0, 100 * S).is_within);
    CHECK(rate_table_take(t, 7, &rate, 0, 100 * S).is_within);
    CHECK(!rate_table_take(t, 7, &rate, 0, 100 * S).is_within);
    rate_table_give(t, 7, &rate);
    CHECK(rate_table_take(t, 7, &rate, 0, 100 * S).is_within);
    CHECK(!rate_table_take(t, 7, &rate, 0, 100 * S).is_within);
    rate_table_give(t, 8, &rate); // nobody knows it
    rate_table_give(t, 0, &rate);
    CHECK_INT(rate_table_take(t, 8, &rate, 0, 100 * S).left, 1);
    rate_table_free(t);
}

static void those_who_may_wait_get_turns_one_after_the_other(void)
{
    struct rate_table *t = rate_table_new(100);
    const struct rate rate = {.interval_ns = S, .burst = 1};
    for (int64_t i = 0; i <= 3; i++) {
        struct rate_verdict v = rate_table_take(t, 42, &rate, 3 * S, 100 * S);
        CHECK(v.is_within);
        CHECK_INT(v.wait_ns, i * S);
    }
    struct rate_verdict v = rate_table_take(t, 42, &rate, 3 * S, 100 * S);
    CHECK(!v.is_within);
    CHECK_INT(v.wait_ns, 4 * S);
    rate_table_free(t);
}

static void another_rate_goes_on_with_what_was(void)
{
    struct rate_table *t = rate_table_new(100);
    const struct rate slow = {.interval_ns = 10 * S, .burst = 1}, fast = {S, 20};
    CHECK(rate_table_take(t, 42, &slow, 0, 100 * S).is_within);
    CHECK(!rate_table_take(t, 42, &slow, 0, 100 * S).is_within);
    CHECK_INT(rate_table_take(t, 42, &fast, 0, 100 * S).left, 9); // ten of twenty are used up
    rate_table_free(t);
}

// --- many ---

static uint64_t spread(uint64_t i)
{
    uint64_t z = (i + 1) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    return z ^ (z >> 27);
}

static void keys_up_to_the_limit_are_all_remembered(void)
{
    const size_t n = 20000;
    struct rate_table *t = rate_table_new(n);
    const struct rate rate = {.interval_ns = S, .burst = 1};
    unsigned n_forgotten = 0;
    for (size_t i = 0; i < n; i++)
        CHECK(rate_table_take(t, spread(i), &rate, 0, 100 * S).is_within);
    for (size_t i = 0; i < n; i++)
        n_forgotten += rate_table_take(t, spread(i), &rate, 0, 100 * S).is_within;
    CHECK(n_forgotten < n / 500);
    rate_table_free(t);
}

static void who_was_idle_for_longest_is_forgotten(void)
{
    struct rate_table *t = rate_table_new(1); // one set of eight
    const struct rate rate = {.interval_ns = 1000 * S, .burst = 1};
    for (uint64_t i = 1; i <= 8; i++)
        CHECK(rate_table_take(t, i, &rate, 0, (int64_t)i * S).is_within);
    CHECK(rate_table_take(t, 9, &rate, 0, 10 * S).is_within);
    for (uint64_t i = 2; i <= 9; i++)
        CHECK(!rate_table_take(t, i, &rate, 0, 10 * S).is_within);
    CHECK(rate_table_take(t, 1, &rate, 0, 10 * S).is_within);
    rate_table_free(t);
}

static void a_hash_of_zero_is_a_key_like_others(void)
{
    struct rate_table *t = rate_table_new(100);
    const struct rate rate = {.interval_ns = S, .burst = 1};
    CHECK(rate_table_take(t, 0, &rate, 0, 100 * S).is_within);
    CHECK(!rate_table_take(t, 0, &rate, 0, 100 * S).is_within);
    rate_table_free(t);
}

// --- threads ---

#define TURNS 20000
#define THREADS 4

struct taker {
    struct rate_table *table;
    unsigned n_within;
};

static void *take_many(void *arg)
{
    struct taker *taker = arg;
    const struct rate rate = {.interval_ns = S, .burst = 1000};
    for (uint64_t i = 0; i < TURNS; i++)
        taker->n_within +=
            rate_table_take(taker->table, spread(i % 10), &rate, 0, 100 * S).is_within;
    return NULL;
}

static void threads_count_together_exactly(void)
{
    struct rate_table *t = rate_table_new(100);
    struct taker takers[THREADS];
    pthread_t threads[THREADS];
    unsigned n_within = 0;
    for (size_t i = 0; i < THREADS; i++) {
        takers[i] = (struct taker){.table = t};
        CHECK_INT(pthread_create(&threads[i], NULL, take_many, &takers[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        n_within += takers[i].n_within;
    }
    CHECK_INT(n_within, 10 * 1000);
    rate_table_free(t);
}

TEST_MAIN(TEST(a_burst_is_allowed_at_once_and_then_the_rate),
          TEST(what_is_given_back_did_not_count),
          TEST(those_who_may_wait_get_turns_one_after_the_other),
          TEST(another_rate_goes_on_with_what_was), TEST(keys_up_to_the_limit_are_all_remembered),
          TEST(who_was_idle_for_longest_is_forgotten), TEST(a_hash_of_zero_is_a_key_like_others),
          TEST(threads_count_together_exactly))
