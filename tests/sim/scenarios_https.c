// SPDX-License-Identifier: Apache-2.0
// Servers behind TLS, which choose HTTP/1.1 or HTTP/2 (ALPN), and WebSockets with servers of HTTP/2
// (RFC 8441): each way to be chosen, every place to break, and what happens meanwhile.
#include <stdio.h>

#include "base/assert.h"
#include "base/num.h"
#include "rt/notes.h"
#include "sim/scenarios.h"
#include "sim/sim_certs.h"
#include "sim/sim_h2_peer.h"
#include "sim/sim_world.h"

#define LIMIT (300 * SIM_S)
#define KIND_SMALL_GET 0
#define KIND_BIG_GET 14
#define KIND_POST 10
#define KIND_UPGRADE 13

#if NOTES_ASAN
#define STRIDE 8 // sanitizers take ten times as long
#else
#define STRIDE 1
#endif

// "t.example" is for the server at port 91 alone, "two.example" for it and the one at 92,
// "h.example" for one that speaks HTTP/2 plainly.
static const char *yaml_with(const char *http)
{
    static char yaml[2048]; // there is no world's memory yet
    const char *pin = sim_certs_pin_of_server();
    int n = snprintf(
        yaml, sizeof yaml,
        "access-log: { path: '-', format: json }\n"
        "entrypoints: { web: { listen: ':80', " WORLD_ENTRY ", h2c: yes } }\n"
        "services:\n"
        "  t: { servers: ['https://10.0.0.1:91'], tls: { pin: '%s' }, http: %s, " WORLD_SERVICE
        " }\n"
        "  two: { servers: ['https://10.0.0.1:91', 'https://10.0.0.1:92'], tls: { pin: '%s' }, "
        "http: %s, " WORLD_SERVICE " }\n"
        "  h: { servers: ['h2c://10.0.0.1:89'], " WORLD_SERVICE " }\n"
        "sites: { t.example: { to: t }, two.example: { to: two }, h.example: { to: h } }\n",
        pin, http, pin, http);
    ASSERT(n > 0 && (size_t)n < sizeof yaml);
    return yaml;
}

static struct sim_server *new_server(uint32_t place, enum sim_speech speech)
{
    struct sim_server *s = sim_server_new(place);
    s->speaks_tls = place > 90;
    s->speech = speech;
    s->takes_websockets = true;
    return s;
}

static struct sim_plan *new_plan(size_t kind, const char *host)
{
    struct sim_plan *p = sim_plan_like(&kinds[kind]);
    p->host = host;
    p->is_websocket = p->is_upgrade;
    return p;
}

// Clients of HTTP/1.1 have a connection for each.
static void start_clients(struct world *w, struct sim_plan **plans, uint32_t n, bool is_h2)
{
    if (is_h2) {
        sim_h2_client_start(sim_h2_client_new(plans, n), &w->listener, sim_now_ns());
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        sim_client_start(sim_client_new(&plans[i], 1), &w->listener, sim_now_ns());
}

// --- what is spoken ---

static const struct {
    enum sim_speech speech;
    const char *http; // of the service
    bool is_h2;       // is spoken then
} ways[] = {
    {SIM_SPEAKS_BOTH, "auto", true},      {SIM_SPEAKS_BOTH, "'2'", true},
    {SIM_SPEAKS_BOTH, "'1.1'", false},    {SIM_SPEAKS_HTTP_2, "auto", true},
    {SIM_SPEAKS_HTTP_2, "'2'", true},     {SIM_SPEAKS_HTTP_1, "auto", false},
    {SIM_SPEAKS_HTTP_1, "'1.1'", false},  {SIM_SPEAKS_UNASKED, "auto", false},
    {SIM_SPEAKS_UNASKED, "'1.1'", false},
};

static void every_kind_passes_whatever_alpn_chooses(void)
{
    for (size_t i = 0; i < 2 * ARRAY_LEN(ways) && !sim_has_failed(); i++) {
        struct world w;
        struct sim_plan *plans[32];
        uint32_t n = 0;
        bool from_h2 = i % 2 == 1;
        sim_end();
        world_start(&w, i, yaml_with(ways[i / 2].http));
        struct sim_server *s = new_server(91, ways[i / 2].speech);
        for (size_t kind = 0; kind < n_kinds; kind++) {
            if (kinds[kind].minor == 0)
                continue;
            plans[n] = new_plan(kind, "t.example");
            plans[n++]->must_succeed = true;
        }
        start_clients(&w, plans, n, from_h2);
        world_run(&w, LIMIT);
        SIM_CHECK((s->h2_conns != NULL) == ways[i / 2].is_h2);
        SIM_CHECK((s->conns != NULL) == !ways[i / 2].is_h2);
        if (sim_has_failed())
            printf("# way %zu\n", i);
        world_end(&w);
    }
}

static void a_server_that_has_none_of_what_is_offered_is_left(void)
{
    static const struct {
        enum sim_speech speech;
        const char *http;
    } cases[] = {
        {SIM_SPEAKS_HTTP_1, "'2'"}, {SIM_SPEAKS_UNASKED, "'2'"}, {SIM_SPEAKS_HTTP_2, "'1.1'"}};
    for (size_t i = 0; i < ARRAY_LEN(cases) && !sim_has_failed(); i++) {
        struct world w;
        sim_end();
        world_start(&w, i, yaml_with(cases[i].http));
        new_server(91, cases[i].speech);
        struct sim_plan *p = new_plan(KIND_SMALL_GET, "t.example");
        start_clients(&w, &p, 1, true);
        world_run(&w, LIMIT);
        SIM_CHECK_INT(p->got_status, 502);
        SIM_CHECK_INT(p->n_heads, 0);
        world_end(&w);
    }
}

// Its connections end with GOAWAY or without; those that follow have another protocol.
static void a_server_may_change_its_mind(void)
{
    for (size_t i = 0; i < 12 && !sim_has_failed(); i++) {
        struct world w;
        sim_end();
        world_start(&w, i, yaml_with("auto"));
        struct sim_server *s = new_server(91, SIM_SPEAKS_HTTP_1);
        for (size_t turn = 0; turn < 6; turn++) {
            struct sim_plan *plans[] = {new_plan(KIND_SMALL_GET, "t.example"),
                                        new_plan(KIND_UPGRADE, "t.example"),
                                        new_plan(KIND_POST, "t.example")};
            s->speech = (enum sim_speech)((turn + i) % (SIM_SPEAKS_BOTH + 1));
            for (size_t j = 0; j < ARRAY_LEN(plans); j++)
                plans[j]->must_succeed = true;
            start_clients(&w, plans, ARRAY_LEN(plans), turn % 2 == 0);
            world_run(&w, LIMIT);
            sim_server_restart(s, 0);
        }
        world_end(&w);
    }
}

// RFC 9113 7: whatever its method, for it has done nothing of it. From then on it isn't asked.
static void who_wants_http_1_gets_it(void)
{
    struct world w;
    struct sim_plan *plans[3];
    world_start(&w, 1, yaml_with("auto"));
    struct sim_server *s = new_server(91, SIM_SPEAKS_BOTH);
    s->prefers_http_1 = true;
    for (size_t i = 0; i < ARRAY_LEN(plans); i++) {
        plans[i] = new_plan(i == 2 ? KIND_UPGRADE : KIND_SMALL_GET, "t.example");
        plans[i]->n_refusals = 1;
        plans[i]->must_succeed = true;
    }
    start_clients(&w, plans, ARRAY_LEN(plans), true);
    world_run(&w, LIMIT);
    struct sim_plan *later = new_plan(KIND_SMALL_GET, "t.example");
    later->n_refusals = 1;
    later->must_succeed = true;
    start_clients(&w, &later, 1, false);
    world_run(&w, LIMIT);
    SIM_CHECK_INT(later->n_refusals, 1);
    world_end(&w);
}

// --- what breaks ---

// All connections of one server break at a byte of what it sends on the wire, or that byte arrives
// changed; the other one must serve what may be repeated. Returns how much it would have sent.
static size_t run_broken(enum sim_speech speech, const struct sim_tls_wish *fault)
{
    static const size_t some_kinds[] = {KIND_SMALL_GET, KIND_POST, KIND_UPGRADE};
    struct world w;
    struct sim_plan *plans[ARRAY_LEN(some_kinds)];
    world_start(&w, 1, yaml_with("auto"));
    sim_net.segment_max = 700;
    struct sim_server *broken = new_server(91, speech);
    new_server(92, SIM_SPEAKS_BOTH);
    broken->fault = fault;
    for (size_t i = 0; i < ARRAY_LEN(plans); i++)
        plans[i] = new_plan(some_kinds[i], "two.example");
    start_clients(&w, plans, ARRAY_LEN(plans), true);
    world_run(&w, LIMIT);
    broken->fault = NULL;
    struct sim_plan *later = new_plan(KIND_SMALL_GET, "two.example");
    later->must_succeed = true;
    start_clients(&w, &later, 1, false);
    world_run(&w, LIMIT);
    size_t n = sim_greetings_n_sent(broken);
    world_end(&w);
    return n;
}

static const enum sim_speech broken_speeches[] = {SIM_SPEAKS_HTTP_1, SIM_SPEAKS_HTTP_2};

static void a_server_of_tls_breaks_anywhere(void)
{
    static const enum sim_fault hows[] = {SIM_CLOSE, SIM_RESET, SIM_STALL};
    for (size_t s = 0; s < ARRAY_LEN(broken_speeches) && !sim_has_failed(); s++) {
        struct sim_tls_wish wish = {.is_server = true};
        sim_end();
        size_t n = run_broken(broken_speeches[s], &wish);
        SIM_CHECK(n > 700);
        for (size_t i = 0; i < ARRAY_LEN(hows); i++) {
            for (size_t at = 0; at < n && !sim_has_failed(); at += 23 * STRIDE) {
                wish.cut = (struct sim_cut){hows[i], at};
                sim_end();
                run_broken(broken_speeches[s], &wish);
                if (sim_has_failed())
                    printf("# speech %zu, way %zu, byte %zu\n", s, i, at);
            }
        }
    }
}

// Each byte of a body is known, so that nothing changed passes for it.
static void a_changed_byte_of_a_server_is_noticed(void)
{
    for (size_t s = 0; s < ARRAY_LEN(broken_speeches) && !sim_has_failed(); s++) {
        for (size_t at = 1; at < 1500 && !sim_has_failed(); at += 29 * STRIDE) {
            sim_end();
            run_broken(broken_speeches[s],
                       &(struct sim_tls_wish){.is_server = true, .flip_at = at});
            if (sim_has_failed())
                printf("# speech %zu, byte %zu\n", s, at);
        }
    }
}

// The answer is refused behind its head, and the connection closed once, TLS and all.
static void an_answer_that_breaks_inside_of_tls_ends_its_connection(void)
{
    struct world w;
    world_start(&w, 1, yaml_with("auto"));
    struct sim_server *s = new_server(91, SIM_SPEAKS_HTTP_1);
    struct sim_plan *p = new_plan(KIND_SMALL_GET, "t.example");
    p->raw = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n";
    start_clients(&w, &p, 1, true);
    world_run(&w, LIMIT);
    SIM_CHECK(p->outcome != SIM_ANSWERED || p->got_status == 502);
    SIM_CHECK_INT(s->n_open, 0);
    world_end(&w);
}

// --- WebSockets ---

static void websockets_pass_between_all_versions(void)
{
    static const struct {
        const char *host;
        enum sim_speech speech; // of the server behind TLS
        bool takes_them;        // by HTTP/2
    } cases[] = {{"h.example", SIM_SPEAKS_BOTH, true},    {"t.example", SIM_SPEAKS_BOTH, true},
                 {"t.example", SIM_SPEAKS_BOTH, false},   {"t.example", SIM_SPEAKS_HTTP_2, true},
                 {"t.example", SIM_SPEAKS_HTTP_1, false}, {"t.example", SIM_SPEAKS_UNASKED, false}};
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases) && !sim_has_failed(); i++) {
        struct world w;
        struct sim_plan *plans[4];
        sim_end();
        world_start(&w, i, yaml_with("auto"));
        new_server(89, SIM_SPEAKS_HTTP_2);
        new_server(91, cases[i / 2].speech)->takes_websockets = cases[i / 2].takes_them;
        for (size_t j = 0; j < ARRAY_LEN(plans); j++) {
            plans[j] = new_plan(KIND_UPGRADE, cases[i / 2].host);
            plans[j]->tunnel_bytes = j * 70000;
            plans[j]->must_succeed = true;
        }
        start_clients(&w, plans, ARRAY_LEN(plans), i % 2 == 1);
        world_run(&w, LIMIT);
        if (sim_has_failed())
            printf("# case %zu\n", i);
        world_end(&w);
    }
}

static void a_websocket_that_no_way_leads_to_is_refused(void)
{
    for (size_t i = 0; i < 4 && !sim_has_failed(); i++) {
        struct world w;
        sim_end();
        world_start(&w, i, yaml_with("'2'"));
        new_server(89, SIM_SPEAKS_HTTP_2)->takes_websockets = false;
        new_server(91, SIM_SPEAKS_BOTH)->takes_websockets = false;
        struct sim_plan *p = new_plan(KIND_UPGRADE, i % 2 == 0 ? "h.example" : "t.example");
        start_clients(&w, &p, 1, i / 2 == 1);
        world_run(&w, LIMIT);
        SIM_CHECK_INT(p->got_status, 502);
        SIM_CHECK_INT(p->n_heads, 0);
        world_end(&w);
    }
}

static void start_witness(struct world *w, const char *host)
{
    struct sim_plan *p = new_plan(KIND_BIG_GET, host);
    p->must_succeed = true;
    start_clients(w, &p, 1, true);
}

// A tunnel that its server, or its client, breaks at a byte: others on the connections go on.
static void a_tunnel_of_streams_breaks_anywhere(void)
{
    for (size_t at = 0; at < 2000 && !sim_has_failed(); at += 61 * STRIDE) {
        for (int how = 0; how < 4; how++) {
            struct world w;
            sim_end();
            world_start(&w, at, yaml_with("auto"));
            new_server(89, SIM_SPEAKS_HTTP_2);
            struct sim_plan *plans[] = {new_plan(KIND_UPGRADE, "h.example"),
                                        new_plan(KIND_BIG_GET, "h.example")};
            plans[0]->tunnel_bytes = 1800;
            plans[1]->must_succeed = how != 1 && how != 3;
            if (how == 0)
                plans[0]->cut = (struct sim_cut){SIM_CLOSE, at};
            else if (how == 1)
                plans[0]->cut = (struct sim_cut){SIM_STALL, at};
            struct sim_h2_client *c = sim_h2_client_new(plans, ARRAY_LEN(plans));
            if (how == 2)
                c->streams[0].reset_at = at;
            else if (how == 3)
                c->h2.cut_sent = (struct sim_cut){SIM_RESET, at};
            sim_h2_client_start(c, &w.listener, sim_now_ns());
            start_witness(&w, "h.example");
            world_run(&w, LIMIT);
            if (sim_has_failed())
                printf("# way %d, byte %zu\n", how, at);
            world_end(&w);
        }
    }
}

// --- meanwhile ---

static uint64_t run_end(bool is_abort, uint64_t step)
{
    struct world w;
    world_start(&w, 1, yaml_with("auto"));
    new_server(89, SIM_SPEAKS_HTTP_2);
    new_server(91, SIM_SPEAKS_BOTH);
    new_server(92, SIM_SPEAKS_HTTP_1);
    struct sim_plan *plans[] = {
        new_plan(KIND_UPGRADE, "t.example"), new_plan(KIND_POST, "t.example"),
        new_plan(KIND_UPGRADE, "h.example"), new_plan(KIND_SMALL_GET, "two.example")};
    start_clients(&w, plans, ARRAY_LEN(plans), true);
    if (step > 0 && is_abort)
        world_abort_after(&w, step);
    else if (step > 0)
        world_drain_after(&w, step);
    world_run(&w, LIMIT);
    uint64_t n_steps = sim_n_steps();
    world_end(&w);
    return n_steps;
}

static void the_end_comes_at_every_step_of_handshakes_and_tunnels(void)
{
    for (int is_abort = 0; is_abort < 2; is_abort++) {
        sim_end();
        uint64_t n = run_end(is_abort, 0);
        for (uint64_t step = 1; step < n && !sim_has_failed(); step += STRIDE) {
            sim_end();
            run_end(is_abort, step);
            if (sim_has_failed())
                printf("# %s behind event %u\n", is_abort ? "abort" : "drain", (unsigned)step);
        }
    }
}

// The worker's own sessions with a server: the second handshake needs no certificate.
static void sessions_with_servers_are_resumed(void)
{
    struct world w;
    world_start(&w, 1, yaml_with("auto"));
    struct sim_server *s = new_server(91, SIM_SPEAKS_HTTP_1);
    for (uint32_t i = 0; i < 3 && !sim_has_failed(); i++) {
        struct sim_plan *p = new_plan(KIND_SMALL_GET, "t.example");
        p->must_succeed = true;
        start_clients(&w, &p, 1, false);
        world_run(&w, LIMIT);
        SIM_CHECK_INT(sim_tls_n_resumed(), i);
        sim_server_restart(s, 0);
    }
    world_end(&w);
}

const struct scenario https_scenarios[] = {
    SCENARIO(every_kind_passes_whatever_alpn_chooses),
    SCENARIO(a_server_that_has_none_of_what_is_offered_is_left),
    SCENARIO(a_server_may_change_its_mind),
    SCENARIO(who_wants_http_1_gets_it),
    SCENARIO(a_server_of_tls_breaks_anywhere),
    SCENARIO(a_changed_byte_of_a_server_is_noticed),
    SCENARIO(an_answer_that_breaks_inside_of_tls_ends_its_connection),
    SCENARIO(websockets_pass_between_all_versions),
    SCENARIO(a_websocket_that_no_way_leads_to_is_refused),
    SCENARIO(a_tunnel_of_streams_breaks_anywhere),
    SCENARIO(the_end_comes_at_every_step_of_handshakes_and_tunnels),
    SCENARIO(sessions_with_servers_are_resumed),
    {NULL, NULL},
};
