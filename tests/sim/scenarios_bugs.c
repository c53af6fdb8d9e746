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
        sim_client_start(c, w.listener, sim_now_ns());
        world_run(&w, 60 * SIM_S);
        SIM_CHECK(c->saw_end);
        world_end(&w);
        if (sim_has_failed())
            return;
        sim_end();
    }
}

const struct scenario bug_scenarios[] = {
    SCENARIO(the_request_and_its_answer_may_be_late_in_the_same_moment),
    {NULL, NULL},
};
