// SPDX-License-Identifier: Apache-2.0
#include "upstream/conn.h"

#include "unit/upstream/upstream_rig.h"

static void connections_are_reused_and_closed_when_idle_for_long(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    r.conf.idle_ms = 20;
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    CHECK(!call(&r, METHOD_GET).is_reused);
    CHECK(call(&r, METHOD_GET).is_reused);
    CHECK_INT(a.n_conns, 1);
    TURN_UNTIL(&r, a.n_open == 0);
    CHECK(!call(&r, METHOD_GET).is_reused);
    CHECK_INT(a.n_conns, 2);
    origin_stop(&a);
    rig_fini(&r);
}

static void no_more_idle_connections_are_kept_than_allowed(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    r.conf.idle_max = 1;
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    struct call calls[4];
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        calls[i] = (struct call){.r = &r, .method = METHOD_GET};
        call_start(&calls[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        call_wait(&calls[i]);
    CHECK_INT(a.n_conns, 4);
    TURN_UNTIL(&r, a.n_open == 1);
    origin_stop(&a);
    rig_fini(&r);
}

static void a_limit_of_connections_makes_requests_wait_their_turn(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    r.conf.conns_max = 1;
    r.conf.queue_max = 2;
    rig_server(&r, origin_start(&a, "a", ORIGIN_WAITS)->url, 1);
    rig_build(&r);
    struct call calls[4];
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        calls[i] = (struct call){.r = &r, .method = METHOD_GET};
        call_start(&calls[i]);
    }
    call_wait(&calls[3]); // the queue is full
    CHECK_INT(calls[3].status, 503);
    CHECK_INT(calls[3].end, EXCHANGE_END_RESOURCES);
    CHECK(!calls[0].is_done && !calls[1].is_done && !calls[2].is_done);
    a.may_answer = true;
    for (size_t i = 0; i < 3; i++) {
        call_wait(&calls[i]);
        CHECK_INT(calls[i].status, 200);
        CHECK(calls[i].is_reused == (i > 0));
    }
    CHECK_INT(a.n_conns, 1);
    origin_stop(&a);
    rig_fini(&r);
}

static void a_place_in_the_queue_goes_on_to_the_next_when_a_connection_breaks(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    r.conf.conns_max = 1;
    rig_server(&r, origin_start(&a, "a", ORIGIN_CLOSES_IDLE)->url, 1);
    rig_build(&r);
    struct call calls[5];
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        calls[i] = (struct call){.r = &r, .method = METHOD_POST};
        call_start(&calls[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(calls); i++)
        call_wait(&calls[i]);
    CHECK(a.n_conns >= 1);
    TURN_UNTIL(&r, a.n_open == 0);
    origin_stop(&a);
    rig_fini(&r);
}

static void waiting_in_the_queue_ends_by_time_and_by_cancelling(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    r.conf.conns_max = 1;
    r.conf.queue_ms = 20;
    rig_server(&r, origin_start(&a, "a", ORIGIN_WAITS)->url, 1);
    rig_build(&r);
    struct call first = {.r = &r, .method = METHOD_GET}, late = first, gone = first, last = first;
    call_start(&first);
    call_start(&late);
    call_start(&gone);
    loop_turn(r.loop, 0);
    fiber_cancel(gone.fiber);
    call_wait(&gone);
    CHECK_INT(gone.err, ERR_CANCELLED);
    call_wait(&late);
    CHECK_INT(late.status, 503);
    CHECK(!first.is_done);
    a.may_answer = true;
    call_wait(&first);
    CHECK_INT(first.status, 200);
    call_start(&last);
    call_wait(&last);
    CHECK_INT(last.status, 200);
    CHECK(last.is_reused);
    origin_stop(&a);
    rig_fini(&r);
}

static void a_full_server_is_passed_over_while_another_has_room(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    r.conf.conns_max = 1;
    rig_server(&r, origin_start(&a, "a", ORIGIN_WAITS)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    struct call first = {.r = &r, .method = METHOD_GET};
    call_start(&first);
    TURN_UNTIL(&r, a.n_requests == 1);
    for (int i = 0; i < 4; i++)
        CHECK_STR(str_of(call(&r, METHOD_GET).body), STR("b"));
    a.may_answer = true;
    call_wait(&first);
    CHECK_STR(str_of(first.body), STR("a"));
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void a_cancelled_exchange_closes_its_connection(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_HANGS)->url, 1);
    rig_build(&r);
    struct call c = {.r = &r, .method = METHOD_GET};
    call_start(&c);
    TURN_UNTIL(&r, a.n_requests == 1);
    fiber_cancel(c.fiber);
    call_wait(&c);
    CHECK_INT(c.err, ERR_CANCELLED);
    TURN_UNTIL(&r, a.n_open == 0);
    origin_stop(&a);
    rig_fini(&r);
}

TEST_MAIN(TEST(connections_are_reused_and_closed_when_idle_for_long),
          TEST(no_more_idle_connections_are_kept_than_allowed),
          TEST(a_limit_of_connections_makes_requests_wait_their_turn),
          TEST(a_place_in_the_queue_goes_on_to_the_next_when_a_connection_breaks),
          TEST(waiting_in_the_queue_ends_by_time_and_by_cancelling),
          TEST(a_full_server_is_passed_over_while_another_has_room),
          TEST(a_cancelled_exchange_closes_its_connection))
