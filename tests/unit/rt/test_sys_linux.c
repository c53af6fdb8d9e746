// SPDX-License-Identifier: Apache-2.0
// What callers rely on beyond the system calls themselves.
#include "rt/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "unit/test.h"

static void random_bytes_fill_the_whole_buffer(void)
{
    // Longer than what getrandom gives at once without being interruptible.
    static unsigned char buf[1000], zeros[16];
    sys_random(buf, sizeof buf);
    CHECK(memcmp(buf, zeros, sizeof zeros) != 0);
    CHECK(memcmp(buf + sizeof buf - sizeof zeros, zeros, sizeof zeros) != 0);
}

static void coarse_clock_lags_behind_the_exact_one(void)
{
    int64_t coarse_ns = sys_clock_coarse_ns();
    int64_t exact_ns = sys_clock_mono_ns();
    CHECK(coarse_ns <= exact_ns);
    CHECK(exact_ns - coarse_ns < 1000000000);
}

static void check_flags(int fd)
{
    CHECK((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
    CHECK((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
}

static void descriptors_are_non_blocking_and_end_with_exec(void)
{
    int pipe_fds[2];
    int fd = sys_socket(AF_INET, SOCK_STREAM, 0), event = sys_eventfd();
    CHECK(sys_pipe(pipe_fds, 65536) == 0);
    check_flags(fd);
    check_flags(event);
    check_flags(pipe_fds[0]);
    check_flags(pipe_fds[1]);
    CHECK(sys_close(fd) == 0 && sys_close(event) == 0);
    CHECK(sys_close(pipe_fds[0]) == 0 && sys_close(pipe_fds[1]) == 0);
}

static void pipe_of_an_impossible_size_still_works(void)
{
    int fds[2];
    char c = 'x';
    CHECK(sys_pipe(fds, (size_t)1 << 30) == 0);
    CHECK(write(fds[1], &c, 1) == 1);
    CHECK(read(fds[0], &c, 1) == 1);
    sys_close(fds[0]);
    sys_close(fds[1]);
}

// The loop never reads its eventfd.
static void each_signal_of_an_eventfd_is_an_edge(void)
{
    struct epoll_event event;
    int epoll = sys_epoll_create(), fd = sys_eventfd();
    CHECK(sys_epoll_add(epoll, fd, EPOLLIN | EPOLLET, NULL) == 0);
    for (int i = 0; i < 3; i++) {
        sys_eventfd_signal(fd);
        CHECK_INT(sys_epoll_wait(epoll, &event, 1, 0), 1);
        CHECK_INT(sys_epoll_wait(epoll, &event, 1, 0), 0);
    }
    sys_close(fd);
    sys_close(epoll);
}

static void socket_error_of_no_socket_is_an_error(void)
{
    CHECK_INT(sys_socket_error(-1), EBADF);
}

TEST_MAIN(TEST(random_bytes_fill_the_whole_buffer), TEST(coarse_clock_lags_behind_the_exact_one),
          TEST(descriptors_are_non_blocking_and_end_with_exec),
          TEST(pipe_of_an_impossible_size_still_works), TEST(each_signal_of_an_eventfd_is_an_edge),
          TEST(socket_error_of_no_socket_is_an_error))
