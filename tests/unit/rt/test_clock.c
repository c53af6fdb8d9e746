// SPDX-License-Identifier: Apache-2.0
#include "rt/clock.h"

#include "rt_test.h"

static void time_stands_still_within_a_turn(void)
{
    struct rt_loop *loop = test_loop(0);
    int64_t now_ns = clock_now_ns();
    int64_t wall_ns = clock_wall_ns();
    while (clock_exact_ns() - now_ns < 2000000)
        ;
    CHECK_INT(clock_now_ns(), now_ns);
    CHECK_INT(clock_wall_ns(), wall_ns);
    loop_turn(loop, 0);
    CHECK(clock_now_ns() > now_ns);
    CHECK(clock_wall_ns() > wall_ns);
    CHECK_INT(clock_now_ms(), clock_now_ns() / 1000000);
    CHECK_INT(clock_wall_s(), clock_wall_ns() / 1000000000);
    CHECK_INT(deadline_in(7).at_ms, clock_now_ms() + 7);
    CHECK_INT(deadline_in(INT64_MAX).at_ms, INT64_MAX);
    loop_free(loop);
    CHECK(clock_now_ns() > now_ns); // outside a loop: read anew
    CHECK(clock_wall_s() > 1700000000);
}

TEST_MAIN(TEST(time_stands_still_within_a_turn))
