// SPDX-License-Identifier: Apache-2.0
// Every phase has its time, to the millisecond. A byte travels for one.
#include <stdio.h>

#include "base/num.h"
#include "sim/scenarios.h"
#include "sim/sim_disk.h"
#include "sim/sim_world.h"

static void check_near(const char *what, int64_t got, int64_t wanted)
{
    if (got != wanted)
        sim_fail("%s after %lld ms, wanted %lld", what, (long long)got, (long long)wanted);
}

struct timed {
    struct world w;
    struct sim_server *server;
    struct sim_plan *p;
    struct sim_client *c;
};

static void prepare(struct timed *t, const struct sim_plan *kind)
{
    world_start(&t->w, 1, WORLD_YAML);
    t->server = sim_server_new(81);
    t->p = sim_plan_like(kind);
    t->c = sim_client_new(&t->p, 1);
}

static void run(struct timed *t)
{
    sim_client_start(t->c, &t->w.listener, sim_now_ns());
    world_run(&t->w, 120 * SIM_S);
    world_end(&t->w);
}

static void a_silent_client_is_closed_after_the_idle_time(void)
{
    struct timed t;
    prepare(&t, &kinds[0]);
    t.c->cut_sent = (struct sim_cut){SIM_STALL, 0};
    run(&t);
    check_near("the end came", t.c->ended_ms, 5002);
    SIM_CHECK(t.c->saw_end);
}

static void an_idle_connection_is_closed_after_its_time(void)
{
    struct timed t;
    prepare(&t, &kinds[0]);
    t.c->stays = true;
    run(&t);
    SIM_CHECK_INT(t.p->ended_ms, 8);
    check_near("the end came", t.c->ended_ms, 5008);
    SIM_CHECK(t.c->saw_end);
}

static void half_a_head_gets_408_after_its_time(void)
{
    for (size_t at = 1; at < 38; at += 4) {
        struct timed t;
        prepare(&t, &kinds[0]);
        t.c->cut_sent = (struct sim_cut){SIM_STALL, at};
        run(&t);
        check_near("the end came", t.c->ended_ms, 2004);
        if (sim_has_failed())
            return;
        sim_end();
    }
}

static void a_head_byte_by_byte_has_no_more_time_than_another(void)
{
    struct timed t;
    prepare(&t, &kinds[0]);
    t.c->send_pace = (struct sim_pace){.piece_bytes = 1, .gap_ns = 100 * SIM_MS};
    run(&t);
    SIM_CHECK_INT(t.p->got_status, 408);
    check_near("408 came", t.p->ended_ms, 2004);
}

static void a_body_that_stops_gets_408_after_its_time(void)
{
    for (size_t at = 150; at < 6000; at += 977) {
        struct timed t;
        prepare(&t, &kinds[9]);
        t.c->cut_sent = (struct sim_cut){SIM_STALL, at};
        run(&t);
        // The client's time, or the server's, whose answer is awaited: the first of the two.
        SIM_CHECK(t.c->ended_ms >= 3003 && t.c->ended_ms <= 3012);
        if (sim_has_failed())
            return;
        sim_end();
    }
}

static void a_body_that_trickles_gets_408_after_the_grace(void)
{
    struct timed t;
    prepare(&t, &kinds[15]);
    t.c->send_pace = (struct sim_pace){.piece_bytes = 20, .gap_ns = 500 * SIM_MS};
    run(&t);
    SIM_CHECK_INT(t.p->got_status, 408);
    SIM_CHECK(t.p->ended_ms >= 10000 && t.p->ended_ms < 12500); // the head takes two seconds
}

static void a_server_that_nobody_reaches_is_a_502(void)
{
    struct timed t;
    prepare(&t, &kinds[0]);
    sim_net_set_reach(81, SIM_REACH_NOTHING);
    run(&t);
    SIM_CHECK_INT(t.p->got_status, 502);
    check_near("502 came", t.p->ended_ms, 1004);
}

static void all_tries_to_connect_have_half_as_much_again(void)
{
    struct timed t;
    prepare(&t, &kinds[0]);
    t.p->host = "b.example";
    sim_server_new(82);
    sim_server_new(83);
    sim_net_set_reach(82, SIM_REACH_NOTHING);
    sim_net_set_reach(83, SIM_REACH_NOTHING);
    run(&t);
    SIM_CHECK_INT(t.p->got_status, 502);
    check_near("502 came", t.p->ended_ms, 1504);
}

static void a_refused_connection_goes_to_the_next_server(void)
{
    struct timed t;
    prepare(&t, &kinds[10]); // a POST: nothing was sent yet
    t.p->host = "b.example";
    sim_server_new(82);
    sim_server_new(83);
    sim_net_set_reach(82, SIM_REACH_REFUSED);
    t.p->must_succeed = true;
    run(&t);
    check_near("the answer came", t.p->ended_ms, 10);
}

static void a_server_that_never_answers_is_a_504(void)
{
    struct timed t;
    prepare(&t, &kinds[0]);
    t.p->cut = (struct sim_cut){SIM_STALL, 0};
    run(&t);
    SIM_CHECK_INT(t.p->got_status, 504);
    check_near("504 came", t.p->ended_ms, 4006);
}

static void a_head_of_an_answer_byte_by_byte_has_no_more_time(void)
{
    struct timed t;
    prepare(&t, &kinds[0]);
    t.p->pace = (struct sim_pace){.piece_bytes = 1, .gap_ns = 200 * SIM_MS};
    run(&t);
    SIM_CHECK_INT(t.p->got_status, 504);
    check_near("504 came", t.p->ended_ms, 4006);
}

static void an_answer_that_stops_is_cut_after_its_time(void)
{
    for (size_t at = 60; at < 150; at += 9) {
        struct timed t;
        prepare(&t, &kinds[0]);
        t.p->cut = (struct sim_cut){SIM_STALL, at};
        run(&t);
        SIM_CHECK_INT(t.p->outcome, SIM_CUT);
        check_near("the cut came", t.p->ended_ms, 2508);
        if (sim_has_failed())
            return;
        sim_end();
    }
}

static void a_slow_answer_within_the_limits_is_passed_on(void)
{
    struct timed t;
    prepare(&t, &kinds[3]);
    t.p->pace = (struct sim_pace){.piece_bytes = 1000, .gap_ns = 2400 * SIM_MS};
    t.p->must_succeed = true;
    run(&t);
}

static void a_client_that_takes_nothing_is_dropped_after_its_time(void)
{
    struct timed t;
    prepare(&t, &kinds[14]);
    t.c->cut_received = (struct sim_cut){SIM_STALL, 1000};
    run(&t);
    SIM_CHECK_INT(t.p->outcome, SIM_CUT);
    SIM_CHECK(t.c->ended_ms > 3000 && t.c->ended_ms < 3030);
}

static void a_server_that_takes_nothing_is_a_504(void)
{
    struct timed t;
    prepare(&t, &kinds[15]);
    t.p->cut_inward = (struct sim_cut){SIM_STALL, 1000};
    run(&t);
    SIM_CHECK_INT(t.p->got_status, 504);
    SIM_CHECK(t.p->ended_ms > 2500 && t.p->ended_ms < 2530);
}

static void a_silent_tunnel_is_closed_after_its_time(void)
{
    struct timed t;
    prepare(&t, &kinds[13]);
    t.p->cut_inward = (struct sim_cut){SIM_STALL, 1 << 20};
    t.c->cut_sent = (struct sim_cut){SIM_STALL, 150}; // in the tunnel
    run(&t);
    SIM_CHECK(t.c->ended_ms >= 8000 && t.c->ended_ms < 8020);
}

static void a_second_after_an_unanswered_expectation_the_body_goes(void)
{
    struct timed t;
    prepare(&t, &kinds[12]);
    t.p->must_succeed = true;
    run(&t);
    check_near("the answer came", t.p->ended_ms, 1010);
}

#define BUFFER_YAML                                                                                \
    WORLD_YAML "filters: { ahead: { buffer: { memory: 4KiB } } }\n"                                \
               "routes:\n"                                                                         \
               "  - { match: 'Host(`spool.example`)', use: [ahead], to: a }\n"

static const struct sim_plan upload = {.method = "PUT",
                                       .host = "spool.example",
                                       .minor = 1,
                                       .status = 200,
                                       .request = SIM_LENGTH,
                                       .request_bytes = 150000,
                                       .answer = SIM_LENGTH,
                                       .answer_bytes = 10};
static const struct sim_plan download = {.method = "GET",
                                         .host = "spool.example",
                                         .minor = 1,
                                         .status = 200,
                                         .answer = SIM_CHUNKED,
                                         .answer_bytes = 150000};

// Each job of the disk takes so long. The client is slow, too, so that answers get to the disk.
static struct sim_plan *run_with_disk(const struct sim_plan *kind, int64_t job_ns)
{
    struct timed t;
    world_start(&t.w, 1, BUFFER_YAML);
    t.server = sim_server_new(81);
    t.p = sim_plan_like(kind);
    t.c = sim_client_new(&t.p, 1);
    t.c->read_pace = (struct sim_pace){.piece_bytes = 1000, .gap_ns = 100 * SIM_MS};
    sim_disk.delay_percent = 100;
    sim_disk.delay_min_ns = sim_disk.delay_max_ns = job_ns;
    run(&t);
    return t.p;
}

// What is in its hands is lost then: an upload is told so, and an answer is never told as whole.
static void who_waits_for_a_disk_that_hangs_is_told_after_its_time(void)
{
    const struct sim_plan *p = run_with_disk(&upload, 100 * SIM_S);
    SIM_CHECK_INT(p->got_status, 503);
    SIM_CHECK_INT(p->n_heads, 0);
    SIM_CHECK(p->ended_ms >= 30000 && p->ended_ms < 31000);
    if (sim_has_failed())
        return;
    sim_end();
    p = run_with_disk(&download, 100 * SIM_S);
    SIM_CHECK_INT(p->got_status, 200);
    SIM_CHECK(p->outcome != SIM_ANSWERED);
    SIM_CHECK(p->ended_ms >= 30000 && p->ended_ms < 31000);
}

// The times of clients and servers (body-timeout: 3s) are not the disk's.
static void a_slow_disk_has_its_own_time(void)
{
    const struct sim_plan *p = run_with_disk(&upload, 7 * SIM_S / 2);
    SIM_CHECK_INT(p->got_status, 200);
    SIM_CHECK(p->outcome == SIM_ANSWERED);
    if (sim_has_failed())
        return;
    sim_end();
    p = run_with_disk(&download, 7 * SIM_S / 2);
    SIM_CHECK(p->outcome == SIM_ANSWERED);
}

const struct scenario timeout_scenarios[] = {
    SCENARIO(a_silent_client_is_closed_after_the_idle_time),
    SCENARIO(an_idle_connection_is_closed_after_its_time),
    SCENARIO(half_a_head_gets_408_after_its_time),
    SCENARIO(a_head_byte_by_byte_has_no_more_time_than_another),
    SCENARIO(a_body_that_stops_gets_408_after_its_time),
    SCENARIO(a_body_that_trickles_gets_408_after_the_grace),
    SCENARIO(a_server_that_nobody_reaches_is_a_502),
    SCENARIO(all_tries_to_connect_have_half_as_much_again),
    SCENARIO(a_refused_connection_goes_to_the_next_server),
    SCENARIO(a_server_that_never_answers_is_a_504),
    SCENARIO(a_head_of_an_answer_byte_by_byte_has_no_more_time),
    SCENARIO(an_answer_that_stops_is_cut_after_its_time),
    SCENARIO(a_slow_answer_within_the_limits_is_passed_on),
    SCENARIO(a_client_that_takes_nothing_is_dropped_after_its_time),
    SCENARIO(a_server_that_takes_nothing_is_a_504),
    SCENARIO(a_silent_tunnel_is_closed_after_its_time),
    SCENARIO(a_second_after_an_unanswered_expectation_the_body_goes),
    SCENARIO(who_waits_for_a_disk_that_hangs_is_told_after_its_time),
    SCENARIO(a_slow_disk_has_its_own_time),
    {NULL, NULL},
};
