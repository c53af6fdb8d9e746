// SPDX-License-Identifier: Apache-2.0
#include "gate/crew.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "gate/credentials.h"
#include "gate/worker.h"
#include "rt/clock.h"
#include "rt/log.h"
#include "rt/sys.h"
#include "rt/timer.h"

// Between two looks whether all connections have ended: a part of the time since the drain began.
#define DRAIN_LOOK_MIN_MS 2
#define DRAIN_LOOK_MAX_MS 100
#define DRAIN_LOOK_PART 50
#define ABORT_MAX_MS 1000 // for connections to end that were told to do so at once

struct member {
    struct crew *crew; // borrows
    unsigned index;
    pthread_t thread;
    struct rt_loop *loop;  // owns
    struct worker *worker; // owns: touched by its thread alone
    struct rt_timer drain_timer;
    int64_t drain_began_ms, drain_until_ms;
    bool is_aborted;
    struct job *drain_job;
};

struct crew {
    unsigned n;
    struct worker_links links;
    struct rt_loop *aux; // borrows
    struct member members[];
};

// Something asked of all workers, with an answer when the last has done it.
struct job {
    unsigned n_left; // the aux thread's
    int64_t *ret_slowest_ns;
    crew_done_fn *fn;
    void *arg;
};

// A visit to all workers, one after the other.
struct tour {
    struct rt_mail mail;
    struct crew *crew; // borrows
    unsigned at;       // whose turn it is; crew.n: back on the aux thread
    crew_visit_fn *visit;
    crew_done_fn *fn;
    void *arg;
};

enum order_kind {
    ORDER_LISTEN,
    ORDER_UNLISTEN,
    ORDER_SWITCH,
    ORDER_EQUIP,
    ORDER_DRAIN,
    ORDER_DONE, // to the aux thread: a worker has done its part of the job
};

struct order {
    struct rt_mail mail;
    struct member *member;
    enum order_kind kind;
    struct job *job;           // NULL: no answer wanted
    struct snapshot *snapshot; // ORDER_SWITCH: holds a ref
    struct credentials tls;    // ORDER_EQUIP: holds refs
    int64_t idle_ms, limit_ms; // ORDER_DRAIN
    int64_t took_ns;           // ORDER_DONE
    uint32_t id;               // ORDER_LISTEN, ORDER_UNLISTEN
    int fd;                    // ORDER_LISTEN: owns
    struct str name;           // ORDER_LISTEN: owns
};

static void take_order(struct rt_mail *mail);

static void post(struct member *m, struct rt_loop *to, struct order o)
{
    struct order *order = MEM_NEW(struct order);
    *order = o;
    order->member = m;
    order->mail.fn = take_order;
    loop_post(to, &order->mail);
}

static void tell_done(struct member *m, struct job *job, int64_t took_ns)
{
    post(m, m->crew->aux, (struct order){.kind = ORDER_DONE, .job = job, .took_ns = took_ns});
}

static void switch_to(struct member *m, struct snapshot *s, struct job *job)
{
    int64_t began_ns = clock_exact_ns();
    worker_switch(m->worker, s);
    snapshot_unref(s);
    tell_done(m, job, clock_exact_ns() - began_ns);
}

// On the aux thread: a worker has done its part.
static void part_is_done(struct job *job, int64_t took_ns)
{
    if (job->ret_slowest_ns)
        *job->ret_slowest_ns = MAX(*job->ret_slowest_ns, took_ns);
    if (--job->n_left > 0)
        return;
    job->fn(job->arg);
    mem_free(job);
}

static void look_whether_drained(struct rt_timer *t)
{
    struct member *m = CONTAINER_OF(t, struct member, drain_timer);
    int64_t now_ms = clock_now_ms();
    bool is_over = worker_is_drained(m->worker);
    if (!is_over && !m->is_aborted && now_ms >= m->drain_until_ms) {
        log_warn("worker %u: closing %u connections that are still open", m->index,
                 worker_n_open(m->worker));
        worker_abort(m->worker);
        m->is_aborted = true; // now their fibers unwind, and each exchange writes its log line
        m->drain_until_ms = now_ms + ABORT_MAX_MS;
    }
    int64_t wait_ms = MIN((now_ms - m->drain_began_ms) / DRAIN_LOOK_PART, DRAIN_LOOK_MAX_MS);
    int64_t next_ms = MIN(now_ms + MAX(wait_ms, DRAIN_LOOK_MIN_MS), m->drain_until_ms);
    if (!is_over && now_ms < m->drain_until_ms)
        timer_start(t, next_ms, look_whether_drained);
    else
        tell_done(m, m->drain_job, 0);
}

static void take_order(struct rt_mail *mail)
{
    struct order *o = CONTAINER_OF(mail, struct order, mail);
    struct member *m = o->member;
    switch (o->kind) {
    case ORDER_LISTEN:
        worker_add_listener(m->worker, o->id, o->name, o->fd);
        mem_free((void *)(uintptr_t)o->name.ptr);
        break;
    case ORDER_UNLISTEN:
        worker_remove_listener(m->worker, o->id);
        break;
    case ORDER_SWITCH:
        switch_to(m, o->snapshot, o->job);
        break;
    case ORDER_EQUIP:
        worker_equip(m->worker, &o->tls);
        credentials_unref(&o->tls);
        break;
    case ORDER_DRAIN:
        worker_drain(m->worker, MIN(o->idle_ms, o->limit_ms));
        m->drain_job = o->job;
        m->drain_began_ms = clock_now_ms();
        m->drain_until_ms = m->drain_began_ms + o->limit_ms;
        look_whether_drained(&m->drain_timer);
        break;
    case ORDER_DONE:
        part_is_done(o->job, o->took_ns);
        break;
    }
    mem_free(o);
}

static void *run_member(void *arg)
{
    struct member *m = arg;
    char name[16];
    snprintf(name, sizeof name, "worker %u", m->index);
    pthread_setname_np(pthread_self(), name);
    loop_enter(m->loop);
    m->worker = worker_new(m->index, &m->crew->links);
    loop_run(m->loop);
    return NULL;
}

struct crew *crew_start(unsigned n, struct rt_loop *aux, const struct worker_links *links)
{
    ASSERT(n > 0 && n <= SNAPSHOT_WORKERS_MAX);
    struct crew *c = mem_alloc(1, sizeof *c + n * sizeof c->members[0]);
    c->n = n;
    c->aux = aux;
    c->links = *links;
    c->links.conns_max = MAX(links->conns_max / n, 1u);
    for (unsigned i = 0; i < n; i++) {
        struct member *m = &c->members[i];
        m->crew = c;
        m->index = i;
        m->loop = loop_new(&(struct loop_options){.fibers_max = 0});
        int rc = pthread_create(&m->thread, NULL, run_member, m);
        if (rc != 0)
            panic("can't start a worker's thread: %s", strerror(rc));
    }
    return c;
}

void crew_listen(struct crew *c, uint32_t id, unsigned worker, struct str entry_name, int fd)
{
    if (worker >= c->n) {
        sys_close(fd);
        return;
    }
    struct member *m = &c->members[worker];
    struct str name = {mem_copy(entry_name.ptr, entry_name.len), entry_name.len};
    post(m, m->loop, (struct order){.kind = ORDER_LISTEN, .id = id, .fd = fd, .name = name});
}

void crew_unlisten(struct crew *c, uint32_t id)
{
    for (unsigned i = 0; i < c->n; i++)
        post(&c->members[i], c->members[i].loop, (struct order){.kind = ORDER_UNLISTEN, .id = id});
}

void crew_equip(struct crew *c, const struct credentials *credentials)
{
    for (unsigned i = 0; i < c->n; i++)
        post(&c->members[i], c->members[i].loop,
             (struct order){.kind = ORDER_EQUIP, .tls = credentials_ref(credentials)});
}

static struct job *new_job(const struct crew *c, crew_done_fn *fn, void *arg)
{
    struct job *job = MEM_NEW(struct job);
    *job = (struct job){.n_left = c->n, .fn = fn, .arg = arg};
    return job;
}

void crew_switch(struct crew *c, struct snapshot *s, int64_t *ret_slowest_ns, crew_done_fn *fn,
                 void *arg)
{
    struct job *job = new_job(c, fn, arg);
    job->ret_slowest_ns = ret_slowest_ns;
    *ret_slowest_ns = 0;
    atomic_fetch_add_explicit(&s->refs, c->n, memory_order_relaxed);
    for (unsigned i = 0; i < c->n; i++)
        post(&c->members[i], c->members[i].loop,
             (struct order){.kind = ORDER_SWITCH, .snapshot = s, .job = job});
}

static void go_on(struct tour *t)
{
    bool is_back = t->at == t->crew->n;
    loop_post(is_back ? t->crew->aux : t->crew->members[t->at].loop, &t->mail);
}

static void on_tour(struct rt_mail *mail)
{
    struct tour *t = CONTAINER_OF(mail, struct tour, mail);
    if (t->at == t->crew->n) {
        t->fn(t->arg);
        mem_free(t);
        return;
    }
    if (t->visit(t->arg, t->crew->members[t->at].worker))
        t->at++;
    go_on(t);
}

void crew_visit(struct crew *c, crew_visit_fn *visit, crew_done_fn *fn, void *arg)
{
    struct tour *t = MEM_NEW(struct tour);
    *t = (struct tour){.mail = {.fn = on_tour}, .crew = c, .visit = visit, .fn = fn, .arg = arg};
    go_on(t);
}

void crew_drain(struct crew *c, int64_t idle_ms, int64_t limit_ms, crew_done_fn *fn, void *arg)
{
    struct job *job = new_job(c, fn, arg);
    for (unsigned i = 0; i < c->n; i++)
        post(&c->members[i], c->members[i].loop,
             (struct order){
                 .kind = ORDER_DRAIN, .idle_ms = idle_ms, .limit_ms = limit_ms, .job = job});
}
