// SPDX-License-Identifier: Apache-2.0
// rt/sys.h over the simulation: descriptors, epoll, pipes and the clock of the worker. A call on a
// descriptor that isn't open is a fault of the worker, and so is an open one at the end; numbers
// are never used twice, so that neither can hide.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_sys {
    uint32_t failure_percent; // of calls that may fail for want of descriptors
    uint32_t burst_percent;   // of events that are followed by others before the worker sees them
    uint32_t connect_failure_percent; // of connects that fail at once
    uint32_t delay_permille;          // of turns before which the worker doesn't run for a while
    int64_t delay_max_ns;
    int64_t wall_offset_ns;     // somebody sets the wall clock
    bool shuffles;              // events of one moment come in any order
    bool is_at_rest;            // the worker waits without end, and nothing will ever happen
    void (*on_rest)(void *arg); // the worker is about to wait: what must hold between turns
    void *on_rest_arg;
};
extern struct sim_sys sim_sys;
void sim_sys_init(void);
// Frees everything; what is still open was forgotten by the worker.
void sim_sys_fini(void);

// A listening socket, for worker_add_listener; *ret_listener is for those who dial.
struct sim_listener;
int sim_sys_listen(struct sim_listener **ret_listener);

// Connections of the worker that are open now, pipes and listening sockets not counted.
uint32_t sim_sys_n_sockets(void);
// What the worker has given to epoll with the i-th of them; NULL: it isn't with epoll. For checks
// between turns.
void *sim_sys_watched(uint32_t i);
// Sockets whose connect was told to come again (EAGAIN), and has not.
uint32_t sim_sys_n_retrying(void);
// Bytes of the heap that are the simulation's.
size_t sim_sys_heap_bytes(void);
// System calls made so far.
uint64_t sim_sys_n_calls(void);
