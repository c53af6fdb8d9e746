// SPDX-License-Identifier: Apache-2.0
#include "rt/channel.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "unit/test.h"

struct pair {
    int ends[2];
};

static struct pair open_pair(void)
{
    struct pair p;
    CHECK(channel_pair(p.ends));
    return p;
}

static void close_pair(struct pair *p)
{
    close(p->ends[0]);
    close(p->ends[1]);
}

static int count_descriptors(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    while (dir && readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static enum io receive(int fd, struct str *ret, int *ret_fd)
{
    static char buf[64];
    size_t len = 0;
    enum io io = channel_receive(fd, buf, sizeof buf, &len, ret_fd);
    *ret = str_from(buf, len);
    return io;
}

static void trying_to_send_does_not_wait_for_room(void)
{
    struct pair p = open_pair();
    struct str got;
    int fd;
    enum io io;
    unsigned n_sent = 0;
    while ((io = channel_try_send(p.ends[0], STR("more"))) == IO_DONE && n_sent < 1000000)
        n_sent++;
    CHECK_INT(io, IO_AGAIN);
    CHECK(n_sent > 0);
    CHECK_INT(receive(p.ends[1], &got, &fd), IO_DONE);
    CHECK_STR(got, STR("more"));
    CHECK_INT(channel_try_send(p.ends[0], STR("more")), IO_DONE);
    close(p.ends[1]);
    CHECK_INT(channel_try_send(p.ends[0], STR("more")), IO_FAIL);
    close(p.ends[0]);
}

static void messages_arrive_whole_and_in_order(void)
{
    struct pair p = open_pair();
    struct str got;
    int fd = 7;
    CHECK_INT(receive(p.ends[1], &got, &fd), IO_AGAIN);
    CHECK_INT(channel_send(p.ends[0], STR("one"), -1), ERR_OK);
    CHECK_INT(channel_send(p.ends[0], STR("two"), -1), ERR_OK);
    CHECK_INT(receive(p.ends[1], &got, &fd), IO_DONE);
    CHECK_STR(got, STR("one"));
    CHECK_INT(fd, -1);
    CHECK_INT(receive(p.ends[1], &got, &fd), IO_DONE);
    CHECK_STR(got, STR("two"));
    close_pair(&p);
}

static void a_descriptor_travels_and_is_closed_by_an_exec(void)
{
    struct pair p = open_pair(), sent = open_pair();
    struct str got;
    int fd = -1;
    CHECK_INT(channel_send(p.ends[0], STR("take it"), sent.ends[1]), ERR_OK);
    CHECK_INT(receive(p.ends[1], &got, &fd), IO_DONE);
    CHECK(fd >= 0 && fd != sent.ends[1]);
    CHECK_INT(fcntl(fd, F_GETFD), FD_CLOEXEC);
    CHECK_INT(channel_send(sent.ends[0], STR("through it"), -1), ERR_OK);
    int none;
    CHECK_INT(receive(fd, &got, &none), IO_DONE);
    CHECK_STR(got, STR("through it"));
    close(fd);
    close_pair(&p);
    close_pair(&sent);
}

static void the_end_of_the_peer_is_told_to_both_directions(void)
{
    struct pair p = open_pair();
    struct str got;
    int fd;
    close(p.ends[0]);
    CHECK_INT(receive(p.ends[1], &got, &fd), IO_EOF);
    CHECK_INT(channel_send(p.ends[1], STR("x"), -1), ERR_CLOSED);
    close(p.ends[1]);
}

static void a_message_larger_than_the_buffer_fails(void)
{
    struct pair p = open_pair();
    char large[65] = {0};
    struct str got;
    int fd;
    CHECK_INT(channel_send(p.ends[0], str_from(large, sizeof large), p.ends[0]), ERR_OK);
    int n = count_descriptors();
    CHECK_INT(receive(p.ends[1], &got, &fd), IO_FAIL);
    CHECK_INT(count_descriptors(), n);
    close_pair(&p);
}

// Sends n bytes with two descriptors, as a hostile peer may.
static void send_two(int channel, size_t n)
{
    char byte = 'x';
    struct iovec iov = {.iov_base = &byte, .iov_len = n};
    int fds[2] = {channel, channel};
    union {
        char space[CMSG_SPACE(sizeof fds)];
        struct cmsghdr align;
    } control = {.space = {0}};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = sizeof control.space};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof fds);
    memcpy(CMSG_DATA(c), fds, sizeof fds);
    CHECK_INT(sendmsg(channel, &msg, 0), n);
}

static void a_peer_that_sends_too_many_descriptors_leaks_none(void)
{
    struct pair p = open_pair();
    struct str got;
    int fd = -1, n = count_descriptors();
    send_two(p.ends[0], 1);
    CHECK_INT(receive(p.ends[1], &got, &fd), IO_DONE);
    CHECK(fd >= 0);
    close(fd);
    CHECK_INT(count_descriptors(), n);
    send_two(p.ends[0], 0);
    CHECK_INT(receive(p.ends[1], &got, &fd), IO_EOF);
    CHECK_INT(count_descriptors(), n);
    close_pair(&p);
}

static void a_message_survives_when_no_number_is_free_for_its_descriptor(void)
{
    struct pair p = open_pair();
    struct str got;
    int fd = 7;
    struct rlimit limit, few = {.rlim_cur = 0};
    CHECK_INT(channel_send(p.ends[0], STR("listen"), p.ends[0]), ERR_OK);
    CHECK_INT(getrlimit(RLIMIT_NOFILE, &limit), 0);
    few.rlim_max = limit.rlim_max;
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &few), 0);
    CHECK_INT(receive(p.ends[1], &got, &fd), IO_DONE);
    CHECK_INT(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_STR(got, STR("listen"));
    CHECK_INT(fd, -1);
    close_pair(&p);
}

TEST_MAIN(TEST(trying_to_send_does_not_wait_for_room), TEST(messages_arrive_whole_and_in_order),
          TEST(a_descriptor_travels_and_is_closed_by_an_exec),
          TEST(the_end_of_the_peer_is_told_to_both_directions),
          TEST(a_message_larger_than_the_buffer_fails),
          TEST(a_peer_that_sends_too_many_descriptors_leaks_none),
          TEST(a_message_survives_when_no_number_is_free_for_its_descriptor))
