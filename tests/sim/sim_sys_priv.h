// SPDX-License-Identifier: Apache-2.0
// What sim_sys.c (descriptors, epoll, the clock) and sim_sys_calls.c (sockets, pipes) share.
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "sim/sim_net.h"
#include "sim/sim_sys.h"

#define SIM_PIPE_BYTES ((size_t)256 * 1024)

enum sim_fd_kind {
    KIND_CLOSED,
    KIND_EPOLL,
    KIND_EVENT,
    KIND_SOCKET,
    KIND_LISTENER,
    KIND_PIPE,
    KIND_FILE,
};

struct sim_pipe {
    char bytes[SIM_PIPE_BYTES];
    size_t at, n;
};

struct sim_fd {
    enum sim_fd_kind kind;
    struct sim_end *end;           // KIND_SOCKET; NULL: not connected
    uint32_t i_socket;             // KIND_SOCKET: which of the open ones
    struct sim_listener *listener; // KIND_LISTENER
    struct sim_pipe *pipe;         // KIND_PIPE
    struct sim_file *file;         // KIND_FILE: sim_disk.c's
    bool has_event;                // KIND_EVENT
    bool is_retrying;              // KIND_SOCKET: connect said EAGAIN
    // With epoll.
    bool is_watched, is_queued;
    uint32_t events;
    void *ptr;
};

int sim_fd_open(enum sim_fd_kind kind);
// The open descriptor of this number, or NULL with the fault noted.
struct sim_fd *sim_fd_find(int fd, const char *call);
// Something has changed: epoll looks at it.
void sim_fd_changed(int fd);
// Off epoll.
void sim_fd_unwatch(int fd);
int sim_fd_open_socket(void);
void sim_fd_close_socket(struct sim_fd *d);
void sim_fd_set_retrying(struct sim_fd *d, bool is_retrying);
// Returns -1 with errno.
int sim_fd_fail(int error);
// Whether a call fails this time for want of descriptors or memory; then with -1 and errno.
bool sim_fd_is_short(void);
