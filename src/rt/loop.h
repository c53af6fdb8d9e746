// SPDX-License-Identifier: Apache-2.0
// The event loop of one thread: sockets, timers, fibers, mail from other threads.
// Order of a turn: events, expired timers, mail, runnable fibers (until none is left that was
// woken in this turn), deferred work.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rt_loop;

struct loop_options {
    uint32_t fibers_max; // 0: 100 000
};

// Owned by the caller; loop_free when no fiber, socket or timer is left and no thread can still be
// inside loop_post. It runs what is deferred and posted.
struct rt_loop *loop_new(const struct loop_options *options);
void loop_free(struct rt_loop *l);

// Makes l this thread's loop and runs it until loop_stop. All sock_, timer_ and fiber_ calls of
// this thread act on it.
void loop_run(struct rt_loop *l);

// Makes l this thread's loop without running it: set-up before loop_run, and tests.
void loop_enter(struct rt_loop *l);

// One turn; waits for events at most max_wait_ms (-1: as long as it takes). Returns false after
// loop_stop. For tests and the simulation.
bool loop_turn(struct rt_loop *l, int64_t max_wait_ms);

// Ends loop_run after this turn. Same thread; from others: post mail that calls it.
void loop_stop(struct rt_loop *l);

// This thread's loop, or NULL.
struct rt_loop *loop_self(void);

// Runs fn(arg) at the end of this turn, when no event of it is left that could name arg: the way
// to free what events or wakes may still point to.
typedef void loop_defer_fn(void *arg);
void loop_defer(loop_defer_fn *fn, void *arg);

// Mail: work for another thread's loop. Embedded in the caller's object, which must live until fn
// has run. Any thread. Lock-free; wakes the loop when it sleeps.
struct rt_mail;
typedef void rt_mail_fn(struct rt_mail *m);
struct rt_mail {
    struct rt_mail *next;
    rt_mail_fn *fn; // runs in the loop of the receiver
};
void loop_post(struct rt_loop *to, struct rt_mail *m);

// Counters, for status and tests. Same thread.
struct loop_stats {
    uint64_t n_turns, n_events, n_switches;
    uint32_t n_fibers, n_fibers_peak, n_socks, n_timers;
    int64_t longest_turn_ns; // by the coarse clock: turns below its tick (4 ms) count as 0
};
void loop_stats(const struct rt_loop *l, struct loop_stats *ret);
