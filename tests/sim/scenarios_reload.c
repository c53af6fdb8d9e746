// SPDX-License-Identifier: Apache-2.0
// Other settings in the middle of an exchange, behind every single event of it.
#include <stdio.h>

#include "base/num.h"
#include "rt/notes.h"
#include "sim/scenarios.h"
#include "sim/sim_world.h"

#define ENTRY "entrypoints: { web: { listen: ':80', " WORLD_ENTRY " } }\n"

// What the reload changes.
static const struct {
    const char *name;
    const char *yaml;
    bool keeps_site; // a.example is still there, with a server
} reloads[] = {
    {"the same", WORLD_YAML, true},
    {"another service",
     ENTRY "services: { c: { servers: ['http://10.0.0.1:81', 'http://10.0.0.1:84'] } }\n"
           "sites: { a.example: { to: c } }\n",
     true},
    {"another server", ENTRY "sites: { a.example: { to: 'http://10.0.0.1:84' } }\n", true},
    {"no site", ENTRY "sites: { z.example: { to: 'http://10.0.0.1:81' } }\n", false},
    {"no site, no server", ENTRY, false},
    {"no entrypoint",
     "entrypoints: { other: { listen: ':81' } }\n"
     "sites: { a.example: { to: 'http://10.0.0.1:81' } }\n",
     false},
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

// Returns the number of events.
static uint64_t run_reload(size_t kind, size_t reload, uint64_t step)
{
    struct world w;
    world_start(&w, 1, WORLD_YAML);
    sim_server_new(81);
    sim_server_new(84);
    struct sim_plan *plans[2] = {sim_plan_like(&kinds[kind]), sim_plan_like(&kinds[0])};
    bool is_single = plans[0]->is_upgrade || plans[0]->minor == 0;
    struct sim_client *c = sim_client_new(plans, is_single ? 1 : 2);
    bool removes_entry = reload == ARRAY_LEN(reloads) - 1;
    if (step > 0 && removes_entry)
        world_remove_after(&w, step, reloads[reload].yaml);
    else if (step > 0)
        world_reload_after(&w, step, reloads[reload].yaml);
    plans[0]->must_succeed = plans[1]->must_succeed = step == 0 || reloads[reload].keeps_site;
    if (is_single)
        plans[1]->must_succeed = false;
    sim_client_start(c, &w.listener, sim_now_ns());
    world_run(&w, 120 * SIM_S);
    uint64_t n_steps = sim_n_steps();
    // An exchange that a server had begun when its site went away ends well all the same.
    for (size_t i = 0; i < 2; i++) {
        struct sim_plan *p = plans[i];
        p->must_succeed |= p->n_heads > 0;
        bool is_refused = p->outcome == SIM_ANSWERED && p->got_status == 404;
        if (p->outcome != SIM_UNANSWERED && !p->must_succeed && !is_refused)
            sim_fail("exchange %u: neither served nor 404", p->id);
    }
    world_end(&w);
    return n_steps;
}

static void reload_everywhere(size_t reload)
{
    for (size_t k = 0; k < n_kinds; k++) {
        uint64_t n = run_reload(k, reload, 0);
        sim_end();
        uint64_t stride = stride_of(n);
        for (uint64_t step = 1; step <= n; step += stride) {
            run_reload(k, reload, step);
            if (sim_has_failed()) {
                printf("# %s, kind %s, step %u\n", reloads[reload].name, kind_names[k],
                       (unsigned)step);
                return;
            }
            sim_end();
        }
    }
}

static void a_reload_of_the_same_settings_is_not_noticed(void)
{
    reload_everywhere(0);
}

static void a_server_may_be_added_at_any_step(void)
{
    reload_everywhere(1);
}

static void a_server_may_be_replaced_at_any_step(void)
{
    reload_everywhere(2);
}

static void a_site_may_go_at_any_step(void)
{
    reload_everywhere(3);
}

static void a_site_may_go_with_its_server_at_any_step(void)
{
    reload_everywhere(4);
}

static void an_entrypoint_may_go_at_any_step(void)
{
    reload_everywhere(5);
}

static void run_drain(size_t kind, uint64_t step, uint64_t *ret_n)
{
    struct world w;
    world_start(&w, 1, WORLD_YAML);
    sim_server_new(81);
    struct sim_plan *p = sim_plan_like(&kinds[kind]);
    struct sim_client *c = sim_client_new(&p, 1);
    c->stays = true;
    if (step > 0)
        world_drain_after(&w, step);
    sim_client_start(c, &w.listener, sim_now_ns());
    world_run(&w, 120 * SIM_S);
    p->must_succeed = p->n_heads > 0;
    *ret_n = sim_n_steps();
    world_end(&w);
}

static void a_drain_at_any_step_lets_exchanges_end(void)
{
    for (size_t k = 0; k < n_kinds; k++) {
        uint64_t n, ignored;
        run_drain(k, 0, &n);
        sim_end();
        uint64_t stride = stride_of(n);
        for (uint64_t step = 1; step <= n; step += stride) {
            run_drain(k, step, &ignored);
            if (sim_has_failed()) {
                printf("# kind %s, step %u\n", kind_names[k], (unsigned)step);
                return;
            }
            sim_end();
        }
    }
}

static void run_abort(size_t kind, uint64_t step, uint64_t *ret_n)
{
    struct world w;
    world_start(&w, 1, WORLD_YAML);
    sim_server_new(81);
    struct sim_plan *p = sim_plan_like(&kinds[kind]);
    struct sim_client *c = sim_client_new(&p, 1);
    if (step > 0)
        world_abort_after(&w, step);
    sim_client_start(c, &w.listener, sim_now_ns());
    world_run(&w, 120 * SIM_S);
    *ret_n = sim_n_steps();
    world_end(&w);
}

static void an_abort_at_any_step_ends_everything(void)
{
    for (size_t k = 0; k < n_kinds; k++) {
        uint64_t n, ignored;
        run_abort(k, 0, &n);
        sim_end();
        uint64_t stride = stride_of(n);
        for (uint64_t step = 1; step <= n; step += stride) {
            run_abort(k, step, &ignored);
            if (sim_has_failed()) {
                printf("# kind %s, step %u\n", kind_names[k], (unsigned)step);
                return;
            }
            sim_end();
        }
    }
}

const struct scenario reload_scenarios[] = {
    SCENARIO(a_reload_of_the_same_settings_is_not_noticed),
    SCENARIO(a_server_may_be_added_at_any_step),
    SCENARIO(a_server_may_be_replaced_at_any_step),
    SCENARIO(a_site_may_go_at_any_step),
    SCENARIO(a_site_may_go_with_its_server_at_any_step),
    SCENARIO(an_entrypoint_may_go_at_any_step),
    SCENARIO(a_drain_at_any_step_lets_exchanges_end),
    SCENARIO(an_abort_at_any_step_ends_everything),
    {NULL, NULL},
};
