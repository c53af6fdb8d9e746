// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/mem.h"
#include "keeper/issue_priv.h"
#include "rt/log.h"

// What a thread has to say on its way.
struct note {
    struct list_node node;   // in issue.notes
    struct issue_task *task; // borrows: it ends after its notes were read
    char text[256];
};

static void wake_loop(void *arg)
{
    const struct issue *i = arg;
    uint64_t one = 1;
    ssize_t ignored = write(i->event, &one, sizeof one);
    (void)ignored;
}

static void *run_thread(void *arg)
{
    struct issue *i = arg;
    pthread_setname_np(pthread_self(), "issue");
    pthread_mutex_lock(&i->lock);
    for (;;) {
        struct list_node *n = list_pop_front(&i->queue);
        if (!n && i->must_stop)
            break;
        if (!n) {
            pthread_cond_wait(&i->work, &i->lock);
            continue;
        }
        struct issue_task *task = CONTAINER_OF(n, struct issue_task, node);
        pthread_mutex_unlock(&i->lock);
        issue_run(&task->job, &task->outcome);
        pthread_mutex_lock(&i->lock);
        i->n_open--;
        list_push_back(&i->done, &task->node);
        wake_loop(i);
    }
    pthread_mutex_unlock(&i->lock);
    return NULL;
}

static void on_step(void *arg, const char *text)
{
    struct issue_task *task = arg;
    struct issue *i = task->issue;
    struct note *note = MEM_NEW(struct note);
    note->task = task;
    snprintf(note->text, sizeof note->text, "%s", text);
    pthread_mutex_lock(&i->lock);
    list_push_back(&i->notes, &note->node);
    pthread_mutex_unlock(&i->lock);
    wake_loop(i);
}

bool issue_tasks_init(struct issue *i)
{
    i->event = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (i->event < 0)
        return false;
    issue_proofs_init(&i->proofs, wake_loop, i);
    acme_cancel_init(&i->cancel);
    pthread_mutex_init(&i->accounts, NULL);
    pthread_mutex_init(&i->lock, NULL);
    pthread_cond_init(&i->work, NULL);
    list_init(&i->queue);
    list_init(&i->done);
    list_init(&i->notes);
    list_init(&i->open);
    list_init(&i->extras);
    list_init(&i->asks);
    return true;
}

void issue_tasks_fini(struct issue *i)
{
    pthread_mutex_lock(&i->lock);
    i->must_stop = true;
    list_init(&i->queue); // they are in open, too
    pthread_cond_broadcast(&i->work);
    pthread_mutex_unlock(&i->lock);
    acme_cancel_set(&i->cancel);
    issue_proofs_stop(&i->proofs);
    for (unsigned n = 0; n < i->n_threads; n++)
        pthread_join(i->threads[n], NULL);
    for (struct list_node *n; (n = list_pop_front(&i->notes)) != NULL;)
        mem_free(CONTAINER_OF(n, struct note, node));
    LIST_FOR_SAFE (n, &i->open)
        issue_tasks_free(i, CONTAINER_OF(n, struct issue_task, open));
    issue_tasks_unref(i, i->wants);
    issue_proofs_fini(&i->proofs);
    acme_cancel_fini(&i->cancel);
    pthread_mutex_destroy(&i->accounts);
    pthread_mutex_destroy(&i->lock);
    pthread_cond_destroy(&i->work);
    close(i->event);
}

struct issue_task *issue_tasks_start(struct issue *i, struct issue_wants *wants,
                                     const struct issue_job *job, uint64_t number)
{
    struct issue_task *task = MEM_NEW(struct issue_task);
    task->issue = i;
    task->wants = wants;
    task->number = number;
    task->job = *job;
    task->job.store = i->store;
    task->job.orders = i->orders;
    task->job.proofs = &i->proofs;
    task->job.accounts = &i->accounts;
    task->job.cancel = &i->cancel;
    task->job.step = on_step;
    task->job.step_arg = task;
    list_push_back(&i->open, &task->open);
    pthread_mutex_lock(&i->lock);
    wants->refs++;
    list_push_back(&i->queue, &task->node);
    i->n_open++;
    bool needs_thread = i->n_open > i->n_threads && i->n_threads < ISSUE_THREADS_MAX;
    if (needs_thread && pthread_create(&i->threads[i->n_threads], NULL, run_thread, i) == 0)
        i->n_threads++;
    else if (i->n_threads == 0)
        log_error("no thread for certificates can be started; it is tried again with the next one");
    pthread_cond_signal(&i->work);
    pthread_mutex_unlock(&i->lock);
    return task;
}

static struct list_node *take(struct issue *i, struct list *from)
{
    pthread_mutex_lock(&i->lock);
    struct list_node *n = list_pop_front(from);
    pthread_mutex_unlock(&i->lock);
    return n;
}

struct issue_task *issue_tasks_ended(struct issue *i)
{
    uint64_t ignored;
    ssize_t got = read(i->event, &ignored, sizeof ignored);
    (void)got; // what is there is taken in any case
    struct list_node *ended = take(i, &i->done), *n;
    // After the end is known: what that task had to say is among the notes, all of it.
    while ((n = take(i, &i->notes)) != NULL) {
        struct note *note = CONTAINER_OF(n, struct note, node);
        if (note->task->number > 0)
            i->listener.on_step(i->listener.arg, note->task->number, note->text);
        mem_free(note);
    }
    return ended ? CONTAINER_OF(ended, struct issue_task, node) : NULL;
}

void issue_tasks_free(struct issue *i, struct issue_task *task)
{
    list_remove(&task->open);
    list_remove(&task->extra);
    issue_tasks_unref(i, task->wants);
    json_decref(task->outcome.account);
    mem_free(task);
}

unsigned issue_tasks_count(struct issue *i)
{
    pthread_mutex_lock(&i->lock);
    unsigned n = i->n_open;
    pthread_mutex_unlock(&i->lock);
    return n;
}

void issue_tasks_unref(struct issue *i, struct issue_wants *w)
{
    if (!w)
        return;
    pthread_mutex_lock(&i->lock);
    bool is_last = --w->refs == 0;
    pthread_mutex_unlock(&i->lock);
    if (is_last)
        issue_wants_free(w);
}
