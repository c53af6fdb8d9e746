// SPDX-License-Identifier: Apache-2.0
// Clients that speak TLS with the worker: every way to split and to break a handshake, and what
// happens meanwhile.
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "rt/loop.h"
#include "rt/notes.h"
#include "sim/scenarios.h"
#include "sim/sim_world.h"

#define LIMIT (120 * SIM_S)
#define TLS_YAML(tls, more)                                                                        \
    "access-log: { path: '-', format: json }\n"                                                    \
    "entrypoints: { web: { listen: ':443', " WORLD_ENTRY ", tls: { handshake-timeout: 2s" tls      \
    " } } }\n"                                                                                     \
    "services: { a: { servers: ['http://10.0.0.1:81'], " WORLD_SERVICE " } }\n"                    \
    "sites: { a.example: { to: a }, b.example: { to: a } }\n" more
#define PASSED                                                                                     \
    "routes: [{ match: 'HostSNI(`passed.example`)', passthrough: on, to: 'tcp://10.0.0.1:88' }]\n"
#define YAML TLS_YAML("", PASSED)

#if NOTES_ASAN
#define STRIDE 8 // sanitizers take ten times as long
#else
#define STRIDE 1
#endif

static const struct sim_plan upload = {
    .method = "POST",
    .minor = 1,
    .status = 200,
    .request = SIM_LENGTH,
    .request_bytes = 50,
    .answer = SIM_LENGTH,
    .answer_bytes = 300,
};

// A client of a.example, or of the name that the wish has, with n plans like the model.
static struct sim_client *start_client(struct world *w, const struct sim_tls_wish *wish,
                                       const struct sim_plan *model, uint32_t n, int64_t at_ns)
{
    struct sim_plan *plans[4];
    for (uint32_t i = 0; i < n; i++) {
        plans[i] = sim_plan_like(model);
        plans[i]->host = wish && wish->server_name ? wish->server_name : "a.example";
        plans[i]->is_passed = wish && wish->shows == SIM_TLS_SHOWS_SERVER;
    }
    struct sim_client *c = sim_client_new(plans, n);
    c->tls = wish;
    sim_client_start(c, &w->listener, sim_now_ns() + at_ns);
    return c;
}

static void start(struct world *w, const char *yaml)
{
    world_start(w, 1, yaml);
    sim_server_new(81);
    sim_server_new(88)->speaks_tls = true;
}

static void demand_all(const struct sim_client *c)
{
    for (uint32_t i = 0; i < c->n_plans; i++)
        c->plans[i]->must_succeed = true;
}

static void handshakes_come_in_any_pieces(void)
{
    static const uint32_t pieces[] = {1, 2, 5, 6, 7, 100, 299};
    for (size_t i = 0; i < ARRAY_LEN(pieces) && !sim_has_failed(); i++) {
        for (int older = 0; older < 2; older++) {
            struct world w;
            sim_end();
            start(&w, YAML);
            struct sim_tls_wish wish = {
                .server_name = "a.example", .speaks_1_2 = older, .pace = {pieces[i], SIM_MS / 4}};
            struct sim_tls_wish passed = wish;
            passed.server_name = "passed.example";
            passed.shows = SIM_TLS_SHOWS_SERVER;
            demand_all(start_client(&w, &wish, &kinds[0], 2, 0));
            demand_all(start_client(&w, &passed, &kinds[0], 2, 0));
            world_run(&w, LIMIT);
            world_end(&w);
        }
    }
}

// Runs a client that breaks at a byte of what it sends on the wire, and one that must be served
// all the same. Returns how much the first one would have sent.
static size_t run_broken(const char *name, enum sim_fault how, size_t at)
{
    struct world w;
    start(&w, YAML);
    sim_net.segment_max = 200;
    struct sim_tls_wish broken = {
        .server_name = name,
        .shows = strcmp(name, "passed.example") == 0 ? SIM_TLS_SHOWS_SERVER : SIM_TLS_SHOWS_SITE,
        .cut = {how, at}};
    struct sim_tls_wish whole = {.server_name = "a.example"};
    struct sim_client *c = start_client(&w, &broken, &upload, 1, 0);
    demand_all(start_client(&w, &whole, &upload, 2, SIM_MS));
    world_run(&w, LIMIT);
    size_t n = c->wire.tls ? sim_tls_n_sent(c->wire.tls) : 0;
    world_end(&w);
    return n;
}

static void break_everywhere(const char *name)
{
    static const enum sim_fault hows[] = {SIM_CLOSE, SIM_RESET, SIM_STALL};
    size_t n = run_broken(name, SIM_GO_ON, 0);
    SIM_CHECK(n > 300);
    for (size_t i = 0; i < ARRAY_LEN(hows); i++) {
        for (size_t at = 0; at < n && !sim_has_failed(); at += 7 * STRIDE) {
            sim_end();
            run_broken(name, hows[i], at);
            if (sim_has_failed())
                printf("# way %zu, byte %zu\n", i, at);
        }
    }
}

static void a_client_breaks_anywhere(void)
{
    break_everywhere("a.example");
}

static void a_passed_client_breaks_anywhere(void)
{
    break_everywhere("passed.example");
}

// What was changed on its way is never taken for anything.
static void a_changed_byte_ends_the_connection(void)
{
    for (size_t at = 3; at < 1400 && !sim_has_failed(); at += 11 * STRIDE) {
        struct world w;
        sim_end();
        start(&w, YAML);
        struct sim_tls_wish wish = {.server_name = "a.example", .flip_at = at, .is_rude = true};
        struct sim_client *c = start_client(&w, &wish, &upload, 1, 0);
        demand_all(start_client(&w, &(struct sim_tls_wish){.server_name = "a.example"}, &kinds[0],
                                1, SIM_MS));
        world_run(&w, LIMIT);
        bool was_reached = sim_tls_n_sent(c->wire.tls) > at;
        // What isn't sealed yet is part of what the keys are made of.
        if (was_reached && (c->plans[0]->outcome == SIM_ANSWERED || c->plans[0]->n_heads > 0))
            sim_fail("byte %zu was changed, and nobody has noticed", at);
        world_end(&w);
    }
}

enum change {
    CHANGE_CERTIFICATES,
    CHANGE_SETTINGS,
    CHANGE_DRAIN,
    CHANGE_ABORT,
};

static const char *const change_names[] = {"certificates", "settings", "drain", "abort"};

static uint64_t run_change(enum change change, uint64_t step)
{
    struct world w;
    start(&w, YAML);
    struct sim_tls_wish wish = {.server_name = "a.example"};
    struct sim_tls_wish passed = {.server_name = "passed.example", .shows = SIM_TLS_SHOWS_SERVER};
    struct sim_client *c[] = {
        start_client(&w, &wish, &upload, 1, 0),
        start_client(&w, &passed, &upload, 1, 0),
    };
    if (step > 0 && change == CHANGE_CERTIFICATES)
        world_equip_after(&w, step);
    else if (step > 0 && change == CHANGE_SETTINGS)
        world_reload_after(&w, step, TLS_YAML(", tickets: off, groups: [P-256]", PASSED));
    else if (step > 0 && change == CHANGE_DRAIN)
        world_drain_after(&w, step);
    else if (step > 0)
        world_abort_after(&w, step);
    world_run(&w, LIMIT);
    for (size_t i = 0; i < ARRAY_LEN(c) && change != CHANGE_ABORT; i++) {
        bool was_late = c[i]->was_refused || !c[i]->end->other->is_accepted;
        if (c[i]->plans[0]->outcome != SIM_ANSWERED && !was_late)
            sim_fail("client %u was accepted, and lost", c[i]->id);
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

static void certificates_change_at_every_step(void)
{
    change_everywhere(CHANGE_CERTIFICATES);
}

static void settings_of_tls_change_at_every_step(void)
{
    change_everywhere(CHANGE_SETTINGS);
}

static void a_drain_at_every_step_loses_no_client(void)
{
    change_everywhere(CHANGE_DRAIN);
}

static void an_abort_at_every_step_leaves_nothing(void)
{
    change_everywhere(CHANGE_ABORT);
}

// A ticket opens as long as its key is there, for its name alone; a session that can't be resumed
// costs a handshake, and nothing else.
static void sessions_are_resumed(void)
{
    static const struct {
        const char *name;
        uint32_t n_rotations; // before it comes
        uint32_t n_resumed;   // in all, after it
    } cases[] = {
        {"a.example", 0, 0}, {"a.example", 0, 1}, {"b.example", 0, 1},
        {"a.example", 1, 2}, {"a.example", 2, 2}, {"a.example", 0, 3},
    };
    struct sim_tls_wish wishes[ARRAY_LEN(cases)];
    struct world w;
    start(&w, YAML);
    for (size_t i = 0; i < ARRAY_LEN(cases) && !sim_has_failed(); i++) {
        for (uint32_t n = 0; n < cases[i].n_rotations; n++)
            world_equip_at(&w, sim_now_ns());
        wishes[i] = (struct sim_tls_wish){.server_name = cases[i].name, .resumes = true};
        demand_all(start_client(&w, &wishes[i], &kinds[0], 1, SIM_MS));
        world_run(&w, LIMIT);
        SIM_CHECK_INT(sim_tls_n_resumed(), cases[i].n_resumed);
    }
    world_end(&w);
}

static void plain_http_is_told_to_speak_tls(void)
{
    struct world w;
    start(&w, YAML);
    struct sim_client *c = start_client(&w, NULL, &kinds[0], 1, 0);
    world_run(&w, LIMIT);
    SIM_CHECK_INT(c->plans[0]->got_status, 400);
    SIM_CHECK_INT(c->plans[0]->n_heads, 0);
    world_end(&w);
}

#define N_IDLE 20
#define IDLE_MAX_BYTES ((size_t)24 << 10) // with two record buffers it would be 50 KiB

// The clients' half of each is freed before it is looked at.
static void idle_connections_hold_no_record_buffers(void)
{
    struct sim_tls_wish wish = {.server_name = "a.example"};
    struct world w;
    start(&w, YAML);
    struct sim_client *c[N_IDLE];
    for (size_t i = 0; i < N_IDLE; i++) {
        c[i] = start_client(&w, &wish, &kinds[0], 1, (int64_t)i * 50 * SIM_MS);
        c[i]->stays = true;
    }
    size_t before = sim_heap_bytes();
    w.busy_until_ns = sim_now_ns() + 2 * SIM_S;
    while (sim_now_ns() < w.busy_until_ns && sim_next_ns() < w.busy_until_ns)
        loop_turn(w.loop, -1);
    SIM_CHECK_INT((int64_t)worker_stats(w.worker)->counters[HTTP_COUNTER_CONNS_IDLE], N_IDLE);
    size_t with_clients = sim_heap_bytes();
    for (size_t i = 0; i < N_IDLE; i++)
        sim_tls_forget(c[i]->wire.tls);
    size_t after = sim_heap_bytes();
    sim_log("%zu bytes, %zu without the clients", with_clients - before, after - before);
    if (with_clients > 0) // known
        SIM_CHECK(after < before + N_IDLE * IDLE_MAX_BYTES);
    world_run(&w, LIMIT);
    world_end(&w);
}

const struct scenario tls_scenarios[] = {
    SCENARIO(handshakes_come_in_any_pieces),
    SCENARIO(a_client_breaks_anywhere),
    SCENARIO(a_passed_client_breaks_anywhere),
    SCENARIO(a_changed_byte_ends_the_connection),
    SCENARIO(certificates_change_at_every_step),
    SCENARIO(settings_of_tls_change_at_every_step),
    SCENARIO(a_drain_at_every_step_loses_no_client),
    SCENARIO(an_abort_at_every_step_leaves_nothing),
    SCENARIO(sessions_are_resumed),
    SCENARIO(plain_http_is_told_to_speak_tls),
    SCENARIO(idle_connections_hold_no_record_buffers),
    {NULL, NULL},
};
