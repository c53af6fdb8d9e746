// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "base/mem.h"
#include "rt/clock.h"
#include "rt/loop_priv.h"
#include "rt/sock.h"

// As many as fit an ordinary user's share of pipe memory (64 MiB) with others beside us.
#define PIPE_BYTES (256 * 1024)
#define PIPES_KEPT 32
#define SPLICE_MAX (1024 * 1024) // of one call

// errno tells on NULL.
static struct splice_pipe *take_pipe(struct rt_loop *l)
{
    struct splice_pipe *p = l->pipes;
    if (p) {
        l->pipes = p->next;
        l->n_pipes--;
        return p;
    }
    int fds[2];
    if (sys_pipe(fds, PIPE_BYTES) != 0)
        return NULL;
    p = MEM_NEW(struct splice_pipe);
    p->fds[0] = fds[0];
    p->fds[1] = fds[1];
    return p;
}

static void close_pipe(struct splice_pipe *p)
{
    sys_close(p->fds[0]);
    sys_close(p->fds[1]);
    mem_free(p);
}

static void give_pipe(struct rt_loop *l, struct splice_pipe *p)
{
    if (l->n_pipes >= PIPES_KEPT) {
        close_pipe(p);
        return;
    }
    p->next = l->pipes;
    l->pipes = p;
    l->n_pipes++;
}

void splice_fini(struct rt_loop *l)
{
    while (l->n_pipes > 0)
        close_pipe(take_pipe(l));
}

// Fills the empty pipe with what is there. IO_AGAIN: nothing.
static enum io fill(struct rt_sock *from, struct splice_pipe *p, size_t n, size_t *ret_n)
{
    ssize_t got = sys_splice(from->fd, p->fds[1], n, 0);
    if (got > 0) {
        *ret_n = (size_t)got;
        return IO_DONE;
    }
    if (got == 0)
        return IO_EOF;
    from->error = errno;
    if (errno != EAGAIN)
        return IO_FAIL;
    from->is_readable = false;
    return IO_AGAIN;
}

// Empties the pipe, which holds n bytes. Waits.
static enum io drain(struct splice_pipe *p, struct rt_sock *to, size_t n, int64_t each_ms,
                     struct deadline until)
{
    while (n > 0) {
        enum io io = sock_wait_writable(to, deadline_min(until, deadline_in(each_ms)));
        if (io != IO_DONE)
            return io;
        ssize_t put = sys_splice(p->fds[0], to->fd, n, 0);
        if (put > 0) {
            n -= (size_t)put;
        } else if (put < 0 && errno == EAGAIN) {
            to->is_writable = false;
        } else {
            to->error = put < 0 ? errno : EPIPE;
            return IO_FAIL;
        }
    }
    return IO_DONE;
}

// One round through a lent pipe. IO_AGAIN: nothing was there.
static enum io move(struct rt_sock *from, struct rt_sock *to, size_t n, int64_t each_ms,
                    struct deadline until, size_t *ret_n, bool *ret_from_failed)
{
    struct rt_loop *l = rt_loop_here();
    *ret_from_failed = true;
    struct splice_pipe *p = take_pipe(l);
    if (!p) {
        from->error = errno;
        return IO_FAIL;
    }
    enum io io = fill(from, p, n, ret_n);
    if (io != IO_DONE) {
        give_pipe(l, p);
        return io;
    }
    *ret_from_failed = false;
    io = drain(p, to, *ret_n, each_ms, until);
    if (io == IO_DONE)
        give_pipe(l, p);
    else
        close_pipe(p); // it isn't empty
    return io;
}

enum io sock_splice(struct rt_sock *from, struct rt_sock *to, size_t n, int64_t each_ms,
                    struct deadline until, size_t *ret_n, bool *ret_from_failed)
{
    ASSERT(n > 0);
    if (!from->is_readable && from->is_watched)
        return IO_AGAIN;
    enum io io = move(from, to, MIN(n, SPLICE_MAX), each_ms, until, ret_n, ret_from_failed);
    if (io == IO_DONE)
        fiber_give_way((uint32_t)*ret_n);
    return io;
}
