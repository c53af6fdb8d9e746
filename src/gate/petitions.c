// SPDX-License-Identifier: Apache-2.0
#include "gate/petitions.h"

#include <pthread.h>
#include <string.h>

#include "base/list.h"
#include "base/mem.h"
#include "rt/channel.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/timer.h"

#define TRY_AGAIN_MS 5 // when the keeper's queue is full

// A fiber that waits. In its petition's list, then on its way as mail.
struct waiter {
    struct rt_mail mail;
    struct list_node node;   // in petition.waiters; under the lock
    struct fiber *fiber;     // borrows; of its own thread, as the rest
    struct rt_loop *loop;    // borrows
    struct gate_verdict got; // when is_answered
    bool is_answered;
    bool is_left; // the fiber has gone: the mail frees this
};

struct petition {
    struct list_node node; // in petitions.open
    struct gate_petition m;
    struct list waiters; // of struct waiter
    int64_t since_ms;
    bool is_sent;
};

struct petitions {
    pthread_mutex_t lock;
    struct rt_loop *aux; // borrows
    int channel;         // borrows
    struct list open;    // of struct petition, oldest first; under the lock
    size_t n_open;
    uint64_t last_seq;
    struct rt_mail mail;   // to the aux loop: there is something to send
    bool is_posted;        // under the lock
    struct rt_timer timer; // aux: the keeper's queue was full
};

static void lock(struct petitions *p)
{
    int failed = pthread_mutex_lock(&p->lock);
    ASSERT(failed == 0);
}

static void unlock(struct petitions *p)
{
    int failed = pthread_mutex_unlock(&p->lock);
    ASSERT(failed == 0);
}

// --- asking ---

static void remove_open(struct petitions *p, struct petition *q)
{
    list_remove(&q->node);
    p->n_open--;
}

static void on_timer(struct rt_timer *t);

// In their order. One that the keeper will never get stays until it has expired.
static void send_all(struct petitions *p)
{
    enum io io = IO_DONE;
    lock(p);
    p->is_posted = false;
    LIST_FOR (n, &p->open) {
        struct petition *q = CONTAINER_OF(n, struct petition, node);
        if (q->is_sent || io == IO_AGAIN)
            continue;
        io = channel_try_send(p->channel, str_from((const char *)&q->m, sizeof q->m));
        q->is_sent = io != IO_AGAIN;
    }
    unlock(p);
    if (io == IO_AGAIN)
        timer_start(&p->timer, clock_now_ms() + TRY_AGAIN_MS, on_timer);
}

static void on_timer(struct rt_timer *t)
{
    send_all(CONTAINER_OF(t, struct petitions, timer));
}

static void on_mail(struct rt_mail *m)
{
    send_all(CONTAINER_OF(m, struct petitions, mail));
}

static bool is_same(const struct gate_petition *a, const struct gate_petition *b)
{
    return a->kind == b->kind && a->name_bytes == b->name_bytes &&
           memcmp(a->name, b->name, a->name_bytes) == 0 &&
           memcmp(a->key, b->key, sizeof a->key) == 0;
}

// Those that the keeper will never answer. Under the lock, as the next.
static void forget_expired(struct petitions *p, int64_t now_ms)
{
    LIST_FOR_SAFE (n, &p->open) {
        struct petition *q = CONTAINER_OF(n, struct petition, node);
        if (now_ms - q->since_ms < PETITION_EXPIRES_MS)
            return;
        if (!list_is_empty(&q->waiters))
            continue;
        remove_open(p, q);
        mem_free(q);
    }
}

// NULL: too many are open.
static struct petition *find_or_add(struct petitions *p, const struct gate_petition *m)
{
    LIST_FOR (n, &p->open) {
        struct petition *q = CONTAINER_OF(n, struct petition, node);
        if (is_same(&q->m, m))
            return q;
    }
    if (p->n_open == PETITIONS_MAX)
        return NULL;
    struct petition *q = MEM_NEW(struct petition);
    q->m = *m;
    q->m.type = GATE_PETITION;
    q->m.seq = ++p->last_seq;
    q->since_ms = clock_now_ms();
    list_init(&q->waiters);
    list_push_back(&p->open, &q->node);
    p->n_open++;
    if (!p->is_posted)
        loop_post(p->aux, &p->mail);
    p->is_posted = true;
    return q;
}

static void on_answer(struct rt_mail *mail)
{
    struct waiter *w = CONTAINER_OF(mail, struct waiter, mail);
    if (w->is_left) {
        mem_free(w);
        return;
    }
    w->is_answered = true;
    fiber_wake(w->fiber);
}

// The fiber goes without its answer, which may be on its way.
static void leave(struct petitions *p, struct waiter *w)
{
    lock(p);
    bool is_waiting = list_node_is_linked(&w->node);
    list_remove(&w->node);
    unlock(p);
    w->is_left = true;
    if (is_waiting)
        mem_free(w);
}

struct petitions *petitions_new(struct rt_loop *aux, int channel)
{
    struct petitions *p = MEM_NEW(struct petitions);
    p->aux = aux;
    p->channel = channel;
    p->mail.fn = on_mail;
    int failed = pthread_mutex_init(&p->lock, NULL);
    ASSERT(failed == 0);
    list_init(&p->open);
    return p;
}

void petitions_free(struct petitions *p)
{
    if (!p)
        return;
    timer_stop(&p->timer);
    LIST_FOR_SAFE (n, &p->open) {
        struct petition *q = CONTAINER_OF(n, struct petition, node);
        ASSERT(list_is_empty(&q->waiters));
        remove_open(p, q);
        mem_free(q);
    }
    pthread_mutex_destroy(&p->lock);
    mem_free(p);
}

enum err petitions_ask(struct petitions *p, struct gate_petition m, struct deadline until,
                       struct gate_verdict *ret)
{
    ASSERT(m.name_bytes <= sizeof m.name);
    struct waiter *w = MEM_NEW(struct waiter);
    w->mail.fn = on_answer;
    w->fiber = fiber_self();
    w->loop = loop_self();
    lock(p);
    forget_expired(p, clock_now_ms());
    struct petition *q = find_or_add(p, &m);
    if (q)
        list_push_back(&q->waiters, &w->node);
    unlock(p);
    if (!q) {
        mem_free(w);
        return ERR_LIMIT;
    }
    enum fiber_wake wake;
    do {
        wake = fiber_wait(until);
    } while (wake == FIBER_READY && !w->is_answered);
    if (wake != FIBER_READY && !w->is_answered) {
        leave(p, w);
        return wake == FIBER_EXPIRED ? ERR_TIMEOUT : ERR_CANCELLED;
    }
    *ret = w->got;
    mem_free(w);
    return ERR_OK;
}

void petitions_tell(struct petitions *p, struct gate_petition m)
{
    lock(p);
    forget_expired(p, clock_now_ms());
    (void)find_or_add(p, &m);
    unlock(p);
}

// --- answers ---

static struct petition *find_open(const struct petitions *p, uint64_t seq)
{
    LIST_FOR (n, &p->open) {
        struct petition *q = CONTAINER_OF(n, struct petition, node);
        if (q->m.seq == seq)
            return q;
    }
    return NULL;
}

bool petitions_find(struct petitions *p, uint64_t seq, struct gate_petition *ret_asked)
{
    lock(p);
    const struct petition *q = find_open(p, seq);
    if (q)
        *ret_asked = q->m;
    unlock(p);
    return q != NULL;
}

void petitions_answer(struct petitions *p, const struct gate_verdict *m)
{
    struct list_node *n;
    lock(p);
    struct petition *q = find_open(p, m->seq);
    while (q && (n = list_pop_front(&q->waiters)) != NULL) {
        struct waiter *w = CONTAINER_OF(n, struct waiter, node);
        w->got = *m;
        loop_post(w->loop, &w->mail);
    }
    if (q)
        remove_open(p, q);
    unlock(p);
    mem_free(q);
}
