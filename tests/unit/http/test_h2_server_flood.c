// SPDX-License-Identifier: Apache-2.0
#include "http/h2_server_priv.h"
#include "rt/clock.h"
#include "rt/loop.h"
#include "unit/test.h"

// How many of a kind are taken at once, from now on.
static unsigned take(struct h2_conn *c, enum h2_flood kind)
{
    unsigned n = 0;
    while (n < 10000 && h2_flood_add(c, kind))
        n++;
    return n;
}

static void each_kind_has_a_bucket_of_its_own(void)
{
    struct rt_loop *loop = loop_new(NULL);
    loop_enter(loop);
    struct h2_conn c = {.flood_at_ms = clock_now_ms()};
    CHECK_INT(take(&c, H2_FLOOD_PING), 100);
    CHECK_INT(take(&c, H2_FLOOD_SETTINGS), 50);
    CHECK_INT(take(&c, H2_FLOOD_RESET), 200);
    CHECK(!h2_flood_add(&c, H2_FLOOD_PING));
    loop_free(loop);
}

static void buckets_leak_with_time(void)
{
    struct rt_loop *loop = loop_new(NULL);
    loop_enter(loop);
    struct h2_conn c = {.flood_at_ms = clock_now_ms()};
    CHECK_INT(take(&c, H2_FLOOD_PING), 100);
    c.flood_at_ms -= 3000; // as if three seconds had gone by
    unsigned n = take(&c, H2_FLOOD_PING);
    CHECK(n >= 29 && n <= 30); // the one too many of before is in it
    c.flood_at_ms -= 1000LL * 3600 * 24 * 365;
    CHECK_INT(take(&c, H2_FLOOD_PING), 100);
    loop_free(loop);
}

static void good_deeds_are_taken_into_account(void)
{
    struct rt_loop *loop = loop_new(NULL);
    loop_enter(loop);
    struct h2_conn c = {.flood_at_ms = clock_now_ms()};
    CHECK_INT(take(&c, H2_FLOOD_RESET), 200);
    h2_flood_allow(&c, H2_FLOOD_RESET, 6);
    CHECK_INT(take(&c, H2_FLOOD_RESET), 5);
    h2_flood_allow(&c, H2_FLOOD_RESET, UINT16_MAX);
    CHECK_INT(take(&c, H2_FLOOD_RESET), 200);
    loop_free(loop);
}

TEST_MAIN(TEST(each_kind_has_a_bucket_of_its_own), TEST(buckets_leak_with_time),
          TEST(good_deeds_are_taken_into_account))
