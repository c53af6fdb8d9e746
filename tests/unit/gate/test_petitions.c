// SPDX-License-Identifier: Apache-2.0
// Workers that ask, and the test as the keeper. To be run under ThreadSanitizer, too.
#include "gate/petitions.h"

#include <pthread.h>
#include <string.h>

#include "rt/channel.h"
#include "unit/rt/rt_test.h"

#define WORKERS 4

struct rig {
    struct rt_loop *aux;
    int ends[2]; // the gate's, the keeper's
    struct petitions *p;
};

static void begin(struct rig *r)
{
    r->aux = test_loop(0);
    if (!channel_pair(r->ends))
        abort();
    r->p = petitions_new(r->aux, r->ends[0]);
}

static void end(struct rig *r)
{
    loop_turn(r->aux, 0);
    petitions_free(r->p);
    loop_free(r->aux);
    close(r->ends[0]);
    close(r->ends[1]);
}

static struct gate_petition about(const char *name)
{
    struct gate_petition m = {.kind = GATE_PETITION_PIN, .name_bytes = (uint32_t)strlen(name)};
    memcpy(m.name, name, strlen(name));
    return m;
}

struct asker {
    struct rig *rig;
    struct gate_petition m;
    struct fiber *fiber;
    int64_t wait_ms;
    enum err err;
    struct gate_verdict got;
    bool is_done;
};

static void ask(void *arg)
{
    struct asker *a = arg;
    a->err = petitions_ask(a->rig->p, a->m, deadline_in(a->wait_ms), &a->got);
    __atomic_store_n(&a->is_done, true, __ATOMIC_RELEASE);
}

static void start(struct asker *a, struct rig *r, const char *name, int64_t wait_ms)
{
    *a = (struct asker){.rig = r, .m = about(name), .wait_ms = wait_ms};
    a->fiber = fiber_start(ask, a);
}

// The next petition that the keeper gets; false: there is none.
static bool hear(struct rig *r, struct gate_petition *ret)
{
    size_t len;
    int fd;
    return channel_receive(r->ends[1], ret, sizeof *ret, &len, &fd) == IO_DONE &&
           len == sizeof *ret && ret->type == GATE_PETITION;
}

static void answer(struct rig *r, uint64_t seq, uint8_t key)
{
    struct gate_verdict m = {.type = GATE_VERDICT, .seq = seq, .is_yes = 1, .key = {key}};
    petitions_answer(r->p, &m);
}

static void turn_until(struct rig *r, const bool *is_done)
{
    for (int i = 0; i < 1000 && !*is_done; i++)
        loop_turn(r->aux, 10);
    CHECK(*is_done);
}

static void the_same_question_goes_out_once_and_all_hear_the_answer(void)
{
    struct rig r;
    struct asker a, b, other;
    struct gate_petition m, asked;
    begin(&r);
    start(&a, &r, "x:443", SOON_MS);
    start(&b, &r, "x:443", SOON_MS);
    start(&other, &r, "y:443", SOON_MS);
    loop_turn(r.aux, 0);
    loop_turn(r.aux, 0);
    CHECK(hear(&r, &m));
    CHECK_STR(str_from(m.name, m.name_bytes), STR("x:443"));
    uint64_t seq = m.seq;
    CHECK(hear(&r, &m));
    CHECK_STR(str_from(m.name, m.name_bytes), STR("y:443"));
    CHECK(!hear(&r, &m));
    CHECK(petitions_find(r.p, seq, &asked) && asked.name_bytes == 5);
    answer(&r, seq, 7);
    CHECK(!petitions_find(r.p, seq, &asked));
    turn_until(&r, &b.is_done);
    CHECK(a.is_done && a.err == ERR_OK && b.err == ERR_OK && !other.is_done);
    CHECK_INT(a.got.key[0], 7);
    answer(&r, seq, 8); // nobody asked any more
    answer(&r, seq + 1, 9);
    turn_until(&r, &other.is_done);
    CHECK_INT(other.got.key[0], 9);
    end(&r);
}

static void another_key_is_another_question(void)
{
    struct rig r;
    struct asker a, b;
    struct gate_petition m;
    begin(&r);
    start(&a, &r, "x:443", SOON_MS);
    start(&b, &r, "x:443", SOON_MS);
    b.m.key[0] = 1;
    loop_turn(r.aux, 0);
    loop_turn(r.aux, 0);
    for (int i = 0; i < 2; i++) {
        CHECK(hear(&r, &m));
        answer(&r, m.seq, 3);
    }
    turn_until(&r, &b.is_done);
    CHECK(a.is_done);
    end(&r);
}

static void waiting_ends_by_time_and_by_cancelling(void)
{
    struct rig r;
    struct asker late, gone, joined;
    struct gate_petition m;
    begin(&r);
    start(&late, &r, "x:443", 1);
    start(&gone, &r, "x:443", SOON_MS);
    loop_turn(r.aux, 0);
    loop_turn(r.aux, 0);
    fiber_cancel(gone.fiber);
    turn_until(&r, &late.is_done);
    turn_until(&r, &gone.is_done); // late may have been so before gone had its turn
    CHECK_INT(late.err, ERR_TIMEOUT);
    CHECK_INT(gone.err, ERR_CANCELLED);
    // It is still open: who comes later waits for the same answer.
    start(&joined, &r, "x:443", SOON_MS);
    loop_turn(r.aux, 0);
    loop_turn(r.aux, 0);
    CHECK(hear(&r, &m));
    uint64_t seq = m.seq;
    CHECK(!hear(&r, &m));
    answer(&r, seq, 1);
    turn_until(&r, &joined.is_done);
    CHECK_INT(joined.err, ERR_OK);
    end(&r);
}

static void an_answer_that_crosses_the_end_of_waiting_harms_nobody(void)
{
    struct rig r;
    struct asker a;
    struct gate_petition m;
    begin(&r);
    start(&a, &r, "x:443", SOON_MS);
    loop_turn(r.aux, 0);
    loop_turn(r.aux, 0);
    CHECK(hear(&r, &m));
    answer(&r, m.seq, 1); // its mail is on the way when the fiber is told to go
    fiber_cancel(a.fiber);
    turn_until(&r, &a.is_done);
    CHECK(a.err == ERR_OK || a.err == ERR_CANCELLED);
    end(&r);
}

static void there_is_a_limit(void)
{
    static struct asker askers[PETITIONS_MAX + 1];
    struct rig r;
    struct gate_petition m;
    begin(&r);
    for (size_t i = 0; i <= PETITIONS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "h%zu:443", i);
        start(&askers[i], &r, name, SOON_MS);
    }
    turn_until(&r, &askers[PETITIONS_MAX].is_done);
    CHECK_INT(askers[PETITIONS_MAX].err, ERR_LIMIT);
    // They don't all fit into the channel: the rest follows when there is room again.
    for (int i = 0; i < 1000 && !askers[PETITIONS_MAX - 1].is_done; i++) {
        loop_turn(r.aux, 10);
        while (hear(&r, &m))
            answer(&r, m.seq, 0);
    }
    CHECK_INT(askers[PETITIONS_MAX - 1].err, ERR_OK);
    end(&r);
}

static void *run_worker(void *arg)
{
    struct asker *a = arg;
    struct rt_loop *loop = test_loop(0);
    a->fiber = fiber_start(ask, a);
    CHECK(test_run_all(loop));
    return loop;
}

static void workers_on_threads_of_their_own_hear_one_answer(void)
{
    struct rig r;
    struct asker askers[WORKERS];
    pthread_t threads[WORKERS];
    begin(&r);
    for (size_t i = 0; i < WORKERS; i++) {
        askers[i] = (struct asker){.rig = &r, .m = about("x:443"), .wait_ms = SOON_MS};
        if (pthread_create(&threads[i], NULL, run_worker, &askers[i]) != 0)
            abort();
    }
    struct gate_petition m;
    bool is_over = false;
    size_t n_asked = 0;
    for (int turn = 0; turn < 5000 && !is_over; turn++) {
        loop_turn(r.aux, 1);
        while (hear(&r, &m)) {
            n_asked++;
            answer(&r, m.seq, 5);
        }
        is_over = true;
        for (size_t i = 0; i < WORKERS; i++)
            is_over = is_over && __atomic_load_n(&askers[i].is_done, __ATOMIC_ACQUIRE);
    }
    CHECK(is_over && n_asked >= 1 && n_asked <= WORKERS);
    for (size_t i = 0; i < WORKERS; i++) {
        void *loop;
        pthread_join(threads[i], &loop);
        CHECK(askers[i].err == ERR_OK && askers[i].got.key[0] == 5);
        loop_free(loop); // only now: until then an answer could still be posted to it
    }
    loop_enter(r.aux);
    end(&r);
}

TEST_MAIN(TEST(the_same_question_goes_out_once_and_all_hear_the_answer),
          TEST(another_key_is_another_question), TEST(waiting_ends_by_time_and_by_cancelling),
          TEST(an_answer_that_crosses_the_end_of_waiting_harms_nobody), TEST(there_is_a_limit),
          TEST(workers_on_threads_of_their_own_hear_one_answer))
