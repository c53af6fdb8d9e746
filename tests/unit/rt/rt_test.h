// SPDX-License-Identifier: Apache-2.0
// What the tests of this layer share: a loop around a test, and pairs of sockets.
#pragma once

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/loop.h"
#include "rt/sock.h"
#include "unit/test.h"

#define SOON_MS 60000 // bounds what must happen; never waited for in a test that passes

static inline struct rt_loop *test_loop(uint32_t fibers_max)
{
    struct rt_loop *l = loop_new(&(struct loop_options){.fibers_max = fibers_max});
    loop_enter(l);
    return l;
}

static inline uint32_t test_n_fibers(struct rt_loop *l)
{
    struct loop_stats stats;
    loop_stats(l, &stats);
    return stats.n_fibers;
}

// Turns until no fiber is left; false when that takes too long.
static inline bool test_run_all(struct rt_loop *l)
{
    int64_t end_ns = clock_exact_ns() + (int64_t)SOON_MS * 1000000;
    while (test_n_fibers(l) > 0 && clock_exact_ns() < end_ns)
        loop_turn(l, 100);
    return test_n_fibers(l) == 0;
}

static inline void test_socketpair(int ret_fds[2])
{
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ret_fds) != 0)
        abort();
}

// A listening TCP socket on a port of the kernel's choice.
static inline int test_listen(struct rt_addr *ret_addr)
{
    struct ip loopback = {.bytes = {127, 0, 0, 1}, .family = 4};
    addr_from_ip(&loopback, 0, ret_addr);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &ret_addr->u.any, ret_addr->len) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, &ret_addr->u.any, &ret_addr->len) != 0)
        abort();
    return fd;
}

// Both ends of a TCP connection, non-blocking.
static inline void test_tcp_pair(int ret_fds[2])
{
    struct rt_addr addr;
    int listener = test_listen(&addr);
    ret_fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(ret_fds[0], &addr.u.any, addr.len) != 0)
        abort();
    // A connection that connect has reported may reach the queue a moment later.
    do
        ret_fds[1] = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    while (ret_fds[1] < 0 && errno == EAGAIN);
    if (ret_fds[1] < 0 || fcntl(ret_fds[0], F_SETFL, O_NONBLOCK) != 0)
        abort();
    close(listener);
}
