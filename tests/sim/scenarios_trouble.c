// SPDX-License-Identifier: Apache-2.0
// A service in trouble, from one seed: servers that die, slow down, fall ill, are drained and
// return, under load, with each method of balancing, with checks, ejection, limits, budgets, a
// breaker, and reloads of all that. What must hold then: nothing that may be repeated is lost while
// a server is left that could have it, no server has more than its limit, never all are ejected,
// what is sent again keeps to its budget, who is back is used soon, and in the end all counters are
// zero.
#include <string.h>

#include "base/num.h"
#include "gate/snapshot.h"
#include "rt/clock.h"
#include "sim/scenarios.h"
#include "sim/sim_audit.h"
#include "sim/sim_choose.h"
#include "sim/sim_world.h"
#include "upstream/service_priv.h"

#define SERVERS_MAX 5
#define FIRST_PLACE 81
#define CLIENTS 10
#define REQUESTS 8
#define BUSY_MS 5000
#define LOOK_MS 20
#define TROUBLE_MAX_MS 1500
#define PROBES_AFTER_MS 6000 // all that any trouble makes last has passed by then
#define PROBE_MAX_MS 1000
#define BUDGET_PERCENT 20
#define EJECT_MAX_MS 3000

struct patient {
    struct sim_server *server;
    uint32_t n_troubles;  // so that what was expected of the last one can tell that it is over
    bool is_ill;          // something of it goes on
    int64_t drained_ns;   // since; INT64_MAX: it isn't
    int64_t undrained_ms; // when it wasn't any more; far in the past: it never was
};

struct trouble {
    struct world w;
    struct patient patients[SERVERS_MAX];
    uint32_t n_patients;
    const char *balance;
    bool is_mild;    // one trouble at a time, so that nothing may be lost at all
    bool is_tight;   // no retry beyond its budget
    bool has_checks; // the rest: what the settings have
    bool has_ejection, has_limits, has_breaker, has_queue, has_backup, has_h2, leaves;
    uint32_t active_max[SERVERS_MAX];
    uint32_t max_percent, every_ms, rise, fall;
};

// --- settings ---

static const char *servers_of(const struct trouble *t)
{
    const char *all = "";
    for (uint32_t i = 0; i < t->n_patients; i++) {
        bool is_backup = t->has_backup && i == t->n_patients - 1;
        all = sim_printf("%s%s{ url: '%s://10.0.0.1:%u', weight: %u, max-connections: %u%s }", all,
                         i > 0 ? ", " : "", t->has_h2 ? "h2c" : "http", FIRST_PLACE + i, 1 + i % 3,
                         t->active_max[i], is_backup ? ", backup: yes" : "");
    }
    return all;
}

static const char *health_of(const struct trouble *t)
{
    if (!t->has_checks)
        return "";
    if (t->has_h2)
        return sim_printf(", health: { type: tcp, every: %ums, timeout: 200ms }", t->every_ms);
    return sim_printf(", health: { path: " SIM_HEALTH_PATH ", every: %ums, timeout: 200ms, "
                      "rise: %u, fall: %u, jitter-percent: 10 }",
                      t->every_ms, t->rise, t->fall);
}

static const char *eject_of(const struct trouble *t)
{
    if (!t->has_ejection)
        return "";
    return sim_printf(", eject: { failures: %u, percent: %u, requests-min: 4, window: 2s, "
                      "time: %ums, time-max: %ums, max-percent: %u }",
                      1 + sim_below(5), sim_below(3) * 30, 300 + sim_below(800), EJECT_MAX_MS,
                      t->max_percent);
}

// What a reload may change is chosen here.
static const char *settings_of(const struct trouble *t)
{
    return sim_printf(
        "access-log: { path: '-', format: json }\n"
        "entrypoints: { web: { listen: ':80', " WORLD_ENTRY " } }\n"
        "services:\n  a:\n    { servers: [%s], balance: %s, slow-start: %us, "
        "connect-timeout: 300ms, answer-timeout: 400ms, body-timeout: 2500ms, skip-time: %ums, "
        "tries: %u, idle-max: %u, queue-max: %u, queue-timeout: %ums, "
        "retries: { when: [connect, closed, timeout, malformed, 502-504], time: 0, "
        "budget-percent: %u, budget-min: %u }%s%s%s }\n"
        "sites: { a.example: { to: a } }\n",
        servers_of(t), t->balance, sim_below(2), sim_below(2) * 500, t->n_patients,
        t->is_tight ? 0 : 16, t->has_queue ? 1000 : sim_below(4),
        t->has_queue ? 30000 : 50 + sim_below(300), BUDGET_PERCENT, t->is_tight ? 0 : 1000,
        health_of(t), eject_of(t),
        t->has_breaker ? ", breaker: { requests-min: 4, window: 2s, open: 300ms }" : "");
}

static void choose_settings(struct trouble *t, uint64_t seed)
{
    static const char *const methods[] = {"round-robin", "least-connections",    "least-time",
                                          "random-two",  "hash, hash-key: path", "source",
                                          "first"};
    static const uint32_t max_percents[] = {25, 50, 99};
    t->balance = methods[seed % ARRAY_LEN(methods)];
    t->is_mild = seed % 3 == 0;
    t->is_tight = !t->is_mild && sim_chance(25);
    t->has_h2 = sim_chance(20);
    t->has_checks = sim_chance(60);
    t->has_ejection = sim_chance(70);
    t->has_limits = sim_chance(50);
    t->has_queue = t->is_mild || sim_chance(50);
    t->has_breaker = !t->is_mild && sim_chance(20);
    t->has_backup = sim_chance(20);
    t->leaves = !t->is_mild && sim_chance(30);
    t->max_percent = max_percents[sim_below(ARRAY_LEN(max_percents))];
    t->every_ms = 100 + sim_below(400);
    t->rise = 1 + sim_below(2);
    t->fall = 1 + sim_below(3);
    t->n_patients = 3 + sim_below(SERVERS_MAX - 2);
    for (uint32_t i = 0; i < t->n_patients; i++) {
        t->active_max[i] = t->has_limits ? 1 + sim_below(3) : 0;
        t->patients[i].server = sim_server_new(FIRST_PLACE + i);
        t->patients[i].server->speech = t->has_h2 ? SIM_SPEAKS_HTTP_2 : SIM_SPEAKS_HTTP_1;
        t->patients[i].drained_ns = INT64_MAX;
        t->patients[i].undrained_ms = -EJECT_MAX_MS;
    }
}

// --- what must hold all the time ---

static const struct service *service_of_snapshot(const struct snapshot *s)
{
    return service_of(s->all_services.items[0]);
}

static const struct service *service_in_force(const struct trouble *t)
{
    return service_of_snapshot(t->w.watch.snapshots[t->w.watch.n_snapshots - 1]);
}

static void look(void *arg, uint64_t tag)
{
    struct trouble *t = arg;
    const struct service *s = service_in_force(t);
    size_t n_out = 0;
    (void)tag;
    for (size_t i = 0; i < s->n_servers; i++) {
        // One that was drained didn't count, and others may have been ejected in its place.
        bool was_drained = t->patients[i].drained_ns != INT64_MAX ||
                           t->patients[i].undrained_ms > sim_now_ms() - EJECT_MAX_MS;
        n_out +=
            !was_drained && eject_is_out(&s->servers[i].health->slots[0].eject, clock_now_ms());
        uint32_t n_active = slot_n_active(&s->servers[i].state->slots[0]);
        if (t->has_limits && n_active > t->active_max[i])
            sim_fail("server %zu has %u exchanges, allowed are %u", i, n_active, t->active_max[i]);
    }
    if (n_out > 1 && n_out * 100 > s->n_servers * t->max_percent)
        sim_fail("%zu of %zu servers are ejected, allowed are %u %%", n_out, s->n_servers,
                 t->max_percent);
    if (n_out == s->n_servers)
        sim_fail("all servers are ejected");
    if (sim_now_ms() < BUSY_MS)
        sim_in(LOOK_MS * SIM_MS, look, t, 0);
}

// --- what must hold for each exchange ---

// How often its trail says that server i was chosen.
static uint32_t n_chosen(const struct exchange *x, uint32_t i)
{
    struct str name = str_of(sim_printf("10.0.0.1:%u", FIRST_PLACE + i));
    uint32_t n = 0;
    for (unsigned k = 0; k < MIN(x->trail.n, (unsigned)TRAIL_MAX); k++)
        n += strcmp(x->trail.steps[k].what, "chose") == 0 && str_eq(x->trail.steps[k].detail, name);
    return n;
}

static bool may_go_to(const struct service_server *server, bool has_answer)
{
    int64_t now_ms = clock_now_ms();
    const struct server_slot *slot = &server->state->slots[0];
    // An answer is the client's when the others are skipped; after none they are tried all the
    // same.
    return health_is_well(&server->health->slots[0], now_ms) &&
           (!has_answer || server_is_usable(slot, now_ms));
}

// It has failed: was there a server left that could have had it?
static void check_lost(const struct trouble *t, const struct exchange *x, const struct sim_plan *p,
                       const struct service *s)
{
    bool has_answer = !x->resp.is_internal;
    for (uint32_t i = 0; i < s->n_servers; i++) {
        if (n_chosen(x, i) == 0 && may_go_to(&s->servers[i], has_answer))
            sim_fail("exchange %u ends with %u, and server %u wasn't tried", p->id, x->resp.status,
                     FIRST_PLACE + i);
    }
    if (t->is_mild)
        sim_fail("exchange %u is lost: %u", p->id, x->resp.status);
}

static void on_served(void *arg, const struct exchange *x, const struct sim_plan *p)
{
    const struct trouble *t = arg;
    const struct service *s = service_of_snapshot(x->snapshot);
    uint32_t n_twice = 0;
    if (!p || x->trail.n > TRAIL_MAX)
        return;
    for (uint32_t i = 0; i < s->n_servers; i++) {
        uint32_t n = n_chosen(x, i);
        n_twice += n > 1 ? n - 1 : 0;
    }
    // A kept connection that was closed meanwhile is no try, and the first new one is.
    if (n_twice > 1 && !t->has_h2)
        sim_fail("exchange %u was sent to servers %u times that had failed it", p->id, n_twice);
    for (uint32_t i = 0; i < t->n_patients; i++) {
        struct str name = str_of(sim_printf("10.0.0.1:%u", FIRST_PLACE + i));
        if (str_eq(x->server_name, name) && x->times.chosen > t->patients[i].drained_ns)
            sim_fail("exchange %u went to server %u, which is drained", p->id, FIRST_PLACE + i);
    }
    bool may_fail = t->is_tight || t->has_breaker || !t->has_queue || !sim_plan_is_idempotent(p);
    if (x->resp.status >= 500 && !may_fail)
        check_lost(t, x, p, s);
}

// --- troubles ---

static void recovered_late(void *arg, uint64_t tag)
{
    struct trouble *t = arg;
    const struct patient *p = &t->patients[tag % SERVERS_MAX];
    const struct service *s = service_in_force(t);
    const struct health_slot *h = &s->servers[tag % SERVERS_MAX].health->slots[0];
    if (p->n_troubles == tag / SERVERS_MAX && !p->is_ill && atomic_load(&h->is_down))
        sim_fail("server %u is back, and isn't used", p->server->place);
}

// At most so long after it is well a server is up again: the check that runs may still fail, and
// those after it are good.
static int64_t recovery_ms(const struct trouble *t)
{
    return (int64_t)t->every_ms + t->rise * t->every_ms * 11 / 10 + 100;
}

static void heal(void *arg, uint64_t i)
{
    struct trouble *t = arg;
    struct patient *p = &t->patients[i];
    p->server->read_pace = (struct sim_pace){.piece_bytes = 0};
    p->server->is_sick = false;
    p->is_ill = false;
    sim_log("server %u is well again", p->server->place);
    if (t->has_checks)
        sim_in(recovery_ms(t) * SIM_MS, recovered_late, t, i + p->n_troubles * SERVERS_MAX);
}

static void drain(struct trouble *t, uint32_t i, bool is_drained)
{
    struct str name = str_of(sim_printf("10.0.0.1:%u", FIRST_PLACE + i));
    upstream_registry_drain(t->w.registry, STR("a"), name, is_drained);
    t->patients[i].drained_ns = is_drained ? sim_now_ns() : INT64_MAX;
    t->patients[i].undrained_ms = sim_now_ms();
    sim_log("server %u is %s", FIRST_PLACE + i, is_drained ? "drained" : "no longer drained");
}

static void undrain(void *arg, uint64_t i)
{
    drain(arg, (uint32_t)i, false);
}

// One server at least isn't drained.
static bool may_drain(const struct trouble *t, uint32_t i)
{
    uint32_t n = 0;
    for (uint32_t k = 0; k < t->n_patients; k++)
        n += t->patients[k].drained_ns == INT64_MAX;
    return n > 2 && t->patients[i].drained_ns == INT64_MAX;
}

static void hurt(void *arg, uint64_t tag)
{
    struct trouble *t = arg;
    uint32_t i = sim_below(t->n_patients);
    struct patient *p = &t->patients[i];
    int64_t for_ns = some_ms(50, t->is_mild ? 600 : TROUBLE_MAX_MS);
    (void)tag;
    switch (p->is_ill ? 4 : sim_below(t->has_h2 ? 2 : 4)) {
    case 0:
        sim_server_restart(p->server, for_ns);
        break;
    case 1:
        if (may_drain(t, i)) {
            drain(t, i, true);
            sim_in(for_ns, undrain, t, i);
        }
        break;
    case 2:
        p->server->read_pace = (struct sim_pace){.piece_bytes = 1, .gap_ns = 50 * SIM_MS};
        break;
    case 3:
        p->server->is_sick = true;
        break;
    default:
        break;
    }
    if (!p->is_ill) {
        p->is_ill = true;
        p->n_troubles++;
        sim_in(for_ns, heal, t, i);
    }
    // Mild ones end before the next begins, and whoever met one has gone on by then.
    int64_t next_ns = t->is_mild ? some_ms(1400, 2000) : some_ms(50, 900);
    if (sim_now_ms() + next_ns / SIM_MS < BUSY_MS - TROUBLE_MAX_MS)
        sim_in(next_ns, hurt, t, 0);
}

// --- load ---

static struct sim_plan *choose_request(void)
{
    static const char *const methods[] = {"GET", "GET", "PUT", "DELETE", "POST"};
    struct sim_plan *p = sim_plan_new(methods[sim_below(ARRAY_LEN(methods))], "a.example");
    p->answer_bytes = 0; // a head that has come is all of the answer
    p->think_ns = some_ms(0, 100);
    if (p->method[1] == 'U') {
        p->request = SIM_LENGTH;
        p->request_bytes = sim_below(30000);
    }
    return p;
}

static void start_client(struct trouble *t)
{
    struct sim_plan *plans[REQUESTS];
    for (uint32_t i = 0; i < REQUESTS; i++)
        plans[i] = choose_request();
    struct sim_client *c = sim_client_new(plans, REQUESTS);
    if (t->leaves && sim_chance(40))
        c->cut_received =
            (struct sim_cut){.how = sim_chance(50) ? SIM_CLOSE : SIM_RESET, .at = sim_below(400)};
    if (t->leaves && sim_chance(40))
        c->cut_sent = (struct sim_cut){.how = SIM_RESET, .at = sim_below(600)};
    sim_client_start(c, &t->w.listener, sim_now_ns() + some_ms(0, BUSY_MS - 2500));
}

// When all is well again each request is answered at once.
static void start_probe(struct trouble *t)
{
    struct sim_plan *plans[3];
    for (uint32_t i = 0; i < ARRAY_LEN(plans); i++) {
        plans[i] = sim_plan_new("GET", "a.example");
        plans[i]->must_succeed = true;
    }
    sim_client_start(sim_client_new(plans, ARRAY_LEN(plans)), &t->w.listener,
                     sim_now_ns() + (BUSY_MS + PROBES_AFTER_MS) * SIM_MS);
}

// --- at the end ---

static void check_end(const struct trouble *t)
{
    const struct service *s = service_in_force(t);
    uint32_t n_again = 0, n = sim_plan_count();
    SIM_CHECK_INT(registry_queue(s->shared)->n, 0);
    for (size_t i = 0; i < s->n_servers; i++) {
        SIM_CHECK_INT(slot_n_active(&s->servers[i].state->slots[0]), 0);
        SIM_CHECK_INT(atomic_load(&s->servers[i].state->slots[0].n_waiting), 0);
        if (t->has_checks && !t->has_h2)
            SIM_CHECK(t->patients[i].server->n_checks > 0);
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct sim_plan *p = sim_plan_find(i);
        n_again += p->n_heads > 1 ? p->n_heads - 1 : 0;
        if (p->must_succeed && p->ended_ms - p->began_ms > PROBE_MAX_MS)
            sim_fail("exchange %u took %d ms although all was well", p->id,
                     (int)(p->ended_ms - p->began_ms));
    }
    // Each half of the time has its own share.
    if (t->is_tight && n_again > 2 * (n * BUDGET_PERCENT / 100 + 1))
        sim_fail("%u of %u requests were sent again", n_again, n);
}

void scenario_trouble(uint64_t seed)
{
    struct trouble t = {.n_patients = 0};
    world_start(&t.w, seed, WORLD_YAML);
    world_check_servers(&t.w);
    choose_settings(&t, seed);
    world_reload_at(&t.w, sim_now_ns(), settings_of(&t));
    for (uint32_t i = sim_below(3); i > 0; i--)
        world_reload_at(&t.w, sim_now_ns() + some_ms(200, BUSY_MS - 500), settings_of(&t));
    sim_audit_look(on_served, &t);
    for (uint32_t i = 0; i < CLIENTS; i++)
        start_client(&t);
    start_probe(&t);
    sim_in(100 * SIM_MS, look, &t, 0);
    sim_in(some_ms(200, 600), hurt, &t, 0);
    t.w.busy_until_ns = sim_now_ns() + BUSY_MS * SIM_MS;
    world_run(&t.w, 120 * SIM_S);
    check_end(&t);
    world_end(&t.w);
}
