// SPDX-License-Identifier: Apache-2.0
#include "rt/loop.h"

#include <pthread.h>

#include "rt_test.h"

static struct rt_loop *loop;
static char trace[64];

static void note(void *arg)
{
    size_t n = strlen(trace);
    if (n + 1 < sizeof trace)
        trace[n] = (char)(intptr_t)arg, trace[n + 1] = '\0';
}

static void *letter(char c)
{
    return (void *)(intptr_t)c;
}

static void set_up(void)
{
    loop = test_loop(0);
    trace[0] = '\0';
}

static void defer_more(void *arg)
{
    note(arg);
    loop_defer(note, letter('d'));
    fiber_start(note, letter('c')); // runs before what was deferred later
}

static void deferred_work_runs_at_the_end_of_the_turn_in_order(void)
{
    set_up();
    fiber_start(note, letter('0'));
    loop_defer(note, letter('a'));
    loop_defer(defer_more, letter('b'));
    CHECK_STR(str_of(trace), STR(""));
    loop_turn(loop, -1); // doesn't sleep
    CHECK_STR(str_of(trace), STR("0abcd"));
    loop_free(loop);
}

static void loop_free_runs_what_is_deferred(void)
{
    set_up();
    loop_defer(note, letter('a'));
    loop_free(loop);
    CHECK_STR(str_of(trace), STR("a"));
    CHECK(loop_self() == NULL);
}

static void stop_now(void *arg)
{
    (void)arg;
    loop_stop(loop);
}

static void stop_ends_run_after_the_turn(void)
{
    struct loop_stats stats;
    set_up();
    fiber_start(stop_now, NULL);
    fiber_start(note, letter('a'));
    loop_run(loop);
    loop_stats(loop, &stats);
    CHECK_INT(stats.n_turns, 1);
    CHECK_STR(str_of(trace), STR("a"));
    loop_free(loop);
}

static void stop_before_run_ends_it_in_the_first_turn(void)
{
    set_up();
    loop_stop(loop);
    loop_run(loop);
    loop_free(loop);
}

struct letter_mail {
    struct rt_mail mail;
    char letter;
};

static void on_letter(struct rt_mail *m)
{
    note(letter(((struct letter_mail *)m)->letter));
}

static void mail_arrives_in_order_in_the_next_turn(void)
{
    struct letter_mail mails[] = {
        {{.fn = on_letter}, 'a'}, {{.fn = on_letter}, 'b'}, {{.fn = on_letter}, 'c'}};
    set_up();
    for (size_t i = 0; i < ARRAY_LEN(mails); i++)
        loop_post(loop, &mails[i].mail);
    CHECK_STR(str_of(trace), STR(""));
    loop_turn(loop, -1); // doesn't sleep
    CHECK_STR(str_of(trace), STR("abc"));
    loop_free(loop);
}

static struct letter_mail second = {{.fn = on_letter}, 'b'};

static void on_first(struct rt_mail *m)
{
    on_letter(m);
    loop_post(loop, &second.mail);
}

static void mail_posted_by_mail_comes_a_turn_later(void)
{
    struct letter_mail first = {{.fn = on_first}, 'a'};
    set_up();
    loop_post(loop, &first.mail);
    loop_turn(loop, -1);
    CHECK_STR(str_of(trace), STR("a"));
    loop_turn(loop, -1);
    CHECK_STR(str_of(trace), STR("ab"));
    loop_free(loop);
}

#define N_POSTERS 4
#define MAILS_EACH 5000

struct counted_mail {
    struct rt_mail mail;
    struct poster *poster;
    int number;
};

struct poster {
    pthread_t thread;
    struct counted_mail mails[MAILS_EACH];
    int n_received;
    bool is_in_order;
};

static int n_all_received;

static void on_counted(struct rt_mail *m)
{
    struct counted_mail *c = (struct counted_mail *)m;
    c->poster->is_in_order &= c->number == c->poster->n_received++;
    if (++n_all_received == N_POSTERS * MAILS_EACH)
        loop_stop(loop);
}

static void *post_all(void *arg)
{
    struct poster *p = arg;
    for (int i = 0; i < MAILS_EACH; i++) {
        p->mails[i] = (struct counted_mail){{.fn = on_counted}, p, i};
        loop_post(loop, &p->mails[i].mail);
        // Now and then the loop falls asleep.
        if (i % 500 == 0)
            sched_yield();
    }
    return NULL;
}

static void mail_of_many_threads_all_arrives(void)
{
    struct poster *posters = calloc(N_POSTERS, sizeof *posters);
    set_up();
    n_all_received = 0;
    for (int i = 0; i < N_POSTERS; i++) {
        posters[i].is_in_order = true;
        CHECK(pthread_create(&posters[i].thread, NULL, post_all, &posters[i]) == 0);
    }
    loop_run(loop);
    for (int i = 0; i < N_POSTERS; i++) {
        pthread_join(posters[i].thread, NULL);
        CHECK(posters[i].is_in_order);
        CHECK_INT(posters[i].n_received, MAILS_EACH);
    }
    loop_free(loop);
    free(posters);
}

// Two loops throw one mail to and fro, each asleep until it comes.
struct ball {
    struct rt_mail mail;
    struct rt_loop *loops[2];
    int n_throws;
};

static void on_end(struct rt_mail *m)
{
    (void)m;
    loop_stop(loop_self());
}

static struct rt_mail end_mail = {.fn = on_end};

static void on_ball(struct rt_mail *m)
{
    struct ball *b = (struct ball *)m;
    if (++b->n_throws == 2000) {
        loop_post(b->loops[loop_self() == b->loops[0]], &end_mail);
        loop_stop(loop_self());
    } else {
        loop_post(b->loops[loop_self() == b->loops[0]], m);
    }
}

static void *run_loop(void *arg)
{
    loop_run(arg);
    return NULL;
}

static void sleeping_loops_wake_each_other(void)
{
    struct ball ball = {.mail = {.fn = on_ball}, .loops = {loop_new(NULL), loop_new(NULL)}};
    pthread_t other;
    CHECK(pthread_create(&other, NULL, run_loop, ball.loops[1]) == 0);
    loop_post(ball.loops[0], &ball.mail);
    loop_run(ball.loops[0]);
    pthread_join(other, NULL);
    CHECK_INT(ball.n_throws, 2000);
    loop_free(ball.loops[0]);
    loop_free(ball.loops[1]);
}

static void turn_waits_no_longer_than_asked(void)
{
    set_up();
    CHECK(loop_turn(loop, 0));
    int64_t begin_ms = clock_now_ms();
    CHECK(loop_turn(loop, 10));
    CHECK(clock_now_ms() - begin_ms >= 10);
    CHECK(clock_now_ms() - begin_ms < SOON_MS);
    loop_free(loop);
}

TEST_MAIN(TEST(deferred_work_runs_at_the_end_of_the_turn_in_order),
          TEST(loop_free_runs_what_is_deferred), TEST(stop_ends_run_after_the_turn),
          TEST(stop_before_run_ends_it_in_the_first_turn),
          TEST(mail_arrives_in_order_in_the_next_turn),
          TEST(mail_posted_by_mail_comes_a_turn_later), TEST(mail_of_many_threads_all_arrives),
          TEST(sleeping_loops_wake_each_other), TEST(turn_waits_no_longer_than_asked))
