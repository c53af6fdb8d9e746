// SPDX-License-Identifier: Apache-2.0
// The workers of a gate with their threads. All calls on the aux thread; orders go to the workers
// by mail and arrive in order.
#pragma once

#include "gate/snapshot.h"
#include "rt/loop.h"

struct crew;

// When every worker has done what was asked; on the aux thread.
typedef void crew_done_fn(void *arg);

// Starts n threads, each with a worker. aux: this thread's loop.
struct crew *crew_start(unsigned n, struct rt_loop *aux, struct upstream_registry *registry,
                        uint32_t conns_max);

// A listening socket (taken over) for one worker.
void crew_listen(struct crew *c, uint32_t id, unsigned worker, struct str entry_name, int fd);
void crew_unlisten(struct crew *c, uint32_t id);

// Puts s in force on every worker.
void crew_switch(struct crew *c, struct snapshot *s, crew_done_fn *fn, void *arg);

// Stops accepting, lets connections leave (worker_drain), and closes what is still open after
// limit_ms.
void crew_drain(struct crew *c, int64_t idle_ms, int64_t limit_ms, crew_done_fn *fn, void *arg);
