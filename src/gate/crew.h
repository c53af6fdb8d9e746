// SPDX-License-Identifier: Apache-2.0
// The workers of a gate with their threads. All calls on the aux thread; orders go to the workers
// by mail and arrive in order.
#pragma once

#include "gate/snapshot.h"
#include "rt/loop.h"

struct crew;
struct credentials;
struct worker;
struct worker_links;

// When every worker has done what was asked; on the aux thread.
typedef void crew_done_fn(void *arg);

// Starts n threads, each with a worker. aux: this thread's loop. links: copied; its conns_max is of
// all workers together.
struct crew *crew_start(unsigned n, struct rt_loop *aux, const struct worker_links *links);

// A listening socket (taken over) for one worker.
void crew_listen(struct crew *c, uint32_t id, unsigned worker, struct str entry_name, int fd);
void crew_unlisten(struct crew *c, uint32_t id);

// What every worker speaks TLS with from now on; takes refs.
void crew_equip(struct crew *c, const struct credentials *credentials);

// Puts s in force on every worker. *ret_slowest_ns is there when fn is called: the time that the
// slowest one took.
void crew_switch(struct crew *c, struct snapshot *s, int64_t *ret_slowest_ns, crew_done_fn *fn,
                 void *arg);

// Goes from worker to worker: each calls visit on its own thread, once in a turn of its loop, until
// it returns true; then fn. No two threads have arg at once.
typedef bool crew_visit_fn(void *arg, const struct worker *w);
void crew_visit(struct crew *c, crew_visit_fn *visit, crew_done_fn *fn, void *arg);

// Stops accepting, lets connections leave (worker_drain), and closes what is still open after
// limit_ms.
void crew_drain(struct crew *c, int64_t idle_ms, int64_t limit_ms, crew_done_fn *fn, void *arg);
