// SPDX-License-Identifier: Apache-2.0
// What must hold whenever the worker is about to wait. It looks at the structures of all layers:
// lists and counters agree, everything has an owner, every wait has an end.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct rt_loop;
struct upstream_checker;
struct snapshot;
struct door_stats;
struct http_stats;

#define SIM_WATCH_SNAPSHOTS_MAX 64

struct sim_watch {
    struct rt_loop *loop;           // borrows
    const struct http_stats *stats; // borrows: of the worker
    const struct door_stats *door;  // borrows: the same
    // Borrows: checks servers on the same loop; NULL: it has ended.
    const struct upstream_checker *checker;
    // Snapshots that somebody may use, the one in force last. One ref of each is ours: they can be
    // looked at as long as they are here.
    struct snapshot *snapshots[SIM_WATCH_SNAPSHOTS_MAX];
    uint32_t n_snapshots;
    uint32_t n_web, n_other; // listening sockets that the worker has been given
    uint64_t n_looks;
    size_t heap_start_bytes; // before the worker began
    uint32_t n_turns_peak;   // exchanges at a time
    uint32_t n_shared_peak;  // connections of HTTP/2
    uint32_t n_chunks_peak;  // pieces of bodies of theirs
};

void sim_watch_start(struct sim_watch *w, struct rt_loop *loop, const struct http_stats *stats,
                     const struct door_stats *door);
// A snapshot that the worker is about to be given. Takes over the caller's ref.
void sim_watch_add_snapshot(struct sim_watch *w, struct snapshot *s);
// Before the worker is freed, which turns its loop with things half done.
void sim_watch_stop(struct sim_watch *w);
// At the end, when the worker is gone: nobody uses any.
void sim_watch_end(struct sim_watch *w);
