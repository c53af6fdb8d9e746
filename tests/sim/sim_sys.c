// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_sys.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "rt/sys.h"
#include "sim/sim.h"
#include "sim/sim_net.h"

#define FIRST_FD 1000
#define PIPE_BYTES_MAX ((size_t)256 * 1024)
#define WAITS_AT_ONE_TIME_MAX 20000 // more: the worker turns without getting anywhere

enum kind {
    KIND_CLOSED,
    KIND_EPOLL,
    KIND_EVENT,
    KIND_SOCKET,
    KIND_LISTENER,
    KIND_PIPE,
};

struct pipe {
    char bytes[PIPE_BYTES_MAX];
    size_t at, n;
};

struct descriptor {
    enum kind kind;
    struct sim_end *end;           // KIND_SOCKET; NULL: not connected
    struct sim_listener *listener; // KIND_LISTENER
    struct pipe *pipe;             // KIND_PIPE
    bool has_event;                // KIND_EVENT
    // With epoll.
    bool is_watched, is_queued;
    uint32_t events;
    void *ptr;
};

struct sim_sys sim_sys;

static struct {
    struct descriptor **fds; // each of the simulation's memory: stays where it is
    int n_fds, cap_fds;
    int *ready; // those whose events may hold, oldest first
    size_t n_ready, cap_ready;
    uint32_t n_sockets;
    uint64_t n_calls;
    int64_t waited_at_ns;
    uint32_t n_waits_there;
} sys;

static int fail(int error)
{
    errno = error;
    return -1;
}

static ssize_t result(ssize_t n)
{
    return n >= 0 ? n : fail((int)-n);
}

static int open_fd(enum kind kind)
{
    if (sys.n_fds == sys.cap_fds) {
        sys.cap_fds = MAX(sys.cap_fds * 2, 64);
        sys.fds = mem_resize(sys.fds, (size_t)sys.cap_fds, sizeof(struct descriptor *));
    }
    struct descriptor *d = sim_alloc(sizeof *d);
    d->kind = kind;
    sys.fds[sys.n_fds] = d;
    return FIRST_FD + sys.n_fds++;
}

// The open descriptor of this number, or NULL with the fault noted.
static struct descriptor *find(int fd, const char *call)
{
    sys.n_calls++;
    struct descriptor *d =
        fd >= FIRST_FD && fd < FIRST_FD + sys.n_fds ? sys.fds[fd - FIRST_FD] : NULL;
    if (d && d->kind != KIND_CLOSED)
        return d;
    sim_fail("%s on descriptor %d, which isn't open", call, fd);
    errno = EBADF;
    return NULL;
}

static bool is_short(void)
{
    return sim_sys.failure_percent > 0 && sim_chance(sim_sys.failure_percent);
}

void sim_sys_init(void)
{
    sim_sys = (struct sim_sys){.is_at_rest = false};
    sys.n_fds = 0;
    sys.n_ready = 0;
    sys.n_sockets = 0;
    sys.n_calls = 0;
    sys.n_waits_there = 0;
}

void sim_sys_fini(void)
{
    for (int i = 0; i < sys.n_fds; i++) {
        if (sys.fds[i]->kind != KIND_CLOSED)
            sim_fail("descriptor %d was never closed", FIRST_FD + i);
    }
    sys.n_fds = 0;
}

uint32_t sim_sys_n_sockets(void)
{
    return sys.n_sockets;
}

uint64_t sim_sys_n_calls(void)
{
    return sys.n_calls;
}

// --- time and randomness ---

int64_t sys_clock_mono_ns(void)
{
    return sim_now_ns();
}

int64_t sys_clock_coarse_ns(void)
{
    return sim_now_ns();
}

int64_t sys_clock_wall_ns(void)
{
    return sim_now_ns() + (int64_t)1700000000 * SIM_S;
}

void sys_random(void *buf, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)buf)[i] = (unsigned char)sim_rand();
}

// --- epoll ---

static uint32_t poll_now(const struct descriptor *d)
{
    switch (d->kind) {
    case KIND_SOCKET:
        return d->end ? sim_net_poll(d->end) : EPOLLOUT | EPOLLHUP;
    case KIND_LISTENER:
        return d->listener->n_queued > 0 ? EPOLLIN : 0;
    case KIND_EVENT:
        return d->has_event ? EPOLLIN : 0;
    case KIND_CLOSED:
    case KIND_EPOLL:
    case KIND_PIPE:
        break;
    }
    return 0;
}

static void queue(int fd)
{
    struct descriptor *d = sys.fds[fd - FIRST_FD];
    if (!d->is_watched || d->is_queued)
        return;
    if (sys.n_ready == sys.cap_ready) {
        sys.cap_ready = MAX(sys.cap_ready * 2, (size_t)64);
        sys.ready = mem_resize(sys.ready, sys.cap_ready, sizeof sys.ready[0]);
    }
    sys.ready[sys.n_ready++] = fd;
    d->is_queued = true;
}

static void on_change(void *arg, struct sim_end *e)
{
    (void)e;
    queue((int)(intptr_t)arg);
}

int sys_epoll_create(void)
{
    return open_fd(KIND_EPOLL);
}

int sys_epoll_add(int epoll, int fd, uint32_t events, void *ptr)
{
    struct descriptor *d = find(fd, "epoll_ctl");
    if (!d || !find(epoll, "epoll_ctl"))
        return -1;
    if (d->is_watched) {
        sim_fail("descriptor %d is with epoll already", fd);
        return fail(EEXIST);
    }
    d->is_watched = true;
    d->events = events | EPOLLERR | EPOLLHUP;
    d->ptr = ptr;
    if (poll_now(d) & d->events)
        queue(fd);
    return 0;
}

int sys_epoll_mod(int epoll, int fd, uint32_t events, void *ptr)
{
    struct descriptor *d = find(fd, "epoll_ctl");
    if (!d || !find(epoll, "epoll_ctl"))
        return -1;
    d->events = events | EPOLLERR | EPOLLHUP;
    d->ptr = ptr;
    if (poll_now(d) & d->events)
        queue(fd);
    return 0;
}

static void unwatch(int fd)
{
    struct descriptor *d = sys.fds[fd - FIRST_FD];
    d->is_watched = false;
    if (!d->is_queued)
        return;
    d->is_queued = false;
    size_t i = 0;
    while (sys.ready[i] != fd)
        i++;
    memmove(&sys.ready[i], &sys.ready[i + 1], (--sys.n_ready - i) * sizeof sys.ready[0]);
}

int sys_epoll_del(int epoll, int fd)
{
    struct descriptor *d = find(fd, "epoll_ctl");
    if (!d || !find(epoll, "epoll_ctl"))
        return -1;
    if (!d->is_watched)
        sim_fail("descriptor %d isn't with epoll", fd);
    unwatch(fd);
    return 0;
}

// Hands over what is ready, as epoll does: with all events that hold at this moment.
static int collect(struct epoll_event *events, int n_events)
{
    int n = 0;
    size_t n_looked = 0, n_kept = 0, n_ready = sys.n_ready;
    while (n_looked < n_ready && n < n_events) {
        int fd = sys.ready[n_looked++];
        struct descriptor *d = sys.fds[fd - FIRST_FD];
        uint32_t now = poll_now(d) & d->events;
        d->is_queued = false;
        if (now != 0)
            events[n++] = (struct epoll_event){.events = now, .data.ptr = d->ptr};
        if (now != 0 && !(d->events & EPOLLET)) { // level: again next time
            sys.ready[n_kept++] = fd;
            d->is_queued = true;
        }
    }
    size_t n_rest = n_ready - n_looked;
    // Those that weren't looked at come first next time.
    int *kept = mem_alloc(n_kept + 1, sizeof *kept);
    memcpy(kept, sys.ready, n_kept * sizeof *kept);
    memmove(sys.ready, sys.ready + n_looked, n_rest * sizeof *kept);
    memcpy(sys.ready + n_rest, kept, n_kept * sizeof *kept);
    mem_free(kept);
    sys.n_ready = n_rest + n_kept;
    return n;
}

static bool has_ready(void)
{
    for (size_t i = 0; i < sys.n_ready; i++) {
        const struct descriptor *d = sys.fds[sys.ready[i] - FIRST_FD];
        if (poll_now(d) & d->events)
            return true;
    }
    return false;
}

// Lets the network run until something is ready, or the time is over.
static void run_network(int timeout_ms)
{
    int64_t until = timeout_ms < 0 ? INT64_MAX : sim_now_ns() + timeout_ms * SIM_MS;
    while (sim_next_ns() <= until && sim_next_ns() != INT64_MAX) {
        bool is_later = sim_next_ns() > sim_now_ns();
        if (has_ready() && (is_later || !sim_chance(sim_sys.burst_percent)))
            return;
        sim_step();
    }
    if (has_ready())
        return;
    if (until == INT64_MAX)
        sim_sys.is_at_rest = true;
    else
        sim_pass_until(until);
}

static void watch_for_spinning(void)
{
    if (sim_now_ns() != sys.waited_at_ns) {
        sys.waited_at_ns = sim_now_ns();
        sys.n_waits_there = 0;
    } else if (++sys.n_waits_there == WAITS_AT_ONE_TIME_MAX) {
        sim_print_tail(40);
        panic("the worker turns without getting anywhere");
    }
}

int sys_epoll_wait(int epoll, struct epoll_event *events, int n_events, int timeout_ms)
{
    if (!find(epoll, "epoll_wait"))
        return -1;
    watch_for_spinning();
    run_network(timeout_ms);
    return collect(events, n_events);
}

int sys_eventfd(void)
{
    return open_fd(KIND_EVENT);
}

// --- sockets ---

int sys_socket(int family, int type, int protocol)
{
    (void)type;
    (void)protocol;
    sys.n_calls++;
    if (is_short())
        return fail(EMFILE);
    if (family != AF_INET)
        return fail(EAFNOSUPPORT);
    sys.n_sockets++;
    return open_fd(KIND_SOCKET);
}

static void take_end(int fd, struct sim_end *e)
{
    sys.fds[fd - FIRST_FD]->end = e;
    e->fn = on_change;
    e->arg = (void *)(intptr_t)fd;
}

int sys_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    struct descriptor *d = find(fd, "connect");
    struct sockaddr_in in;
    if (!d || len != sizeof in)
        return fail(EINVAL);
    memcpy(&in, addr, sizeof in);
    take_end(fd, sim_net_connect(ntohs(in.sin_port)));
    return fail(EINPROGRESS);
}

int sys_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    struct descriptor *d = find(fd, "accept");
    if (!d)
        return -1;
    if (is_short())
        return fail(EMFILE);
    struct sim_end *e = sim_net_accept(d->listener);
    if (!e)
        return fail(EAGAIN);
    if (e->is_reset && sim_chance(50)) {
        e->is_closed = true;
        return fail(ECONNABORTED);
    }
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_port = htons((in_port_t)(10000 + e->id % 50000)),
                             .sin_addr.s_addr = htonl(0xc6336401)}; // 198.51.100.1
    ASSERT(*len >= sizeof in);
    memcpy(addr, &in, sizeof in);
    *len = sizeof in;
    sys.n_sockets++;
    int accepted = open_fd(KIND_SOCKET);
    take_end(accepted, e);
    return accepted;
}

int sys_setsockopt(int fd, int level, int name, int value)
{
    (void)level;
    (void)name;
    (void)value;
    return find(fd, "setsockopt") ? 0 : -1;
}

int sys_socket_error(int fd)
{
    struct descriptor *d = find(fd, "getsockopt");
    if (!d || !d->end)
        return d ? 0 : EBADF;
    int error = d->end->error;
    d->end->error = 0;
    return error;
}

static struct sim_end *end_of(int fd, const char *call)
{
    struct descriptor *d = find(fd, call);
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

ssize_t sys_send(int fd, const void *buf, size_t n)
{
    struct sim_end *e = end_of(fd, "send");
    return e ? result(sim_net_write(e, buf, n)) : -1;
}

void sys_eventfd_signal(int fd)
{
    struct descriptor *d = find(fd, "eventfd_write");
    if (!d)
        return;
    ASSERT(d->kind == KIND_EVENT);
    d->has_event = true;
    queue(fd);
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
        return fail(ENOTCONN);
    sim_net_shut_write(e);
    return 0;
}

// --- closing ---

static int close_fd(int fd, bool reset)
{
    struct descriptor *d = find(fd, "close");
    if (!d)
        return -1;
    unwatch(fd);
    if (d->kind == KIND_SOCKET) {
        sys.n_sockets--;
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
    int fd = open_fd(KIND_LISTENER);
    struct sim_listener *l = sim_alloc(sizeof *l);
    *l = (struct sim_listener){.is_open = true, .fn = on_dialled, .arg = (void *)(intptr_t)fd};
    sys.fds[fd - FIRST_FD]->listener = l;
    *ret_listener = l;
    return fd;
}

// --- pipes ---

int sys_pipe(int ret_fds[2], size_t wanted_bytes)
{
    (void)wanted_bytes;
    sys.n_calls++;
    if (is_short())
        return fail(EMFILE);
    struct pipe *p = sim_alloc(sizeof *p);
    for (int i = 0; i < 2; i++) {
        ret_fds[i] = open_fd(KIND_PIPE);
        sys.fds[ret_fds[i] - FIRST_FD]->pipe = p;
    }
    return 0;
}

// The kernel moves what suits it: pages, not bytes.
static size_t some_of(size_t n)
{
    return sim_sys.burst_percent > 0 && n > 1 ? (size_t)sim_between(1, (int64_t)n) : n;
}

static ssize_t splice_in(struct sim_end *from, struct pipe *p, size_t n)
{
    ASSERT(p->n == 0 || p->at == 0);
    n = MIN(n, PIPE_BYTES_MAX - p->at - p->n);
    ssize_t got = sim_net_read(from, p->bytes + p->at + p->n, MIN(n, some_of(PIPE_BYTES_MAX)));
    if (got > 0)
        p->n += (size_t)got;
    return result(got);
}

static ssize_t splice_out(struct pipe *p, struct sim_end *to, size_t n)
{
    if (p->n == 0)
        return fail(EAGAIN);
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
    struct descriptor *a = find(from, "splice"), *b = find(to, "splice");
    if (!a || !b)
        return -1;
    if (a->kind == KIND_SOCKET)
        return splice_in(a->end, b->pipe, n);
    return splice_out(a->pipe, b->end, n);
}
