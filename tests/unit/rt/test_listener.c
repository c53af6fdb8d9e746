// SPDX-License-Identifier: Apache-2.0
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/resource.h>

#include "rt_test.h"

static struct rt_loop *loop;
static struct rt_addr addr;
static int fd;
static struct rt_listener *listener;

static int accepted[200], n_accepted;
static bool must_stop_in_callback;

static void on_accept(void *arg, int conn, const struct rt_addr *peer)
{
    struct ip ip;
    uint16_t port;
    CHECK(arg == &addr);
    CHECK(addr_to_ip(peer, &ip, &port));
    CHECK_INT(ip.bytes[0], 127);
    CHECK((fcntl(conn, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((fcntl(conn, F_GETFD) & FD_CLOEXEC) != 0);
    accepted[n_accepted++] = conn;
    if (must_stop_in_callback)
        listener_stop(listener);
}

static void set_up(void)
{
    fd = test_listen(&addr);
    loop = test_loop(0);
    n_accepted = 0;
    must_stop_in_callback = false;
    listener = listener_start(fd, on_accept, &addr);
}

static void tear_down(void)
{
    for (int i = 0; i < n_accepted; i++)
        close(accepted[i]);
    loop_free(loop);
    close(fd);
}

static int knock(void)
{
    int conn = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(connect(conn, &addr.u.any, addr.len) == 0);
    return conn;
}

static void turns_until(int wanted)
{
    for (int i = 0; i < 1000 && n_accepted < wanted; i++)
        loop_turn(loop, 10);
    CHECK_INT(n_accepted, wanted);
}

static int n_turns(void)
{
    struct loop_stats stats;
    loop_stats(loop, &stats);
    return (int)stats.n_turns;
}

static void crowd_is_let_in_within_few_turns(void)
{
    int conns[100];
    set_up();
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        conns[i] = knock();
    int begin = n_turns();
    turns_until(100);
    CHECK(n_turns() - begin <= 10); // 1 + 2 + 4 + … + 64
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        close(conns[i]);
    listener_stop(listener);
    tear_down();
}

static void paused_listener_leaves_them_in_the_backlog(void)
{
    set_up();
    listener_pause(listener, true);
    int conn = knock();
    loop_turn(loop, 0);
    loop_turn(loop, 0);
    CHECK_INT(n_accepted, 0);
    listener_pause(listener, false);
    turns_until(1);
    close(conn);
    listener_stop(listener);
    tear_down();
}

static void stop_in_the_callback_ends_accepting(void)
{
    int conns[5];
    set_up();
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        conns[i] = knock();
    turns_until(1);
    must_stop_in_callback = true;
    loop_turn(loop, 10); // would accept two
    CHECK_INT(n_accepted, 2);
    loop_turn(loop, 0);
    CHECK_INT(n_accepted, 2);
    // The descriptor stays open: another gate may serve who waits.
    must_stop_in_callback = false;
    listener = listener_start(fd, on_accept, &addr);
    turns_until(5);
    listener_stop(listener);
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        close(conns[i]);
    tear_down();
}

// Without descriptors the loop must neither spin nor give up.
static void shortage_of_descriptors_is_waited_out(void)
{
    struct rlimit old, few;
    set_up();
    int conn = knock();
    CHECK(getrlimit(RLIMIT_NOFILE, &old) == 0);
    few = old;
    few.rlim_cur = (rlim_t)conn + 1;
    CHECK(setrlimit(RLIMIT_NOFILE, &few) == 0);
    loop_turn(loop, SOON_MS);
    CHECK_INT(n_accepted, 0);
    int begin = n_turns();
    int64_t end_ms = clock_now_ms() + 50;
    while (clock_now_ms() < end_ms)
        loop_turn(loop, 50);
    CHECK(n_turns() - begin <= 5); // slept until the next attempt
    CHECK(setrlimit(RLIMIT_NOFILE, &old) == 0);
    turns_until(1);
    close(conn);
    listener_stop(listener);
    tear_down();
}

static void those_who_wait_are_taken_in_at_once(void)
{
    int conns[10];
    set_up();
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        conns[i] = knock();
    listener_take_waiting(listener, 4);
    CHECK_INT(n_accepted, 4);
    listener_take_waiting(listener, 4000);
    CHECK_INT(n_accepted, 10);
    listener_stop(listener);
    for (size_t i = 0; i < ARRAY_LEN(conns); i++)
        close(conns[i]);
    tear_down();
}

// A connection that is waiting for its first byte (TCP_DEFER_ACCEPT) isn't in the queue yet.
static void a_socket_that_refuses_new_ones_keeps_those_that_have_begun(void)
{
    set_up();
    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){5}, sizeof(int)) == 0);
    int begun = knock();
    loop_turn(loop, 0);
    CHECK_INT(n_accepted, 0);
    listener_refuse_new(listener);
    int late = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    CHECK(connect(late, &addr.u.any, addr.len) < 0 && errno == EINPROGRESS);
    CHECK(send(begun, "x", 1, 0) == 1);
    turns_until(1);
    char byte;
    CHECK(recv(accepted[0], &byte, 1, 0) == 1);
    struct pollfd is_connected = {.fd = late, .events = POLLOUT};
    CHECK_INT(poll(&is_connected, 1, 0), 0);
    close(begun);
    close(late);
    listener_stop(listener);
    tear_down();
}

TEST_MAIN(TEST(those_who_wait_are_taken_in_at_once),
          TEST(a_socket_that_refuses_new_ones_keeps_those_that_have_begun),
          TEST(crowd_is_let_in_within_few_turns), TEST(paused_listener_leaves_them_in_the_backlog),
          TEST(stop_in_the_callback_ends_accepting), TEST(shortage_of_descriptors_is_waited_out))
