// SPDX-License-Identifier: Apache-2.0
// HTTP/2 with clients and servers: every kind of exchange on a stream, every way to break one, and
// what happens meanwhile.
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "rt/loop.h"
#include "rt/notes.h"
#include "sim/scenarios.h"
#include "sim/sim_h2_peer.h"
#include "sim/sim_world.h"

#define LIMIT (300 * SIM_S)
#define YAML_WITH(entry_)                                                                          \
    "access-log: { path: '-', format: json }\n"                                                    \
    "entrypoints: { web: { listen: ':80', " WORLD_ENTRY entry_ " } }\n"                            \
    "services:\n"                                                                                  \
    "  a: { servers: ['http://10.0.0.1:81'], " WORLD_SERVICE " }\n"                                \
    "  h: { servers: ['h2c://10.0.0.1:89'], " WORLD_SERVICE " }\n"                                 \
    "sites: { a.example: { to: a }, h.example: { to: h } }\n"
#define YAML YAML_WITH(", h2c: yes")

#if NOTES_ASAN
#define STRIDE 16 // sanitizers take ten times as long
#else
#define STRIDE 2
#endif

static void start(struct world *w, uint64_t seed, const char *yaml)
{
    world_start(w, seed, yaml);
    sim_server_new(81);
    sim_server_new(89)->speech = SIM_SPEAKS_HTTP_2;
}

static struct sim_plan *plan_of_kind(size_t kind, const char *host)
{
    struct sim_plan *p = sim_plan_like(&kinds[kind]);
    p->host = host;
    return p;
}

static struct sim_h2_client *start_client(struct world *w, struct sim_plan **plans, uint32_t n)
{
    struct sim_h2_client *c = sim_h2_client_new(plans, n);
    sim_h2_client_start(c, &w->listener, sim_now_ns());
    return c;
}

static struct sim_plan *start_witness(struct world *w, const char *host)
{
    struct sim_plan *p = plan_of_kind(0, host);
    p->must_succeed = true;
    start_client(w, &p, 1);
    return p;
}

// --- every kind ---

static void streams_carry_every_kind(void)
{
    for (unsigned i = 0; i < 4 && !sim_has_failed(); i++) {
        bool to_h2 = i % 2 == 1;
        struct world w;
        struct sim_plan *plans[32];
        uint32_t n = 0;
        sim_end();
        start(&w, i, YAML);
        sim_net.segment_max = i >= 2 ? 500 : 0;
        for (size_t kind = 0; kind < n_kinds; kind++) {
            if (kinds[kind].minor == 0 || (kinds[kind].is_upgrade && to_h2))
                continue;
            plans[n] = plan_of_kind(kind, to_h2 ? "h.example" : "a.example");
            plans[n++]->must_succeed = true;
        }
        start_client(&w, plans, n);
        world_run(&w, LIMIT);
        world_end(&w);
    }
}

// The exchange is over with the last byte of its answer, and not some time-out later.
static void an_exchange_with_trailers_ends_with_them(void)
{
    struct world w;
    start(&w, 1, YAML);
    struct sim_plan *p = plan_of_kind(3, "a.example");
    SIM_CHECK(p->has_trailers);
    p->pace = (struct sim_pace){10, SIM_MS / 10}; // so that they come alone
    p->must_succeed = true;
    start_client(&w, &p, 1)->stays = true;
    int64_t until_ns = sim_now_ns() + SIM_S;
    while (sim_now_ns() < until_ns && sim_next_ns() < until_ns)
        loop_turn(w.loop, 10);
    SIM_CHECK_INT(p->n_finished, 1);
    world_run(&w, LIMIT);
    world_end(&w);
}

// --- peers that break ---

#define BREAKING_PLANS 4

// A client that breaks at a byte, and one that must be served all the same. Returns how many bytes
// the first one would have sent, or got.
static size_t run_broken_client(enum sim_fault how, size_t at, bool is_inward, bool bursts)
{
    static const size_t some_kinds[BREAKING_PLANS] = {0, 3, 9, 14};
    struct world w;
    struct sim_plan *plans[BREAKING_PLANS];
    start(&w, 1, YAML);
    sim_net.window_min = sim_net.window_max = 8000;
    sim_sys.burst_percent = bursts ? 100 : 0;
    for (size_t i = 0; i < BREAKING_PLANS; i++)
        plans[i] = plan_of_kind(some_kinds[i], i % 2 == 0 ? "a.example" : "h.example");
    struct sim_h2_client *c = start_client(&w, plans, BREAKING_PLANS);
    *(is_inward ? &c->h2.cut_received : &c->h2.cut_sent) = (struct sim_cut){how, at};
    start_witness(&w, "h.example");
    world_run(&w, LIMIT);
    size_t n = is_inward ? c->h2.n_received : c->h2.n_sent;
    world_end(&w);
    return n;
}

static void break_clients(bool is_inward)
{
    static const enum sim_fault hows[] = {SIM_CLOSE, SIM_RESET, SIM_STALL};
    size_t n = run_broken_client(SIM_GO_ON, 0, is_inward, false);
    size_t step = MAX(n / 200, (size_t)1) * STRIDE;
    SIM_CHECK(n > 1000);
    for (size_t i = 0; i < 2 * ARRAY_LEN(hows); i++) {
        for (size_t at = i; at < n && !sim_has_failed(); at += step) {
            sim_end();
            run_broken_client(hows[i / 2], at, is_inward, i % 2 == 1);
            if (sim_has_failed())
                printf("# way %zu, byte %zu\n", i, at);
        }
    }
}

static void a_client_of_http2_breaks_anywhere(void)
{
    break_clients(false);
}

static void a_client_of_http2_breaks_anywhere_in_what_it_reads(void)
{
    break_clients(true);
}

// A stream that its server breaks concerns no other on the same connection.
static void a_stream_is_reset_anywhere(void)
{
    for (size_t at = 0; at < 7200 && !sim_has_failed(); at += 97 * STRIDE) {
        for (int is_inward = 0; is_inward < 2; is_inward++) {
            struct world w;
            sim_end();
            start(&w, 1, YAML);
            struct sim_plan *plans[] = {plan_of_kind(is_inward ? 9 : 3, "h.example"),
                                        plan_of_kind(14, "h.example")};
            *(is_inward ? &plans[0]->cut_inward : &plans[0]->cut) = (struct sim_cut){SIM_CLOSE, at};
            plans[0]->n_cuts = 1;
            plans[1]->must_succeed = true;
            start_client(&w, plans, ARRAY_LEN(plans));
            world_run(&w, LIMIT);
            world_end(&w);
        }
    }
}

static void what_is_not_allowed_ends_its_connection_alone(void)
{
    for (uint32_t i = 0; i < 16 && !sim_has_failed(); i++) {
        struct world w;
        sim_end();
        start(&w, i, YAML);
        struct sim_plan *p = plan_of_kind(14, "a.example");
        struct sim_h2_client *c = start_client(&w, &p, 1);
        c->hostile_ns = 6 * SIM_MS;
        c->hostile_kind = i;
        start_witness(&w, "a.example");
        world_run(&w, LIMIT);
        SIM_CHECK(p->outcome != SIM_ANSWERED || i == 0);
        world_end(&w);
    }
}

static void servers_that_say_what_is_not_allowed_are_left(void)
{
    for (uint64_t seed = 0; seed < 32 && !sim_has_failed(); seed++) {
        struct world w;
        sim_end();
        world_start(&w, seed, YAML);
        struct sim_server *s = sim_server_new(89);
        s->speech = SIM_SPEAKS_HTTP_2;
        s->hostile_percent = 100;
        struct sim_plan *p = plan_of_kind(14, "h.example");
        p->pace = (struct sim_pace){1000, 20 * SIM_MS};
        start_client(&w, &p, 1);
        world_run(&w, LIMIT);
        sim_server_calm(s);
        start_witness(&w, "h.example");
        world_run(&w, LIMIT);
        world_end(&w);
    }
}

// RFC 9113 8.7: nothing was done with it, whatever its method.
static void refused_streams_are_tried_again(void)
{
    struct world w;
    struct sim_plan *plans[3];
    start(&w, 1, YAML);
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        plans[i] = plan_of_kind(i == 0 ? 0 : 10, "h.example");
        plans[i]->n_refusals = 3;
        plans[i]->must_succeed = true;
    }
    start_client(&w, plans, ARRAY_LEN(plans));
    world_run(&w, LIMIT);
    for (size_t i = 0; i < ARRAY_LEN(plans); i++)
        SIM_CHECK_INT(plans[i]->n_executed, 1);
    world_end(&w);
}

// --- readers ---

static void who_takes_nothing_delays_nobody(void)
{
    for (int to_h2 = 0; to_h2 < 2 && !sim_has_failed(); to_h2++) {
        const char *host = to_h2 ? "h.example" : "a.example";
        struct world w;
        struct sim_plan *plans[6];
        sim_end();
        start(&w, 1, YAML);
        for (size_t i = 0; i < ARRAY_LEN(plans); i++)
            plans[i] = plan_of_kind(14, host);
        struct sim_h2_client *c = start_client(&w, plans, ARRAY_LEN(plans));
        c->streams[0].has_no_window = c->streams[1].has_no_window = true;
        world_run(&w, LIMIT);
        for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
            bool is_served = plans[i]->outcome == SIM_ANSWERED;
            SIM_CHECK(is_served == (i >= 2));
            SIM_CHECK(!is_served || plans[i]->ended_ms - plans[i]->began_ms < 500);
        }
        world_end(&w);
    }
}

// The worker's farewell to an idle client waits for a socket that takes nothing, without a turn in
// vain.
static void a_farewell_that_nobody_takes_waits_quietly(void)
{
    struct world w;
    start(&w, 1,
          "entrypoints: { web: { listen: ':80', idle-timeout: 1s, body-timeout: 3s, h2c: yes } }\n"
          "sites: { a.example: { to: 'http://10.0.0.1:81' } }\n");
    sim_net.window_min = sim_net.window_max = 200;
    struct sim_plan *p = plan_of_kind(0, "a.example");
    struct sim_h2_client *c = start_client(&w, &p, 1);
    c->h2.cut_received = (struct sim_cut){SIM_STALL, 1};
    world_run(&w, LIMIT);
    world_end(&w);
}

// What TLS has sealed goes on as soon as the socket takes it, also when nothing comes behind it.
static void the_last_record_is_not_left_behind(void)
{
    for (size_t n = 1; n < 3000 && !sim_has_failed(); n += 37 * STRIDE) {
        struct world w;
        sim_end();
        start(&w, n, YAML_WITH(", tls: {}"));
        sim_net.window_min = sim_net.window_max = 300;
        struct sim_tls_wish wish = {.server_name = "a.example", .speaks_h2 = true};
        struct sim_plan *p = plan_of_kind(0, "a.example");
        p->answer_bytes = n;
        p->must_succeed = true;
        start_client(&w, &p, 1)->tls = &wish;
        world_run(&w, LIMIT);
        SIM_CHECK(p->ended_ms - p->began_ms < 1000);
        world_end(&w);
    }
}

// --- long links ---

#define LONG_BYTES ((size_t)10 << 20)
#define LONG_WAY_NS (25 * SIM_MS)
#define LONG_TRIPS_MAX 20

// How many round trips a body takes where the link carries any number of bytes at a time. TCP
// itself would take 10, as it begins with little; a window that stays at 64 KiB 160. The worker's
// grow to 2 MiB (from servers) and 4 MiB; nghttp2 gives back halves of them, so that at least a
// half is on its way.
static int64_t trips_of(bool is_upload, const char *host)
{
    struct world w;
    sim_end();
    start(&w, 1, YAML);
    sim_net.latency_ns = LONG_WAY_NS;
    sim_net.window_min = sim_net.window_max = 2 * (uint32_t)LONG_BYTES;
    struct sim_plan *p = plan_of_kind(is_upload ? 15 : 14, host);
    *(is_upload ? &p->request_bytes : &p->answer_bytes) = LONG_BYTES;
    p->must_succeed = true;
    struct sim_h2_client *c = start_client(&w, &p, 1);
    c->wish.window_bytes = LONG_BYTES;
    c->wish.conn_window_bytes = LONG_BYTES;
    world_run(&w, LIMIT);
    int64_t trips = (p->ended_ms - p->began_ms) * SIM_MS / (2 * LONG_WAY_NS);
    sim_log("%d round trips", (int)trips);
    world_end(&w);
    return trips;
}

// Three trips are for the connections and for the request.
static void windows_do_not_bind_a_long_link(void)
{
    static const struct {
        const char *host;
        bool is_upload;
        int64_t max;
    } cases[] = {{"a.example", false, 4},
                 {"h.example", false, LONG_TRIPS_MAX},
                 {"a.example", true, LONG_TRIPS_MAX}};
    for (size_t i = 0; i < ARRAY_LEN(cases) && !sim_has_failed(); i++) {
        int64_t n = trips_of(cases[i].is_upload, cases[i].host);
        if (n > cases[i].max)
            sim_fail("case %zu: %d round trips", i, (int)n);
    }
}

// --- meanwhile ---

enum change {
    CHANGE_SETTINGS,
    CHANGE_DRAIN,
    CHANGE_ABORT,
};

static const char *const change_names[] = {"settings", "drain", "abort"};

static uint64_t run_change(enum change change, uint64_t step)
{
    static const size_t some_kinds[] = {0, 3, 9, 14};
    struct world w;
    struct sim_plan *plans[ARRAY_LEN(some_kinds)];
    start(&w, 1, YAML);
    for (size_t i = 0; i < ARRAY_LEN(plans); i++)
        plans[i] = plan_of_kind(some_kinds[i], i % 2 == 0 ? "a.example" : "h.example");
    struct sim_h2_client *c = start_client(&w, plans, ARRAY_LEN(plans));
    c->gap_ns = 2 * SIM_MS;
    if (step > 0 && change == CHANGE_SETTINGS)
        world_reload_after(&w, step, YAML_WITH(", h2c: yes, http2-streams-max: 50"));
    else if (step > 0 && change == CHANGE_DRAIN)
        world_drain_after(&w, step);
    else if (step > 0)
        world_abort_after(&w, step);
    world_run(&w, LIMIT);
    bool was_accepted = c->end->other->is_accepted;
    for (uint32_t i = 0; i < c->n_sent && was_accepted && change != CHANGE_ABORT; i++) {
        const struct sim_plan *p = plans[i];
        bool is_untouched = change == CHANGE_DRAIN && p->outcome == SIM_UNANSWERED &&
                            p->n_heads == 0 && !p->must_succeed;
        if (p->outcome != SIM_ANSWERED && !is_untouched)
            sim_fail("exchange %u was taken, and lost", p->id);
    }
    uint64_t n_steps = sim_n_steps();
    world_end(&w);
    return n_steps;
}

static void change_everywhere(enum change change)
{
    uint64_t n = run_change(change, 0);
    for (uint64_t step = 1; step < n && !sim_has_failed(); step += STRIDE) {
        sim_end();
        run_change(change, step);
        if (sim_has_failed())
            printf("# %s behind event %u\n", change_names[change], (unsigned)step);
    }
}

static void settings_change_at_every_step_of_streams(void)
{
    change_everywhere(CHANGE_SETTINGS);
}

static void a_drain_at_every_step_loses_no_stream(void)
{
    change_everywhere(CHANGE_DRAIN);
}

static void an_abort_at_every_step_of_streams_leaves_nothing(void)
{
    change_everywhere(CHANGE_ABORT);
}

// Timers that run out in one turn: who waits for an answer on a connection that is given up.
static void a_late_worker_forgets_nobody_who_waits(void)
{
    for (uint64_t seed = 0; seed < 64 && !sim_has_failed(); seed++) {
        struct world w;
        struct sim_plan *plans[3];
        sim_end();
        world_start(&w, seed, YAML);
        struct sim_server *s = sim_server_new(89);
        s->speech = SIM_SPEAKS_HTTP_2;
        s->read_pace = (struct sim_pace){20000, 4 * SIM_S}; // answers no PING in time
        sim_sys.delay_permille = 200;
        sim_sys.delay_max_ns = 3 * SIM_S;
        for (size_t i = 0; i < ARRAY_LEN(plans); i++)
            plans[i] = plan_of_kind(0, "h.example");
        struct sim_h2_client *c = start_client(&w, plans, ARRAY_LEN(plans));
        c->gap_ns = 2500 * SIM_MS;
        world_run(&w, LIMIT);
        world_end(&w);
    }
}

const struct scenario h2_scenarios[] = {
    SCENARIO(streams_carry_every_kind),
    SCENARIO(an_exchange_with_trailers_ends_with_them),
    SCENARIO(a_client_of_http2_breaks_anywhere),
    SCENARIO(a_client_of_http2_breaks_anywhere_in_what_it_reads),
    SCENARIO(a_stream_is_reset_anywhere),
    SCENARIO(what_is_not_allowed_ends_its_connection_alone),
    SCENARIO(servers_that_say_what_is_not_allowed_are_left),
    SCENARIO(refused_streams_are_tried_again),
    SCENARIO(who_takes_nothing_delays_nobody),
    SCENARIO(a_farewell_that_nobody_takes_waits_quietly),
    SCENARIO(the_last_record_is_not_left_behind),
    SCENARIO(windows_do_not_bind_a_long_link),
    SCENARIO(settings_change_at_every_step_of_streams),
    SCENARIO(a_drain_at_every_step_loses_no_stream),
    SCENARIO(an_abort_at_every_step_of_streams_leaves_nothing),
    SCENARIO(a_late_worker_forgets_nobody_who_waits),
    {NULL, NULL},
};
