// SPDX-License-Identifier: Apache-2.0
#include "rt/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>

#include "base/mem.h"
#include "rt/loop_priv.h"

#define FIBERS_MAX_DEFAULT 100000

_Thread_local struct rt_loop *rt_loop_current;

struct rt_loop *loop_self(void)
{
    return rt_loop_current;
}

static void read_time(struct rt_loop *l)
{
    l->now_ns = sys_clock_mono_ns();
    l->now_ms = l->now_ns / NS_PER_MS;
}

struct rt_loop *loop_new(const struct loop_options *options)
{
    // A write to a peer that is gone is an error value; splice has no flag that says so.
    signal(SIGPIPE, SIG_IGN);
    struct rt_loop *l = mem_alloc_aligned(alignof(struct rt_loop), sizeof *l);
    *l = (struct rt_loop){
        .fibers_max = options && options->fibers_max ? options->fibers_max : FIBERS_MAX_DEFAULT,
        .epoll = sys_epoll_create(),
        .event_fd = sys_eventfd(),
    };
    if (l->epoll < 0 || l->event_fd < 0 ||
        sys_epoll_add(l->epoll, l->event_fd, EPOLLIN | EPOLLET, NULL) != 0)
        panic("no event loop: errno %d", errno);
    list_init(&l->runnable);
    list_init(&l->yielded);
    stacks_init(&l->stacks);
    read_time(l);
    wheel_init(&l->wheel, l->now_ms);
    return l;
}

static void receive_mail(struct rt_loop *l)
{
    if (atomic_load_explicit(&l->mail, memory_order_relaxed) == NULL)
        return;
    struct rt_mail *newest = atomic_exchange_explicit(&l->mail, NULL, memory_order_acquire);
    struct rt_mail *oldest = NULL;
    while (newest) {
        struct rt_mail *m = newest;
        newest = m->next;
        m->next = oldest;
        oldest = m;
    }
    while (oldest) {
        struct rt_mail *m = oldest;
        oldest = m->next;
        m->fn(m);
    }
}

static void run_fibers(struct rt_loop *l)
{
    for (struct list_node *n; (n = list_pop_front(&l->runnable));)
        fiber_enter(l, CONTAINER_OF(n, struct fiber, node));
}

// Runs what was deferred up to now. What that wakes runs before what it defers in turn.
static void run_deferred(struct rt_loop *l)
{
    size_t n = l->n_deferred;
    for (size_t i = 0; i < n; i++) {
        struct deferred d = l->deferred[i];
        d.fn(d.arg);
    }
    l->n_deferred -= n;
    memmove(l->deferred, l->deferred + n, l->n_deferred * sizeof l->deferred[0]);
}

static void settle(struct rt_loop *l)
{
    run_fibers(l);
    while (l->n_deferred > 0) {
        run_deferred(l);
        run_fibers(l);
    }
}

void loop_free(struct rt_loop *l)
{
    if (!l)
        return;
    loop_enter(l);
    receive_mail(l);
    settle(l);
    ASSERT(list_is_empty(&l->yielded));
    ASSERT(l->stats.n_fibers == 0);
    ASSERT(l->stats.n_socks == 0);
    stacks_fini(&l->stacks);
    ASSERT(l->wheel.n_timers == 0);
    splice_fini(l);
    sys_close(l->event_fd);
    sys_close(l->epoll);
    mem_free(l->deferred);
    mem_free(l);
    rt_loop_current = NULL;
}

void loop_enter(struct rt_loop *l)
{
    rt_loop_current = l;
    read_time(l);
}

// How long epoll may wait: -1 without limit.
static int max_sleep_ms(const struct rt_loop *l, int64_t max_wait_ms)
{
    if (l->is_stopping || l->n_deferred > 0 || !list_is_empty(&l->runnable) ||
        !list_is_empty(&l->yielded))
        return 0;
    int64_t next_ms = wheel_next_ms(&l->wheel);
    int64_t wait_ms = next_ms == INT64_MAX ? INT64_MAX : MAX(next_ms - l->now_ms, 0);
    if (max_wait_ms >= 0)
        wait_ms = MIN(wait_ms, max_wait_ms);
    return wait_ms == INT64_MAX ? -1 : (int)MIN(wait_ms, INT_MAX);
}

// Waits for events. is_sleeping and mail are each written by one side and then read by the other,
// in one total order: either the loop sees the mail or the poster sees that the loop sleeps.
static void wait_for_events(struct rt_loop *l, int64_t max_wait_ms)
{
    int sleep_ms = max_sleep_ms(l, max_wait_ms);
    if (sleep_ms != 0) {
        atomic_store(&l->is_sleeping, true);
        if (atomic_load(&l->mail) != NULL)
            sleep_ms = 0;
    }
    int n = sys_epoll_wait(l->epoll, l->events, EVENTS_PER_TURN, sleep_ms);
    atomic_store_explicit(&l->is_sleeping, false, memory_order_relaxed);
    if (n < 0 && errno != EINTR)
        panic("epoll_wait: errno %d", errno);
    l->n_events = MAX(n, 0);
}

static void deliver_events(struct rt_loop *l)
{
    for (l->i_event = 0; l->i_event < l->n_events; l->i_event++) {
        uint32_t what = l->events[l->i_event].events;
        uintptr_t who = (uintptr_t)l->events[l->i_event].data.ptr;
        if (who == 0)
            continue;
        if (who & EVENT_IS_LISTENER)
            listener_on_event(l, (struct rt_listener *)(who & ~EVENT_IS_LISTENER));
        else
            sock_on_events((struct rt_sock *)who, what);
    }
    l->stats.n_events += (uint64_t)l->n_events;
    l->n_events = 0;
}

void loop_forget(struct rt_loop *l, const void *ptr)
{
    for (int i = l->i_event; i < l->n_events; i++) {
        if (l->events[i].data.ptr == ptr)
            l->events[i].data.ptr = NULL;
    }
}

bool loop_turn(struct rt_loop *l, int64_t max_wait_ms)
{
    ASSERT(rt_loop_current == l);
    ASSERT(!l->running);
    wait_for_events(l, max_wait_ms);
    read_time(l);
    l->stats.n_turns++;
    for (struct list_node *n; (n = list_pop_front(&l->yielded));)
        list_push_back(&l->runnable, n);

    deliver_events(l);
    wheel_advance(&l->wheel, l->now_ms);
    receive_mail(l);
    settle(l);

    l->stats.longest_turn_ns = MAX(l->stats.longest_turn_ns, sys_clock_coarse_ns() - l->now_ns);
    return !l->is_stopping;
}

void loop_run(struct rt_loop *l)
{
    loop_enter(l);
    while (loop_turn(l, -1))
        ;
    l->is_stopping = false;
}

void loop_stop(struct rt_loop *l)
{
    l->is_stopping = true;
}

void loop_defer(loop_defer_fn *fn, void *arg)
{
    struct rt_loop *l = rt_loop_here();
    if (l->n_deferred == l->cap_deferred) {
        l->cap_deferred = MAX(l->cap_deferred * 2, 64);
        l->deferred = mem_resize(l->deferred, l->cap_deferred, sizeof l->deferred[0]);
    }
    l->deferred[l->n_deferred++] = (struct deferred){.fn = fn, .arg = arg};
}

void loop_post(struct rt_loop *to, struct rt_mail *m)
{
    m->next = atomic_load_explicit(&to->mail, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&to->mail, &m->next, m))
        ;
    if (atomic_load(&to->is_sleeping) && atomic_exchange(&to->is_sleeping, false))
        sys_eventfd_signal(to->event_fd);
}

void loop_stats(const struct rt_loop *l, struct loop_stats *ret)
{
    *ret = l->stats;
    ret->n_timers = l->wheel.n_timers - stacks_timers(&l->stacks);
}
