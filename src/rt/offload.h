// SPDX-License-Identifier: Apache-2.0
// Work that blocks or takes long (files, password hashes) on helper threads, so that it never
// stalls a loop.
#pragma once

#include "base/deadline.h"
#include "rt/fiber.h"

struct offload; // a set of threads with one bounded queue; any loop may use it

struct offload *offload_new(unsigned n_threads, unsigned queue_max);
// Waits for running jobs; queued ones are dropped (their free is called).
void offload_free(struct offload *o);

struct offload_job {
    void (*run)(struct offload_job *j); // on a helper thread; touches nothing but j
    void (*free)(
        struct offload_job *j); // frees j; called once, on any thread, when nobody needs it
    struct offload_job *next;   // the queue's
    void *waiter;               // the module's
    int state;                  // the module's
};

// Runs j on a helper thread and waits for its end. FIBER_READY: run has ended, the caller reads the
// result and then calls offload_release. FIBER_EXPIRED or FIBER_CANCELLED: j may still run and is
// no longer the caller's (it is freed when it ends). ERR-like: *ret_refused is set when the queue
// is full (FIBER_READY is returned, run was not called). Waits.
enum fiber_wake offload_run(struct offload *o, struct offload_job *j, struct deadline until,
                            bool *ret_refused);
