// SPDX-License-Identifier: Apache-2.0
// What the files of sim_watch share: sim_watch.c (the loop, HTTP/1, servers, snapshots, memory),
// sim_watch_h2.c (HTTP/2 with both sides).
#pragma once

#include "http/env.h"
#include "rt/fiber.h"
#include "sim/sim_watch.h"

struct mux;
struct rt_timer;

#define SIM_WATCH_WAIT_MAX_MS (5 * 60 * 1000) // more than any time-out of the scenarios' settings
#define SIM_WATCH_LISTENERS_MAX 32

// What was counted while looking.
struct tally {
    const struct rt_loop *loop;
    const struct http_env *env;
    uint32_t n_conns, n_turns, n_begun;
    uint32_t n_shaking, n_waiting; // connections whose TLS begins, those without a byte so far
    uint32_t n_tcp;                // on their way to a server, and tunnels
    size_t parked_bytes;
    uint32_t n_h2_conns, n_streams;    // of HTTP/2: connections of clients, their streams
    uint32_t n_chunks;                 // buffers that hold pieces of bodies, of both sides
    size_t held_bytes;                 // of request bodies in them
    uint32_t n_muxes;                  // connections of servers that many exchanges share
    uint32_t n_fibers;                 // in a place where they wait
    uint32_t n_server_socks;           // by targets: open or about to be
    uint32_t n_places;                 // that are taken, at all servers
    uint32_t n_seats, n_seats_counted; // waited for: by who waits, and by the servers' counts
    uint32_t n_leaving;                // targets that can't be found any more
    uint32_t uses[SIM_WATCH_SNAPSHOTS_MAX];
    const struct http_listener *listeners[SIM_WATCH_LISTENERS_MAX]; // those that have connections
    uint32_t n_of_listener[SIM_WATCH_LISTENERS_MAX], n_listeners;
};

// How those who wait begin, of worker.c, conn.c and room.c.
struct sim_watch_waiting {
    struct list_node node;
    struct fiber *fiber;
};

// A fiber that waits, at a place from where it will be woken, until a time.
void sim_watch_fiber(struct tally *t, const struct fiber *f, const char *where);
// Those in a queue. Returns how many.
uint32_t sim_watch_queue(struct tally *t, const struct list *queue, const char *where);
// An exchange that has begun holds a snapshot.
void sim_watch_use(struct tally *t, const struct sim_watch *w, const void *snapshot);
// A timer that ends a rest, at due_ms at the latest.
void sim_watch_timer(const struct tally *t, const struct rt_timer *timer, int64_t due_ms,
                     const char *what);

void sim_watch_h2_conn(struct tally *t, const struct sim_watch *w, struct http_conn *conn);
// node: of a struct h2_call.
void sim_watch_h2_call(struct tally *t, struct list_node *node);
void sim_watch_mux(struct tally *t, const struct mux *m);
// What must agree when all have been looked at.
void sim_watch_h2_end(const struct tally *t);
