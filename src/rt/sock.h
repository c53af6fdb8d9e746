// SPDX-License-Identifier: Apache-2.0
// Non-blocking stream sockets of one loop, embedded in their owners. Registered once with epoll,
// edge-triggered: lazily, at the first wait that needs it. A call tries first and waits only on
// EAGAIN. At most one fiber reads and one writes at a time (they may be two).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/deadline.h"
#include "base/err.h"
#include "rt/addr.h"

struct fiber;
struct rt_sock;

// Called in the loop (not on a fiber) when something happened and no fiber waits in s: bounded
// work, no waits; may close and (through loop_defer) free the socket's owner.
typedef void sock_event_fn(struct rt_sock *s);

struct rt_sock {
    int fd;           // owns; -1: closed
    bool is_watched;  // registered with epoll
    bool is_readable; // data, end or error may be waiting: a read is worth a try
    bool is_writable;
    bool has_hangup;         // peer has shut its side (EPOLLRDHUP)
    bool has_urgent;         // TCP urgent data: a short read proves nothing
    bool has_error;          // EPOLLERR or EPOLLHUP
    int error;               // errno of the last failure, 0: none
    struct fiber *reader;    // borrows: waits to read
    struct fiber *writer;    // borrows: waits to write
    sock_event_fn *on_event; // or NULL
    void *event_arg;         // the owner's, for on_event
};

// Takes over fd, already non-blocking. Starts as readable and writable: the first try decides.
void sock_init(struct rt_sock *s, int fd);

// Moves a socket in which nobody waits; from is a closed one afterwards. on_event and event_arg of
// `to` are set anew by its owner. Events of this turn are not lost.
void sock_move(struct rt_sock *from, struct rt_sock *to);

// Starts a TCP or Unix connection and waits until it stands. TCP_NODELAY is set. Waits.
// ERR_TIMEOUT, ERR_CANCELLED, ERR_SYSTEM (s->error tells); the socket is closed then.
enum err sock_connect(struct rt_sock *s, const struct rt_addr *to, struct deadline until)
    MUST_CHECK;

// Registers with the loop now, so that hang-ups are seen although nobody reads. When the system
// refuses, s->error tells and is_watched stays false.
void sock_watch(struct rt_sock *s);

// One read. IO_DONE: *ret_n > 0 bytes; IO_EOF; IO_FAIL: s->error (ETIMEDOUT: deadline,
// ECANCELED: cancelled). Waits while nothing is there.
enum io sock_read(struct rt_sock *s, void *buf, size_t n, struct deadline until, size_t *ret_n)
    MUST_CHECK;

// The same without waiting: IO_AGAIN when nothing is there.
enum io sock_try_read(struct rt_sock *s, void *buf, size_t n, size_t *ret_n) MUST_CHECK;

// Looks at what sock_try_read would give, which stays. Having seen it is no reason to look again:
// an event tells of more.
enum io sock_try_peek(struct rt_sock *s, void *buf, size_t n, size_t *ret_n) MUST_CHECK;

// Writes all of iov (at most IOV_MAX pieces, which it uses up). IO_DONE or IO_FAIL. each_ms bounds
// the time without any progress; until bounds the whole. Waits while the peer takes nothing.
enum io sock_writev(struct rt_sock *s, struct iovec *iov, int n_iov, int64_t each_ms,
                    struct deadline until) MUST_CHECK;

// One try: IO_DONE with *ret_n bytes taken (maybe fewer than offered), IO_AGAIN, IO_FAIL.
enum io sock_try_writev(struct rt_sock *s, const struct iovec *iov, int n_iov, size_t *ret_n)
    MUST_CHECK;

// Waits until a read (a write) is worth a try. IO_DONE, or IO_FAIL as above.
enum io sock_wait_readable(struct rt_sock *s, struct deadline until) MUST_CHECK;
enum io sock_wait_writable(struct rt_sock *s, struct deadline until) MUST_CHECK;

// Moves up to n bytes from one socket to another inside the kernel, through a pipe that the loop
// lends (a small pool per loop). Returns when *ret_n > 0 bytes have been moved out completely
// (IO_DONE), when the source has none (IO_AGAIN), at its end (IO_EOF), or failed (IO_FAIL;
// *ret_from_failed tells which side; when it is the other one, *ret_n bytes were taken from the
// source, and those then in the pipe are lost with the connection). Waits for the other side, up
// to each_ms for any progress, never for the source: whose fault a wait is, its owner knows.
// Bounded work per call.
enum io sock_splice(struct rt_sock *from, struct rt_sock *to, size_t n, int64_t each_ms,
                    struct deadline until, size_t *ret_n, bool *ret_from_failed) MUST_CHECK;

// The address that the peer connected to. False: unknown.
bool sock_local_addr(const struct rt_sock *s, struct rt_addr *ret) MUST_CHECK;

// When the peer's TCP has acknowledged anything last, in the loop's time; INT64_MIN: not known.
// What was written before may have reached it no earlier.
int64_t sock_last_ack_ms(const struct rt_sock *s);

// shutdown(SHUT_WR).
void sock_shut_write(struct rt_sock *s);

// Closes; wakes a waiting reader and writer with IO_FAIL (ECANCELED): s must live until they have
// run, so its owner is freed through loop_defer. No event for s is delivered afterwards, not even
// of this turn. Accepts a closed one. reset: send RST instead of FIN.
void sock_close(struct rt_sock *s);
void sock_reset(struct rt_sock *s);

// Listening sockets. The descriptor is borrowed (the keeper owns it); accepting is in batches with
// a limit per turn. The peer's address comes with each connection.
struct rt_listener;
typedef void listener_accept_fn(void *arg, int fd, const struct rt_addr *peer);
struct rt_listener *listener_start(int fd, listener_accept_fn *fn, void *arg);
// Stops accepting for good; frees. The descriptor stays open.
void listener_stop(struct rt_listener *l);
// Accepts those who wait in the queue now, at most max.
void listener_take_waiting(struct rt_listener *l, uint32_t max);
// No connection begins any more: the socket goes, for everyone who accepts from it. Those that have
// begun still come.
void listener_refuse_new(struct rt_listener *l);
// Stops or goes on accepting (connection limits); the kernel's backlog holds those who wait.
void listener_pause(struct rt_listener *l, bool paused);
