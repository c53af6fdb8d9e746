// SPDX-License-Identifier: Apache-2.0
// The loop and its fibers from inside: for the files of rt alone.
#pragma once

#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/list.h"
#include "rt/fiber.h"
#include "rt/loop.h"
#include "rt/notes.h"
#include "rt/stack.h"
#include "rt/sys.h"
#include "rt/timer.h"
#include "rt/wheel.h"

#define NS_PER_MS 1000000
#define NS_PER_S 1000000000
#define EVENTS_PER_TURN 256

enum fiber_state {
    FIBER_RUNNING,
    FIBER_RUNNABLE, // in the loop's runnable or yielded
    FIBER_PARKED,   // waits
    FIBER_ENDED,
};

// Lives at the top of its own stack.
struct fiber {
    struct stack stack;
    void *sp;              // while it doesn't run
    struct list_node node; // while runnable
    enum fiber_state state;
    enum fiber_wake why; // the last wait ended
    bool is_cancelled;
    uint32_t n_interrupts; // of those who haven't let it go on
    uint32_t work;         // cost of what it did in turn work_turn
    uint64_t work_turn;
    struct deadline until; // of the present wait; stack.timer runs no later than that
    fiber_fn *fn;
    void *arg; // borrows
    struct notes notes;
};

struct deferred {
    loop_defer_fn *fn;
    void *arg; // borrows
};

// A pipe between two sockets, for sock_splice.
struct splice_pipe {
    struct splice_pipe *next;
    int fds[2]; // owns: read end, write end
};

struct rt_loop {
    // The time of this turn.
    int64_t now_ns, now_ms;
    int64_t wall_minus_mono_ns, wall_until_ns; // until: good for now_ns up to here

    struct fiber *running; // borrows: NULL in the loop itself
    void *sp;              // of the loop itself while a fiber runs
    struct list runnable;  // fibers, by node
    struct list yielded;   // those of the next turn
    uint32_t fibers_max;

    bool is_stopping;
    int epoll, event_fd; // owns
    int i_event, n_events;
    struct loop_stats stats;

    struct deferred *deferred; // owns: an array
    size_t n_deferred, cap_deferred;

    struct stacks stacks;
    struct notes notes;
    struct splice_pipe *pipes; // owns: free ones
    uint32_t n_pipes;

    struct wheel wheel;
    struct epoll_event events[EVENTS_PER_TURN];

    // What other threads touch: on a cache line of its own.
    alignas(64) _Atomic(struct rt_mail *) mail; // newest first
    atomic_bool is_sleeping;                    // the next post must write to event_fd
};

extern _Thread_local struct rt_loop *rt_loop_current;

static inline struct rt_loop *rt_loop_here(void)
{
    ASSERT(rt_loop_current != NULL);
    return rt_loop_current;
}

// fiber.c: runs f until its next wait or end. Only in the loop itself.
void fiber_enter(struct rt_loop *l, struct fiber *f);

// What an epoll event points to: a struct rt_sock, a struct rt_listener (marked by this bit), or
// NULL: the mail's eventfd, and events of this turn whose owner is gone.
#define EVENT_IS_LISTENER ((uintptr_t)1)
// Blanks the events of this turn that are still to come for ptr.
void loop_forget(struct rt_loop *l, const void *ptr);

struct rt_sock;
struct rt_listener;
void sock_on_events(struct rt_sock *s, uint32_t events);
void listener_on_event(struct rt_loop *l, struct rt_listener *listener);

// splice.c: closes the free pipes.
void splice_fini(struct rt_loop *l);
