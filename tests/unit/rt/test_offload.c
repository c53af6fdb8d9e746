// SPDX-License-Identifier: Apache-2.0
#include "rt/offload.h"

#include <pthread.h>
#include <stdatomic.h>

#include "rt_test.h"

static struct rt_loop *loop;
static atomic_int n_run, n_freed;
static atomic_bool is_gate_open; // jobs of run_at_gate wait for it

struct sum_job {
    struct offload_job job;
    int a, b, sum;
};

static void run_sum(struct offload_job *j)
{
    struct sum_job *s = (struct sum_job *)j;
    s->sum = s->a + s->b;
    n_run++;
}

static void run_at_gate(struct offload_job *j)
{
    while (!atomic_load(&is_gate_open))
        sched_yield();
    run_sum(j);
}

static void free_sum(struct offload_job *j)
{
    n_freed++;
    free(j);
}

static struct sum_job *new_job(void (*run)(struct offload_job *j), int a, int b)
{
    struct sum_job *s = calloc(1, sizeof *s);
    *s = (struct sum_job){.job = {.run = run, .free = free_sum}, .a = a, .b = b};
    return s;
}

static void set_up(void)
{
    loop = test_loop(0);
    n_run = n_freed = 0;
    is_gate_open = false;
}

static struct offload *offload;

static void add_many(void *arg)
{
    for (int i = 0; i < 200; i++) {
        bool is_refused;
        struct sum_job *s = new_job(run_sum, i, (int)(intptr_t)arg);
        CHECK_INT(offload_run(offload, &s->job, deadline_in(SOON_MS), &is_refused), FIBER_READY);
        CHECK(!is_refused);
        CHECK_INT(s->sum, i + (int)(intptr_t)arg);
        offload_release(&s->job);
    }
}

static void check_results(unsigned n_threads)
{
    set_up();
    offload = offload_new(n_threads, 100);
    for (intptr_t i = 0; i < 20; i++)
        fiber_start(add_many, (void *)i);
    CHECK(test_run_all(loop));
    offload_free(offload);
    loop_free(loop);
    CHECK_INT(n_run, 4000);
    CHECK_INT(n_freed, 4000);
}

static void results_come_back_from_threads(void)
{
    check_results(3);
}

static void without_threads_jobs_run_at_once(void)
{
    check_results(0);
}

struct leaver {
    int64_t wait_ms;
    enum fiber_wake why;
    bool is_refused;
};

static void wait_at_gate(void *arg)
{
    struct leaver *v = arg;
    struct sum_job *s = new_job(run_at_gate, 1, 2);
    v->why = offload_run(offload, &s->job, deadline_in(v->wait_ms), &v->is_refused);
    if (v->why == FIBER_READY)
        offload_release(&s->job);
}

static void abandoned_jobs_are_freed_and_queued_ones_do_not_run(void)
{
    struct leaver expired = {.wait_ms = 10}, cancelled = {.wait_ms = SOON_MS};
    set_up();
    offload = offload_new(1, 10);
    fiber_run(wait_at_gate, &expired);
    struct fiber *f = fiber_run(wait_at_gate, &cancelled);
    loop_turn(loop, 0);
    fiber_cancel(f);
    CHECK(test_run_all(loop));
    CHECK_INT(expired.why, FIBER_EXPIRED);
    CHECK_INT(cancelled.why, FIBER_CANCELLED);
    is_gate_open = true;
    while (n_freed < 2)
        sched_yield();
    offload_free(offload);
    loop_free(loop);
    CHECK(n_run <= 1);
    CHECK_INT(n_freed, 2);
}

static void full_queue_refuses(void)
{
    struct leaver waiters[6] = {0};
    int n_refused = 0;
    set_up();
    offload = offload_new(1, 3);
    for (size_t i = 0; i < ARRAY_LEN(waiters); i++) {
        waiters[i].wait_ms = SOON_MS;
        fiber_run(wait_at_gate, &waiters[i]);
    }
    is_gate_open = true;
    CHECK(test_run_all(loop));
    for (size_t i = 0; i < ARRAY_LEN(waiters); i++)
        n_refused += waiters[i].is_refused;
    // One may have left the queue for its thread at any time before the others came.
    CHECK(n_refused == 2 || n_refused == 3);
    offload_free(offload);
    loop_free(loop);
    CHECK_INT(n_freed, 6);
}

static void who_leaves_keeps_no_place_in_the_queue(void)
{
    struct leaver leavers[2];
    set_up();
    offload = offload_new(1, 3);
    struct sum_job *running = new_job(run_at_gate, 1, 2);
    CHECK(offload_send(offload, &running->job));
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < 2; i++) {
            leavers[i] = (struct leaver){.wait_ms = 1};
            fiber_run(wait_at_gate, &leavers[i]);
        }
        CHECK(test_run_all(loop));
        for (size_t i = 0; i < 2; i++) {
            CHECK_INT(leavers[i].why, FIBER_EXPIRED);
            CHECK(!leavers[i].is_refused);
        }
        CHECK_INT(n_freed, 2 * (round + 1)); // although the thread is stuck
    }
    is_gate_open = true;
    offload_free(offload);
    loop_free(loop);
    CHECK(n_run <= 1);
    CHECK_INT(n_freed, 9);
}

static void queued_jobs_of_leavers_are_dropped_at_the_end(void)
{
    struct leaver leavers[5];
    set_up();
    offload = offload_new(1, 10);
    for (size_t i = 0; i < ARRAY_LEN(leavers); i++) {
        leavers[i] = (struct leaver){.wait_ms = 5};
        fiber_run(wait_at_gate, &leavers[i]);
    }
    CHECK(test_run_all(loop));
    is_gate_open = true;
    offload_free(offload);
    loop_free(loop);
    CHECK_INT(n_freed, 5);
}

static void add_in_a_hurry(void *arg)
{
    for (int i = 0; i < 300; i++) {
        bool is_refused;
        struct sum_job *s = new_job(run_sum, i, 1);
        int64_t wait_ms = (i + (int)(intptr_t)arg) % 2;
        enum fiber_wake why = offload_run(offload, &s->job, deadline_in(wait_ms), &is_refused);
        if (why == FIBER_READY)
            offload_release(&s->job);
    }
}

static void race_between_end_and_leaving_frees_each_job_once(void)
{
    set_up();
    offload = offload_new(2, 100);
    for (intptr_t i = 0; i < 10; i++)
        fiber_start(add_in_a_hurry, (void *)i);
    CHECK(test_run_all(loop));
    offload_free(offload);
    loop_free(loop);
    CHECK_INT(n_freed, 3000);
}

static void check_sent(unsigned n_threads)
{
    set_up();
    is_gate_open = true;
    offload = offload_new(n_threads, 100);
    for (int i = 0; i < 50; i++)
        CHECK(offload_send(offload, &new_job(run_at_gate, i, 1)->job));
    while (n_freed < 50)
        sched_yield();
    CHECK_INT(n_run, 50);
    offload_free(offload);
    loop_free(loop);
    CHECK_INT(n_freed, 50);
}

static void what_nobody_waits_for_is_done_and_freed(void)
{
    check_sent(0);
    check_sent(2);
}

static void what_is_sent_to_a_full_queue_stays_the_caller_s(void)
{
    unsigned n_taken = 0;
    set_up();
    offload = offload_new(1, 3);
    for (int i = 0; i < 8; i++) {
        struct sum_job *s = new_job(run_at_gate, i, 1);
        if (offload_send(offload, &s->job))
            n_taken++;
        else
            free(s);
    }
    CHECK(n_taken == 3 || n_taken == 4); // one may be with the thread
    is_gate_open = true;
    offload_free(offload);
    loop_free(loop);
    CHECK_INT(n_freed, n_taken);
}

TEST_MAIN(TEST(results_come_back_from_threads), TEST(without_threads_jobs_run_at_once),
          TEST(abandoned_jobs_are_freed_and_queued_ones_do_not_run), TEST(full_queue_refuses),
          TEST(who_leaves_keeps_no_place_in_the_queue),
          TEST(queued_jobs_of_leavers_are_dropped_at_the_end),
          TEST(race_between_end_and_leaving_frees_each_job_once),
          TEST(what_nobody_waits_for_is_done_and_freed),
          TEST(what_is_sent_to_a_full_queue_stays_the_caller_s))
