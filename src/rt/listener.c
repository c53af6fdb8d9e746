// SPDX-License-Identifier: Apache-2.0
// Listening sockets: level-triggered, so that what isn't accepted in one turn is reported again.
#include <errno.h>

#include "base/mem.h"
#include "rt/clock.h"
#include "rt/loop_priv.h"
#include "rt/sock.h"

#define BURST_MAX 64
// Without descriptors or memory, accepting is tried again after this.
#define SHORTAGE_WAIT_MS 100

struct rt_listener {
    int fd;             // borrows
    uint32_t burst;     // accepts in one turn
    uint64_t more_turn; // an event in this turn means that the last burst left some
    bool is_watched;
    bool is_paused;  // by its owner
    bool is_stopped; // freed at the end of this turn
    listener_accept_fn *fn;
    void *arg;             // borrows
    struct rt_timer retry; // runs: a shortage
};

static void *tagged(struct rt_listener *listener)
{
    return (void *)((uintptr_t)listener | EVENT_IS_LISTENER);
}

static void on_retry(struct rt_timer *t);

// Watches or doesn't, as the state wants.
static void update(struct rt_listener *listener)
{
    struct rt_loop *l = rt_loop_here();
    bool is_wanted =
        !listener->is_stopped && !listener->is_paused && !timer_is_running(&listener->retry);
    if (is_wanted == listener->is_watched)
        return;
    if (is_wanted) {
        if (sys_epoll_add(l->epoll, listener->fd, EPOLLIN, tagged(listener)) == 0)
            listener->is_watched = true;
        else
            timer_start(&listener->retry, clock_now_ms() + SHORTAGE_WAIT_MS, on_retry);
    } else {
        // Other processes hold the same socket: it stays with epoll until told otherwise.
        sys_epoll_del(l->epoll, listener->fd);
        loop_forget(l, tagged(listener));
        listener->is_watched = false;
    }
}

static void on_retry(struct rt_timer *t)
{
    update(CONTAINER_OF(t, struct rt_listener, retry));
}

static bool is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

// Accepts at most max, fewer when the queue is empty, a shortage came, or the owner has stopped it.
static uint32_t accept_some(struct rt_listener *listener, uint32_t max)
{
    for (uint32_t i = 0; i < max; i++) {
        struct rt_addr peer = {.len = sizeof peer.u};
        int fd = sys_accept(listener->fd, &peer.u.any, &peer.len);
        if (fd >= 0) {
            listener->fn(listener->arg, fd, &peer);
        } else if (errno == EAGAIN) {
            listener->burst = MAX(i, 1);
            return i;
        } else if (is_shortage(errno)) {
            timer_start(&listener->retry, clock_now_ms() + SHORTAGE_WAIT_MS, on_retry);
            update(listener);
            return i;
        } // other errors are of one connection, gone before it was accepted (accept(2))
        if (!listener->is_watched)
            return i;
    }
    return max;
}

// A burst that was too small doubles; one that ran into the empty queue shrinks to what was there.
// So the queue's end is seldom met by a wasted call, and a crowd is let in quickly.
void listener_on_event(struct rt_loop *l, struct rt_listener *listener)
{
    if (listener->more_turn == l->stats.n_turns)
        listener->burst = MIN(listener->burst * 2, BURST_MAX);
    uint32_t burst = listener->burst;
    if (accept_some(listener, burst) == burst)
        listener->more_turn = l->stats.n_turns + 1;
}

struct rt_listener *listener_start(int fd, listener_accept_fn *fn, void *arg)
{
    struct rt_listener *listener = MEM_NEW(struct rt_listener);
    listener->fd = fd;
    listener->burst = 1;
    listener->fn = fn;
    listener->arg = arg;
    update(listener);
    return listener;
}

void listener_stop(struct rt_listener *l)
{
    l->is_stopped = true;
    timer_stop(&l->retry);
    update(l);
    loop_defer(mem_free, l);
}

void listener_take_waiting(struct rt_listener *l, uint32_t max)
{
    (void)accept_some(l, max);
}

void listener_refuse_new(struct rt_listener *l)
{
    // Best effort: without it a connection that has just begun may be reset.
    (void)sys_refuse_new(l->fd);
}

void listener_pause(struct rt_listener *l, bool paused)
{
    l->is_paused = paused;
    update(l);
}
