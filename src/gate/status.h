// SPDX-License-Identifier: Apache-2.0
// The gate's report about itself: what is in force, what it counted, how servers are. Begun on the
// aux thread, carried to every worker (crew_visit), written on the aux thread.
#pragma once

#include "base/text.h"
#include "gate/door.h"
#include "gate/recent.h"
#include "gate/snapshot.h"
#include "gate/tracer.h"
#include "http/env.h"

struct sandbox_report;
struct survey;
struct worker;

// How a worker's loop is.
struct status_worker {
    int64_t lag_ns;          // from the question until its loop came to it
    int64_t longest_turn_ns; // of its loop, ever
    int64_t cpu_ns;          // of its thread
    uint64_t n_turns;
    uint32_t n_fibers;
};

// What was counted and found; whoever writes it reads it so.
struct status {
    struct snapshot *snapshot; // shares
    struct survey *survey;     // owns: of all services
    unsigned n_workers;        // that have added theirs, as below
    struct http_stats stats;
    struct door_stats door;
    bool is_surveyed;              // by the worker whose turn it is
    struct meter_sums meters;      // by the snapshot's
    struct status_worker *workers; // owns: of each that has added its own
    int64_t posted_ns;             // when the one that is next was asked; 0: it has begun
    uint64_t *entry_conns;         // owns: by the snapshot's entrypoints
    uint64_t n_left_behind;        // connections of entrypoints that are no longer in force
    uint64_t n_socks;              // in the workers' loops: of clients, to servers
    struct recent_set recent;      // owns: of all workers
    uint64_t spans[TRACER_COUNTS];
};

// s: what is in force; gets a ref.
struct status *status_new(struct snapshot *s);
// Accepts NULL.
void status_free(struct status *s);

// Adds what worker w counts, on its thread: a bounded piece. False: to be called again in another
// turn.
bool status_add(struct status *s, const struct worker *w);

// What the process knows beyond its workers.
struct status_process {
    int64_t started_ns;                   // wall clock
    struct str user;                      // it runs as
    const struct sandbox_report *sandbox; // borrows; NULL: not told
    uint64_t spool_max_bytes;             // 0: there is none
};

// One JSON object (RFC 8259), whatever bytes names and URLs hold.
void status_write(const struct status *s, const struct status_process *p, struct text *to);

// Parts of it, as members of an object that is open: what is known of the process and its counters;
// of a service, with its servers.
void status_put_process(const struct status *s, const struct status_process *p, struct text *to);
void status_put_service(const struct survey *survey, size_t i, struct text *to);
