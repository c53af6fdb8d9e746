// SPDX-License-Identifier: Apache-2.0
// Peers that go away: at every byte, in every way, in every kind of exchange.
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "rt/notes.h"
#include "sim/scenarios.h"
#include "sim/sim_world.h"

enum where {
    CLIENT_SENT,
    CLIENT_RECEIVED,
    SERVER_SENT,
    SERVER_RECEIVED,
};

// What a run with one cut gave.
struct result {
    size_t n_sent, n_received, n_request, n_answer;
};

static struct result run_cut(const struct sim_plan *kind, enum where where, struct sim_cut cut,
                             uint32_t n_cuts)
{
    struct world w;
    world_start(&w, 1, WORLD_YAML);
    sim_server_new(81);
    struct sim_plan *plans[2] = {sim_plan_like(kind), sim_plan_like(&kinds[0])};
    struct sim_plan *p = plans[0];
    struct sim_client *c = sim_client_new(plans, p->is_upgrade || p->minor == 0 ? 1 : 2);
    p->n_cuts = n_cuts;
    switch (where) {
    case CLIENT_SENT:
        c->cut_sent = cut;
        break;
    case CLIENT_RECEIVED:
        c->cut_received = cut;
        break;
    case SERVER_SENT:
        p->cut = cut;
        break;
    case SERVER_RECEIVED:
        p->cut_inward = cut;
        break;
    }
    // A later client must find everything in order.
    struct sim_plan *after = sim_plan_like(&kinds[0]);
    after->must_succeed = true;
    p->must_succeed = cut.how == SIM_GO_ON;
    sim_client_start(c, &w.listener, sim_now_ns());
    sim_client_start(sim_client_new(&after, 1), &w.listener, sim_now_ns() + 20 * SIM_S);
    world_run(&w, 120 * SIM_S);
    struct sim_text answer = {.ptr = NULL};
    sim_put_answer(&answer, p);
    struct result r = {.n_sent = c->ends[0],
                       .n_received = c->n_received,
                       .n_request = c->ends[0] + 200,
                       .n_answer = answer.len};
    world_end(&w);
    return r;
}

// Every byte of small messages. Sanitizers take ten times as long: there, every seventh.
#if NOTES_ASAN
#define STRIDE 7
#else
#define STRIDE 1
#endif

static size_t stride_of(size_t n)
{
    return n > 20000 ? 3989 * STRIDE : n > 1500 ? 61 * STRIDE : STRIDE;
}

static void cut_everywhere(enum where where)
{
    static const enum sim_fault hows[] = {SIM_CLOSE, SIM_RESET, SIM_STALL};
    for (size_t k = 0; k < n_kinds; k++) {
        struct result whole = run_cut(&kinds[k], where, (struct sim_cut){SIM_GO_ON, 0}, 0);
        if (sim_has_failed())
            return;
        sim_end();
        size_t n = where == CLIENT_SENT       ? whole.n_sent
                   : where == CLIENT_RECEIVED ? whole.n_received
                   : where == SERVER_SENT     ? whole.n_answer
                                              : whole.n_request;
        for (size_t at = 0; at <= n; at += stride_of(n)) {
            for (size_t h = 0; h < ARRAY_LEN(hows); h++) {
                run_cut(&kinds[k], where, (struct sim_cut){hows[h], at}, UINT32_MAX);
                if (sim_has_failed()) {
                    sim_fail("kind %s, fault %zu at byte %zu", kind_names[k], h, at);
                    printf("# kind %s, fault %zu at byte %zu\n", kind_names[k], h, at);
                    return;
                }
                sim_end();
            }
        }
    }
}

static void a_client_may_go_at_every_byte_that_it_sends(void)
{
    cut_everywhere(CLIENT_SENT);
}

static void a_client_may_go_at_every_byte_that_it_gets(void)
{
    cut_everywhere(CLIENT_RECEIVED);
}

static void a_server_may_go_at_every_byte_that_it_sends(void)
{
    cut_everywhere(SERVER_SENT);
}

static void a_server_may_go_at_every_byte_that_it_gets(void)
{
    cut_everywhere(SERVER_RECEIVED);
}

static struct sim_plan *run_server(struct sim_plan plan, unsigned n_before)
{
    struct world w;
    world_start(&w, 1, WORLD_YAML);
    sim_server_new(81);
    struct sim_plan *plans[8], *p = NULL;
    for (unsigned i = 0; i < n_before; i++)
        plans[i] = sim_plan_like(&kinds[0]);
    uint32_t n_cuts = plan.n_cuts;
    p = plans[n_before] = sim_plan_like(&plan);
    p->n_cuts = n_cuts;
    sim_client_start(sim_client_new(plans, n_before + 1), &w.listener, sim_now_ns());
    world_run(&w, 120 * SIM_S);
    world_end(&w);
    return p;
}

static void what_a_dying_server_gives_depends_on_when(void)
{
    static const struct {
        const char *method;
        unsigned n_before; // exchanges on the same connections
        size_t at;
        enum sim_fault how;
        uint32_t n_cuts;
        enum sim_outcome outcome;
        unsigned status;
        uint32_t n_heads;
    } cases[] = {
        // before the head: a GET goes to another server, of which there is none
        {"GET", 0, 0, SIM_CLOSE, 99, SIM_ANSWERED, 502, 1},
        {"GET", 0, 0, SIM_RESET, 99, SIM_ANSWERED, 502, 1},
        {"POST", 0, 0, SIM_CLOSE, 99, SIM_ANSWERED, 502, 1},
        // on a connection that had served: once more on a fresh one
        {"GET", 1, 0, SIM_CLOSE, 1, SIM_ANSWERED, 200, 2},
        {"GET", 1, 0, SIM_RESET, 1, SIM_ANSWERED, 200, 2},
        {"GET", 1, 0, SIM_CLOSE, 99, SIM_ANSWERED, 502, 2},
        {"POST", 1, 0, SIM_CLOSE, 1, SIM_ANSWERED, 502, 1},
        // in the head
        {"GET", 0, 20, SIM_CLOSE, 99, SIM_ANSWERED, 502, 1},
        {"GET", 1, 20, SIM_CLOSE, 99, SIM_ANSWERED, 502, 1},
        {"POST", 1, 20, SIM_RESET, 99, SIM_ANSWERED, 502, 1},
        // in the body
        {"GET", 1, 100, SIM_CLOSE, 99, SIM_CUT, 200, 1},
        {"POST", 0, 100, SIM_RESET, 99, SIM_CUT, 200, 1},
        // behind it
        {"GET", 1, 9999, SIM_CLOSE, 99, SIM_ANSWERED, 200, 1},
        {"POST", 1, 9999, SIM_RESET, 99, SIM_ANSWERED, 200, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct sim_plan plan = kinds[0];
        plan.method = cases[i].method;
        plan.cut = (struct sim_cut){cases[i].how, cases[i].at};
        plan.n_cuts = cases[i].n_cuts;
        struct sim_plan *p = run_server(plan, cases[i].n_before);
        SIM_CHECK_INT(p->outcome, cases[i].outcome);
        SIM_CHECK_INT(p->got_status, cases[i].status);
        SIM_CHECK_INT(p->n_heads, cases[i].n_heads);
        if (sim_has_failed()) {
            printf("# case %zu\n", i);
            return;
        }
        sim_end();
    }
}

static void garbage_from_a_server_is_never_passed_on(void)
{
    static const char *const answers[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\nContent-Length: 2\n\nab",
        "HTTP/1.1 200 OK\r\nBad Name: x\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 99 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "\r\n\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
        struct sim_plan plan = kinds[0];
        plan.raw = answers[i];
        plan.closes_silently = true;
        struct sim_plan *p = run_server(plan, 1);
        SIM_CHECK_INT(p->got_status, 502);
        SIM_CHECK(!p->is_servers);
        if (sim_has_failed()) {
            printf("# answer %zu\n", i);
            return;
        }
        sim_end();
    }
}

static void bytes_behind_an_answer_are_nobodys_answer(void)
{
    struct world w;
    world_start(&w, 1, WORLD_YAML);
    sim_server_new(81);
    struct sim_plan *plans[2] = {sim_plan_like(&kinds[0]), sim_plan_like(&kinds[0])};
    plans[0]->raw = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nabHTTP/1.1 200 OK\r\n"
                    "X-Sim: 1\r\nContent-Length: 4\r\n\r\nevil";
    plans[1]->must_succeed = true;
    sim_client_start(sim_client_new(plans, 2), &w.listener, sim_now_ns());
    world_run(&w, 120 * SIM_S);
    world_end(&w);
}

// The server gives an idle connection up after wait_ns; a second request is on its way.
static struct sim_plan *run_stale(const char *method, int64_t wait_ns, uint64_t seed)
{
    struct world w;
    world_start(&w, seed, WORLD_YAML);
    struct sim_server *s = sim_server_new(81);
    s->idle_min_ns = s->idle_max_ns = wait_ns;
    s->keeps_fresh = true;
    struct sim_plan *plans[2] = {sim_plan_like(&kinds[0]), sim_plan_like(&kinds[0])};
    plans[1]->method = method;
    sim_client_start(sim_client_new(plans, 2), &w.listener, sim_now_ns());
    world_run(&w, 120 * SIM_S);
    world_end(&w);
    return plans[1];
}

// The end reaches the worker 1 ms after the server has closed, the request is there 3 ms after the
// answer left the server, and at the server 1 ms later. In between, nobody can know.
static void a_connection_may_end_at_any_moment_between_two_requests(void)
{
    for (int64_t us = 50; us < 8000; us += 50) {
        for (uint64_t seed = 0; seed < 6; seed++) {
            bool is_get = seed % 2 == 0;
            struct sim_plan *p = run_stale(is_get ? "GET" : "POST", us * 1000, seed);
            bool is_fair = us < 2000 || us > 4000;
            unsigned wanted = is_get || is_fair ? 200 : 502;
            if (us != 2000 && us != 4000)
                SIM_CHECK_INT(p->got_status, wanted);
            SIM_CHECK_INT(p->outcome, SIM_ANSWERED);
            if (sim_has_failed()) {
                printf("# seed %u, closed after %u us\n", (unsigned)seed, (unsigned)us);
                return;
            }
            sim_end();
        }
    }
}

const struct scenario reset_scenarios[] = {
    SCENARIO(a_client_may_go_at_every_byte_that_it_sends),
    SCENARIO(a_client_may_go_at_every_byte_that_it_gets),
    SCENARIO(a_server_may_go_at_every_byte_that_it_sends),
    SCENARIO(a_server_may_go_at_every_byte_that_it_gets),
    SCENARIO(what_a_dying_server_gives_depends_on_when),
    SCENARIO(a_connection_may_end_at_any_moment_between_two_requests),
    SCENARIO(garbage_from_a_server_is_never_passed_on),
    SCENARIO(bytes_behind_an_answer_are_nobodys_answer),
    {NULL, NULL},
};
