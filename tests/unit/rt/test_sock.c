// SPDX-License-Identifier: Apache-2.0
#include "rt_test.h"

static struct rt_loop *loop;

#define ECHO_BYTES (3u * 1024 * 1024)

static void echo(void *arg)
{
    struct rt_sock *s = arg;
    char buf[8192];
    size_t n;
    enum io io;
    while ((io = sock_read(s, buf, sizeof buf, deadline_in(SOON_MS), &n)) == IO_DONE) {
        struct iovec iov = {buf, n};
        CHECK_INT(sock_writev(s, &iov, 1, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
        fiber_give_way((uint32_t)n);
    }
    CHECK_INT(io, IO_EOF);
    sock_close(s);
}

static char *make_bytes(size_t n)
{
    char *bytes = malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 31 + i / 256);
    return bytes;
}

static void send_all(void *arg)
{
    struct rt_sock *s = arg;
    char *bytes = make_bytes(ECHO_BYTES);
    struct iovec iov[] = {{bytes, 0}, {bytes, 1000}, {NULL, 0}, {bytes + 1000, ECHO_BYTES - 1000}};
    CHECK_INT(sock_writev(s, iov, 4, SOON_MS, deadline_in(SOON_MS)), IO_DONE);
    sock_shut_write(s);
    free(bytes);
}

static void check_all(void *arg)
{
    struct rt_sock *s = arg;
    char *wanted = make_bytes(ECHO_BYTES);
    char buf[7777];
    size_t n, at = 0;
    enum io io;
    while ((io = sock_read(s, buf, sizeof buf, deadline_in(SOON_MS), &n)) == IO_DONE) {
        bool is_same = at + n <= ECHO_BYTES && memcmp(buf, wanted + at, n) == 0;
        CHECK(is_same);
        if (!is_same)
            break;
        at += n;
    }
    CHECK_INT(io, IO_EOF);
    CHECK_INT(at, ECHO_BYTES);
    free(wanted);
    sock_close(s);
}

static void check_echo(int fds[2])
{
    struct rt_sock a, b;
    loop = test_loop(0);
    sock_init(&a, fds[0]);
    sock_init(&b, fds[1]);
    fiber_start(check_all, &a);
    fiber_start(send_all, &a);
    fiber_start(echo, &b);
    CHECK(test_run_all(loop));
    loop_free(loop);
}

static void megabytes_pass_both_ways_through_a_unix_socket(void)
{
    int fds[2];
    test_socketpair(fds);
    check_echo(fds);
}

static void megabytes_pass_both_ways_through_tcp(void)
{
    int fds[2];
    test_tcp_pair(fds);
    check_echo(fds);
}

TEST_MAIN(TEST(megabytes_pass_both_ways_through_a_unix_socket),
          TEST(megabytes_pass_both_ways_through_tcp))
