// SPDX-License-Identifier: Apache-2.0
#include "rt/channel.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "rt/clock.h"

#define SEND_WAIT_MS 10000
#define REFS_WAIT_MS 10 // between two looks whether descriptors have arrived

bool channel_pair(int ret_fds[2])
{
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_fds) == 0;
}

enum err channel_send(int channel, struct str bytes, int fd)
{
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes.ptr, .iov_len = bytes.len};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.space = {0}};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (fd >= 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = sizeof control.space;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof fd);
    }
    for (int64_t due_ms = 0;;) {
        ssize_t n = sendmsg(channel, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
            return ERR_OK;
        if (errno == EINTR)
            continue;
        // ETOOMANYREFS: too many descriptors of this user are in flight, wherever.
        bool is_full = errno == EAGAIN;
        if (!is_full && errno != ETOOMANYREFS)
            return errno == EPIPE || errno == ECONNRESET ? ERR_CLOSED : ERR_SYSTEM;
        int64_t now_ms = clock_exact_ns() / 1000000;
        due_ms = due_ms > 0 ? due_ms : now_ms + SEND_WAIT_MS;
        if (now_ms >= due_ms)
            return ERR_TIMEOUT;
        // The channel takes bytes while descriptors are too many: polling it wouldn't wait.
        poll(&(struct pollfd){.fd = is_full ? channel : -1, .events = POLLOUT}, 1,
             is_full ? (int)(due_ms - now_ms) : REFS_WAIT_MS);
    }
}

enum io channel_try_send(int channel, struct str bytes)
{
    ssize_t n;
    do
        n = send(channel, bytes.ptr, bytes.len, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n >= 0 ? IO_DONE : errno == EAGAIN ? IO_AGAIN : IO_FAIL;
}

static int take_fd(struct msghdr *msg)
{
    int fd = -1;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
            c->cmsg_len == CMSG_LEN(sizeof fd))
            memcpy(&fd, CMSG_DATA(c), sizeof fd);
    }
    return fd;
}

enum io channel_receive(int channel, void *buf, size_t cap, size_t *ret_len, int *ret_fd)
{
    struct iovec iov = {.iov_base = buf, .iov_len = cap};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.space = {0}};
    // CMSG_SPACE would leave room for a second descriptor in its padding.
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.space,
                         .msg_controllen = CMSG_LEN(sizeof(int))};
    ssize_t n;
    do
        n = recvmsg(channel, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EAGAIN ? IO_AGAIN : errno == ECONNRESET ? IO_EOF : IO_FAIL;
    int fd = take_fd(&msg);
    if (n == 0 || msg.msg_flags & MSG_TRUNC) {
        if (fd >= 0)
            close(fd);
        return n == 0 ? IO_EOF : IO_FAIL;
    }
    *ret_len = (size_t)n;
    *ret_fd = fd;
    return IO_DONE;
}
