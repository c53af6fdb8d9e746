// SPDX-License-Identifier: Apache-2.0
// The system calls of the data path, one thin function each: all that a worker knows of time,
// randomness and the network comes through here. Production links sys_linux.c; tests/sim links a
// simulated network and clock instead. Calls return what the system call returns, with errno set.
// (The keeper's files, processes and signals are not simulated: rt/file.h, rt/process.h.)
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/uio.h>

int64_t sys_clock_mono_ns(void);
int64_t sys_clock_coarse_ns(void); // monotonic, cheap, late by up to a tick (1 to 10 ms)
int64_t sys_clock_wall_ns(void);
void sys_random(void *buf, size_t n); // never fails: panics without entropy

int sys_epoll_create(void);
int sys_epoll_add(int epoll, int fd, uint32_t events, void *ptr);
int sys_epoll_mod(int epoll, int fd, uint32_t events, void *ptr);
int sys_epoll_del(int epoll, int fd);
int sys_epoll_wait(int epoll, struct epoll_event *events, int n_events, int timeout_ms);
int sys_eventfd(void);           // non-blocking
void sys_eventfd_signal(int fd); // each one is an edge for epoll, unread or not

int sys_socket(int family, int type, int protocol); // non-blocking, close-on-exec
int sys_connect(int fd, const struct sockaddr *addr, socklen_t len);
int sys_accept(int fd, struct sockaddr *addr, socklen_t *len); // non-blocking, close-on-exec
int sys_setsockopt(int fd, int level, int name, int value);
// A listening socket that goes: no connection begins any more, those that have can be accepted.
int sys_refuse_new(int fd);
int sys_socket_error(int fd); // SO_ERROR, cleared
// Milliseconds since the peer's TCP has acknowledged anything last; -1: not known.
int64_t sys_last_ack_ms(int fd);
int sys_local_addr(int fd, struct sockaddr *addr, socklen_t *len);
ssize_t sys_recv(int fd, void *buf, size_t n);
ssize_t sys_peek(int fd, void *buf, size_t n); // the same bytes are read again
ssize_t sys_send(int fd, const void *buf, size_t n);
ssize_t sys_sendv(int fd, const struct iovec *iov, int n_iov);
ssize_t sys_splice(int from, int to, size_t n, int has_more); // SPLICE_F_MOVE | NONBLOCK
int sys_pipe(int ret_fds[2], size_t wanted_bytes);            // non-blocking
// Files wait for their disk: for helper threads alone.
ssize_t sys_pwrite(int fd, const void *buf, size_t n, int64_t at);
ssize_t sys_pread(int fd, void *buf, size_t n, int64_t at);
int sys_truncate(int fd, int64_t to);
int sys_shutdown(int fd, int how);
int sys_close(int fd);
int sys_reset(int fd); // closes with RST instead of FIN
