// SPDX-License-Identifier: Apache-2.0
// Checks servers, on the aux thread's loop: a timer for each server of each service, and a fiber
// for each check that runs. What is found goes into the slots that all workers look at.
#include <stdio.h>

#include "base/list.h"
#include "base/mem.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/log.h"
#include "rt/sys.h"
#include "rt/timer.h"
#include "upstream/health_check.h"
#include "upstream/registry.h"
#include "upstream/service.h"

#define PARALLEL_MAX 256    // checks at a time; more wait for their turn
#define FIRST_WITHIN_MS 200 // first checks begin within this time, not all at once
#define NO_ADDRESS_MS 500   // until a name that has no address yet is looked at again

struct upstream_checker {
    struct upstream_registry *registry; // borrows
    struct rt_loop *loop;               // borrows
    struct http_env env;
    struct inbox inbox;
    struct list jobs; // all
    struct list due;  // struct probe: those that wait for one of PARALLEL_MAX
    unsigned n_running;
    uint64_t random; // of jitter: xorshift
    bool is_stopping;
};

// One address of a job.
struct probe {
    struct job *job; // borrows
    struct list_node due;
    struct ip ip;        // of names: the slot's when the check began
    struct rt_addr addr; // asked: with the port of checks
    struct tls_session session;
    struct health_plan *plan; // shares: while it runs
    struct fiber *fiber;      // borrows: while it runs
    struct rt_timer guard;    // ends it in time
    uint8_t slot;
};

struct job {
    struct list_node node;            // in jobs
    struct upstream_checker *checker; // borrows
    struct health_state *health;      // holds
    struct rt_timer timer;
    unsigned n_running; // of its probes
    bool is_leaving;    // freed when the last one has ended
    size_t n_probes;
    struct probe probes[]; // by slot
};

static void free_later(void *arg)
{
    mem_free(arg);
}

// Connections of its checks end with this turn at the latest.
static void job_free(struct job *j)
{
    ASSERT(j->n_running == 0);
    timer_stop(&j->timer);
    list_remove(&j->node);
    for (size_t i = 0; i < j->n_probes; i++) {
        list_remove(&j->probes[i].due);
        tls_session_forget(&j->probes[i].session);
    }
    registry_uncheck(j->health);
    loop_defer(free_later, j);
}

static void job_end(struct job *j)
{
    timer_stop(&j->timer);
    j->is_leaving = true;
    for (size_t i = 0; i < j->n_probes; i++)
        if (j->probes[i].fiber)
            fiber_cancel(j->probes[i].fiber);
    if (j->n_running == 0)
        job_free(j);
}

// --- what is found ---

static void tell(const struct health_state *h, const struct probe *p, const char *why,
                 int64_t was_ms)
{
    char buf[128];
    struct str addr = addr_text(&p->addr, buf, sizeof buf);
    const char *at = str_eq(addr, h->name) ? "" : " at ";
    if (at[0] == '\0')
        addr = STR_NONE;
    if (why)
        log_warn("service " STR_FMT ": server " STR_FMT "%s" STR_FMT " is down: %s",
                 STR_ARG(h->service), STR_ARG(h->name), at, STR_ARG(addr), why);
    else
        log_info("service " STR_FMT ": server " STR_FMT "%s" STR_FMT " is up again after %.1f s",
                 STR_ARG(h->service), STR_ARG(h->name), at, STR_ARG(addr), (double)was_ms / 1000);
}

// It was reached where requests go: what they have found isn't true any more.
static void end_skipping(const struct health_state *h, const struct probe *p)
{
    struct server_slot *slot = &h->server->slots[p->slot];
    if (p->plan->conf.port != 0)
        return;
    if (atomic_load_explicit(&slot->skip_until_ms, memory_order_relaxed) != 0)
        atomic_store_explicit(&slot->skip_until_ms, 0, memory_order_relaxed);
}

static void take_result(struct probe *p, bool is_good, const char *why)
{
    struct health_state *h = p->job->health;
    struct health_slot *slot = &h->slots[p->slot];
    const struct health_conf *conf = &p->plan->conf;
    enum health before = slot->record.health;
    int64_t now = clock_now_ms(), since = slot->since_ms;
    if (!is_good)
        snprintf(slot->why, sizeof slot->why, "%s", why);
    else
        end_skipping(h, p);
    if (!health_take(&slot->record, is_good, conf->rise, conf->fall))
        return;
    slot->since_ms = now;
    slot->is_first_awaited = false;
    if (is_good)
        slot_rise(&h->server->slots[p->slot], now);
    atomic_store_explicit(&slot->is_down, !is_good, memory_order_relaxed);
    if (!is_good || before == HEALTH_DOWN)
        tell(h, p, is_good ? NULL : slot->why, now - since);
}

// An address that is no longer the server's has no slot any more: another one may have it.
static bool is_still_there(const struct probe *p)
{
    struct server_state *server = p->job->health->server;
    struct server_answer answer = {.n = 0};
    if (server->kind != SERVER_NAME)
        return true;
    registry_read_answer(server, &answer);
    for (size_t i = 0; i < answer.n; i++)
        if (answer.addrs[i].slot == p->slot && ip_eq(&answer.addrs[i].ip, &p->ip))
            return true;
    return false;
}

// --- running checks ---

static void start_due(struct upstream_checker *c);

static void on_guard(struct rt_timer *t)
{
    fiber_cancel(CONTAINER_OF(t, struct probe, guard)->fiber);
}

static void run(void *arg)
{
    struct probe *p = arg;
    struct job *j = p->job;
    struct upstream_checker *c = j->checker;
    char why[HEALTH_WHY_BYTES] = "";
    const struct health_conf *conf = &p->plan->conf;
    struct deadline until = deadline_in(MIN(conf->timeout_ms, conf->every_ms));
    timer_start(&p->guard, until.at_ms, on_guard);
    bool is_good = health_check(p->plan, &p->addr, &p->session, &c->env, until, why);
    timer_stop(&p->guard);
    if (!j->is_leaving && is_still_there(p))
        take_result(p, is_good, why);
    health_plan_unref(p->plan);
    p->plan = NULL;
    p->fiber = NULL;
    j->n_running--;
    c->n_running--;
    if (j->is_leaving && j->n_running == 0)
        job_free(j);
    start_due(c);
}

static void start(struct probe *p)
{
    struct job *j = p->job;
    p->plan = registry_plan_of(j->health);
    if (!p->plan)
        return;
    p->fiber = fiber_start(run, p);
    if (!p->fiber) {
        health_plan_unref(p->plan);
        p->plan = NULL;
        return;
    }
    j->n_running++;
    j->checker->n_running++;
}

static void start_due(struct upstream_checker *c)
{
    struct list_node *n;
    while (!c->is_stopping && c->n_running < PARALLEL_MAX && (n = list_pop_front(&c->due)) != NULL)
        start(CONTAINER_OF(n, struct probe, due));
}

// The same host at the port of checks.
static void move_to_port(struct rt_addr *addr, uint32_t port)
{
    struct ip ip;
    uint16_t old;
    if (port > 0 && addr_to_ip(addr, &ip, &old))
        addr_from_ip(&ip, (uint16_t)port, addr);
}

static void put_due(struct job *j, uint8_t slot, const struct rt_addr *addr, const struct ip *ip,
                    const struct health_conf *conf)
{
    struct probe *p = &j->probes[slot];
    if (p->plan || list_node_is_linked(&p->due))
        return; // the last one runs, or waits for its turn
    if (ip)
        p->ip = *ip;
    p->addr = *addr;
    move_to_port(&p->addr, conf->port);
    list_push_back(&j->checker->due, &p->due);
}

// Returns how many addresses there are.
static size_t put_all_due(struct job *j, const struct health_conf *conf)
{
    struct server_state *server = j->health->server;
    if (server->kind != SERVER_NAME) {
        put_due(j, 0, &server->addr, NULL, conf);
        return 1;
    }
    struct server_answer answer = {.n = 0};
    registry_read_answer(server, &answer);
    for (size_t i = 0; i < answer.n; i++) {
        struct rt_addr addr;
        addr_from_ip(&answer.addrs[i].ip, server->port, &addr);
        put_due(j, answer.addrs[i].slot, &addr, &answer.addrs[i].ip, conf);
    }
    return answer.n;
}

static uint64_t next_random(struct upstream_checker *c)
{
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random;
}

static int64_t pause_ms(struct upstream_checker *c, const struct health_conf *conf)
{
    int64_t spread = conf->every_ms * conf->jitter_percent / 100;
    int64_t shift = (int64_t)(next_random(c) % (uint64_t)(2 * spread + 1)) - spread;
    return MAX(conf->every_ms + shift, 1);
}

static void on_timer(struct rt_timer *t)
{
    struct job *j = CONTAINER_OF(t, struct job, timer);
    struct upstream_checker *c = j->checker;
    struct health_plan *plan = registry_plan_of(j->health);
    if (!plan) {
        job_end(j);
        return;
    }
    int64_t wait = pause_ms(c, &plan->conf);
    if (put_all_due(j, &plan->conf) == 0)
        wait = MIN(wait, NO_ADDRESS_MS);
    timer_start(&j->timer, clock_now_ms() + wait, on_timer);
    health_plan_unref(plan);
    start_due(c);
}

// --- coming and going ---

static void add_job(struct upstream_checker *c, struct health_state *h)
{
    struct job *j = mem_alloc(1, sizeof(struct job) + h->n_slots * sizeof(struct probe));
    j->checker = c;
    j->health = h;
    j->n_probes = h->n_slots;
    for (size_t i = 0; i < j->n_probes; i++) {
        j->probes[i].job = j;
        j->probes[i].slot = (uint8_t)i;
    }
    list_push_back(&c->jobs, &j->node);
    int64_t wait = (int64_t)(next_random(c) % FIRST_WITHIN_MS);
    timer_start(&j->timer, clock_now_ms() + wait, on_timer);
}

// What is checked in another way now is checked so at once, and not after the pause of before.
static void look_again(struct upstream_checker *c)
{
    LIST_FOR_SAFE (n, &c->jobs) {
        struct job *j = CONTAINER_OF(n, struct job, node);
        if (j->is_leaving)
            continue;
        struct health_plan *plan = registry_plan_of(j->health);
        if (!plan)
            job_end(j);
        else if (j->timer.at_ms > clock_now_ms() + plan->conf.every_ms)
            timer_start(&j->timer, clock_now_ms() + plan->conf.every_ms, on_timer);
        health_plan_unref(plan);
    }
    struct health_state *h;
    while ((h = registry_check_next(c->registry)) != NULL)
        add_job(c, h);
}

static void on_mail(struct rt_mail *mail)
{
    struct upstream_checker *c = CONTAINER_OF(mail, struct upstream_checker, inbox.mail);
    struct message *m = registry_open(c->registry, &c->inbox, 0);
    ASSERT(m == NULL);
    look_again(c);
}

unsigned upstream_checker_n_running(const struct upstream_checker *c)
{
    return c->n_running;
}

struct upstream_checker *upstream_checker_start(struct upstream_registry *r)
{
    static const struct http_app no_app;
    struct upstream_checker *c = MEM_NEW(struct upstream_checker);
    c->registry = r;
    c->loop = loop_self();
    http_env_init(&c->env, &no_app, NULL, PARALLEL_MAX);
    list_init(&c->jobs);
    list_init(&c->due);
    sys_random(&c->random, sizeof c->random);
    c->random |= 1; // xorshift stays at 0
    c->inbox.mail.fn = on_mail;
    c->inbox.loop = c->loop;
    registry_join_checker(r, &c->inbox);
    look_again(c);
    return c;
}

void upstream_checker_stop(struct upstream_checker *c)
{
    if (!c)
        return;
    registry_leave_checker(c->registry);
    c->is_stopping = true;
    LIST_FOR_SAFE (n, &c->jobs)
        job_end(CONTAINER_OF(n, struct job, node));
    while (!list_is_empty(&c->jobs) || registry_is_posted(c->registry, &c->inbox))
        loop_turn(c->loop, 0);
    loop_turn(c->loop, 0); // connections that end with a turn
    http_env_fini(&c->env);
    mem_free(c);
}
