// SPDX-License-Identifier: Apache-2.0
// Servers that die, slow down and return under load: what may be repeated is never lost, never are
// all servers ejected, retries keep to their budget. Each from many seeds.
#include <stdio.h>

#include "base/num.h"
#include "gate/snapshot.h"
#include "rt/clock.h"
#include "sim/scenarios.h"
#include "sim/sim_world.h"
#include "upstream/service_priv.h"

#define SEEDS 60
#define SERVERS 4
#define CLIENTS 24
#define REQUESTS 12
#define BUSY_MS 8000

#define HEALTH_YAML                                                                                \
    "access-log: { path: '-', format: json }\n"                                                    \
    "entrypoints: { web: { listen: ':80', " WORLD_ENTRY " } }\n"                                   \
    "services:\n"                                                                                  \
    "  a:\n"                                                                                       \
    "    servers: ['http://10.0.0.1:81', 'http://10.0.0.1:82', 'http://10.0.0.1:83', "             \
    "'http://10.0.0.1:84']\n"                                                                      \
    "    connect-timeout: 300ms\n"                                                                 \
    "    answer-timeout: 400ms\n"                                                                  \
    "    body-timeout: 2500ms\n"                                                                   \
    "    skip-time: %ums\n"                                                                        \
    "    tries: 4\n"                                                                               \
    "    retries: { when: [connect, closed, timeout, malformed, 502-504], budget-percent: %u, "    \
    "budget-min: %u }\n"                                                                           \
    "    eject: { failures: %u, time: 800ms, time-max: 3s, max-percent: %u }\n"                    \
    "sites: { a.example: { to: a } }\n"

struct troubled {
    struct world w;
    struct sim_server *servers[SERVERS];
    uint32_t max_percent;
};

// --- what must hold all the time ---

static const struct service *service_in_force(const struct troubled *t)
{
    const struct snapshot *s = t->w.watch.snapshots[t->w.watch.n_snapshots - 1];
    return service_of(s->all_services.items[0]);
}

static void look(void *arg, uint64_t tag)
{
    struct troubled *t = arg;
    const struct service *s = service_in_force(t);
    size_t n_out = 0;
    (void)tag;
    for (size_t i = 0; i < s->n_servers; i++)
        n_out += eject_is_out(&s->servers[i].health->slots[0].eject, clock_now_ms());
    if (n_out > 1 && n_out * 100 > SERVERS * t->max_percent)
        sim_fail("%zu of %d servers are ejected, allowed are %u %%", n_out, SERVERS,
                 t->max_percent);
    if (n_out == SERVERS)
        sim_fail("all servers are ejected");
    if (sim_now_ms() < BUSY_MS)
        sim_in(20 * SIM_MS, look, t, 0);
}

// --- what goes wrong: one server dies while another is slow, and others take their turn ---

static void heal(void *arg, uint64_t i)
{
    struct troubled *t = arg;
    t->servers[i]->read_pace = (struct sim_pace){.piece_bytes = 0};
}

static void hurt(void *arg, uint64_t i)
{
    struct troubled *t = arg;
    struct sim_server *slow = t->servers[(i + 1) % SERVERS];
    sim_server_restart(t->servers[i], sim_between(50, 700) * SIM_MS);
    if (sim_chance(50)) {
        slow->read_pace = (struct sim_pace){.piece_bytes = 1, .gap_ns = 50 * SIM_MS};
        sim_in(600 * SIM_MS, heal, t, (i + 1) % SERVERS);
    }
    if (sim_now_ms() < BUSY_MS - 2000)
        sim_in(sim_between(800, 1500) * SIM_MS, hurt, t, sim_below(SERVERS));
}

static void start_client(struct troubled *t, unsigned status)
{
    static const char *const methods[] = {"GET", "GET", "PUT", "DELETE", "POST"};
    struct sim_plan **plans = sim_alloc(REQUESTS * sizeof(struct sim_plan *));
    for (uint32_t i = 0; i < REQUESTS; i++) {
        plans[i] = sim_plan_new(methods[sim_below(ARRAY_LEN(methods))], "a.example");
        plans[i]->status = status;
        plans[i]->answer_bytes = 0; // a head that has come is all of the answer
        plans[i]->think_ns = sim_between(0, 60) * SIM_MS;
        plans[i]->must_succeed = sim_plan_is_idempotent(plans[i]);
        if (plans[i]->method[1] == 'U') {
            plans[i]->request = SIM_LENGTH;
            plans[i]->request_bytes = sim_below(30000);
        }
    }
    struct sim_client *c = sim_client_new(plans, REQUESTS);
    sim_client_start(c, &t->w.listener, sim_now_ns() + sim_between(0, BUSY_MS - 3000) * SIM_MS);
}

static void start_troubled(struct troubled *t, uint64_t seed, const char *yaml)
{
    world_start(&t->w, seed, yaml);
    for (uint32_t i = 0; i < SERVERS; i++)
        t->servers[i] = sim_server_new(81 + i);
}

static void run_servers_die(uint64_t seed)
{
    static const uint32_t max_percents[] = {25, 50, 99};
    static const uint32_t failures[] = {1, 2, 5};
    struct troubled t = {.max_percent = max_percents[seed % ARRAY_LEN(max_percents)]};
    char yaml[2000];
    snprintf(yaml, sizeof yaml, HEALTH_YAML, seed % 2 == 0 ? 500 : 0, 20, 100,
             failures[seed / 3 % ARRAY_LEN(failures)], t.max_percent);
    start_troubled(&t, seed, yaml);
    for (uint32_t i = 0; i < CLIENTS; i++)
        start_client(&t, 200);
    look(&t, 0);
    sim_in(300 * SIM_MS, hurt, &t, 0);
    t.w.busy_until_ns = sim_now_ns() + BUSY_MS * SIM_MS;
    world_run(&t.w, 120 * SIM_S);
    world_end(&t.w);
}

static void servers_that_die_slow_down_and_return_lose_nothing_that_may_be_repeated(void)
{
    for (uint64_t seed = 1; seed <= SEEDS && !sim_has_failed(); seed++) {
        if (seed > 1)
            sim_end();
        run_servers_die(seed);
    }
}

// Every server answers 503: what is sent again is a fifth of what came.
static void an_outage_of_all_servers_is_not_multiplied(void)
{
    struct troubled t = {.max_percent = 50};
    char yaml[2000];
    uint32_t n_heads = 0;
    snprintf(yaml, sizeof yaml, HEALTH_YAML, 0, 20, 0, 3, t.max_percent);
    start_troubled(&t, 1, yaml);
    for (uint32_t i = 0; i < CLIENTS; i++)
        start_client(&t, 503);
    look(&t, 0);
    t.w.busy_until_ns = sim_now_ns() + BUSY_MS * SIM_MS;
    world_run(&t.w, 120 * SIM_S);
    for (uint32_t i = 0; i < sim_plan_count(); i++)
        n_heads += sim_plan_find(i)->n_heads;
    SIM_CHECK_INT(sim_plan_count(), CLIENTS * REQUESTS);
    SIM_CHECK(n_heads > CLIENTS * REQUESTS);
    SIM_CHECK(n_heads <= CLIENTS * REQUESTS * 6 / 5);
    world_end(&t.w);
}

const struct scenario health_scenarios[] = {
    SCENARIO(servers_that_die_slow_down_and_return_lose_nothing_that_may_be_repeated),
    SCENARIO(an_outage_of_all_servers_is_not_multiplied),
    {NULL, NULL},
};
