// SPDX-License-Identifier: Apache-2.0
// The whole world from one seed: a worker with up to 40 clients of all kinds and a dozen servers, a
// network with a temper, faults, reloads, listening sockets that come and go, names that move,
// drains. In a calm world nothing stands in the way of any exchange, and each must succeed. In the
// others what must hold is what always holds, and when the faults stop, all is well again soon.
#include "base/num.h"
#include "sim/scenarios.h"
#include "sim/sim_certs.h"
#include "sim/sim_choose.h"
#include "sim/sim_disk.h"

#define FAULTS_UNTIL_MS 8000
#define PROBES_MAX 8
#define PROBE_PLANS 3
#define LIVENESS_MS 2500 // for a request when nothing goes wrong
#define OPERATIONS_MAX 8
#define CALM_IDLE_MS 4000 // more than a slow reader takes between its requests
#define SERVERS_MAX 20
#define NAMED_HOSTS 4 // 10.0.0.1 to .4

struct scene {
    struct world w;
    struct mood m;
    bool is_tight; // few connections and fibers are allowed
    bool is_leaving;
    struct sim_server *servers[SERVERS_MAX];
    uint32_t n_servers;
    struct sim_plan *probes[PROBES_MAX * PROBE_PLANS];
    uint32_t n_probes;
};

// --- settings ---

static const char *entry_of(const struct mood *m, const char *name, unsigned port, const char *tls)
{
    static const char *const limits[] = {"",
                                         "",
                                         ", requests-max: 2",
                                         ", body-max: 5KiB",
                                         ", head-max: 1KiB",
                                         ", exchange-memory: 64KiB",
                                         ", http2-streams-max: 2"};
    return sim_printf("  %s: { listen: ':%u', " WORLD_ENTRY ", linger-timeout: %ums%s%s%s }\n",
                      name, port, m->is_calm ? 20000 : sim_below(3) * 500,
                      m->is_calm ? "" : limits[sim_below(ARRAY_LEN(limits))],
                      m->has_h2 && tls[0] == '\0' ? ", h2c: yes" : "", tls);
}

static const char *balance_of(void)
{
    static const char *const methods[] = {"round-robin", "least-connections",    "least-time",
                                          "random-two",  "hash, hash-key: path", "source",
                                          "first"};
    return sim_printf("balance: %s, slow-start: %us", methods[sim_below(ARRAY_LEN(methods))],
                      sim_below(3));
}

static const char *service_of(const struct mood *m)
{
    const char *balance = balance_of();
    if (m->is_calm)
        return sim_printf("connect-timeout: 3s, answer-timeout: 30s, body-timeout: 10s, "
                          "idle-timeout: 2s, %s",
                          balance);
    return sim_printf(
        "connect-timeout: %ums, answer-timeout: %ums, body-timeout: 2500ms, "
        "idle-timeout: %ums, idle-max: %u, connections-max: %u, queue-max: %u, "
        "queue-timeout: %ums, skip-time: %ums, tries: %u, %s%s%s%s",
        100 + sim_below(1000), 500 + sim_below(4000), sim_below(6000), sim_below(4), sim_below(4),
        sim_below(5), 100 + sim_below(3000), sim_below(3) * 500, 1 + sim_below(3), balance,
        sim_chance(40) ? ", retries: [connect, closed, timeout, 500-599]" : "",
        sim_chance(40) ? ", eject: { failures: 2, time: 500ms, time-max: 2s }" : "",
        sim_chance(20) ? ", breaker: { requests-min: 4, window: 2s, open: 500ms }" : "");
}

// Two servers: sometimes with places, and one that stands by.
static const char *pair_of(const struct mood *m, const char *first, const char *second)
{
    bool stands_by = sim_chance(25);
    uint32_t n_places = m->is_calm || sim_chance(50) ? 0 : 1 + sim_below(3);
    return sim_printf("{ url: '%s', max-connections: %u, weight: %u }, "
                      "{ url: '%s', max-connections: %u, backup: %s }",
                      first, n_places, 1 + sim_below(3), second, n_places,
                      stands_by ? "yes" : "no");
}

static const char *site_of(const struct mood *m, const char *name, const char *to)
{
    bool is_there = !m->removes_sites || sim_chance(60);
    return is_there ? sim_printf("  %s: { to: %s%s%s }\n", name, to, choose_site_tls(m),
                                 sim_chance(30) ? ", use: [ahead]" : "")
                    : "";
}

static const char *buffer_of(const struct mood *m)
{
    if (m->is_calm)
        return "memory: 4KiB";
    return sim_printf("memory: 4KiB, memory-max: %s, request: %uKiB, response: 64KiB, beyond: %s",
                      sim_chance(50) ? "1MiB" : "256MiB", sim_chance(50) ? 4 : 100,
                      sim_chance(50) ? "stream" : "refuse");
}

// A service behind TLS: by ALPN, or with one of the two demanded of who speaks both.
static const char *tls_service_of(const struct mood *m)
{
    static const char *const ways[] = {
        "'https://10.0.0.1:91'], http: auto",
        "'https://10.0.0.1:91', 'https://10.0.0.1:92'], http: auto",
        "'https://10.0.0.1:92'], http: '2'",
        "'https://10.0.0.1:92'], http: '1.1'",
    };
    return sim_printf("{ servers: [%s, tls: { pin: '%s'%s }, %s }",
                      ways[sim_below(ARRAY_LEN(ways))], sim_certs_pin_of_server(),
                      sim_chance(20) ? ", max: '1.2'" : "", service_of(m));
}

static const char *settings_of(const struct mood *m)
{
    const char *b_servers = sim_chance(50) ? pair_of(m, "http://10.0.0.1:82", "http://10.0.0.1:83")
                                           : pair_of(m, "http://10.0.0.1:83", "http://10.0.0.1:84");
    const char *n_servers = sim_chance(70) ? "'http://app.test:86'"
                                           : pair_of(m, "http://app.test:86", "http://10.0.0.1:84");
    const char *h_servers = sim_chance(50) ? "'h2c://10.0.0.1:89'"
                                           : pair_of(m, "h2c://10.0.0.1:89", "h2c://10.0.0.1:90");
    bool has_other = m->has_other && (m->is_calm || sim_chance(80));
    bool has_web = !m->removes_sites || sim_chance(90);
    return sim_printf(
        "access-log: { path: '-', format: %s }\n"
        "entrypoints:\n%s%s%s"
        "services:\n"
        "  a: { servers: ['http://10.0.0.1:81'], %s }\n"
        "  b: { servers: [%s], %s }\n"
        "  n: { servers: [%s], %s }\n"
        "  u: { servers: ['unix:/87'], %s }\n"
        "  h: { servers: [%s], %s }\n"
        "  t: %s\n"
        "filters:\n  ahead: { buffer: { %s } }\n"
        "sites:\n  other.example: 'http://10.0.0.1:85'\n%s%s%s%s%s%s%s",
        sim_chance(50) ? "json" : "combined", has_web ? entry_of(m, "web", 80, choose_tls(m)) : "",
        has_other ? entry_of(m, "other", 81, "") : "",
        has_web || has_other ? "" : entry_of(m, "third", 82, ""), service_of(m), b_servers,
        service_of(m), n_servers, service_of(m), service_of(m), h_servers, service_of(m),
        tls_service_of(m), buffer_of(m), site_of(m, "a.example", "a"), site_of(m, "b.example", "b"),
        site_of(m, "n.example", "n"), site_of(m, "u.example", "u"), site_of(m, "h.example", "h"),
        site_of(m, "t.example", "t"), has_web ? choose_passing(m) : "");
}

// --- servers ---

#define TLS_ANY_PLACE 91  // speaks whatever it likes
#define TLS_BOTH_PLACE 92 // speaks both

static void choose_speech(const struct mood *m, struct sim_server *s)
{
    s->speech = (enum sim_speech)sim_below(SIM_SPEAKS_BOTH + 1);
    s->prefers_http_1 = s->speech == SIM_SPEAKS_BOTH && sim_chance(40);
    if (s->speech == SIM_SPEAKS_BOTH && sim_chance(40))
        s->takes_websockets = false;
    else if (m->is_calm)
        s->takes_websockets = true;
}

static void choose_servers(struct scene *s)
{
    for (uint32_t place = 81; place <= TLS_BOTH_PLACE; place++) {
        struct sim_server *server = place != 86 ? choose_server(&s->m, place) : NULL;
        if (!server)
            continue;
        server->speaks_tls = place == 88 || place >= TLS_ANY_PLACE;
        if (place == TLS_ANY_PLACE)
            choose_speech(&s->m, server);
        else if (place >= 89)
            server->speech = server->speaks_tls ? SIM_SPEAKS_BOTH : SIM_SPEAKS_HTTP_2;
        s->servers[s->n_servers++] = server;
    }
}

// --- what happens meanwhile ---

static int64_t some_time(int64_t from_ms, int64_t until_ms)
{
    return sim_now_ns() + some_ms(from_ms, until_ms);
}

static void restart_server(void *arg, uint64_t i)
{
    struct scene *s = arg;
    if (s->servers[i]->place == TLS_ANY_PLACE)
        choose_speech(&s->m, s->servers[i]);
    sim_server_restart(s->servers[i], some_ms(0, 1000));
}

static void set_wall_clock(void *arg, uint64_t tag)
{
    (void)arg, (void)tag;
    sim_sys.wall_offset_ns = sim_between(-3600, 3600) * SIM_S;
    sim_log("somebody sets the wall clock");
}

static void reopen(struct scene *s, bool is_other)
{
    int64_t at = some_time(500, FAULTS_UNTIL_MS - 1500);
    if (is_other)
        world_unlisten_other_at(&s->w, at);
    else
        world_unlisten_at(&s->w, at);
    world_listen_at(&s->w, at + some_ms(0, 800), is_other);
}

static void choose_operation(struct scene *s)
{
    bool is_calm = s->m.is_calm;
    switch (sim_below(is_calm ? 6 : 9)) {
    case 0:
        sim_at(some_time(0, FAULTS_UNTIL_MS), set_wall_clock, NULL, 0);
        break;
    case 1:
        world_equip_at(&s->w, some_time(0, FAULTS_UNTIL_MS - 1000));
        break;
    case 6:
        sim_at(some_time(0, FAULTS_UNTIL_MS - 2000), restart_server, s, sim_below(s->n_servers));
        break;
    case 7:
        reopen(s, false);
        break;
    case 8:
        if (s->m.has_other)
            reopen(s, true);
        break;
    default:
        world_reload_at(&s->w, some_time(0, FAULTS_UNTIL_MS - 1000), settings_of(&s->m));
    }
}

// The end of the worker, in the middle of everything.
static void choose_leaving(struct scene *s)
{
    static const int64_t idle_ms[] = {0, 100, 1000, 1000};
    uint32_t percent = s->m.is_calm ? 25 : 15;
    s->is_leaving = sim_chance(percent);
    if (!s->is_leaving)
        return;
    s->m.start_within_ms = (uint32_t)sim_between(200, CHOOSE_START_WITHIN_MS);
    int64_t at = some_time(200, s->m.start_within_ms + 500);
    if (!s->m.is_calm && sim_chance(20)) {
        world_abort_at(&s->w, at);
        return;
    }
    int64_t idle = s->m.is_calm ? CALM_IDLE_MS : idle_ms[sim_below(ARRAY_LEN(idle_ms))];
    world_drain_idle_at(&s->w, at, idle);
    if (!s->m.is_calm)
        world_abort_at(&s->w, at + some_ms(0, 10000));
}

// --- when the faults stop ---

static void start_probe(struct scene *s, int64_t at)
{
    struct sim_plan *plans[PROBE_PLANS];
    uint32_t n = 1 + sim_below(PROBE_PLANS);
    for (uint32_t i = 0; i < n; i++) {
        plans[i] = sim_plan_new("GET", choose_host());
        plans[i]->answer_bytes = sim_below(2000);
        plans[i]->must_succeed = true;
        s->probes[s->n_probes++] = plans[i];
    }
    struct sim_client *c = sim_client_new(plans, n);
    if (s->m.is_tls)
        choose_to_speak_tls(c);
    sim_client_start(c, &s->w.listener, at);
}

static void stop_faults(void *arg, uint64_t tag)
{
    struct scene *s = arg;
    struct mood calm = {
        .is_calm = true, .has_other = s->m.has_other, .is_tls = s->m.is_tls, .has_h2 = s->m.has_h2};
    (void)tag;
    sim_log("the faults stop");
    sim_sys.failure_percent = sim_sys.connect_failure_percent = sim_sys.delay_permille = 0;
    sim_net.syn_loss_percent = 0;
    sim_disk.failure_permille = sim_disk.full_permille = 0;
    sim_disk.delay_max_ns = SIM_MS;
    s->w.names.failure_percent = 0;
    s->w.names.n_hosts = NAMED_HOSTS;
    for (uint32_t i = 0; i < s->n_servers; i++)
        sim_server_calm(s->servers[i]);
    if (s->is_leaving)
        return;
    world_reload_at(&s->w, sim_now_ns(), settings_of(&calm));
    // Where little is allowed at a time, what is stuck must have had its time.
    int64_t at = sim_now_ns() + (s->is_tight ? 60 * SIM_S : 5 * SIM_S);
    for (uint32_t i = 1 + sim_below(PROBES_MAX); i > 0; i--) {
        start_probe(s, at);
        at += s->is_tight ? 5 * SIM_S : some_ms(0, 20);
    }
}

static void check_liveness(const struct scene *s)
{
    for (uint32_t i = 0; i < s->n_probes; i++) {
        const struct sim_plan *p = s->probes[i];
        if (p->ended_ms - p->began_ms > PROBE_PLANS * LIVENESS_MS)
            sim_fail("exchange %u took %d ms although nothing was wrong", p->id,
                     (int)(p->ended_ms - p->began_ms));
    }
}

// --- all of it ---

static void choose_names(struct scene *s)
{
    struct sim_names *n = &s->w.names;
    n->first_max_ns = some_ms(0, 1000);
    n->each_max_ns = sim_chance(70) ? some_ms(100, 3000) : 0;
    n->failure_percent = s->m.is_calm ? 0 : sim_below(3) * 20;
    n->n_hosts = 0;
    for (uint8_t host = 1; host <= NAMED_HOSTS; host++) {
        s->servers[s->n_servers++] = choose_server(&s->m, SIM_PLACE(host, 86));
        n->hosts[n->n_hosts++] = host;
    }
    if (!s->m.is_calm && sim_chance(30)) {
        n->hosts[n->n_hosts++] = 9; // nobody is there
        n->each_max_ns = SIM_S;
    }
}

static void choose_mood(struct scene *s, uint64_t seed)
{
    struct mood *m = &s->m;
    m->is_calm = seed % 3 == 0;
    s->is_tight = seed % 7 == 1 && !m->is_calm;
    m->is_tls = seed % 4 == 0;
    m->has_h2 = seed % 5 > 1;
    if (s->is_tight)
        world_limits = (struct world_limits){
            .conns_max = 3, .fibers_max = 2, .spool_bytes = (uint64_t)1 << 20};
    if (seed % 11 == 3)
        world_limits.spool_bytes = (uint64_t)128 << 10; // two slots
}

static void choose_faults_of_mood(struct mood *m)
{
    m->has_other = sim_chance(50);
    m->start_within_ms = CHOOSE_START_WITHIN_MS;
    if (m->is_calm)
        return;
    m->client_faults = sim_below(4) * 15;
    m->server_faults = sim_below(4) * 10;
    m->removes_sites = sim_chance(40);
}

void scenario_world(uint64_t seed)
{
    struct scene s = {.n_servers = 0};
    choose_mood(&s, seed);
    world_start(&s.w, seed, s.m.has_h2 ? WORLD_H2_YAML : WORLD_YAML);
    choose_faults_of_mood(&s.m);
    choose_network(&s.m);
    choose_servers(&s);
    choose_names(&s);
    world_reload_at(&s.w, sim_now_ns(), settings_of(&s.m));
    if (s.m.has_other)
        world_listen_at(&s.w, sim_now_ns(), true);
    choose_leaving(&s);
    uint32_t n_clients = 1 + sim_below(sim_chance(15) ? 40 : 8);
    for (uint32_t i = 0; i < n_clients; i++)
        choose_client(&s.m, &s.w);
    for (uint32_t i = sim_below(OPERATIONS_MAX + 1); i > 0; i--)
        choose_operation(&s);
    s.w.busy_until_ns = sim_now_ns() + FAULTS_UNTIL_MS * SIM_MS;
    sim_at(s.w.busy_until_ns, stop_faults, &s, 0);
    world_run(&s.w, 1800 * SIM_S);
    check_liveness(&s);
    world_end(&s.w);
}
