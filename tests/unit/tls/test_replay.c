// SPDX-License-Identifier: Apache-2.0
#include "tls/replay.h"

#include <pthread.h>
#include <stdatomic.h>

#include "unit/test.h"

#define BEGAN_MS 1000000
#define OPEN_MS (BEGAN_MS + TLS_REPLAY_WINDOW_MS)

static void fill(uint8_t random[32], uint64_t seed)
{
    for (unsigned i = 0; i < 32; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        random[i] = (uint8_t)(seed >> 56);
    }
}

static bool is_new(struct tls_replay *r, uint64_t seed, int64_t now_ms)
{
    uint8_t random[32];
    fill(random, seed);
    return tls_replay_is_new(r, random, now_ms);
}

static void a_message_counts_once_for_a_window_at_least(void)
{
    for (int64_t at_ms = OPEN_MS; at_ms < OPEN_MS + 3 * TLS_REPLAY_WINDOW_MS; at_ms += 999) {
        struct tls_replay *r = tls_replay_new(BEGAN_MS);
        CHECK(is_new(r, 1, at_ms));
        CHECK(is_new(r, 2, at_ms));
        for (int64_t later_ms = 0; later_ms <= TLS_REPLAY_WINDOW_MS; later_ms += 500)
            CHECK(!is_new(r, 1, at_ms + later_ms));
        tls_replay_unref(r);
    }
}

static void nothing_counts_in_the_first_window(void)
{
    struct tls_replay *r = tls_replay_new(BEGAN_MS);
    CHECK(!is_new(r, 1, BEGAN_MS));
    CHECK(!is_new(r, 2, OPEN_MS - 1));
    CHECK(is_new(r, 1, OPEN_MS));
    tls_replay_unref(r);
}

static void nothing_counts_after_the_end(void)
{
    struct tls_replay *r = tls_replay_new(BEGAN_MS);
    CHECK(is_new(r, 1, OPEN_MS));
    tls_replay_end(r);
    CHECK(!is_new(r, 2, OPEN_MS));
    tls_replay_unref(r);
}

// A bucket has room for eight: a ninth of its own is refused, and others aren't.
static void a_full_bucket_refuses_until_it_is_forgotten(void)
{
    struct tls_replay *r = tls_replay_new(BEGAN_MS);
    uint8_t random[32];
    for (unsigned i = 0; i < 9; i++) {
        fill(random, i);
        memset(random + 8, 7, 4);
        CHECK(tls_replay_is_new(r, random, OPEN_MS) == (i < 8));
    }
    CHECK(is_new(r, 99, OPEN_MS));
    CHECK(tls_replay_is_new(r, random, OPEN_MS + 2 * TLS_REPLAY_WINDOW_MS));
    tls_replay_unref(r);
}

// Each worker's clock stands still during a turn of its loop.
static void a_clock_that_is_behind_changes_nothing(void)
{
    struct tls_replay *r = tls_replay_new(BEGAN_MS);
    CHECK(is_new(r, 1, OPEN_MS + TLS_REPLAY_WINDOW_MS));
    CHECK(!is_new(r, 1, OPEN_MS + TLS_REPLAY_WINDOW_MS - 1));
    tls_replay_unref(r);
}

static void windows_come_round(void)
{
    struct tls_replay *r = tls_replay_new(BEGAN_MS);
    const int64_t round_ms = INT64_C(65536) * TLS_REPLAY_WINDOW_MS;
    for (int64_t at_ms = OPEN_MS; at_ms < OPEN_MS + 3 * round_ms; at_ms += round_ms / 3) {
        CHECK(is_new(r, 1, at_ms));
        CHECK(!is_new(r, 1, at_ms));
    }
    tls_replay_unref(r);
}

#define THREADS 4
#define MESSAGES 20000

static struct tls_replay *shared;
static _Atomic unsigned n_new[MESSAGES];

static void *take_all(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < MESSAGES; i++) {
        if (is_new(shared, i, OPEN_MS + i / 100))
            atomic_fetch_add(&n_new[i], 1);
    }
    return NULL;
}

static void no_message_counts_for_two_threads(void)
{
    pthread_t threads[THREADS];
    unsigned n_most = 0, n_taken = 0;
    shared = tls_replay_new(BEGAN_MS);
    for (unsigned i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, take_all, NULL) == 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < MESSAGES; i++) {
        n_most = n_new[i] > n_most ? n_new[i] : n_most;
        n_taken += n_new[i];
    }
    CHECK_INT(n_most, 1);
    CHECK(n_taken > MESSAGES * 9 / 10);
    tls_replay_unref(shared);
}

TEST_MAIN(TEST(a_message_counts_once_for_a_window_at_least),
          TEST(nothing_counts_in_the_first_window), TEST(nothing_counts_after_the_end),
          TEST(a_full_bucket_refuses_until_it_is_forgotten),
          TEST(a_clock_that_is_behind_changes_nothing), TEST(windows_come_round),
          TEST(no_message_counts_for_two_threads))
