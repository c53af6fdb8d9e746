// SPDX-License-Identifier: Apache-2.0
// What random scenarios have found, each made small.
#include <stdio.h>

#include "base/num.h"
#include "sim/scenarios.h"
#include "sim/sim_world.h"

// The exchange's fiber wakes because its own time is over, too, and must not read from the
// connection that the other one has closed.
static void the_request_and_its_answer_may_be_late_in_the_same_moment(void)
{
    for (unsigned late = 0; late < 3; late++) {
        struct world w;
        char yaml[512];
        snprintf(yaml, sizeof yaml,
                 "entrypoints: { web: { listen: ':80', " WORLD_ENTRY " } }\n"
                 "services: { a: { servers: ['http://10.0.0.1:81'], answer-timeout: %ums } }\n"
                 "sites: { a.example: { to: a } }\n",
                 2999 + late);
        world_start(&w, 1, yaml);
        sim_server_new(81);
        struct sim_plan *p = sim_plan_like(&kinds[15]);
        struct sim_client *c = sim_client_new(&p, 1);
        c->cut_sent = (struct sim_cut){SIM_STALL, 20000};
        sim_client_start(c, &w.listener, sim_now_ns());
        world_run(&w, 60 * SIM_S);
        SIM_CHECK(c->saw_end);
        world_end(&w);
        if (sim_has_failed())
            return;
        sim_end();
    }
}

#define IDLE_YAML(idle_)                                                                           \
    "entrypoints: { web: { listen: ':80', " WORLD_ENTRY " } }\n"                                   \
    "services: { a: { servers: ['http://10.0.0.1:81'], idle-timeout: " idle_ " } }\n"              \
    "sites: { a.example: { to: a } }\n"

static void count_open(void *n_open, uint64_t server)
{
    *(uint32_t *)n_open = ((const struct sim_server *)(uintptr_t)server)->n_open;
}

// The timer ran for the one that had come first, and the other stayed until then.
static void an_idle_connection_with_less_time_than_the_one_before_it_ends_in_time(void)
{
    struct world w;
    world_start(&w, 1, IDLE_YAML("10s"));
    struct sim_server *s = sim_server_new(81);
    for (int i = 0; i < 2; i++) {
        struct sim_plan *p = sim_plan_like(&kinds[0]);
        p->must_succeed = true;
        p->think_ns = i * 100 * SIM_MS;
        sim_client_start(sim_client_new(&p, 1), &w.listener, sim_now_ns() + i * SIM_MS);
    }
    world_reload_at(&w, sim_now_ns() + 7 * SIM_MS / 2, IDLE_YAML("2s"));
    uint32_t n_open = 0;
    sim_at(sim_now_ns() + 5 * SIM_S, count_open, &n_open, (uint64_t)(uintptr_t)s);
    world_run(&w, 60 * SIM_S);
    SIM_CHECK_INT(s->n_accepted, 2);
    SIM_CHECK_INT(n_open, 1);
    world_end(&w);
}

// Its socket was closed already, and so its connections got settings that don't know them.
static void an_entrypoint_may_go_after_its_socket_while_a_connection_is_left(void)
{
    struct world w;
    world_start(&w, 1, WORLD_YAML);
    sim_server_new(81);
    struct sim_plan *plans[2] = {sim_plan_like(&kinds[0]), sim_plan_like(&kinds[0])};
    plans[0]->must_succeed = plans[1]->must_succeed = true;
    struct sim_client *c = sim_client_new(plans, 2);
    // The second request is sent when the first answer has been read.
    c->read_pace = (struct sim_pace){.piece_bytes = 150, .gap_ns = 400 * SIM_MS};
    sim_client_start(c, &w.listener, sim_now_ns());
    world_unlisten_at(&w, sim_now_ns() + 20 * SIM_MS);
    world_reload_at(&w, sim_now_ns() + 300 * SIM_MS,
                    "entrypoints: { other: { listen: ':81' } }\n"
                    "sites: { z.example: { to: 'http://10.0.0.1:81' } }\n");
    world_run(&w, 60 * SIM_S);
    SIM_CHECK(plans[1]->ended_ms > 400);
    world_end(&w);
}

// A drain that left more time than the removal of an entrypoint had only the time of that.
static void a_drain_has_its_own_idle_time_and_a_reload_leaves_it(void)
{
    for (int64_t reload_ms = 0; reload_ms < 2000; reload_ms += 500) {
        struct world w;
        world_start(&w, 1, WORLD_YAML);
        sim_server_new(81);
        struct sim_plan *p = sim_plan_like(&kinds[0]);
        struct sim_client *c = sim_client_new(&p, 1);
        c->stays = true;
        p->must_succeed = true;
        sim_client_start(c, &w.listener, sim_now_ns());
        world_drain_idle_at(&w, sim_now_ns() + 100 * SIM_MS, 3000);
        if (reload_ms > 0)
            world_reload_at(&w, sim_now_ns() + reload_ms * SIM_MS, WORLD_YAML);
        world_run(&w, 60 * SIM_S);
        SIM_CHECK_INT(c->ended_ms, 3009);
        world_end(&w);
        if (sim_has_failed())
            return;
        sim_end();
    }
}

const struct scenario bug_scenarios[] = {
    SCENARIO(a_drain_has_its_own_idle_time_and_a_reload_leaves_it),
    SCENARIO(an_entrypoint_may_go_after_its_socket_while_a_connection_is_left),
    SCENARIO(an_idle_connection_with_less_time_than_the_one_before_it_ends_in_time),
    SCENARIO(the_request_and_its_answer_may_be_late_in_the_same_moment),
    {NULL, NULL},
};
