// SPDX-License-Identifier: Apache-2.0
// Exchanges in which nobody fails, in all their forms.
#include "sim/scenarios.h"
#include "sim/sim_world.h"

#include <string.h>

#define OLD .host = "a.example", .status = 200
#define TO_A OLD, .minor = 1

const struct sim_plan kinds[] = {
    {.method = "GET", TO_A, .answer = SIM_LENGTH, .answer_bytes = 100},
    {.method = "GET", TO_A, .answer = SIM_LENGTH, .answer_bytes = 0, .closes = true},
    {.method = "HEAD", TO_A, .answer = SIM_LENGTH, .answer_bytes = 5000},
    {.method = "GET", TO_A, .answer = SIM_CHUNKED, .answer_bytes = 7000, .has_trailers = true},
    {.method = "GET", TO_A, .answer = SIM_UNTIL_CLOSE, .answer_bytes = 4000},
    {.method = "GET", OLD, .answer = SIM_CHUNKED, .answer_bytes = 4000},
    {.method = "GET", OLD, .answer = SIM_UNTIL_CLOSE, .answer_bytes = 300},
    {.method = "GET", TO_A, .answer = SIM_LENGTH, .answer_bytes = 300, .n_interim = 2},
    {.method = "GET", .host = "a.example", .minor = 1, .status = 304},
    {.method = "POST",
     TO_A,
     .request = SIM_CHUNKED,
     .request_bytes = 6500,
     .has_trailers = true,
     .answer = SIM_LENGTH,
     .answer_bytes = 10},
    {.method = "POST",
     TO_A,
     .request = SIM_LENGTH,
     .request_bytes = 50,
     .answer = SIM_CHUNKED,
     .answer_bytes = 10},
    {.method = "PUT",
     TO_A,
     .request = SIM_LENGTH,
     .request_bytes = 300,
     .expects = true,
     .answer = SIM_LENGTH,
     .answer_bytes = 10},
    {.method = "POST",
     TO_A,
     .request = SIM_CHUNKED,
     .request_bytes = 300,
     .expects = true,
     .ignores_expect = true,
     .answer = SIM_LENGTH,
     .answer_bytes = 10},
    {.method = "GET", TO_A, .is_upgrade = true, .tunnel_bytes = 600},
    {.method = "GET", TO_A, .answer = SIM_LENGTH, .answer_bytes = 100000},
    {.method = "POST",
     TO_A,
     .request = SIM_LENGTH,
     .request_bytes = 100000,
     .answer = SIM_LENGTH,
     .answer_bytes = 10},
};
const char *const kind_names[] = {
    "small get",
    "empty answer, closing",
    "head",
    "chunked answer",
    "until close",
    "1.0, chunked",
    "1.0, close",
    "interim answers",
    "not modified",
    "chunked post",
    "small post",
    "expects 100",
    "expects in vain",
    "upgrade",
    "big download",
    "big upload",
};
const size_t n_kinds = sizeof kinds / sizeof kinds[0];

static struct sim_plan *run_kind(size_t i, void (*prepare)(struct sim_client *c))
{
    struct world w;
    world_start(&w, 1, WORLD_YAML);
    sim_server_new(81);
    struct sim_plan *p = sim_plan_like(&kinds[i]);
    p->must_succeed = true;
    struct sim_client *c = sim_client_new(&p, 1);
    if (prepare)
        prepare(c);
    sim_client_start(c, &w.listener, sim_now_ns());
    world_run(&w, 600 * SIM_S);
    if (sim_has_failed())
        sim_fail("kind %s", kind_names[i]);
    world_end(&w);
    return p;
}

static void run_kinds(void (*prepare)(struct sim_client *c))
{
    for (size_t i = 0; i < n_kinds; i++) {
        run_kind(i, prepare);
        if (sim_has_failed())
            return;
        sim_end();
    }
}

static void every_kind_of_exchange_is_carried_out(void)
{
    run_kinds(NULL);
}

static void send_byte_by_byte(struct sim_client *c)
{
    c->send_pace = (struct sim_pace){.piece_bytes = 1, .gap_ns = SIM_MS / 10};
    if (c->plans[0]->request_bytes > 10000)
        c->send_pace.piece_bytes = 97;
}

static void a_client_that_sends_byte_by_byte_is_served(void)
{
    run_kinds(send_byte_by_byte);
}

static void read_byte_by_byte(struct sim_client *c)
{
    c->read_pace = (struct sim_pace){.piece_bytes = 1, .gap_ns = SIM_MS / 10};
    if (c->plans[0]->answer_bytes > 10000)
        c->read_pace.piece_bytes = 997;
}

static void a_client_that_reads_byte_by_byte_is_served(void)
{
    run_kinds(read_byte_by_byte);
}

static void answer_byte_by_byte(struct sim_client *c)
{
    struct sim_plan *p = c->plans[0];
    p->pace = (struct sim_pace){.piece_bytes = 1, .gap_ns = SIM_MS / 10};
    if (p->answer_bytes > 10000)
        p->pace.piece_bytes = 997;
}

static void a_server_that_answers_byte_by_byte_is_understood(void)
{
    run_kinds(answer_byte_by_byte);
}

static void half_close(struct sim_client *c)
{
    c->half_closes = !c->plans[0]->is_upgrade;
}

static void a_client_that_ends_its_side_gets_its_answer(void)
{
    run_kinds(half_close);
}

static void narrow(struct sim_client *c)
{
    (void)c;
    sim_net.window_min = sim_net.window_max = 100;
    sim_net.segment_max = 7;
}

static void narrow_windows_change_nothing(void)
{
    run_kinds(narrow);
}

static void answers_come_in_the_order_of_pipelined_requests(void)
{
    struct world w;
    world_start(&w, 1, WORLD_YAML);
    sim_server_new(81);
    struct sim_plan *plans[12];
    size_t n = 0;
    for (size_t i = 0; i < 12; i++) {
        const struct sim_plan *model = &kinds[i < 5 || i > 6 ? i : 0];
        plans[n] = sim_plan_like(model);
        plans[n]->expects = false;
        plans[n]->think_ns = (int64_t)(12 - i) * 3 * SIM_MS;
        plans[n++]->must_succeed = true;
    }
    struct sim_client *c = sim_client_new(plans, (uint32_t)n);
    c->pipelines = true;
    sim_client_start(c, &w.listener, sim_now_ns());
    world_run(&w, 600 * SIM_S);
    world_end(&w);
}

static void connections_to_servers_are_used_again(void)
{
    struct world w;
    world_start(&w, 1, WORLD_YAML);
    struct sim_server *s = sim_server_new(81);
    struct sim_plan *plans[20];
    for (size_t i = 0; i < 20; i++) {
        plans[i] = sim_plan_new(i % 2 ? "GET" : "POST", "a.example");
        plans[i]->must_succeed = true;
    }
    sim_client_start(sim_client_new(plans, 20), &w.listener, sim_now_ns());
    world_run(&w, 600 * SIM_S);
    SIM_CHECK_INT(s->n_accepted, 1);
    world_end(&w);
}

static void a_deferred_accept_changes_nothing(void)
{
    struct world w;
    world_start(&w, 1, WORLD_YAML);
    sim_net.defer_accept = true;
    sim_server_new(81);
    struct sim_plan *p = sim_plan_like(&kinds[0]);
    p->must_succeed = true;
    sim_client_start(sim_client_new(&p, 1), &w.listener, sim_now_ns());
    world_run(&w, 60 * SIM_S);
    world_end(&w);
}

static void send_early(struct sim_client *c)
{
    c->is_early = true;
}

static void bytes_of_a_tunnel_may_come_before_it_stands(void)
{
    run_kinds(send_early);
}

// The client reads the refusal although it is still sending what nobody wants.
static void a_body_that_is_too_large_gets_413_for_all_that(void)
{
    static const enum sim_framing framings[] = {SIM_LENGTH, SIM_CHUNKED};
    for (size_t i = 0; i < 2; i++) {
        struct world w;
        world_start(&w, 1,
                    "entrypoints: { web: { listen: ':80', body-max: 10KiB } }\n"
                    "sites: { a.example: 'http://10.0.0.1:81' }\n");
        sim_server_new(81);
        struct sim_plan *p = sim_plan_like(&kinds[15]);
        p->request = framings[i];
        struct sim_client *c = sim_client_new(&p, 1);
        c->send_pace = (struct sim_pace){.piece_bytes = 1000, .gap_ns = SIM_MS};
        sim_client_start(c, &w.listener, sim_now_ns());
        world_run(&w, 600 * SIM_S);
        SIM_CHECK_INT(p->got_status, 413);
        SIM_CHECK_INT(p->n_executed, 0);
        world_end(&w);
        if (sim_has_failed())
            return;
        sim_end();
    }
}

static void too_few_fibers_end_nothing_but_exchanges(void)
{
    for (uint32_t n = 1; n <= 3; n++) {
        for (size_t i = 0; i < n_kinds; i++) {
            struct world w;
            world_limits.fibers_max = n;
            world_start(&w, 1, WORLD_YAML);
            sim_server_new(81);
            struct sim_plan *plans[3];
            for (size_t j = 0; j < 3; j++) {
                plans[j] = sim_plan_like(&kinds[i]);
                sim_client_start(sim_client_new(&plans[j], 1), &w.listener, sim_now_ns());
            }
            world_run(&w, 600 * SIM_S);
            world_end(&w);
            if (sim_has_failed()) {
                sim_fail("kind %s, %u fibers", kind_names[i], n);
                return;
            }
            sim_end();
        }
    }
}

static struct str world_log(uint64_t seed)
{
    scenario_world(seed);
    struct str log = sim_log_text();
    char *copy = sim_alloc(log.len);
    memcpy(copy, log.ptr, log.len);
    return str_from(copy, log.len);
}

static void the_same_seed_gives_the_same_log(void)
{
    static char first[1 << 22];
    for (uint64_t seed = 1000; seed < 1010; seed++) {
        struct str log = world_log(seed);
        size_t n = log.len < sizeof first ? log.len : sizeof first;
        memcpy(first, log.ptr, n);
        sim_end();
        scenario_world(seed);
        log = sim_log_text();
        SIM_CHECK(log.len >= n && memcmp(log.ptr, first, n) == 0);
        if (sim_has_failed())
            return;
        sim_end();
    }
}

const struct scenario exchange_scenarios[] = {
    SCENARIO(every_kind_of_exchange_is_carried_out),
    SCENARIO(a_client_that_sends_byte_by_byte_is_served),
    SCENARIO(a_client_that_reads_byte_by_byte_is_served),
    SCENARIO(a_server_that_answers_byte_by_byte_is_understood),
    SCENARIO(a_client_that_ends_its_side_gets_its_answer),
    SCENARIO(narrow_windows_change_nothing),
    SCENARIO(answers_come_in_the_order_of_pipelined_requests),
    SCENARIO(connections_to_servers_are_used_again),
    SCENARIO(a_deferred_accept_changes_nothing),
    SCENARIO(bytes_of_a_tunnel_may_come_before_it_stands),
    SCENARIO(a_body_that_is_too_large_gets_413_for_all_that),
    SCENARIO(too_few_fibers_end_nothing_but_exchanges),
    SCENARIO(the_same_seed_gives_the_same_log),
    {NULL, NULL},
};
