// SPDX-License-Identifier: Apache-2.0
#include "filter/tally.h"

#include <pthread.h>

#include "base/attr.h"
#include "unit/test.h"

static void each_key_has_a_limit_of_its_own(void)
{
    struct tally *t = tally_new(1000);
    uint32_t n = 0;
    CHECK_INT(tally_enter(t, 1, 2, &n), TALLY_ENTERED);
    CHECK_INT(n, 1);
    CHECK_INT(tally_enter(t, 1, 2, &n), TALLY_ENTERED);
    CHECK_INT(n, 2);
    CHECK_INT(tally_enter(t, 1, 2, &n), TALLY_FULL);
    CHECK_INT(n, 2);
    CHECK_INT(tally_enter(t, 2, 2, &n), TALLY_ENTERED);
    CHECK_INT(tally_enter(t, 3, 0, &n), TALLY_FULL);
    tally_leave(t, 1);
    CHECK_INT(tally_enter(t, 1, 2, &n), TALLY_ENTERED);
    tally_leave(t, 1);
    tally_leave(t, 1);
    tally_leave(t, 2);
    CHECK_INT(tally_keys(t), 0);
    tally_free(t);
}

// Keys that share a bucket: all their low bits are equal.
static void keys_that_meet_are_told_apart(void)
{
    struct tally *t = tally_new(100);
    uint32_t n;
    for (uint64_t i = 0; i < 50; i++)
        CHECK_INT(tally_enter(t, i << 32, 1, &n), TALLY_ENTERED);
    for (uint64_t i = 0; i < 50; i += 2)
        tally_leave(t, i << 32);
    for (uint64_t i = 0; i < 50; i++)
        CHECK_INT(tally_enter(t, i << 32, 1, &n), i % 2 == 0 ? TALLY_ENTERED : TALLY_FULL);
    for (uint64_t i = 0; i < 50; i++)
        tally_leave(t, i << 32);
    tally_free(t);
}

static void there_are_no_more_keys_than_were_allowed(void)
{
    struct tally *t = tally_new(100);
    uint32_t n;
    for (uint64_t i = 0; i < 100; i++)
        CHECK_INT(tally_enter(t, i, 9, &n), TALLY_ENTERED);
    CHECK_INT(tally_enter(t, 100, 9, &n), TALLY_NO_ROOM);
    CHECK_INT(tally_enter(t, 5, 9, &n), TALLY_ENTERED); // one that is there
    tally_leave(t, 5);
    tally_leave(t, 7);
    CHECK_INT(tally_enter(t, 100, 9, &n), TALLY_ENTERED);
    CHECK_INT(tally_keys(t), 100);
    for (uint64_t i = 0; i <= 100; i++)
        if (i != 7)
            tally_leave(t, i);
    tally_free(t);
}

#define THREADS 4
#define ROUNDS 20000
#define MAX_INSIDE 2

struct shared {
    struct tally *tally;
    unsigned n_inside, n_worst; // atomic
    unsigned n_entered;
};

static void *come_and_go(void *arg)
{
    struct shared *s = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint32_t n;
        if (tally_enter(s->tally, 42, MAX_INSIDE, &n) != TALLY_ENTERED)
            continue;
        unsigned inside = __atomic_add_fetch(&s->n_inside, 1, __ATOMIC_SEQ_CST);
        if (inside > MAX_INSIDE)
            __atomic_store_n(&s->n_worst, inside, __ATOMIC_SEQ_CST);
        __atomic_add_fetch(&s->n_entered, 1, __ATOMIC_RELAXED);
        __atomic_sub_fetch(&s->n_inside, 1, __ATOMIC_SEQ_CST);
        tally_leave(s->tally, 42);
    }
    return NULL;
}

static void threads_never_exceed_the_limit_together(void)
{
    struct shared s = {.tally = tally_new(100)};
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        CHECK_INT(pthread_create(&threads[i], NULL, come_and_go, &s), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(s.n_worst, 0);
    CHECK(s.n_entered >= ROUNDS);
    CHECK_INT(tally_keys(s.tally), 0);
    tally_free(s.tally);
}

TEST_MAIN(TEST(each_key_has_a_limit_of_its_own), TEST(keys_that_meet_are_told_apart),
          TEST(there_are_no_more_keys_than_were_allowed),
          TEST(threads_never_exceed_the_limit_together))
