// SPDX-License-Identifier: Apache-2.0
// Outages whose outcome can be reckoned. What servers that die and return may do to requests is in
// scenarios_trouble.c.
#include <stdio.h>

#include "base/num.h"
#include "sim/scenarios.h"
#include "sim/sim_world.h"

#define SERVERS 4
#define CLIENTS 24
#define REQUESTS 12
#define BUSY_MS 8000
#define BUDGET_PERCENT 20

#define HEALTH_YAML                                                                                \
    "access-log: { path: '-', format: json }\n"                                                    \
    "entrypoints: { web: { listen: ':80', " WORLD_ENTRY " } }\n"                                   \
    "services:\n"                                                                                  \
    "  a:\n"                                                                                       \
    "    servers: ['http://10.0.0.1:81', 'http://10.0.0.1:82', 'http://10.0.0.1:83', "             \
    "'http://10.0.0.1:84']\n"                                                                      \
    "    tries: 4\n"                                                                               \
    "    retries: { when: [503], budget-percent: 20, budget-min: 0 }\n"                            \
    "sites: { a.example: { to: a } }\n"

static void start_client(struct world *w)
{
    struct sim_plan *plans[REQUESTS];
    for (uint32_t i = 0; i < REQUESTS; i++) {
        plans[i] = sim_plan_new("GET", "a.example");
        plans[i]->status = 503;
        plans[i]->answer_bytes = 0;
        plans[i]->think_ns = sim_between(0, 60) * SIM_MS;
    }
    struct sim_client *c = sim_client_new(plans, REQUESTS);
    sim_client_start(c, &w->listener, sim_now_ns() + sim_between(0, BUSY_MS - 3000) * SIM_MS);
}

// Every server answers 503: what is sent again is a fifth of what came.
static void an_outage_of_all_servers_is_not_multiplied(void)
{
    struct world w;
    uint32_t n_heads = 0;
    world_start(&w, 1, HEALTH_YAML);
    for (uint32_t i = 0; i < SERVERS; i++)
        (void)sim_server_new(81 + i);
    for (uint32_t i = 0; i < CLIENTS; i++)
        start_client(&w);
    w.busy_until_ns = sim_now_ns() + BUSY_MS * SIM_MS;
    world_run(&w, 120 * SIM_S);
    for (uint32_t i = 0; i < sim_plan_count(); i++)
        n_heads += sim_plan_find(i)->n_heads;
    SIM_CHECK_INT(sim_plan_count(), CLIENTS * REQUESTS);
    SIM_CHECK(n_heads > CLIENTS * REQUESTS);
    SIM_CHECK(n_heads <= CLIENTS * REQUESTS * (100 + BUDGET_PERCENT) / 100);
    world_end(&w);
}

const struct scenario health_scenarios[] = {
    SCENARIO(an_outage_of_all_servers_is_not_multiplied),
    {NULL, NULL},
};
