// SPDX-License-Identifier: Apache-2.0
#include "rt/timer.h"

#include "rt_test.h"

static struct rt_loop *loop;
static char trace[8];

static void note(char c)
{
    size_t n = strlen(trace);
    if (n + 1 < sizeof trace)
        trace[n] = c, trace[n + 1] = '\0';
}

static void set_up(void)
{
    loop = test_loop(0);
    trace[0] = '\0';
}

static struct rt_timer timer, other_timer;

static void on_timer(struct rt_timer *t)
{
    note(t == &timer ? 'a' : 'b');
}

static void timer_wakes_the_sleeping_loop_in_time(void)
{
    set_up();
    int64_t begin_ms = clock_now_ms();
    timer_start(&timer, begin_ms + 15, on_timer);
    while (trace[0] == '\0')
        loop_turn(loop, -1);
    CHECK(clock_now_ms() >= begin_ms + 15);
    CHECK(!timer_is_running(&timer));
    loop_free(loop);
}

static void stopped_timer_is_silent_and_restarted_one_fires_once(void)
{
    set_up();
    timer_start(&timer, clock_now_ms() + 1, on_timer);
    timer_start(&timer, clock_now_ms() + 5, on_timer);
    timer_start(&other_timer, clock_now_ms() + 2, on_timer);
    timer_stop(&other_timer);
    timer_stop(&other_timer);
    int64_t end_ms = clock_now_ms() + 20;
    while (clock_now_ms() < end_ms)
        loop_turn(loop, 5);
    CHECK_STR(str_of(trace), STR("a"));
    loop_free(loop);
}

static void passed_time_expires_in_the_next_turn(void)
{
    set_up();
    timer_start(&timer, clock_now_ms() - 5, on_timer);
    CHECK_STR(str_of(trace), STR(""));
    loop_turn(loop, -1);
    CHECK_STR(str_of(trace), STR("a"));
    loop_free(loop);
}

TEST_MAIN(TEST(timer_wakes_the_sleeping_loop_in_time),
          TEST(stopped_timer_is_silent_and_restarted_one_fires_once),
          TEST(passed_time_expires_in_the_next_turn))
