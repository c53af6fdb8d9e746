// SPDX-License-Identifier: Apache-2.0
#include "gate/insight.h"

#include "base/list.h"
#include "base/mem.h"
#include "codec/json_read.h"
#include "gate/questions.h"
#include "rt/channel.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/file.h"
#include "rt/log.h"
#include "rt/timer.h"
#include "tls/store.h"

#define KNOWN_MAX_BYTES ((size_t)256 << 20)

// A fiber that waits. Travels as mail to the aux loop and back: one thread at a time has it, but
// for what is the fiber's.
struct ask {
    struct rt_mail mail;
    struct list_node node; // aux: in insight.asks
    struct insight *of;    // borrows
    struct rt_loop *home;  // borrows: the fiber's
    struct report *got;    // holds a ref, back home; NULL: refused
    struct fiber *fiber;   // the fiber's thread: borrows, as the rest
    bool is_answered;
    bool is_left; // the fiber has gone: the mail frees this
};

// All but what is atomic is the aux thread's.
struct insight {
    struct rt_loop *aux;               // borrows
    int channel;                       // borrows
    const struct questions *questions; // borrows
    struct list asks;                  // for the next report
    struct list served;                // for the one that is being made
    unsigned n_reports;                // that aren't freed yet, with that one
    struct report *report;             // owns: being made; NULL: none is
    struct status *status;             // borrows: its
    bool is_visited;                   // all workers have added theirs
    bool is_told;                      // the keeper has answered, or won't in time
    int64_t began_ms;
    uint64_t seq; // of the question to the keeper
    struct rt_timer timer, keeper_timer;
    _Atomic uint32_t n_users; // that wait, or have a report
    _Atomic bool is_ending;
};

struct insight *insight_new(int channel, const struct questions *q)
{
    struct insight *i = MEM_NEW(struct insight);
    i->aux = loop_self();
    i->channel = channel;
    i->questions = q;
    i->began_ms = clock_now_ms() - INSIGHT_EVERY_MS;
    list_init(&i->asks);
    list_init(&i->served);
    return i;
}

void insight_free(struct insight *i)
{
    if (!i)
        return;
    ASSERT(i->n_reports == 0 && list_is_empty(&i->asks));
    timer_stop(&i->timer);
    mem_free(i);
}

void report_know(struct report *r, struct str told)
{
    const char *why;
    r->known = told.len > 0 ? json_parse(told, &r->mem, &why) : NULL;
    if (told.len > 0 && !r->known)
        log_warn("what the keeper tells can't be read: %s", why);
}

void insight_set_ending(struct insight *i)
{
    atomic_store_explicit(&i->is_ending, true, memory_order_relaxed);
}

bool insight_is_ending(const struct insight *i)
{
    return i && atomic_load_explicit(&i->is_ending, memory_order_relaxed);
}

// --- on the aux thread ---

static void answer(struct ask *a, struct report *r)
{
    if (r)
        atomic_fetch_add_explicit(&r->refs, 1, memory_order_relaxed);
    a->got = r;
    loop_post(a->home, &a->mail);
}

static void begin_when_due(struct insight *i);

static void on_unused(struct rt_mail *mail)
{
    struct report *r = CONTAINER_OF(mail, struct report, mail);
    struct insight *i = r->of;
    status_free((struct status *)(uintptr_t)r->status);
    tls_store_unref(r->certs);
    arena_fini(&r->mem);
    file_unmap(r->keeper);
    mem_free(r);
    if (!i)
        return;
    i->n_reports--;
    begin_when_due(i);
}

// One ref less. Any thread.
static void drop_ref(struct report *r)
{
    if (atomic_fetch_sub_explicit(&r->refs, 1, memory_order_acq_rel) > 1)
        return;
    r->mail.fn = on_unused;
    if (r->of)
        loop_post(r->of->aux, &r->mail);
    else
        on_unused(&r->mail);
}

void report_unref(const struct report *shared)
{
    struct report *r = (struct report *)(uintptr_t)shared;
    if (!r)
        return;
    if (r->of)
        atomic_fetch_sub_explicit(&r->of->n_users, 1, memory_order_relaxed);
    drop_ref(r);
}

static void on_timer(struct rt_timer *t)
{
    begin_when_due(CONTAINER_OF(t, struct insight, timer));
}

static void finish_when_complete(struct insight *i)
{
    struct list_node *n;
    if (!i->report || !i->is_visited || !i->is_told)
        return;
    struct report *r = i->report;
    i->report = NULL;
    timer_stop(&i->keeper_timer);
    while ((n = list_pop_front(&i->served)) != NULL)
        answer(CONTAINER_OF(n, struct ask, node), r);
    drop_ref(r);
    begin_when_due(i);
}

static bool visit(void *arg, const struct worker *w)
{
    struct insight *i = arg;
    return status_add(i->status, w);
}

static void on_visited(void *arg)
{
    struct insight *i = arg;
    recent_sort(&i->status->recent);
    i->is_visited = true;
    finish_when_complete(i);
}

static void on_keeper_late(struct rt_timer *t)
{
    struct insight *i = CONTAINER_OF(t, struct insight, keeper_timer);
    i->is_told = true;
    finish_when_complete(i);
}

void insight_take(struct insight *i, const struct gate_knowledge *m, int fd)
{
    if (!i->report || i->is_told || m->seq != i->seq)
        return; // too late
    if (fd >= 0 && !file_map_sealed(fd, &i->report->keeper))
        i->report->keeper = STR_NONE;
    report_know(i->report, i->report->keeper); // here, so that no worker is held up by it
    i->report->facts = *m;
    i->report->is_told = i->is_told = true;
    finish_when_complete(i);
}

static void begin(struct insight *i)
{
    struct list_node *n;
    while ((n = list_pop_front(&i->asks)) != NULL)
        list_push_back(&i->served, n);
    i->n_reports++;
    i->report = MEM_NEW(struct report);
    i->status = status_new(i->questions->in_force);
    i->report->status = i->status;
    i->report->of = i;
    i->report->at_ns = clock_wall_ns();
    i->report->process = &i->questions->process;
    const struct credentials *credentials = i->questions->credentials;
    if (credentials && credentials->store)
        i->report->certs = tls_store_ref(credentials->store);
    atomic_init(&i->report->refs, 1);
    arena_init(&i->report->mem, KNOWN_MAX_BYTES, NULL, 0);
    i->is_visited = i->is_told = false;
    i->began_ms = clock_now_ms();
    // When its queue is full, the report does without what it would have told.
    struct gate_question m = {.type = GATE_INQUIRY, .seq = ++i->seq};
    i->is_told = channel_try_send(i->channel, str_from((const char *)&m, sizeof m)) != IO_DONE;
    if (!i->is_told)
        timer_start(&i->keeper_timer, i->began_ms + INSIGHT_KEEPER_MAX_MS, on_keeper_late);
    crew_visit(i->questions->crew, visit, on_visited, i);
}

static void begin_when_due(struct insight *i)
{
    int64_t due_ms = i->began_ms + INSIGHT_EVERY_MS;
    if (i->report || i->n_reports == INSIGHT_REPORTS_MAX || list_is_empty(&i->asks))
        return;
    if (clock_now_ms() < due_ms)
        timer_start(&i->timer, due_ms, on_timer);
    else
        begin(i);
}

static void take_ask(struct insight *i, struct ask *a)
{
    uint32_t n_users = atomic_load_explicit(&i->n_users, memory_order_relaxed);
    if (n_users == INSIGHT_USERS_MAX || !i->questions->in_force) {
        answer(a, NULL);
        return;
    }
    atomic_fetch_add_explicit(&i->n_users, 1, memory_order_relaxed);
    list_push_back(&i->asks, &a->node);
    begin_when_due(i);
}

// --- on the fiber's thread ---

static void take_answer(struct ask *a)
{
    if (a->is_left) {
        report_unref(a->got);
        mem_free(a);
        return;
    }
    a->is_answered = true;
    fiber_wake(a->fiber);
}

static void on_answer(struct rt_mail *mail)
{
    take_answer(CONTAINER_OF(mail, struct ask, mail));
}

static void on_ask(struct rt_mail *mail)
{
    struct ask *a = CONTAINER_OF(mail, struct ask, mail);
    mail->fn = on_answer;
    take_ask(a->of, a);
}

enum err insight_ask(struct insight *i, struct deadline until, const struct report **ret)
{
    if (!i)
        return ERR_LIMIT;
    struct ask *a = MEM_NEW(struct ask);
    *a = (struct ask){.mail = {.fn = on_ask}, .of = i, .home = loop_self(), .fiber = fiber_self()};
    loop_post(i->aux, &a->mail);
    enum fiber_wake wake;
    do {
        wake = fiber_wait(until);
    } while (wake == FIBER_READY && !a->is_answered);
    if (!a->is_answered) {
        a->is_left = true;
        return wake == FIBER_EXPIRED ? ERR_TIMEOUT : ERR_CANCELLED;
    }
    *ret = a->got;
    mem_free(a);
    return *ret ? ERR_OK : ERR_LIMIT;
}
