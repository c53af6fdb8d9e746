// SPDX-License-Identifier: Apache-2.0
// A worker: one thread of the gate, with its loop, its connections, its pools. This is the whole
// data path of one core; tests/sim runs it on a simulated network. All calls on the worker's
// thread.
#pragma once

#include "gate/snapshot.h"
#include "http/env.h"

struct worker;
struct bans;
struct exchange;
struct slots;
struct upstream_worker;
struct credentials;
struct insight;
struct recent;

// What the workers of a gate share. Borrowed: it outlives them.
struct worker_links {
    struct upstream_registry *registry;
    struct bans *bans;       // NULL: nobody is banned
    struct insight *insight; // NULL: internal services know nothing
    struct slots *slots;     // of bodies that are read ahead; NULL: there is no such file
    uint32_t conns_max;      // client connections of one worker
};

// Makes a worker on this thread's loop.
struct worker *worker_new(unsigned index, const struct worker_links *links);

// What internal services ask; may be NULL. env: of an exchange of a worker's.
struct insight *worker_insight(struct http_env *env);

// Whether the client of an exchange of a worker's is banned: it is answered then, and its
// connection ends.
bool worker_refuses(struct exchange *x);

// All connections must have ended. Accepts NULL.
void worker_free(struct worker *w);

// Adds a listening socket (taken over) under the keeper's number for it. It begins to accept as
// soon as the snapshot in force has an entrypoint of this name.
void worker_add_listener(struct worker *w, uint32_t id, struct str entry_name, int fd);

// A listening socket goes for good, with all who accept from it: no connection begins any more,
// those that have are accepted for a moment, then it is closed. Its connections leave.
void worker_remove_listener(struct worker *w, uint32_t id);

// Puts a snapshot in force: between two exchanges, one pointer. Takes a use of it.
void worker_switch(struct worker *w, struct snapshot *s);

// What TLS connections are answered with from now on; takes refs.
void worker_equip(struct worker *w, const struct credentials *c);

// Stops accepting, once those are in who wait in the queues, and lets connections leave: exchanges
// finish, an idle connection serves one more request that comes within idle_ms. Listening sockets
// that weren't removed before are others' to accept from: they are only let go.
void worker_drain(struct worker *w, int64_t idle_ms);

// A drain is over: no connection and no request of our own is left, and no socket that a connection
// could come from.
bool worker_is_drained(const struct worker *w);

// Closes everything at once.
void worker_abort(struct worker *w);

// Open client connections and tunnels.
uint32_t worker_n_open(const struct worker *w);

const struct http_stats *worker_stats(const struct worker *w);
const uint64_t *worker_spans(const struct worker *w); // by enum tracer_count
const struct meter_rows *worker_meters(const struct worker *w);
const struct door_stats *worker_door_stats(const struct worker *w);
const struct recent *worker_recent(const struct worker *w);

// Calls fn for each listening socket, and for those that are closed but have connections left.
typedef void worker_listener_fn(void *arg, struct str entry_name, uint32_t n_conns);
void worker_each_listener(const struct worker *w, worker_listener_fn *fn, void *arg);

// The stream of access log lines (rt/log.h).
#define WORKER_ACCESS_LOG_STREAM 1
