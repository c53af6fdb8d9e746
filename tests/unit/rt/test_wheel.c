// SPDX-License-Identifier: Apache-2.0
#include "rt/wheel.h"

#include "base/attr.h"
#include "unit/test.h"

static struct wheel wheel;

struct alarm {
    struct rt_timer timer;
    int64_t started_ms; // the wheel's time at the start
    int n_fired;
};

static int64_t before_ms; // the wheel's time before this step
static int64_t last_at_ms;
static size_t n_wrong;

static void on_alarm(struct rt_timer *t)
{
    struct alarm *a = CONTAINER_OF(t, struct alarm, timer);
    a->n_fired++;
    bool is_late_start = t->at_ms <= a->started_ms;
    n_wrong += t->at_ms > wheel.now_ms;                 // too early
    n_wrong += !is_late_start && t->at_ms <= before_ms; // too late
    n_wrong += !is_late_start && t->at_ms < last_at_ms; // out of order
    last_at_ms = is_late_start ? last_at_ms : t->at_ms;
}

static void start(struct alarm *a, int64_t at_ms)
{
    a->n_fired = 0;
    a->started_ms = wheel.now_ms;
    a->timer.at_ms = at_ms;
    a->timer.fn = on_alarm;
    wheel_add(&wheel, &a->timer);
}

static void advance(int64_t now_ms)
{
    before_ms = wheel.now_ms;
    last_at_ms = INT64_MIN;
    wheel_advance(&wheel, now_ms);
}

static void one_timer_fires_exactly_at_its_time(void)
{
    static const int64_t begins[] = {0, 1, 63, 64, 4095, 4096, 1000000007, (int64_t)1 << 40};
    static const int64_t waits[] = {1,          2,         62,        63,       64,    65,
                                    100,        4095,      4096,      4097,     30000, 262144,
                                    2000000000, 1LL << 36, 1LL << 50, 123456789};
    for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
        for (size_t k = 0; k < ARRAY_LEN(waits); k++) {
            struct alarm a = {0};
            wheel_init(&wheel, begins[i]);
            start(&a, begins[i] + waits[k]);
            // As a loop does: sleep until the next time, look, sleep again.
            int n_steps = 0;
            for (; a.n_fired == 0 && n_steps < 20; n_steps++) {
                int64_t next_ms = wheel_next_ms(&wheel);
                CHECK(next_ms > wheel.now_ms && next_ms <= a.timer.at_ms);
                advance(next_ms);
            }
            CHECK_INT(wheel.now_ms, a.timer.at_ms);
            CHECK_INT(wheel_next_ms(&wheel), INT64_MAX);
            CHECK_INT(wheel.n_timers, 0);
        }
    }
}

static void latest_time_of_all_never_comes(void)
{
    struct alarm a = {0};
    wheel_init(&wheel, 5);
    start(&a, INT64_MAX);
    advance(1LL << 55);
    CHECK_INT(a.n_fired, 0);
    wheel_remove(&wheel, &a.timer);
    CHECK_INT(wheel_next_ms(&wheel), INT64_MAX);
}

static void passed_times_fire_in_the_next_step(void)
{
    static const int64_t times[] = {INT64_MIN, -1, 0, 99, 100};
    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct alarm a = {0};
        wheel_init(&wheel, 100);
        start(&a, times[i]);
        CHECK_INT(a.n_fired, 0);
        CHECK_INT(wheel_next_ms(&wheel), 100);
        advance(100);
        CHECK_INT(a.n_fired, 1);
    }
}

static void restart_with_passed_time(struct rt_timer *t)
{
    struct alarm *a = CONTAINER_OF(t, struct alarm, timer);
    a->n_fired++;
    wheel_add(&wheel, t);
}

static void timer_that_restarts_itself_fires_once_per_step(void)
{
    struct alarm a = {.timer = {.at_ms = 1, .fn = restart_with_passed_time}};
    wheel_init(&wheel, 0);
    wheel_add(&wheel, &a.timer);
    advance(10);
    CHECK_INT(a.n_fired, 1);
    advance(10);
    CHECK_INT(a.n_fired, 2);
    wheel_remove(&wheel, &a.timer);
    CHECK_INT(wheel.n_timers, 0);
}

static struct alarm victim;

static void stop_victim(struct rt_timer *t)
{
    (void)t;
    wheel_remove(&wheel, &victim.timer);
}

static void timer_stopped_by_one_of_the_same_step_does_not_fire(void)
{
    struct alarm killer = {.timer = {.at_ms = 70, .fn = stop_victim}};
    victim = (struct alarm){0};
    wheel_init(&wheel, 0);
    wheel_add(&wheel, &killer.timer);
    start(&victim, 70);
    advance(100);
    CHECK_INT(victim.n_fired, 0);
    CHECK(!timer_is_running(&victim.timer));
    CHECK_INT(wheel.n_timers, 0);
}

static void stopping_the_last_of_a_slot_leaves_nothing_to_wake_for(void)
{
    struct alarm a = {0}, b = {0};
    wheel_init(&wheel, 0);
    start(&a, 5000);
    start(&b, 5000);
    wheel_remove(&wheel, &a.timer);
    CHECK(wheel_next_ms(&wheel) <= 5000);
    wheel_remove(&wheel, &b.timer);
    CHECK_INT(wheel_next_ms(&wheel), INT64_MAX);
}

static uint64_t random_state = 88172645463325252u;

static uint64_t random_below(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % n;
}

#define N_ALARMS 100000

// Each alarm checks in on_alarm that it fires in the very step that passes its time, in order.
static void hundred_thousand_random_timers_fire_in_time_and_order(void)
{
    struct alarm *alarms = calloc(N_ALARMS, sizeof *alarms);
    size_t n_fired = 0, n_started = 0, n_stopped = 0;
    n_wrong = 0;
    wheel_init(&wheel, 123456789);
    for (int step = 0; step < 3000; step++) {
        for (int i = 0; i < 200; i++) {
            struct alarm *a = &alarms[random_below(N_ALARMS)];
            n_fired += (size_t)a->n_fired;
            a->n_fired = 0;
            if (timer_is_running(&a->timer)) {
                wheel_remove(&wheel, &a->timer);
                n_stopped++;
            }
            uint64_t wait_ms = random_below((uint64_t)1 << random_below(24));
            start(a, wheel.now_ms + (int64_t)wait_ms);
            n_started++;
        }
        int64_t wait_ms = (int64_t)random_below((uint64_t)1 << random_below(12));
        CHECK(wheel_next_ms(&wheel) >= wheel.now_ms);
        advance(wheel.now_ms + wait_ms);
    }
    while (wheel.n_timers > 0)
        advance(wheel_next_ms(&wheel));
    for (size_t i = 0; i < N_ALARMS; i++)
        n_fired += (size_t)alarms[i].n_fired;
    CHECK_INT(n_wrong, 0);
    CHECK_INT(n_fired + n_stopped, n_started);
    free(alarms);
}

TEST_MAIN(TEST(one_timer_fires_exactly_at_its_time), TEST(latest_time_of_all_never_comes),
          TEST(passed_times_fire_in_the_next_step),
          TEST(timer_that_restarts_itself_fires_once_per_step),
          TEST(timer_stopped_by_one_of_the_same_step_does_not_fire),
          TEST(stopping_the_last_of_a_slot_leaves_nothing_to_wake_for),
          TEST(hundred_thousand_random_timers_fire_in_time_and_order))
