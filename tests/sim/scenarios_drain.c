// SPDX-License-Identifier: Apache-2.0
// Connections leave: a drain or the removal of their entrypoint, behind every single event. What
// was sent is answered, or it is visible to the client that it was not looked at.
#include <stdio.h>

#include "base/num.h"
#include "rt/notes.h"
#include "sim/scenarios.h"
#include "sim/sim_world.h"

#define LIMIT (120 * SIM_S)
#define WITHOUT_WEB                                                                                \
    "entrypoints: { other: { listen: ':81' } }\n"                                                  \
    "sites: { a.example: { to: 'http://10.0.0.1:81' } }\n"

enum way {
    WAY_DRAIN,
    WAY_REMOVAL,
};

// All of them; but sanitizers take ten times as long.
static uint64_t stride_of(uint64_t n_steps)
{
#if NOTES_ASAN
    return n_steps > 30 ? n_steps / 20 : 1;
#else
    return n_steps > 600 ? n_steps / 100 : 1;
#endif
}

// The first exchange was begun by a client that is connected: nothing may take it away. The others
// are either served or not looked at, and the end is never a reset.
static void check_client(const struct sim_client *c, struct sim_plan **plans, uint32_t n)
{
    if (c->was_refused)
        return;
    SIM_CHECK(!c->saw_reset);
    for (uint32_t i = 0; i < n; i++) {
        const struct sim_plan *p = plans[i];
        bool is_served = p->outcome == SIM_ANSWERED && p->is_servers;
        if (i == 0 && !is_served)
            sim_fail("exchange %u was begun, and lost", p->id);
        if (i > 0 && !is_served && (p->outcome != SIM_UNANSWERED || p->n_heads > 0))
            sim_fail("exchange %u: neither served nor left alone", p->id);
    }
}

// Returns the number of events.
static uint64_t run_leaving(enum way way, size_t kind, bool pipelines, uint64_t step)
{
    struct world w;
    world_start(&w, 1, WORLD_YAML);
    // A client whose first bytes are on their way is in no queue of the worker's.
    sim_net.defer_accept = way == WAY_REMOVAL;
    sim_server_new(81);
    struct sim_plan *plans[3];
    for (uint32_t i = 0; i < ARRAY_LEN(plans); i++)
        plans[i] = sim_plan_like(&kinds[i == 0 ? kind : 0]);
    bool is_single = plans[0]->is_upgrade || plans[0]->minor == 0;
    uint32_t n_plans = is_single ? 1 : ARRAY_LEN(plans);
    struct sim_client *c = sim_client_new(plans, n_plans);
    c->pipelines = pipelines;
    if (step > 0 && way == WAY_DRAIN)
        world_drain_after(&w, step);
    else if (step > 0)
        world_remove_after(&w, step, WITHOUT_WEB);
    sim_client_start(c, &w.listener, sim_now_ns());
    world_run(&w, LIMIT);
    uint64_t n_steps = sim_n_steps();
    check_client(c, plans, n_plans);
    world_end(&w);
    return n_steps;
}

static void leave_everywhere(enum way way, bool pipelines)
{
    for (size_t k = 0; k < n_kinds; k++) {
        uint64_t n = run_leaving(way, k, pipelines, 0);
        sim_end();
        uint64_t stride = stride_of(n);
        for (uint64_t step = 1; step <= n; step += stride) {
            run_leaving(way, k, pipelines, step);
            if (sim_has_failed()) {
                printf("# kind %s, step %u\n", kind_names[k], (unsigned)step);
                return;
            }
            sim_end();
        }
    }
}

static void a_drain_at_any_step_loses_nothing(void)
{
    leave_everywhere(WAY_DRAIN, false);
}

static void a_drain_at_any_step_of_a_pipeline_loses_nothing(void)
{
    leave_everywhere(WAY_DRAIN, true);
}

static void a_removal_at_any_step_loses_nothing(void)
{
    leave_everywhere(WAY_REMOVAL, false);
}

static void a_removal_at_any_step_of_a_pipeline_loses_nothing(void)
{
    leave_everywhere(WAY_REMOVAL, true);
}

// An idle connection ends when it has been idle for the drain's time, counted from its last byte.
static void an_idle_connection_has_its_time_from_its_last_byte(void)
{
    static const struct {
        int64_t drain_ms, end_ms; // answered after 8 ms; bytes and their receipts travel for one
    } cases[] = {{20, 1009}, {500, 1009}, {1000, 1009}, {1500, 1501}, {4000, 4001}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w;
        world_start(&w, 1, WORLD_YAML);
        sim_server_new(81);
        struct sim_plan *p = sim_plan_like(&kinds[0]);
        struct sim_client *c = sim_client_new(&p, 1);
        c->stays = true;
        p->must_succeed = true;
        sim_client_start(c, &w.listener, sim_now_ns());
        world_drain_at(&w, sim_now_ns() + cases[i].drain_ms * SIM_MS);
        world_run(&w, LIMIT);
        SIM_CHECK(c->saw_end);
        SIM_CHECK_INT(c->ended_ms, cases[i].end_ms);
        world_end(&w);
        if (sim_has_failed())
            return;
        sim_end();
    }
}

// One that has never said anything, too.
static void a_silent_connection_has_the_same_time(void)
{
    struct world w;
    world_start(&w, 1, WORLD_YAML);
    struct sim_plan *p = sim_plan_like(&kinds[0]);
    struct sim_client *c = sim_client_new(&p, 1);
    c->cut_sent = (struct sim_cut){SIM_STALL, 0};
    sim_client_start(c, &w.listener, sim_now_ns());
    world_drain_at(&w, sim_now_ns() + 100 * SIM_MS);
    world_run(&w, LIMIT);
    SIM_CHECK(c->saw_end);
    SIM_CHECK_INT(c->ended_ms, 1003);
    world_end(&w);
}

// The next request comes in the very millisecond in which the idle time is over, and in those
// around it: it is served, or it finds an end that came before.
static void a_request_at_the_end_of_the_idle_time_is_served_or_left_alone(void)
{
    uint32_t n_served = 0, n_left = 0;
    for (int64_t gap_ms = 980; gap_ms < 1020; gap_ms++) {
        struct world w;
        world_start(&w, 1, WORLD_YAML);
        sim_server_new(81);
        struct sim_plan *plans[2] = {sim_plan_like(&kinds[0]), sim_plan_like(&kinds[0])};
        struct sim_client *c = sim_client_new(plans, 2);
        // Reading goes slowly, and so the second request waits.
        c->read_pace = (struct sim_pace){.piece_bytes = 150, .gap_ns = gap_ms * SIM_MS};
        sim_client_start(c, &w.listener, sim_now_ns());
        world_drain_at(&w, sim_now_ns() + 20 * SIM_MS);
        world_run(&w, LIMIT);
        SIM_CHECK(plans[0]->outcome == SIM_ANSWERED);
        n_served += plans[1]->outcome == SIM_ANSWERED;
        n_left += plans[1]->outcome == SIM_UNANSWERED && plans[1]->n_heads == 0;
        world_end(&w);
        if (sim_has_failed())
            return;
        sim_end();
    }
    SIM_CHECK(n_served > 0 && n_left > 0);
    SIM_CHECK_INT(n_served + n_left, 40);
}

// A download goes on as long as the drain lets it, and a tunnel as well.
static void what_is_slow_has_until_the_limit(void)
{
    for (int is_upgrade = 0; is_upgrade < 2; is_upgrade++) {
        struct world w;
        world_start(&w, 1, WORLD_YAML);
        sim_server_new(81);
        struct sim_plan *p = sim_plan_like(&kinds[14]);
        p->answer_bytes = 20000;
        p->pace = (struct sim_pace){.piece_bytes = 1000, .gap_ns = SIM_S};
        if (is_upgrade) {
            p->is_upgrade = true;
            p->tunnel_bytes = 20000;
        }
        p->must_succeed = true;
        struct sim_client *c = sim_client_new(&p, 1);
        sim_client_start(c, &w.listener, sim_now_ns());
        world_drain_at(&w, sim_now_ns() + 100 * SIM_MS);
        world_run(&w, LIMIT);
        SIM_CHECK(is_upgrade || p->ended_ms > 19000);
        world_end(&w);
        if (sim_has_failed())
            return;
        sim_end();
    }
}

const struct scenario drain_scenarios[] = {
    SCENARIO(a_drain_at_any_step_loses_nothing),
    SCENARIO(a_drain_at_any_step_of_a_pipeline_loses_nothing),
    SCENARIO(a_removal_at_any_step_loses_nothing),
    SCENARIO(a_removal_at_any_step_of_a_pipeline_loses_nothing),
    SCENARIO(an_idle_connection_has_its_time_from_its_last_byte),
    SCENARIO(a_silent_connection_has_the_same_time),
    SCENARIO(a_request_at_the_end_of_the_idle_time_is_served_or_left_alone),
    SCENARIO(what_is_slow_has_until_the_limit),
    {NULL, NULL},
};
