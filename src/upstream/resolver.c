// SPDX-License-Identifier: Apache-2.0
// Keeps the addresses of named servers fresh, on the aux thread's loop: a timer per name, and a few
// fibers that look up what is due.
#include "base/list.h"
#include "base/mem.h"
#include "rt/clock.h"
#include "rt/dns.h"
#include "rt/fiber.h"
#include "rt/log.h"
#include "rt/timer.h"
#include "upstream/registry.h"

#define PARALLEL_MAX 32 // look-ups at a time
#define LOOKUP_MS 15000 // for all tries of one look-up
#define TTL_MIN_S 1
#define TTL_MAX_S 3600
#define TTL_NONE_S 5        // an answer without a time to live: from the hosts file
#define BACKOFF_MIN_MS 1000 // after a failure; doubled with each further one
#define BACKOFF_MAX_MS 30000

struct upstream_resolver {
    struct upstream_registry *registry; // borrows
    struct dns *dns;                    // borrows
    struct rt_loop *loop;               // borrows
    struct inbox inbox;
    struct list jobs;                   // all
    struct list due;                    // those to be looked up, first come first served
    struct fiber *fibers[PARALLEL_MAX]; // borrow
    unsigned n_fibers;
    bool is_stopping;
};

struct job {
    struct list_node node; // in jobs
    struct list_node due;  // in due
    struct rt_timer timer;
    struct upstream_resolver *resolver; // borrows
    struct server_state *server;        // holds
    int64_t backoff_ms;                 // 0: the last look-up went well
    bool is_running;
};

static void job_free(struct job *j)
{
    ASSERT(!j->is_running);
    timer_stop(&j->timer);
    list_remove(&j->node);
    list_remove(&j->due);
    registry_unwatch(j->server);
    mem_free(j);
}

// --- look-ups ---

static void start_fibers(struct upstream_resolver *s);

static void on_due(struct rt_timer *t)
{
    struct job *j = CONTAINER_OF(t, struct job, timer);
    list_push_back(&j->resolver->due, &j->due);
    start_fibers(j->resolver);
}

static int64_t ttl_ms(uint32_t ttl_s)
{
    return (int64_t)(ttl_s == 0 ? TTL_NONE_S : MAX(TTL_MIN_S, MIN(ttl_s, TTL_MAX_S))) * 1000;
}

// Waits. Returns when to look again, in ms.
static int64_t look_up(struct upstream_resolver *s, struct job *j)
{
    struct dns_answer answer;
    const char *why = "the name can't be resolved";
    enum err err = dns_resolve(s->dns, j->server->host, deadline_in(LOOKUP_MS), &answer, &why);
    if (err == ERR_CANCELLED)
        return BACKOFF_MIN_MS;
    if (!err && answer.n > 0) {
        (void)registry_put_answer(j->server, answer.addrs, answer.n, NULL);
        if (j->backoff_ms > 0)
            log_info("the server name " STR_FMT " is resolved again", STR_ARG(j->server->host));
        j->backoff_ms = 0;
        return ttl_ms(answer.ttl_s);
    }
    (void)registry_put_answer(j->server, NULL, 0, why);
    if (j->backoff_ms == 0)
        log_warn("the server name " STR_FMT " can't be resolved: %s", STR_ARG(j->server->host),
                 why);
    j->backoff_ms = MAX(BACKOFF_MIN_MS, MIN(j->backoff_ms * 2, BACKOFF_MAX_MS));
    return j->backoff_ms;
}

static void run(void *arg)
{
    struct upstream_resolver *s = arg;
    struct list_node *n;
    while (!s->is_stopping && (n = list_pop_front(&s->due)) != NULL) {
        struct job *j = CONTAINER_OF(n, struct job, due);
        j->is_running = true;
        int64_t again_ms = look_up(s, j);
        j->is_running = false;
        if (registry_is_wanted(j->server))
            timer_start(&j->timer, clock_now_ms() + again_ms, on_due);
        else
            job_free(j);
    }
    unsigned i = 0;
    while (s->fibers[i] != fiber_self())
        i++;
    s->fibers[i] = s->fibers[--s->n_fibers];
}

static void start_fibers(struct upstream_resolver *s)
{
    size_t n_due = 0;
    LIST_FOR (n, &s->due) {
        if (++n_due == PARALLEL_MAX)
            break;
    }
    while (!s->is_stopping && n_due-- > 0 && s->n_fibers < PARALLEL_MAX) {
        struct fiber *f = fiber_start(run, s);
        if (!f)
            break;
        s->fibers[s->n_fibers++] = f;
    }
}

// --- coming and going of names ---

void upstream_resolver_kick(struct upstream_resolver *s)
{
    LIST_FOR_SAFE (n, &s->jobs) {
        struct job *j = CONTAINER_OF(n, struct job, node);
        if (!j->is_running && !registry_is_wanted(j->server))
            job_free(j);
    }
    struct server_state *server;
    while ((server = registry_watch_next(s->registry)) != NULL) {
        struct job *j = MEM_NEW(struct job);
        j->resolver = s;
        j->server = server;
        list_push_back(&s->jobs, &j->node);
        list_push_back(&s->due, &j->due);
    }
    start_fibers(s);
}

static void on_mail(struct rt_mail *mail)
{
    struct upstream_resolver *s = CONTAINER_OF(mail, struct upstream_resolver, inbox.mail);
    struct message *m = registry_open(s->registry, &s->inbox, 0);
    ASSERT(m == NULL);
    upstream_resolver_kick(s);
}

struct upstream_resolver *upstream_resolver_start(struct upstream_registry *r, struct dns *dns)
{
    struct upstream_resolver *s = MEM_NEW(struct upstream_resolver);
    s->registry = r;
    s->dns = dns;
    s->loop = loop_self();
    list_init(&s->jobs);
    list_init(&s->due);
    s->inbox.mail.fn = on_mail;
    s->inbox.loop = s->loop;
    registry_join_resolver(r, &s->inbox);
    upstream_resolver_kick(s);
    return s;
}

void upstream_resolver_stop(struct upstream_resolver *s)
{
    if (!s)
        return;
    registry_leave_resolver(s->registry);
    s->is_stopping = true;
    for (unsigned i = 0; i < s->n_fibers; i++)
        fiber_cancel(s->fibers[i]);
    while (s->n_fibers > 0 || registry_is_posted(s->registry, &s->inbox))
        loop_turn(s->loop, 0);
    LIST_FOR_SAFE (n, &s->jobs)
        job_free(CONTAINER_OF(n, struct job, node));
    mem_free(s);
}
