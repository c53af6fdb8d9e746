// SPDX-License-Identifier: Apache-2.0
// Simulated TCP connections. Each has two ends; an end belongs to the worker (a descriptor of
// sim_sys.c) or to a scripted peer (a callback). What one end sends arrives at the other after a
// latency, in segments, within a window; FIN and RST travel the same way. The rules of what an end
// then reads, writes and polls are Linux's.
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct sim_end;
// Something has changed at this end: it may be readable, writable, ended, reset, or refused.
typedef void sim_end_fn(void *arg, struct sim_end *e);

enum sim_end_state {
    SIM_END_CONNECTING,
    SIM_END_OPEN,
    SIM_END_REFUSED,
};

struct sim_end {
    struct sim_end *other;
    uint32_t id; // of the connection
    bool is_workers;
    enum sim_end_state state;
    sim_end_fn *fn; // tells the owner
    void *arg;

    // What comes: bytes that have arrived, and behind them those on their way, in one ring.
    char *ring;
    size_t ring_at, n_here, n_coming;
    size_t window;      // of what may be on its way here or unread here
    int64_t arrival_ns; // of what was sent last
    bool has_fin;       // arrived
    bool is_reset;      // a RST has arrived
    int error;          // SO_ERROR

    // What goes.
    size_t n_unacked;
    bool sent_fin;
    bool wants_space; // a write was cut short: tells when there is room
    bool is_closed;   // by its owner
    bool is_accepted; // of the worker's: it has
};

// How the network of this simulation behaves.
struct sim_net {
    int64_t latency_ns;   // one way
    int64_t jitter_ns;    // added at random to each segment
    uint32_t segment_max; // bytes; larger writes are cut at random up to it; 0: whole
    uint32_t window_min, window_max;
    uint32_t rst_drops_percent; // of resets that overtake what was sent before
    uint32_t syn_loss_percent;  // of connects whose first packet is sent again a second later
    bool defer_accept;          // TCP_DEFER_ACCEPT: accepted with the first bytes
    uint32_t backlog;
};
extern struct sim_net sim_net;
// A quiet network: 1 ms, whole segments, 64 KiB windows.
void sim_net_init(void);

// Where a server is: its port, and which of the addresses 10.0.0.1, 10.0.0.2, … it has. A Unix
// socket's is the number in its path.
#define SIM_PLACE(host, port) ((uint32_t)((host)-1) << 16 | (uint32_t)(port))

// Servers: who answers at a place. Returns false to refuse.
typedef bool sim_server_fn(void *arg, struct sim_end *e);
enum sim_reach {
    SIM_REACH_OPEN,
    SIM_REACH_REFUSED,
    SIM_REACH_NOTHING, // nobody answers
};
void sim_net_serve(uint32_t place, sim_server_fn *fn, void *arg);
void sim_net_set_reach(uint32_t place, enum sim_reach reach);

// The worker connects to a place. The new end is the worker's.
struct sim_end *sim_net_connect(uint32_t place);
// The same by a Unix socket, which stands at once. NULL with *ret_error.
struct sim_end *sim_net_connect_unix(uint32_t place, int *ret_error);

// A listening socket of the worker.
struct sim_listener {
    struct sim_end **queue; // ends of the worker, not accepted yet
    uint32_t n_queued;
    bool is_open;
    bool refuses_new; // drops SYNs; those that have begun still come
    sim_end_fn *fn;   // tells that one is there (with NULL)
    void *arg;
};
// A client connects; fn hears of it. The new end is the client's.
struct sim_end *sim_net_dial(struct sim_listener *l, sim_end_fn *fn, void *arg);
// The oldest of the queue, or NULL.
struct sim_end *sim_net_accept(struct sim_listener *l);
void sim_net_close_listener(struct sim_listener *l);

// Calls of sockets: what the system call returns, -errno for an error.
ssize_t sim_net_read(struct sim_end *e, void *buf, size_t n);
// The same, and the bytes stay.
ssize_t sim_net_peek(struct sim_end *e, void *buf, size_t n);
ssize_t sim_net_write(struct sim_end *e, const void *buf, size_t n);
void sim_net_shut_write(struct sim_end *e);
void sim_net_close(struct sim_end *e);
void sim_net_reset(struct sim_end *e);
// The events of epoll that hold now.
uint32_t sim_net_poll(struct sim_end *e);
