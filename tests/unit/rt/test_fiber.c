// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/wait.h>

#include "rt_test.h"

static struct rt_loop *loop;
static char trace[64];

static void note(char c)
{
    size_t n = strlen(trace);
    if (n + 1 < sizeof trace)
        trace[n] = c, trace[n + 1] = '\0';
}

static void set_up(uint32_t fibers_max)
{
    loop = test_loop(fibers_max);
    trace[0] = '\0';
}

static void tear_down(const char *wanted_trace)
{
    CHECK(test_run_all(loop));
    CHECK_STR(str_of(trace), str_of(wanted_trace));
    loop_free(loop);
}

static void *letter(char c)
{
    return (void *)(intptr_t)c;
}

static void note_arg(void *arg)
{
    note((char)(intptr_t)arg);
}

static void note_around_yield(void *arg)
{
    note((char)(intptr_t)arg);
    fiber_yield();
    note((char)((intptr_t)arg - 'a' + 'A'));
}

static void start_runs_later_in_order(void)
{
    set_up(0);
    fiber_start(note_arg, letter('b'));
    fiber_start(note_arg, letter('c'));
    note('a');
    tear_down("abc");
}

static void run_runs_at_once_from_the_loop(void)
{
    set_up(0);
    fiber_run(note_around_yield, letter('a'));
    note('b');
    tear_down("abA");
}

static void run_another(void *arg)
{
    (void)arg;
    note('a');
    fiber_run(note_arg, letter('c'));
    note('b');
}

static void run_on_a_fiber_runs_later(void)
{
    set_up(0);
    fiber_run(run_another, NULL);
    tear_down("abc");
}

static void yields_alternate(void)
{
    set_up(0);
    fiber_start(note_around_yield, letter('a'));
    fiber_start(note_around_yield, letter('b'));
    tear_down("abAB");
}

static void yield_returns_in_the_next_turn(void)
{
    set_up(0);
    fiber_start(note_around_yield, letter('a'));
    loop_turn(loop, 0);
    CHECK_STR(str_of(trace), STR("a"));
    loop_turn(loop, -1); // doesn't sleep
    tear_down("aA");
}

struct waiter {
    struct fiber *fiber;
    int64_t wait_ms;
    enum fiber_wake why[2];
};

static void wait_twice(void *arg)
{
    struct waiter *w = arg;
    w->fiber = fiber_self();
    w->why[0] = fiber_wait(deadline_in(w->wait_ms));
    w->why[1] = fiber_sleep(5);
    note('e');
}

static void wake_ends_one_wait_and_runs_later(void)
{
    struct waiter w = {.wait_ms = SOON_MS};
    set_up(0);
    fiber_run(wait_twice, &w);
    fiber_wake(w.fiber);
    fiber_wake(w.fiber);
    CHECK_STR(str_of(trace), STR(""));
    tear_down("e");
    CHECK_INT(w.why[0], FIBER_READY);
    CHECK_INT(w.why[1], FIBER_EXPIRED);
}

static void wait_ends_at_its_deadline(void)
{
    struct waiter w = {.wait_ms = 20};
    set_up(0);
    int64_t begin_ms = clock_now_ms();
    fiber_run(wait_twice, &w);
    tear_down("e");
    CHECK(clock_exact_ns() / 1000000 - begin_ms >= 25);
    CHECK_INT(w.why[0], FIBER_EXPIRED);
    CHECK_INT(w.why[1], FIBER_EXPIRED);
}

static void passed_deadline_expires_at_once(void)
{
    struct waiter w = {.wait_ms = 0};
    set_up(0);
    fiber_run(wait_twice, &w);
    tear_down("e");
    CHECK_INT(w.why[0], FIBER_EXPIRED);
}

static void cancel_ends_this_wait_and_all_later(void)
{
    struct waiter w = {.wait_ms = SOON_MS};
    set_up(0);
    fiber_run(wait_twice, &w);
    fiber_cancel(w.fiber);
    fiber_cancel(w.fiber);
    CHECK(fiber_is_cancelled(w.fiber));
    loop_turn(loop, 0);
    CHECK_STR(str_of(trace), STR("e"));
    tear_down("e");
    CHECK_INT(w.why[0], FIBER_CANCELLED);
    CHECK_INT(w.why[1], FIBER_CANCELLED);
}

static void wait_and_go_on(void *arg)
{
    (void)arg;
    struct fiber *self = fiber_self();
    note(fiber_wait(deadline_at(INT64_MAX)) == FIBER_CANCELLED ? 'i' : '?');
    note(fiber_is_cancelled(self) ? 'c' : '?');
    note(fiber_sleep(60000) == FIBER_CANCELLED ? 'i' : '?');
    fiber_resume(self); // the other one still has it interrupted
    note(fiber_sleep(60000) == FIBER_CANCELLED ? 'i' : '?');
    fiber_resume(self);
    note(fiber_is_cancelled(self) ? '?' : 'g');
    note(fiber_wait(deadline_at(INT64_MAX)) == FIBER_CANCELLED ? 'x' : '?');
    fiber_interrupt(self);
    fiber_resume(self); // takes back no cancellation
    note(fiber_sleep(60000) == FIBER_CANCELLED ? 'x' : '?');
}

static void an_interruption_ends_waits_until_it_is_taken_back(void)
{
    set_up(0);
    struct fiber *f = fiber_start(wait_and_go_on, NULL);
    loop_turn(loop, 0);
    fiber_interrupt(f);
    fiber_interrupt(f);
    loop_turn(loop, 0);
    CHECK_STR(str_of(trace), STR("iciig"));
    fiber_cancel(f);
    tear_down("iciigxx");
}

static void cancel_before_the_first_run_is_seen_by_the_first_wait(void)
{
    struct waiter w = {.wait_ms = SOON_MS};
    set_up(0);
    fiber_cancel(fiber_start(wait_twice, &w));
    tear_down("e");
    CHECK_INT(w.why[0], FIBER_CANCELLED);
}

static void wait_long_after_short(void *arg)
{
    struct waiter *w = arg;
    w->fiber = fiber_self();
    w->why[0] = fiber_wait(deadline_in(10));
    w->why[1] = fiber_wait(deadline_in(40));
    note('e');
}

// The timer of the first wait is left running and must not end the second one.
static void woken_wait_leaves_no_early_expiry_behind(void)
{
    struct waiter w = {0};
    set_up(0);
    fiber_run(wait_long_after_short, &w);
    fiber_wake(w.fiber);
    loop_turn(loop, 0);
    int64_t begin_ms = clock_now_ms();
    tear_down("e");
    CHECK(clock_exact_ns() / 1000000 - begin_ms >= 40);
    CHECK_INT(w.why[0], FIBER_READY);
    CHECK_INT(w.why[1], FIBER_EXPIRED);
}

static void wait_short_after_long(void *arg)
{
    struct waiter *w = arg;
    w->fiber = fiber_self();
    w->why[0] = fiber_wait(deadline_in(SOON_MS));
    w->why[1] = fiber_wait(deadline_in(5));
    note('e');
}

static void shorter_wait_after_a_longer_one_ends_in_time(void)
{
    struct waiter w = {0};
    set_up(0);
    fiber_run(wait_short_after_long, &w);
    fiber_wake(w.fiber);
    tear_down("e");
    CHECK_INT(w.why[1], FIBER_EXPIRED);
    CHECK(clock_exact_ns() / 1000000 - clock_now_ms() < SOON_MS);
}

static void limit_of_fibers_refuses(void)
{
    set_up(2);
    CHECK(fiber_start(note_arg, letter('a')) != NULL);
    CHECK(fiber_start(note_arg, letter('b')) != NULL);
    CHECK(fiber_start(note_arg, letter('c')) == NULL);
    CHECK(fiber_run(note_arg, letter('c')) == NULL);
    loop_turn(loop, 0);
    CHECK(fiber_start(note_arg, letter('d')) != NULL);
    tear_down("abd");
}

static int n_done;

static void work_much(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++)
        fiber_give_way(64 * 1024);
    n_done++;
}

static void much_work_is_spread_over_turns(void)
{
    struct loop_stats stats;
    set_up(0);
    n_done = 0;
    fiber_start(work_much, NULL);
    fiber_start(work_much, NULL);
    tear_down("");
    CHECK_INT(n_done, 2);
    loop = test_loop(0);
    fiber_start(work_much, NULL);
    test_run_all(loop);
    loop_stats(loop, &stats);
    CHECK(stats.n_turns >= 25);
    loop_free(loop);
}

static void sleep_briefly(void *arg)
{
    fiber_sleep((intptr_t)arg % 7);
    n_done++;
}

static void thousands_wait_at_once(void)
{
    struct loop_stats stats;
    set_up(0);
    n_done = 0;
    for (int round = 0; round < 2; round++) {
        for (intptr_t i = 0; i < 2000; i++)
            CHECK(fiber_run(sleep_briefly, (void *)(i + 1)) != NULL);
        CHECK(test_run_all(loop));
    }
    loop_stats(loop, &stats);
    CHECK_INT(n_done, 4000);
    CHECK(stats.n_fibers_peak <= 2000);
    tear_down("");
}

static double sum_of_all;

static void compute(void *arg)
{
    double x = *(const double *)arg;
    for (int i = 0; i < 10; i++) {
        x = x * 1.5 + 1;
        fiber_yield();
    }
    sum_of_all += x;
}

static void floating_point_survives_switches(void)
{
    static const double starts[] = {1, 2, 3};
    set_up(0);
    sum_of_all = 0;
    for (size_t i = 0; i < ARRAY_LEN(starts); i++)
        fiber_start(compute, (void *)(uintptr_t)&starts[i]);
    tear_down("");
    CHECK(sum_of_all > 685.98046 && sum_of_all < 685.98047);
}

// Each frame holds 1 KiB that is really used.
static int dig(int depth)
{
    volatile char room[1024];
    room[0] = (char)depth;
    room[sizeof room - 1] = room[0];
    return depth == 0 ? 0 : dig(depth - 1) + room[sizeof room - 1] - room[0] + 1;
}

static void dig_deep(void *arg)
{
    note(dig(*(const int *)arg) > 0 ? 'd' : 'x');
}

static void stack_holds_48_kib(void)
{
    static const int depth = 44;
    set_up(0);
    fiber_run(dig_deep, (void *)(uintptr_t)&depth);
    tear_down("d");
}

static void overflow_of_a_stack_hits_the_guard_page(void)
{
    static const int depth = 1000000;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        // Sanitizers would catch the signal, and report at length.
        signal(SIGSEGV, SIG_DFL);
        signal(SIGBUS, SIG_DFL);
        set_up(0);
        fiber_run(dig_deep, (void *)(uintptr_t)&depth);
        _exit(0);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFSIGNALED(status));
    CHECK_INT(WTERMSIG(status), SIGSEGV);
}

TEST_MAIN(TEST(start_runs_later_in_order), TEST(run_runs_at_once_from_the_loop),
          TEST(run_on_a_fiber_runs_later), TEST(yields_alternate),
          TEST(yield_returns_in_the_next_turn), TEST(wake_ends_one_wait_and_runs_later),
          TEST(wait_ends_at_its_deadline), TEST(passed_deadline_expires_at_once),
          TEST(cancel_ends_this_wait_and_all_later),
          TEST(an_interruption_ends_waits_until_it_is_taken_back),
          TEST(cancel_before_the_first_run_is_seen_by_the_first_wait),
          TEST(woken_wait_leaves_no_early_expiry_behind),
          TEST(shorter_wait_after_a_longer_one_ends_in_time), TEST(limit_of_fibers_refuses),
          TEST(much_work_is_spread_over_turns), TEST(thousands_wait_at_once),
          TEST(floating_point_survives_switches), TEST(stack_holds_48_kib),
          TEST(overflow_of_a_stack_hits_the_guard_page))
