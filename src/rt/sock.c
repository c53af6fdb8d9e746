// SPDX-License-Identifier: Apache-2.0
#include "rt/sock.h"

#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <string.h>

#include "rt/clock.h"
#include "rt/loop_priv.h"

#define WATCHED_EVENTS (EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET)
// A Unix socket whose server's backlog is full tells nobody when there is room again.
#define CONNECT_RETRY_MS 10
// Up to here copying pieces together costs less than what the kernel does about a vector.
#define JOIN_MAX_BYTES 2048

void sock_init(struct rt_sock *s, int fd)
{
    ASSERT(fd >= 0);
    *s = (struct rt_sock){.fd = fd, .is_readable = true, .is_writable = true};
    rt_loop_here()->stats.n_socks++;
}

void sock_move(struct rt_sock *from, struct rt_sock *to)
{
    ASSERT(!from->reader && !from->writer && from->fd >= 0);
    *to = *from;
    to->on_event = NULL;
    to->event_arg = NULL;
    if (from->is_watched) {
        struct rt_loop *l = rt_loop_here();
        loop_forget(l, from);
        // What was forgotten comes again: a change of the registration is an edge.
        to->is_watched = sys_epoll_mod(l->epoll, to->fd, WATCHED_EVENTS, to) == 0;
        ASSERT(to->is_watched); // it stands in epoll already: nothing is allocated
    }
    *from = (struct rt_sock){.fd = -1};
}

static void wake(struct fiber **slot)
{
    struct fiber *f = *slot;
    *slot = NULL;
    if (f)
        fiber_wake(f);
}

void sock_on_events(struct rt_sock *s, uint32_t events)
{
    bool has_error = (events & (EPOLLERR | EPOLLHUP)) != 0;
    bool can_read = has_error || (events & (EPOLLIN | EPOLLRDHUP)) != 0;
    bool can_write = has_error || (events & EPOLLOUT) != 0;
    s->has_error |= has_error;
    s->has_hangup |= (events & EPOLLRDHUP) != 0;
    s->has_urgent |= (events & EPOLLPRI) != 0;
    s->is_readable |= can_read;
    s->is_writable |= can_write;
    // A fiber that waits to write doesn't hear of what there is to read: its owner must.
    bool is_heard = s->reader || (s->writer && !can_read);
    if (can_read)
        wake(&s->reader);
    if (can_write)
        wake(&s->writer);
    if (!is_heard && s->on_event)
        s->on_event(s);
}

static enum io fail(struct rt_sock *s, int error)
{
    s->error = error;
    return IO_FAIL;
}

static bool watch(struct rt_sock *s)
{
    if (s->is_watched)
        return true;
    if (sys_epoll_add(rt_loop_here()->epoll, s->fd, WATCHED_EVENTS, s) != 0)
        return false;
    s->is_watched = true;
    return true;
}

void sock_watch(struct rt_sock *s)
{
    if (!watch(s))
        (void)fail(s, errno);
}

// slot: s->reader or s->writer.
static enum io wait_in(struct rt_sock *s, struct fiber **slot, struct deadline until)
{
    ASSERT(*slot == NULL);
    if (s->fd < 0) // by another fiber, while this one was on its way here
        return fail(s, ECANCELED);
    if (!watch(s))
        return fail(s, errno);
    struct fiber *self = fiber_self();
    *slot = self;
    enum fiber_wake why = fiber_wait(until);
    if (*slot == self)
        *slot = NULL;
    if (why == FIBER_EXPIRED)
        return fail(s, ETIMEDOUT);
    if (why == FIBER_CANCELLED || s->fd < 0)
        return fail(s, ECANCELED);
    return IO_DONE;
}

enum io sock_wait_readable(struct rt_sock *s, struct deadline until)
{
    return s->is_readable ? IO_DONE : wait_in(s, &s->reader, until);
}

enum io sock_wait_writable(struct rt_sock *s, struct deadline until)
{
    return s->is_writable ? IO_DONE : wait_in(s, &s->writer, until);
}

enum io sock_try_read(struct rt_sock *s, void *buf, size_t n, size_t *ret_n)
{
    ASSERT(n > 0);
    if (!s->is_readable && s->is_watched)
        return IO_AGAIN;
    ssize_t got = sys_recv(s->fd, buf, n);
    if (got > 0) {
        // Less than asked for: the queue is empty, and what comes later is a new edge (epoll(7)).
        // Not so at the end, and before TCP's urgent mark.
        if ((size_t)got < n && !s->has_hangup && !s->has_urgent && !s->has_error)
            s->is_readable = false;
        *ret_n = (size_t)got;
        return IO_DONE;
    }
    if (got == 0)
        return IO_EOF;
    if (errno == EAGAIN) {
        s->is_readable = false;
        return IO_AGAIN;
    }
    s->has_error = true;
    return fail(s, errno);
}

enum io sock_try_peek(struct rt_sock *s, void *buf, size_t n, size_t *ret_n)
{
    ASSERT(n > 0);
    ssize_t got = sys_peek(s->fd, buf, n);
    if (got > 0) {
        *ret_n = (size_t)got;
        return IO_DONE;
    }
    if (got == 0)
        return IO_EOF;
    if (errno == EAGAIN) {
        s->is_readable = false;
        return IO_AGAIN;
    }
    s->has_error = true;
    return fail(s, errno);
}

enum io sock_read(struct rt_sock *s, void *buf, size_t n, struct deadline until, size_t *ret_n)
{
    for (;;) {
        if (s->is_readable) {
            enum io io = sock_try_read(s, buf, n, ret_n);
            if (io != IO_AGAIN)
                return io;
        }
        enum io io = sock_wait_readable(s, until);
        if (io != IO_DONE)
            return io;
    }
}

static size_t iov_bytes(const struct iovec *iov, int n_iov)
{
    ASSERT(n_iov <= IOV_MAX);
    size_t n = 0;
    for (int i = 0; i < n_iov; i++)
        n += iov[i].iov_len;
    return n;
}

static ssize_t send_pieces(int fd, const struct iovec *iov, int n_iov, size_t n_bytes)
{
    if (n_bytes > JOIN_MAX_BYTES)
        return sys_sendv(fd, iov, n_iov);
    UNINITIALIZED char joined[JOIN_MAX_BYTES];
    size_t at = 0;
    for (int i = 0; i < n_iov; at += iov[i++].iov_len) {
        if (iov[i].iov_len > 0)
            memcpy(joined + at, iov[i].iov_base, iov[i].iov_len);
    }
    return sys_send(fd, joined, n_bytes);
}

// One try with pieces of n_bytes > 0 in all.
static inline enum io try_send(struct rt_sock *s, const struct iovec *iov, int n_iov,
                               size_t n_bytes, size_t *ret_n)
{
    if (!s->is_writable && s->is_watched)
        return IO_AGAIN;
    ssize_t put = n_iov == 1 ? sys_send(s->fd, iov->iov_base, n_bytes)
                             : send_pieces(s->fd, iov, n_iov, n_bytes);
    if (LIKELY(put >= 0)) {
        if ((size_t)put < n_bytes && !s->has_error)
            s->is_writable = false;
        *ret_n = (size_t)put;
        return IO_DONE;
    }
    if (errno == EAGAIN) {
        s->is_writable = false;
        return IO_AGAIN;
    }
    s->has_error = true;
    return fail(s, errno);
}

enum io sock_try_writev(struct rt_sock *s, const struct iovec *iov, int n_iov, size_t *ret_n)
{
    size_t offered = iov_bytes(iov, n_iov);
    ASSERT(offered > 0);
    return try_send(s, iov, n_iov, offered, ret_n);
}

// Takes n bytes off the front; leaves no empty piece there.
static void advance(struct iovec **iov, int *n_iov, size_t n)
{
    while (*n_iov > 0 && n >= (*iov)->iov_len) {
        n -= (*iov)->iov_len;
        (*iov)++;
        (*n_iov)--;
    }
    if (*n_iov > 0) {
        (*iov)->iov_base = (char *)(*iov)->iov_base + n;
        (*iov)->iov_len -= n;
    }
}

enum io sock_writev(struct rt_sock *s, struct iovec *iov, int n_iov, int64_t each_ms,
                    struct deadline until)
{
    size_t left = iov_bytes(iov, n_iov);
    while (left > 0) {
        size_t n = 0;
        enum io io = s->is_writable ? try_send(s, iov, n_iov, left, &n) : IO_AGAIN;
        if (LIKELY(io == IO_DONE)) {
            left -= n;
            if (left > 0)
                advance(&iov, &n_iov, n);
            continue;
        }
        if (io == IO_AGAIN)
            io = sock_wait_writable(s, deadline_min(until, deadline_in(each_ms)));
        if (io != IO_DONE)
            return io;
    }
    return IO_DONE;
}

static void close_with(struct rt_sock *s, int (*close_fn)(int fd))
{
    if (s->fd < 0)
        return;
    struct rt_loop *l = rt_loop_here();
    if (s->is_watched)
        loop_forget(l, s); // closing takes fd off epoll: we never share a descriptor
    close_fn(s->fd);
    s->fd = -1;
    s->is_watched = s->is_readable = s->is_writable = false;
    l->stats.n_socks--;
    wake(&s->reader);
    wake(&s->writer);
}

void sock_close(struct rt_sock *s)
{
    close_with(s, sys_close);
}

void sock_reset(struct rt_sock *s)
{
    close_with(s, sys_reset);
}

bool sock_local_addr(const struct rt_sock *s, struct rt_addr *ret)
{
    ret->len = sizeof ret->u;
    return s->fd >= 0 && sys_local_addr(s->fd, &ret->u.any, &ret->len) == 0;
}

int64_t sock_last_ack_ms(const struct rt_sock *s)
{
    int64_t ago_ms = s->fd >= 0 ? sys_last_ack_ms(s->fd) : -1;
    return ago_ms >= 0 ? clock_now_ms() - ago_ms : INT64_MIN;
}

void sock_shut_write(struct rt_sock *s)
{
    (void)sys_shutdown(s->fd, SHUT_WR);
}

static enum io finish_connect(struct rt_sock *s, struct deadline until)
{
    s->is_writable = false;
    while (!s->is_writable) {
        enum io io = sock_wait_writable(s, until);
        if (io != IO_DONE)
            return io;
    }
    int error = sys_socket_error(s->fd);
    return error == 0 ? IO_DONE : fail(s, error);
}

static enum io try_connect(struct rt_sock *s, const struct rt_addr *to, struct deadline until)
{
    while (sys_connect(s->fd, &to->u.any, to->len) != 0) {
        if (errno == EINPROGRESS)
            return finish_connect(s, until);
        if (errno != EAGAIN || to->u.any.sa_family != AF_UNIX)
            return fail(s, errno);
        struct deadline next = deadline_in(CONNECT_RETRY_MS);
        enum fiber_wake why = fiber_wait(deadline_min(next, until));
        if (why == FIBER_CANCELLED)
            return fail(s, ECANCELED);
        if (until.at_ms <= clock_now_ms())
            return fail(s, ETIMEDOUT);
    }
    return IO_DONE;
}

enum err sock_connect(struct rt_sock *s, const struct rt_addr *to, struct deadline until)
{
    bool is_tcp = to->u.any.sa_family != AF_UNIX;
    int fd = sys_socket(to->u.any.sa_family, SOCK_STREAM, 0);
    if (fd < 0) {
        *s = (struct rt_sock){.fd = -1, .error = errno};
        return ERR_SYSTEM;
    }
    sock_init(s, fd);
    s->is_readable = false; // nothing can be there yet: the first read waits
    if (is_tcp)
        (void)sys_setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    if (try_connect(s, to, until) == IO_DONE)
        return ERR_OK;
    sock_close(s);
    switch (s->error) {
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case ECANCELED:
        return ERR_CANCELLED;
    default:
        return ERR_SYSTEM;
    }
}
