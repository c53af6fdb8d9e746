// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_sys.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"
#include "rt/sys.h"
#include "sim/sim.h"
#include "sim/sim_net.h"
#include "sim/sim_sys_priv.h"

#define FIRST_FD 1000
#define WAITS_AT_ONE_TIME_MAX 20000 // more: the worker turns without getting anywhere

struct sim_sys sim_sys;

static struct {
    struct sim_fd **fds; // each of the simulation's memory: stays where it is
    int n_fds, cap_fds;
    int *ready; // those whose events may hold, oldest first
    size_t n_ready, cap_ready;
    struct sim_fd **sockets; // open ones, in no order
    uint32_t n_sockets, cap_sockets, n_retrying;
    uint64_t n_calls;
    int64_t waited_at_ns;
    uint32_t n_waits_there;
} sys;

int sim_fd_fail(int error)
{
    errno = error;
    return -1;
}

int sim_fd_open(enum sim_fd_kind kind)
{
    if (sys.n_fds == sys.cap_fds) {
        sys.cap_fds = MAX(sys.cap_fds * 2, 64);
        sys.fds = mem_resize(sys.fds, (size_t)sys.cap_fds, sizeof(struct sim_fd *));
    }
    struct sim_fd *d = sim_alloc(sizeof *d);
    d->kind = kind;
    sys.fds[sys.n_fds] = d;
    return FIRST_FD + sys.n_fds++;
}

struct sim_fd *sim_fd_find(int fd, const char *call)
{
    sys.n_calls++;
    struct sim_fd *d = fd >= FIRST_FD && fd < FIRST_FD + sys.n_fds ? sys.fds[fd - FIRST_FD] : NULL;
    if (d && d->kind != KIND_CLOSED)
        return d;
    sim_fail("%s on descriptor %d, which isn't open", call, fd);
    errno = EBADF;
    return NULL;
}

bool sim_fd_is_short(void)
{
    static const int errors[] = {EMFILE, EMFILE, ENFILE, ENOBUFS, ENOMEM};
    if (sim_sys.failure_percent == 0 || !sim_chance(sim_sys.failure_percent))
        return false;
    errno = errors[sim_below(ARRAY_LEN(errors))];
    return true;
}

void sim_sys_init(void)
{
    sim_sys = (struct sim_sys){.is_at_rest = false};
    sys.n_fds = 0;
    sys.n_ready = 0;
    sys.n_sockets = sys.n_retrying = 0;
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

void sim_fd_set_retrying(struct sim_fd *d, bool is_retrying)
{
    sys.n_retrying += (uint32_t)is_retrying - (uint32_t)d->is_retrying;
    d->is_retrying = is_retrying;
}

int sim_fd_open_socket(void)
{
    int fd = sim_fd_open(KIND_SOCKET);
    if (sys.n_sockets == sys.cap_sockets) {
        sys.cap_sockets = MAX(sys.cap_sockets * 2, 64u);
        sys.sockets = mem_resize(sys.sockets, sys.cap_sockets, sizeof sys.sockets[0]);
    }
    struct sim_fd *d = sys.fds[fd - FIRST_FD];
    d->i_socket = sys.n_sockets;
    sys.sockets[sys.n_sockets++] = d;
    return fd;
}

void sim_fd_close_socket(struct sim_fd *d)
{
    struct sim_fd *last = sys.sockets[--sys.n_sockets];
    sim_fd_set_retrying(d, false);
    sys.sockets[d->i_socket] = last;
    last->i_socket = d->i_socket;
}

void *sim_sys_watched(uint32_t i)
{
    return sys.sockets[i]->is_watched ? sys.sockets[i]->ptr : NULL;
}

uint32_t sim_sys_n_retrying(void)
{
    return sys.n_retrying;
}

size_t sim_sys_heap_bytes(void)
{
    return malloc_usable_size(sys.fds) + malloc_usable_size(sys.ready) +
           malloc_usable_size(sys.sockets);
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
    return sim_now_ns() + (int64_t)1700000000 * SIM_S + sim_sys.wall_offset_ns;
}

// OpenSSL asks the C library: what it puts into tickets would differ from one run of a seed to the
// next otherwise, and with it the lengths of signatures.
__attribute__((visibility("default"))) time_t time(time_t *ret)
{
    time_t now = (time_t)(sys_clock_wall_ns() / SIM_S);
    if (ret)
        *ret = now;
    return now;
}

__attribute__((visibility("default"))) int gettimeofday(struct timeval *restrict ret,
                                                        void *restrict zone)
{
    (void)zone;
    int64_t now = sys_clock_wall_ns();
    *ret = (struct timeval){.tv_sec = now / SIM_S, .tv_usec = now % SIM_S / 1000};
    return 0;
}

void sys_random(void *buf, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)buf)[i] = (unsigned char)sim_rand();
}

// --- epoll ---

static uint32_t poll_now(const struct sim_fd *d)
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
    case KIND_FILE:
        break;
    }
    return 0;
}

void sim_fd_changed(int fd)
{
    struct sim_fd *d = sys.fds[fd - FIRST_FD];
    if (!d->is_watched || d->is_queued)
        return;
    if (sys.n_ready == sys.cap_ready) {
        sys.cap_ready = MAX(sys.cap_ready * 2, (size_t)64);
        sys.ready = mem_resize(sys.ready, sys.cap_ready, sizeof sys.ready[0]);
    }
    sys.ready[sys.n_ready++] = fd;
    d->is_queued = true;
}

int sys_epoll_create(void)
{
    return sim_fd_open(KIND_EPOLL);
}

int sys_epoll_add(int epoll, int fd, uint32_t events, void *ptr)
{
    struct sim_fd *d = sim_fd_find(fd, "epoll_ctl");
    if (!d || !sim_fd_find(epoll, "epoll_ctl"))
        return -1;
    if (d->is_watched) {
        sim_fail("descriptor %d is with epoll already", fd);
        return sim_fd_fail(EEXIST);
    }
    d->is_watched = true;
    d->events = events | EPOLLERR | EPOLLHUP;
    d->ptr = ptr;
    if (poll_now(d) & d->events)
        sim_fd_changed(fd);
    return 0;
}

int sys_epoll_mod(int epoll, int fd, uint32_t events, void *ptr)
{
    struct sim_fd *d = sim_fd_find(fd, "epoll_ctl");
    if (!d || !sim_fd_find(epoll, "epoll_ctl"))
        return -1;
    d->events = events | EPOLLERR | EPOLLHUP;
    d->ptr = ptr;
    if (poll_now(d) & d->events)
        sim_fd_changed(fd);
    return 0;
}

void sim_fd_unwatch(int fd)
{
    struct sim_fd *d = sys.fds[fd - FIRST_FD];
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
    struct sim_fd *d = sim_fd_find(fd, "epoll_ctl");
    if (!d || !sim_fd_find(epoll, "epoll_ctl"))
        return -1;
    if (!d->is_watched)
        sim_fail("descriptor %d isn't with epoll", fd);
    sim_fd_unwatch(fd);
    return 0;
}

static void shuffle(void)
{
    for (size_t i = sys.n_ready; i > 1; i--) {
        size_t j = sim_below((uint32_t)i);
        int fd = sys.ready[i - 1];
        sys.ready[i - 1] = sys.ready[j];
        sys.ready[j] = fd;
    }
}

// Hands over what is ready, as epoll does: with all events that hold at this moment.
static int collect(struct epoll_event *events, int n_events)
{
    int n = 0;
    if (sim_sys.shuffles)
        shuffle();
    size_t n_looked = 0, n_kept = 0, n_ready = sys.n_ready;
    while (n_looked < n_ready && n < n_events) {
        int fd = sys.ready[n_looked++];
        struct sim_fd *d = sys.fds[fd - FIRST_FD];
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
        const struct sim_fd *d = sys.fds[sys.ready[i] - FIRST_FD];
        if (poll_now(d) & d->events)
            return true;
    }
    return false;
}

// Others have the processor: the network goes on without the worker.
static void delay(void)
{
    int64_t until = sim_now_ns() + sim_between(0, sim_sys.delay_max_ns);
    sim_log("the worker doesn't run until %d ms",
            (int)(sim_now_ms() + (until - sim_now_ns()) / SIM_MS));
    while (sim_next_ns() <= until)
        sim_step();
    sim_pass_until(until);
}

// Lets the network run until something is ready, or the time is over.
static void run_network(int timeout_ms)
{
    if (sim_sys.delay_permille > 0 && sim_below(1000) < sim_sys.delay_permille)
        delay();
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
    if (!sim_fd_find(epoll, "epoll_wait"))
        return -1;
    watch_for_spinning();
    if (sim_sys.on_rest)
        sim_sys.on_rest(sim_sys.on_rest_arg);
    run_network(timeout_ms);
    if (sim_sys.burst_percent > 0 && sim_chance(1))
        return sim_fd_fail(EINTR);
    return collect(events, n_events);
}

int sys_eventfd(void)
{
    return sim_fd_open(KIND_EVENT);
}
