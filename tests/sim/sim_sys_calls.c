// SPDX-License-Identifier: Apache-2.0
// Sockets and pipes of rt/sys.h.
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "base/num.h"
#include "base/str.h"
#include "rt/sys.h"
#include "sim/sim.h"
#include "sim/sim_sys_priv.h"

static ssize_t result(ssize_t n)
{
    return n >= 0 ? n : sim_fd_fail((int)-n);
}

// --- sockets ---

static void on_change(void *arg, struct sim_end *e)
{
    (void)e;
    sim_fd_changed((int)(intptr_t)arg);
}

int sys_socket(int family, int type, int protocol)
{
    (void)type;
    (void)protocol;
    if (sim_fd_is_short())
        return -1;
    if (family != AF_INET && family != AF_UNIX)
        return sim_fd_fail(EAFNOSUPPORT);
    return sim_fd_open_socket();
}

static void take_end(int fd, struct sim_end *e)
{
    sim_fd_find(fd, "open")->end = e;
    e->fn = on_change;
    e->arg = (void *)(intptr_t)fd;
}

// At 10.0.0.N; 10.0.0.0 and others are nobody's.
static uint32_t place_of(const struct sockaddr_in *in)
{
    uint32_t host = ntohl(in->sin_addr.s_addr) & 0xff;
    return SIM_PLACE(host > 0 ? host : 256, ntohs(in->sin_port));
}

// Unix sockets are called "/N".
static int connect_unix(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sim_fd *d = sim_fd_find(fd, "connect");
    size_t at = offsetof(struct sockaddr, sa_data);
    struct str path = str_from((const char *)addr + at, len - at);
    uint64_t place = 0;
    bool is_full = sim_sys.connect_failure_percent > 0 && sim_chance(50);
    while (path.len > 0 && path.ptr[path.len - 1] == '\0')
        path.len--;
    if (num_dec(str_skip(path, 1), UINT32_MAX, &place) != ERR_OK)
        return sim_fd_fail(ENOENT);
    sim_fd_set_retrying(d, is_full);
    if (is_full)
        return sim_fd_fail(EAGAIN);
    int error = 0;
    struct sim_end *e = sim_net_connect_unix((uint32_t)place, &error);
    if (!e)
        return sim_fd_fail(error);
    take_end(fd, e);
    return 0;
}

int sys_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct sim_fd *d = sim_fd_find(fd, "connect");
    struct sockaddr_in in;
    if (d && addr->sa_family == AF_UNIX)
        return connect_unix(fd, addr, len);
    if (!d || len != sizeof in)
        return sim_fd_fail(EINVAL);
    memcpy(&in, addr, sizeof in);
    if (sim_sys.connect_failure_percent > 0 && sim_chance(sim_sys.connect_failure_percent))
        return sim_fd_fail(sim_chance(50) ? ENETUNREACH : EADDRNOTAVAIL);
    take_end(fd, sim_net_connect(place_of(&in)));
    return sim_fd_fail(EINPROGRESS);
}

int sys_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    struct sim_fd *d = sim_fd_find(fd, "accept");
    if (!d)
        return -1;
    if (sim_fd_is_short())
        return -1;
    struct sim_end *e = sim_net_accept(d->listener);
    if (!e)
        return sim_fd_fail(EAGAIN);
    if (e->is_reset && sim_chance(50)) {
        e->is_closed = true;
        return sim_fd_fail(ECONNABORTED);
    }
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((in_port_t)(10000 + e->id % 50000)),
                             .sin_addr.s_addr = htonl(0xc6336401)}; // 198.51.100.1
    ASSERT(*len >= sizeof in);
    memcpy(addr, &in, sizeof in);
    *len = sizeof in;
    int accepted = sim_fd_open_socket();
    take_end(accepted, e);
    e->is_accepted = true;
    return accepted;
}

int sys_refuse_new(int fd)
{
    struct sim_fd *d = sim_fd_find(fd, "refuse_new");
    if (!d)
        return -1;
    d->listener->refuses_new = true;
    return 0;
}

int sys_setsockopt(int fd, int level, int name, int value)
{
    (void)level;
    (void)name;
    (void)value;
    return sim_fd_find(fd, "setsockopt") ? 0 : -1;
}

int sys_socket_error(int fd)
{
    struct sim_fd *d = sim_fd_find(fd, "getsockopt");
    if (!d || !d->end)
        return d ? 0 : EBADF;
    int error = d->end->error;
    d->end->error = 0;
    return error;
}

int64_t sys_last_ack_ms(int fd)
{
    struct sim_fd *d = sim_fd_find(fd, "getsockopt");
    if (!d || !d->end || !d->end->other)
        return -1;
    return MAX(sim_now_ns() - d->end->other->arrival_ns, (int64_t)0) / 1000000;
}

int sys_local_addr(int fd, struct sockaddr *addr, socklen_t *len)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons(80),
                             .sin_addr.s_addr = htonl(0xc0000201)}; // 192.0.2.1
    if (!sim_fd_find(fd, "getsockname"))
        return -1;
    ASSERT(*len >= sizeof in);
    memcpy(addr, &in, sizeof in);
    *len = sizeof in;
    return 0;
}

static struct sim_end *end_of(int fd, const char *call)
{
    struct sim_fd *d = sim_fd_find(fd, call);
    if (!d)
        return NULL;
    ASSERT(d->kind == KIND_SOCKET && d->end);
    return d->end;
}

ssize_t sys_recv(int fd, void *buf, size_t n)
{
    struct sim_end *e = end_of(fd, "recv");
    return e ? result(sim_net_read(e, buf, n)) : -1;
}

ssize_t sys_peek(int fd, void *buf, size_t n)
{
    struct sim_end *e = end_of(fd, "peek");
    return e ? result(sim_net_peek(e, buf, n)) : -1;
}

ssize_t sys_send(int fd, const void *buf, size_t n)
{
    struct sim_end *e = end_of(fd, "send");
    return e ? result(sim_net_write(e, buf, n)) : -1;
}

void sys_eventfd_signal(int fd)
{
    struct sim_fd *d = sim_fd_find(fd, "eventfd_write");
    if (!d)
        return;
    ASSERT(d->kind == KIND_EVENT);
    d->has_event = true;
    sim_fd_changed(fd);
}

// One call, one journey: pieces are joined before they are sent.
ssize_t sys_sendv(int fd, const struct iovec *iov, int n_iov)
{
    struct sim_end *e = end_of(fd, "sendv");
    if (!e)
        return -1;
    size_t n = 0;
    for (int i = 0; i < n_iov; i++)
        n += iov[i].iov_len;
    char *joined = mem_alloc_raw(n);
    size_t at = 0;
    for (int i = 0; i < n_iov; i++) {
        if (iov[i].iov_len > 0)
            memcpy(joined + at, iov[i].iov_base, iov[i].iov_len);
        at += iov[i].iov_len;
    }
    ssize_t put = sim_net_write(e, joined, n);
    mem_free(joined);
    return result(put);
}

int sys_shutdown(int fd, int how)
{
    struct sim_end *e = end_of(fd, "shutdown");
    ASSERT(how == SHUT_WR);
    if (!e)
        return -1;
    if (e->is_reset)
        return sim_fd_fail(ENOTCONN);
    sim_net_shut_write(e);
    return 0;
}

// --- closing ---

static int close_fd(int fd, bool reset)
{
    struct sim_fd *d = sim_fd_find(fd, "close");
    if (!d)
        return -1;
    sim_fd_unwatch(fd);
    if (d->kind == KIND_SOCKET) {
        sim_fd_close_socket(d);
        if (d->end)
            sim_log("#%u worker %s", d->end->id, reset ? "resets" : "closes");
        if (d->end && reset)
            sim_net_reset(d->end);
        else if (d->end)
            sim_net_close(d->end);
    } else if (d->kind == KIND_LISTENER) {
        sim_net_close_listener(d->listener);
    }
    d->kind = KIND_CLOSED;
    return 0;
}

int sys_close(int fd)
{
    return close_fd(fd, false);
}

int sys_reset(int fd)
{
    return close_fd(fd, true);
}

static void on_dialled(void *arg, struct sim_end *e)
{
    on_change(arg, e);
}

int sim_sys_listen(struct sim_listener **ret_listener)
{
    int fd = sim_fd_open(KIND_LISTENER);
    struct sim_listener *l = sim_alloc(sizeof *l);
    *l = (struct sim_listener){.is_open = true, .fn = on_dialled, .arg = (void *)(intptr_t)fd};
    sim_fd_find(fd, "open")->listener = l;
    *ret_listener = l;
    return fd;
}

// --- pipes ---

int sys_pipe(int ret_fds[2], size_t wanted_bytes)
{
    (void)wanted_bytes;
    if (sim_fd_is_short())
        return -1;
    struct sim_pipe *p = sim_alloc_raw(sizeof *p);
    p->at = p->n = 0;
    for (int i = 0; i < 2; i++) {
        ret_fds[i] = sim_fd_open(KIND_PIPE);
        sim_fd_find(ret_fds[i], "open")->pipe = p;
    }
    return 0;
}

// The kernel moves what suits it: pages, not bytes.
static size_t some_of(size_t n)
{
    return sim_sys.burst_percent > 0 && n > 1 ? (size_t)sim_between(1, (int64_t)n) : n;
}

static ssize_t splice_in(struct sim_end *from, struct sim_pipe *p, size_t n)
{
    ASSERT(p->at == 0 && p->n < SIM_PIPE_BYTES);
    size_t room = some_of(SIM_PIPE_BYTES - p->n);
    ssize_t got = sim_net_read(from, p->bytes + p->n, MIN(n, room));
    if (got > 0)
        p->n += (size_t)got;
    return result(got);
}

static ssize_t splice_out(struct sim_pipe *p, struct sim_end *to, size_t n)
{
    if (p->n == 0)
        return sim_fd_fail(EAGAIN);
    ssize_t put = sim_net_write(to, p->bytes + p->at, MIN(n, p->n));
    if (put > 0) {
        p->at += (size_t)put;
        p->n -= (size_t)put;
        p->at = p->n == 0 ? 0 : p->at;
    }
    return result(put);
}

ssize_t sys_splice(int from, int to, size_t n, int has_more)
{
    (void)has_more;
    struct sim_fd *a = sim_fd_find(from, "splice"), *b = sim_fd_find(to, "splice");
    if (!a || !b)
        return -1;
    if (a->kind == KIND_SOCKET)
        return splice_in(a->end, b->pipe, n);
    return splice_out(a->pipe, b->end, n);
}
