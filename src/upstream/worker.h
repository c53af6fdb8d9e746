// SPDX-License-Identifier: Apache-2.0
// One worker's view of the servers: its own copy of their addresses, each a target with its own
// connections. Nothing here is seen by another thread; news come by mail.
#pragma once

#include "http/h1_client.h"
#include "rt/fiber.h"
#include "rt/timer.h"
#include "upstream/registry.h"

// What a worker keeps of a shared object, by its index.
struct worker_item {
    struct shared *shared;                  // holds
    void (*free)(struct worker_item *item); // of services
};

struct upstream_worker {
    struct upstream_registry *registry; // borrows
    struct rt_loop *loop;               // borrows
    unsigned index;
    struct inbox inbox;
    struct worker_item **items; // owns: by shared.index; NULL: not met yet
    uint32_t n_items;
    uint32_t n_used;
    uint32_t generation; // changes when a target comes or goes
    uint64_t random;     // of the choices by chance
};

// A server as this worker knows it.
struct worker_server {
    struct worker_item item;
    struct upstream_worker *worker; // borrows
    struct server_state *state;     // borrows: item holds it
    uint32_t version;               // of the answer; 0: a name without one yet
    const char *why;                // static: why there is no address
    struct list waiters;            // fibers that wait for the first answer
    uint32_t n_targets;             // those in the answer
    uint32_t n_leaving;             // others that still have connections
    uint64_t n_requests_past;       // sent to targets that have left
    uint64_t n_handshakes;          // of TLS, with all that it ever had
    uint64_t n_resumed;             // of them, with a session from before
    bool is_leaving;                // no snapshot names the server any more
    struct target *targets[];       // owns; as many as the state has slots
};

// One address of a server.
struct target {
    struct worker_server *server; // borrows
    struct server_slot *slot;     // borrows: the state's
    uint8_t slot_index;
    struct rt_addr addr;
    struct str name;   // owns: for logs
    struct list idle;  // of struct conn, last used first
    struct list muxes; // of struct mux, oldest first
    uint32_t n_idle;
    uint32_t n_conns;           // idle, serving, being connected or promised to one in the queue
    uint64_t n_requests;        // sent: each try counts
    struct list queue;          // exchanges that wait for a connection, longest first
    uint32_t n_queued;          // in it
    struct tls_session session; // of TLS, for the next connection
    struct rt_timer idle_timer; // runs while there are idle ones
    bool is_leaving;            // not in the answer any more: connections serve to their end
    bool is_shared;             // where both may be spoken: the last connection spoke HTTP/2
    bool is_known;              // there was one
};

// The server, known from now on. The caller's exchange has the snapshot that refers to it.
struct worker_server *worker_server_of(struct upstream_worker *w, struct server_state *state);

// Waits until a name has its first answer (or a reason why not). FIBER_READY: look again. Waits.
enum fiber_wake worker_server_wait(struct worker_server *s, struct deadline until);

// What the worker keeps under shared's index: NULL, or what was set. Setting holds shared.
struct worker_item *worker_item_get(const struct upstream_worker *w, const struct shared *shared);
void worker_item_set(struct upstream_worker *w, struct shared *shared, struct worker_item *item);

// To be called when a connection of t has gone: frees t when it was the last of one that leaves.
void target_free_if_left(struct target *t);

// A random number for choices that nobody gains from guessing.
uint64_t upstream_worker_random(struct upstream_worker *w);
