// SPDX-License-Identifier: Apache-2.0
// Work that blocks or takes long (files, password hashes) on helper threads, so that it never
// stalls a loop.
#pragma once

#include <stdbool.h>

#include "base/deadline.h"
#include "base/list.h"
#include "rt/fiber.h"
#include "rt/loop.h"

struct offload; // a set of threads with one bounded queue; any loop may use it

// n_threads 0: no threads, jobs run at once inside the call, for the simulation. NULL when a
// thread can't be started.
struct offload *offload_new(unsigned n_threads, unsigned queue_max);

// Starts the threads of one that was made without, before any job: for a process that must have one
// thread until it is in its sandbox. False: one can't be started.
bool offload_start(struct offload *o, unsigned n_threads);

// Waits for running jobs; queued ones are dropped (their free is called). By then no fiber waits
// in offload_run. The loops that have used it live longer.
void offload_free(struct offload *o);

enum offload_state {
    OFFLOAD_QUEUED,
    OFFLOAD_RUNNING,
    OFFLOAD_ABANDONED, // the same, but its waiter has left
    OFFLOAD_SENT,      // it never had one
    OFFLOAD_POSTED,    // has run; its mail is with the waiter's loop
};

// Allocated by the caller, never on a stack: it may outlive the wait.
struct offload_job {
    void (*run)(struct offload_job *j);  // on a helper thread; touches nothing but j
    void (*free)(struct offload_job *j); // frees j; called once, on any thread

    // The module's own.
    struct list_node in_queue; // under the queue's lock
    enum offload_state state;  // the same
    struct rt_loop *loop;      // borrows: the waiter's
    struct fiber *waiter;      // borrows: NULL when it has left; its thread's
    bool is_done;              // its thread's: the mail has come
    struct rt_mail mail;
};

// Runs j on a helper thread and waits for its end. FIBER_READY: run has ended, or was refused
// because the queue is full (*ret_refused); the caller reads the result and then calls
// offload_release. FIBER_EXPIRED or FIBER_CANCELLED: j is no longer the caller's. It is freed when
// it ends, and at once if it hasn't begun: those who leave keep no place in the queue. Waits.
enum fiber_wake offload_run(struct offload *o, struct offload_job *j, struct deadline until,
                            bool *ret_refused);

// Runs j on a helper thread and frees it; nobody waits. False: the queue is full, j stays the
// caller's. Any thread.
bool offload_send(struct offload *o, struct offload_job *j);

// Frees j, which offload_run has given back.
static inline void offload_release(struct offload_job *j)
{
    j->free(j);
}
