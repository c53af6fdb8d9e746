// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_world.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"
#include "filter/states.h"
#include "rt/log.h"
#include "rt/offload.h"
#include "rt/slots.h"
#include "rt/sys.h"
#include "sim/sim_audit.h"
#include "sim/sim_certs.h"
#include "sim/sim_disk.h"
#include "sim/sim_h2.h"
#include "sim/sim_tls.h"
#include "upstream/service.h"

static struct snapshot *build(struct world *w, const char *yaml)
{
    struct arena tree;
    arena_init(&tree, (size_t)1 << 26, NULL, 0);
    struct diags diags = {.n = 0};
    const struct conf_node *root = conf_yaml_parse(str_of(yaml), "sim.yaml", &tree, &diags);
    struct snapshot *s = NULL;
    if (root)
        s = snapshot_build(root,
                           &(struct snapshot_env){
                               .registry = w->registry, .offload = w->offload, .states = w->states},
                           &diags);
    if (!s)
        panic("settings of the simulation: %s", diags.n > 0 ? diags.items[0].text : "?");
    diags_fini(&diags);
    s->tree = tree;
    return s;
}

static void switch_to(struct world *w, const char *yaml)
{
    struct snapshot *s = build(w, yaml);
    s->seq = ++w->n_settings;
    sim_watch_add_snapshot(&w->watch, s);
    worker_switch(w->worker, s);
}

static void equip(struct world *w)
{
    sim_tls_set_generation(w->n_equipped);
    worker_equip(w->worker, sim_certs_credentials(w->n_equipped++));
}

struct world_limits world_limits;

void world_limits_init(void)
{
    world_limits = (struct world_limits){
        .conns_max = 1000, .fibers_max = 10000, .spool_bytes = (uint64_t)64 << 20};
}

static void listen_to(struct world *w, bool is_other)
{
    int fd = sim_sys_listen(is_other ? &w->other : &w->listener);
    uint32_t *id = is_other ? &w->other_id : &w->listener_id;
    *id = ++w->n_ids;
    *(is_other ? &w->watch.n_other : &w->watch.n_web) += 1;
    worker_add_listener(w->worker, *id, is_other ? STR("other") : STR("web"), fd);
}

void world_start(struct world *w, uint64_t seed, const char *yaml)
{
    sim_start(seed);
    sim_tls_start(seed);
    sim_net_init();
    sim_sys_init();
    sim_disk_init();
    sim_plans_init();
    sim_clients_init();
    sim_servers_init();
    sim_h2_start();
    hash_seed((struct hash_key){.k0 = seed, .k1 = 1});
    *w = (struct world){
        .loop = loop_new(&(struct loop_options){.fibers_max = world_limits.fibers_max})};
    loop_enter(w->loop);
    w->registry = upstream_registry_new();
    w->offload = offload_new(0, 16);
    w->disk = offload_new(0, 64);
    w->slots = slots_new(sim_disk_open(), world_limits.spool_bytes, w->disk);
    w->states = filter_states_new();
    w->worker = worker_new(0, &(struct worker_links){.registry = w->registry,
                                                     .slots = w->slots,
                                                     .conns_max = world_limits.conns_max});
    sim_audit_start(worker_stats(w->worker));
    sim_watch_start(&w->watch, w->loop, worker_stats(w->worker), worker_door_stats(w->worker));
    sim_names_start(&w->names, w->registry, w->loop);
    equip(w);
    switch_to(w, yaml);
    listen_to(w, false);
}

void world_check_servers(struct world *w)
{
    w->checker = upstream_checker_start(w->registry);
    w->watch.checker = w->checker;
}

// --- orders ---

enum order_kind {
    ORDER_SWITCH,
    ORDER_EQUIP,
    ORDER_DRAIN,
    ORDER_ABORT,
    ORDER_LISTEN,
    ORDER_UNLISTEN,
};

struct order {
    struct rt_mail mail;
    struct world *world;
    enum order_kind kind;
    const char *yaml;
    bool is_other;      // of the listening sockets
    int64_t idle_ms;    // of a drain
    struct order *next; // comes when this one has been carried out
};

static void post(void *arg, uint64_t tag)
{
    struct order *o = arg;
    (void)tag;
    loop_post(o->world->loop, &o->mail);
}

static void take_order(struct rt_mail *m)
{
    struct order *o = CONTAINER_OF(m, struct order, mail);
    struct order *next = o->next;
    switch (o->kind) {
    case ORDER_SWITCH:
        sim_log("reload");
        switch_to(o->world, o->yaml);
        break;
    case ORDER_EQUIP:
        sim_log("other certificates");
        equip(o->world);
        break;
    case ORDER_DRAIN:
        sim_log("drain");
        o->world->is_leaving = true;
        worker_drain(o->world->worker, o->idle_ms);
        break;
    case ORDER_ABORT:
        sim_log("abort");
        o->world->is_leaving = true;
        worker_abort(o->world->worker);
        break;
    case ORDER_UNLISTEN:
        sim_log("unlisten %s", o->is_other ? "other" : "web");
        worker_remove_listener(o->world->worker,
                               o->is_other ? o->world->other_id : o->world->listener_id);
        break;
    case ORDER_LISTEN:
        sim_log("listen %s", o->is_other ? "other" : "web");
        if (!o->world->is_leaving)
            listen_to(o->world, o->is_other);
        break;
    }
    if (next)
        post(next, 0);
}

static struct order *new_order(struct world *w, enum order_kind kind, const char *yaml)
{
    struct order *o = sim_alloc(sizeof *o);
    *o = (struct order){.mail = {.fn = take_order},
                        .world = w,
                        .kind = kind,
                        .yaml = yaml,
                        .idle_ms = WORLD_DRAIN_IDLE_MS};
    return o;
}

void world_reload_after(struct world *w, uint64_t n_steps, const char *yaml)
{
    sim_after_step(n_steps, post, new_order(w, ORDER_SWITCH, yaml));
}

void world_remove_after(struct world *w, uint64_t n_steps, const char *yaml)
{
    struct order *o = new_order(w, ORDER_SWITCH, yaml);
    o->next = new_order(w, ORDER_UNLISTEN, NULL);
    sim_after_step(n_steps, post, o);
}

void world_reload_at(struct world *w, int64_t at_ns, const char *yaml)
{
    sim_at(at_ns, post, new_order(w, ORDER_SWITCH, yaml), 0);
}

void world_equip_at(struct world *w, int64_t at_ns)
{
    sim_at(at_ns, post, new_order(w, ORDER_EQUIP, NULL), 0);
}

void world_equip_after(struct world *w, uint64_t n_steps)
{
    sim_after_step(n_steps, post, new_order(w, ORDER_EQUIP, NULL));
}

void world_unlisten_at(struct world *w, int64_t at_ns)
{
    sim_at(at_ns, post, new_order(w, ORDER_UNLISTEN, NULL), 0);
}

void world_unlisten_other_at(struct world *w, int64_t at_ns)
{
    struct order *o = new_order(w, ORDER_UNLISTEN, NULL);
    o->is_other = true;
    sim_at(at_ns, post, o, 0);
}

void world_listen_at(struct world *w, int64_t at_ns, bool is_other)
{
    struct order *o = new_order(w, ORDER_LISTEN, NULL);
    o->is_other = is_other;
    sim_at(at_ns, post, o, 0);
}

void world_abort_at(struct world *w, int64_t at_ns)
{
    sim_at(at_ns, post, new_order(w, ORDER_ABORT, NULL), 0);
}

void world_drain_at(struct world *w, int64_t at_ns)
{
    sim_at(at_ns, post, new_order(w, ORDER_DRAIN, NULL), 0);
}

void world_drain_idle_at(struct world *w, int64_t at_ns, int64_t idle_ms)
{
    struct order *o = new_order(w, ORDER_DRAIN, NULL);
    o->idle_ms = idle_ms;
    sim_at(at_ns, post, o, 0);
}

void world_drain_after(struct world *w, uint64_t n_steps)
{
    sim_after_step(n_steps, post, new_order(w, ORDER_DRAIN, NULL));
}

void world_abort_after(struct world *w, uint64_t n_steps)
{
    sim_after_step(n_steps, post, new_order(w, ORDER_ABORT, NULL));
}

// --- running ---

// Sockets of the worker: each check that runs has one, too.
static uint32_t n_sockets(const struct world *w)
{
    uint32_t n_checks = w->checker ? upstream_checker_n_running(w->checker) : 0;
    return sim_sys_n_sockets() - n_checks;
}

void world_run(struct world *w, int64_t limit_ns)
{
    int64_t until = sim_now_ns() + limit_ns;
    sim_sys.is_at_rest = false;
    while (sim_clients_running() > 0 || n_sockets(w) > 0 || sim_disk_n_jobs() > 0 ||
           sim_now_ns() < w->busy_until_ns) {
        if (sim_now_ns() > until || sim_sys.is_at_rest) {
            sim_fail("no rest: %u clients run, the worker holds %u sockets", sim_clients_running(),
                     n_sockets(w));
            return;
        }
        loop_turn(w->loop, -1);
    }
    loop_turn(w->loop, 0); // what the last closing has deferred
}

static uint64_t count_answered(void)
{
    uint64_t n = 0;
    for (uint32_t i = 0; i < sim_plan_count(); i++) {
        const struct sim_plan *p = sim_plan_find(i);
        n += p->outcome == SIM_ANSWERED && !p->is_upgrade && !(p->is_passed && p->is_servers);
    }
    return n;
}

static void check_counters(const struct world *w)
{
    const struct http_stats *stats = worker_stats(w->worker);
    struct loop_stats loop;
    loop_stats(w->loop, &loop);
    uint64_t n_answers = 0;
    for (enum http_counter c = HTTP_COUNTER_STATUS_2XX; c <= HTTP_COUNTER_STATUS_5XX; c++)
        n_answers += stats->counters[c];
    const struct door_stats *door = worker_door_stats(w->worker);
    SIM_CHECK(n_answers + door->counters[DOOR_COUNTER_PLAIN_HTTP] >= count_answered());
    SIM_CHECK_INT((int64_t)door->counters[DOOR_COUNTER_OPEN], 0);
    SIM_CHECK(stats->counters[HTTP_COUNTER_EXCHANGES] >= n_answers);
    SIM_CHECK_INT((int64_t)stats->counters[HTTP_COUNTER_CONNS_OPEN], 0);
    SIM_CHECK_INT((int64_t)stats->counters[HTTP_COUNTER_CONNS_IDLE], 0);
    SIM_CHECK_INT((int64_t)stats->counters[HTTP_COUNTER_EXCHANGES_OPEN], 0);
    SIM_CHECK_INT((int64_t)stats->counters[HTTP_COUNTER_TUNNELS_OPEN], 0);
    SIM_CHECK_INT((int64_t)stats->counters[HTTP_COUNTER_AHEAD_BYTES], 0);
    SIM_CHECK_INT((int64_t)stats->counters[HTTP_COUNTER_SPOOL_BYTES], 0);
    SIM_CHECK_INT(loop.n_fibers, 0);
    SIM_CHECK_INT(loop.n_socks, 0);
}

void world_end(struct world *w)
{
    if (sim_has_failed() && sim_sys_n_sockets() > 0) {
        worker_abort(w->worker);
        for (int i = 0; i < 1000 && worker_n_open(w->worker) > 0; i++)
            loop_turn(w->loop, 10);
    }
    world_check_plans();
    sim_audit_end();
    sim_names_stop(&w->names);
    sim_watch_stop(&w->watch);
    upstream_checker_stop(w->checker);
    check_counters(w);
    worker_free(w->worker);
    sim_watch_end(&w->watch);
    upstream_registry_free(w->registry);
    offload_free(w->offload);
    SIM_CHECK_INT((int64_t)slots_used(w->slots), 0);
    slots_stop(w->slots);
    offload_free(w->disk);
    slots_free(w->slots);
    filter_states_free(w->states);
    loop_free(w->loop);
    sim_h2_stop();
    sim_tls_stop();
    sim_sys_fini();
}

// --- what must hold ---

static bool is_whole(const struct sim_plan *p)
{
    bool has_body = p->answer != SIM_NO_BODY && strcmp(p->method, "HEAD") != 0;
    size_t wanted = p->is_upgrade ? p->tunnel_bytes : has_body ? p->answer_bytes : 0;
    // An end that tells nothing is all that a tunnel has, and an answer that ends with its
    // connection: when the server ends it early, nobody can know.
    bool may_close = p->cut.how == SIM_CLOSE || p->cut_inward.how == SIM_CLOSE;
    bool has_end = !p->is_upgrade && (p->answer != SIM_UNTIL_CLOSE || !may_close);
    return p->got_bytes == wanted || (!has_end && !p->must_succeed && p->got_bytes < wanted);
}

void world_check_plan(const struct sim_plan *p)
{
    if (p->raw_request && (p->n_heads > 0 || p->is_servers))
        sim_fail("exchange %u: a malformed request came to a server", p->id);
    if (p->outcome == SIM_ANSWERED && p->is_servers && p->n_finished != !p->is_passed)
        sim_fail("exchange %u is answered, and has ended %u times", p->id, p->n_finished);
    if (p->outcome == SIM_ANSWERED && p->n_finished == 1 && p->finished_status != p->got_status)
        sim_fail("exchange %u: the worker thinks it has answered %u instead of %u", p->id,
                 p->finished_status, p->got_status);
    if (p->outcome == SIM_ANSWERED && p->is_servers) {
        if (p->raw == NULL && !is_whole(p))
            sim_fail("exchange %u: %zu bytes look like the whole answer", p->id, p->got_bytes);
        if (p->n_heads == 0)
            sim_fail("exchange %u: an answer that no server gave", p->id);
    }
    if (p->outcome == SIM_ANSWERED && !p->is_servers && !p->raw && p->got_status < 300)
        sim_fail("exchange %u: the worker itself answers %u", p->id, p->got_status);
    if (p->must_succeed && (p->outcome != SIM_ANSWERED || !p->is_servers))
        sim_fail("exchange %u should have succeeded: outcome %d, status %u", p->id, p->outcome,
                 p->got_status);
    if (p->must_succeed && !p->answers_early && !sim_plan_is_idempotent(p) && p->n_executed != 1)
        sim_fail("exchange %u was executed %u times", p->id, p->n_executed);
}

void world_check_plans(void)
{
    for (uint32_t i = 0; i < sim_plan_count(); i++)
        world_check_plan(sim_plan_find(i));
}
