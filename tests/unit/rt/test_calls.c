// SPDX-License-Identifier: Apache-2.0
// Counts system calls: the linker puts these wrappers between the layer and sys_linux.c
// (--wrap in meson.build).
#include "rt/sys.h"

#include "rt_test.h"

#define CALL_LIST(X) X(recv) X(send) X(sendv) X(epoll_add) X(epoll_wait) X(accept) X(clock_mono_ns)

static struct {
#define X(name) int name;
    CALL_LIST(X)
#undef X
} calls;

#define WRAP(ret, name, params, args)                                                              \
    ret __real_sys_##name params;                                                                  \
    ret __wrap_sys_##name params;                                                                  \
    ret __wrap_sys_##name params                                                                   \
    {                                                                                              \
        calls.name++;                                                                              \
        return __real_sys_##name args;                                                             \
    }

WRAP(ssize_t, recv, (int fd, void *buf, size_t n), (fd, buf, n))
WRAP(ssize_t, send, (int fd, const void *buf, size_t n), (fd, buf, n))
WRAP(ssize_t, sendv, (int fd, const struct iovec *iov, int n_iov), (fd, iov, n_iov))
WRAP(int, epoll_add, (int epoll, int fd, uint32_t events, void *ptr), (epoll, fd, events, ptr))
WRAP(int, epoll_wait, (int epoll, struct epoll_event *events, int n_events, int timeout_ms),
     (epoll, events, n_events, timeout_ms))
WRAP(int, accept, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))
WRAP(int64_t, clock_mono_ns, (void), ())

#define REQUEST "GET / HTTP/1.1\r\n\r\n"
#define ANSWER "HTTP/1.1 204 \r\n\r\n"

static struct rt_loop *loop;
static struct rt_sock client, server;
static int client_end, server_end; // the far ends, bare
static int n_exchanges;

static void relay(struct rt_sock *from, struct rt_sock *to)
{
    char buf[4096];
    size_t n;
    CHECK_INT(sock_read(from, buf, sizeof buf, deadline_in(SOON_MS), &n), IO_DONE);
    struct iovec iov = {buf, n};
    CHECK_INT(sock_writev(to, &iov, 1, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
}

static void exchange(void *arg)
{
    (void)arg;
    relay(&client, &server);
    relay(&server, &client);
    n_exchanges++;
}

static void on_request(struct rt_sock *s)
{
    (void)s;
    if (client.is_readable)
        fiber_run(exchange, NULL);
}

static void far_end_sends(int fd, const char *text, size_t n)
{
    CHECK(write(fd, text, n) == (ssize_t)n);
}

static void far_end_has(int fd, const char *text, size_t n)
{
    char buf[64];
    CHECK(recv(fd, buf, sizeof buf, 0) == (ssize_t)n);
    CHECK(memcmp(buf, text, n) == 0);
}

static void run_exchange(void)
{
    int n_before = n_exchanges;
    far_end_sends(client_end, REQUEST, sizeof REQUEST - 1);
    loop_turn(loop, SOON_MS);
    far_end_has(server_end, REQUEST, sizeof REQUEST - 1);
    far_end_sends(server_end, ANSWER, sizeof ANSWER - 1);
    loop_turn(loop, SOON_MS);
    CHECK_INT(n_exchanges, n_before + 1);
    far_end_has(client_end, ANSWER, sizeof ANSWER - 1);
}

// The bar that DESIGN.md sets: read, write, read, write, and a wait that others share.
static void kept_alive_exchange_makes_two_reads_two_writes_and_no_other_call(void)
{
    int fds[2];
    loop = test_loop(0);
    n_exchanges = 0;
    test_tcp_pair(fds);
    client_end = fds[0];
    sock_init(&client, fds[1]);
    client.on_event = on_request;
    sock_watch(&client);
    test_tcp_pair(fds);
    server_end = fds[0];
    sock_init(&server, fds[1]);
    server.is_readable = false; // as sock_connect leaves it
    run_exchange();

    memset(&calls, 0, sizeof calls);
    for (int i = 0; i < 10; i++)
        run_exchange();
    CHECK_INT(calls.recv, 20);
    CHECK_INT(calls.send + calls.sendv, 20);
    CHECK_INT(calls.epoll_wait, 20);
    CHECK_INT(calls.epoll_add, 0);
    CHECK_INT(calls.clock_mono_ns, 20); // once per turn

    sock_close(&client);
    sock_close(&server);
    loop_free(loop);
    close(client_end);
    close(server_end);
}

static void first_exchange_of_a_connection_tries_before_it_registers(void)
{
    int fds[2];
    loop = test_loop(0);
    test_tcp_pair(fds);
    client_end = fds[0];
    far_end_sends(client_end, REQUEST, sizeof REQUEST - 1);
    sock_init(&client, fds[1]);
    test_tcp_pair(fds);
    server_end = fds[0];
    sock_init(&server, fds[1]);
    server.is_readable = false;
    memset(&calls, 0, sizeof calls);
    fiber_run(exchange, NULL);
    CHECK_INT(calls.recv, 1);
    CHECK_INT(calls.send, 1);
    CHECK_INT(calls.epoll_add, 1); // the server's, to wait for its answer
    far_end_sends(server_end, ANSWER, sizeof ANSWER - 1);
    CHECK(test_run_all(loop));
    CHECK_INT(calls.epoll_add, 1);
    sock_close(&client);
    sock_close(&server);
    loop_free(loop);
    close(client_end);
    close(server_end);
}

static int n_accepted;

static void close_at_once(void *arg, int fd, const struct rt_addr *peer)
{
    (void)arg, (void)peer;
    n_accepted++;
    close(fd);
}

static void single_connections_are_accepted_without_a_wasted_call(void)
{
    struct rt_addr addr;
    int fd = test_listen(&addr);
    loop = test_loop(0);
    n_accepted = 0;
    struct rt_listener *listener = listener_start(fd, close_at_once, NULL);
    memset(&calls, 0, sizeof calls);
    for (int i = 0; i < 10; i++) {
        int conn = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(connect(conn, &addr.u.any, addr.len) == 0);
        while (n_accepted <= i)
            loop_turn(loop, SOON_MS);
        close(conn);
        loop_turn(loop, 0); // a turn without one, as between the arrivals of a quiet service
    }
    CHECK_INT(calls.accept, 10);
    listener_stop(listener);
    loop_free(loop);
    close(fd);
}

TEST_MAIN(TEST(kept_alive_exchange_makes_two_reads_two_writes_and_no_other_call),
          TEST(first_exchange_of_a_connection_tries_before_it_registers),
          TEST(single_connections_are_accepted_without_a_wasted_call))
