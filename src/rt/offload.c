// SPDX-License-Identifier: Apache-2.0
#include "rt/offload.h"

#include <pthread.h>
#include <signal.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"

struct offload {
    pthread_mutex_t lock; // guards the queue and the jobs' states
    pthread_cond_t has_work;
    struct list queue; // of jobs; owns
    unsigned n_queued, queue_max;
    bool is_ending;
    unsigned n_threads;
    pthread_t *threads; // owns
};

// On the waiter's loop.
static void on_mail(struct rt_mail *m)
{
    struct offload_job *j = CONTAINER_OF(m, struct offload_job, mail);
    j->is_done = true;
    if (j->waiter)
        fiber_wake(j->waiter);
    else
        j->free(j);
}

static void unlink_job(struct offload *o, struct offload_job *j)
{
    list_remove(&j->in_queue);
    o->n_queued--;
}

static struct offload_job *pop(struct offload *o)
{
    struct list_node *n = list_first(&o->queue);
    if (!n)
        return NULL;
    struct offload_job *j = CONTAINER_OF(n, struct offload_job, in_queue);
    unlink_job(o, j);
    return j;
}

// Waits for the next job; NULL at the end.
static struct offload_job *next_job(struct offload *o)
{
    struct offload_job *j = NULL;
    pthread_mutex_lock(&o->lock);
    while (list_is_empty(&o->queue) && !o->is_ending)
        pthread_cond_wait(&o->has_work, &o->lock);
    if (!o->is_ending) {
        j = pop(o);
        if (j->state == OFFLOAD_QUEUED)
            j->state = OFFLOAD_RUNNING;
    }
    pthread_mutex_unlock(&o->lock);
    return j;
}

// Posts under the lock: whoever then sees OFFLOAD_POSTED, or takes the lock after the mail, knows
// that this thread is done with the job and with the loop.
static void end_job(struct offload *o, struct offload_job *j)
{
    pthread_mutex_lock(&o->lock);
    bool has_waiter = j->state == OFFLOAD_RUNNING;
    if (has_waiter) {
        j->state = OFFLOAD_POSTED;
        loop_post(j->loop, &j->mail);
    }
    pthread_mutex_unlock(&o->lock);
    if (!has_waiter)
        j->free(j);
}

static void *work(void *arg)
{
    struct offload *o = arg;
    for (struct offload_job *j; (j = next_job(o));) {
        j->run(j);
        end_job(o, j);
    }
    return NULL;
}

// Signals are for the main thread.
static bool start_thread(struct offload *o)
{
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    bool is_started = pthread_create(&o->threads[o->n_threads], NULL, work, o) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    o->n_threads += is_started;
    return is_started;
}

struct offload *offload_new(unsigned n_threads, unsigned queue_max)
{
    struct offload *o = MEM_NEW(struct offload);
    pthread_mutex_init(&o->lock, NULL);
    pthread_cond_init(&o->has_work, NULL);
    list_init(&o->queue);
    o->queue_max = queue_max;
    if (!offload_start(o, n_threads)) {
        offload_free(o);
        return NULL;
    }
    return o;
}

bool offload_start(struct offload *o, unsigned n_threads)
{
    ASSERT(o->n_threads == 0);
    o->threads = mem_resize(o->threads, n_threads, sizeof o->threads[0]);
    while (o->n_threads < n_threads) {
        if (!start_thread(o))
            return false;
    }
    return true;
}

void offload_free(struct offload *o)
{
    if (!o)
        return;
    pthread_mutex_lock(&o->lock);
    o->is_ending = true;
    pthread_cond_broadcast(&o->has_work);
    pthread_mutex_unlock(&o->lock);
    for (unsigned i = 0; i < o->n_threads; i++)
        pthread_join(o->threads[i], NULL);
    for (struct offload_job *j; (j = pop(o));)
        j->free(j);
    pthread_cond_destroy(&o->has_work);
    pthread_mutex_destroy(&o->lock);
    mem_free(o->threads);
    mem_free(o);
}

static bool enqueue(struct offload *o, struct offload_job *j, enum offload_state state)
{
    j->in_queue = (struct list_node){.next = NULL};
    j->state = state;
    pthread_mutex_lock(&o->lock);
    bool has_room = o->n_queued < o->queue_max;
    if (has_room) {
        list_push_back(&o->queue, &j->in_queue);
        o->n_queued++;
        pthread_cond_signal(&o->has_work);
    }
    pthread_mutex_unlock(&o->lock);
    return has_room;
}

// The waiter leaves before it has seen the end.
static void abandon(struct offload *o, struct offload_job *j)
{
    pthread_mutex_lock(&o->lock);
    bool has_begun = j->state != OFFLOAD_QUEUED;
    if (!has_begun)
        unlink_job(o, j);
    else if (j->state == OFFLOAD_POSTED)
        j->waiter = NULL; // the mail is on its way and will find nobody
    else
        j->state = OFFLOAD_ABANDONED;
    pthread_mutex_unlock(&o->lock);
    if (!has_begun)
        j->free(j);
}

enum fiber_wake offload_run(struct offload *o, struct offload_job *j, struct deadline until,
                            bool *ret_refused)
{
    *ret_refused = false;
    if (o->n_threads == 0) {
        j->run(j);
        return FIBER_READY;
    }
    j->loop = loop_self();
    j->waiter = fiber_self();
    j->is_done = false;
    j->mail = (struct rt_mail){.fn = on_mail};
    ASSERT(j->waiter != NULL);
    if (!enqueue(o, j, OFFLOAD_QUEUED)) {
        *ret_refused = true;
        return FIBER_READY;
    }
    while (!j->is_done) {
        enum fiber_wake why = fiber_wait(until);
        if (why != FIBER_READY && !j->is_done) {
            abandon(o, j);
            return why;
        }
    }
    // The poster may still hold the lock: after it, nothing of ours is in use.
    pthread_mutex_lock(&o->lock);
    pthread_mutex_unlock(&o->lock);
    return FIBER_READY;
}

bool offload_send(struct offload *o, struct offload_job *j)
{
    if (o->n_threads > 0)
        return enqueue(o, j, OFFLOAD_SENT);
    j->run(j);
    j->free(j);
    return true;
}
