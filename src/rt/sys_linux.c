// SPDX-License-Identifier: Apache-2.0
#include "rt/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/attr.h"
#include "rt/notes.h"

#define TCP_FLAGS_AT 13 // in a segment's header (RFC 9293 3.1)

// The calls of every request. The C library's functions are cancellation points: among threads
// each marks its thread before and after, which nobody here asks for. Sanitizers learn from them
// what is read and written. (For sockets the kernel has a shorter way than that of read and write,
// which serve all kinds of files.)
#if NOTES_ASAN || NOTES_TSAN
#define CALL(name, ...) name(__VA_ARGS__)
#else
#define CALL(name, ...) syscall(SYS_##name, __VA_ARGS__)
#endif

static int64_t read_clock(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t sys_clock_mono_ns(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

int64_t sys_clock_coarse_ns(void)
{
    return read_clock(CLOCK_MONOTONIC_COARSE);
}

int64_t sys_clock_wall_ns(void)
{
    return read_clock(CLOCK_REALTIME);
}

void sys_random(void *buf, size_t n)
{
    char *at = buf;
    while (n > 0) {
        ssize_t got = getrandom(at, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            panic("getrandom: no entropy, errno %d", errno);
        at += got;
        n -= (size_t)got;
    }
}

int sys_epoll_create(void)
{
    return epoll_create1(EPOLL_CLOEXEC);
}

static int control(int epoll, int op, int fd, uint32_t events, void *ptr)
{
    struct epoll_event e = {.events = events, .data.ptr = ptr};
    return epoll_ctl(epoll, op, fd, &e);
}

int sys_epoll_add(int epoll, int fd, uint32_t events, void *ptr)
{
    return control(epoll, EPOLL_CTL_ADD, fd, events, ptr);
}

int sys_epoll_mod(int epoll, int fd, uint32_t events, void *ptr)
{
    return control(epoll, EPOLL_CTL_MOD, fd, events, ptr);
}

int sys_epoll_del(int epoll, int fd)
{
    return control(epoll, EPOLL_CTL_DEL, fd, 0, NULL);
}

int sys_epoll_wait(int epoll, struct epoll_event *events, int n_events, int timeout_ms)
{
    return (int)CALL(epoll_pwait, epoll, events, n_events, timeout_ms, NULL);
}

int sys_eventfd(void)
{
    return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
}

void sys_eventfd_signal(int fd)
{
    // Fails only when the counter is full, and that is an edge that is still to be seen.
    (void)eventfd_write(fd, 1);
}

int sys_socket(int family, int type, int protocol)
{
    return socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
}

int sys_connect(int fd, const struct sockaddr *addr, socklen_t len)
{
    return (int)CALL(connect, fd, addr, len);
}

int sys_accept(int fd, struct sockaddr *addr, socklen_t *len)
{
    return (int)CALL(accept4, fd, addr, len, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int sys_setsockopt(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value);
}

int sys_refuse_new(int fd)
{
    // Those that wait for their first byte no longer have to.
    (void)sys_setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, 0);
    // The socket's filter sees TCP segments: it drops those with SYN.
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, TCP_FLAGS_AT),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, TH_SYN, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, 0),
        BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
    };
    struct sock_fprog program = {.len = ARRAY_LEN(code), .filter = code};
    return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program);
}

int sys_socket_error(int fd)
{
    int error = 0;
    socklen_t len = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == 0 ? error : errno;
}

int64_t sys_last_ack_ms(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;
    bool is_known = getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
                    len >= offsetof(struct tcp_info, tcpi_last_ack_recv) + 4;
    return is_known ? (int64_t)info.tcpi_last_ack_recv : -1;
}

int sys_local_addr(int fd, struct sockaddr *addr, socklen_t *len)
{
    return getsockname(fd, addr, len);
}

ssize_t sys_recv(int fd, void *buf, size_t n)
{
    return CALL(recvfrom, fd, buf, n, 0, NULL, NULL);
}

ssize_t sys_peek(int fd, void *buf, size_t n)
{
    return CALL(recvfrom, fd, buf, n, MSG_PEEK, NULL, NULL);
}

ssize_t sys_send(int fd, const void *buf, size_t n)
{
    return CALL(sendto, fd, buf, n, MSG_NOSIGNAL, NULL, 0);
}

ssize_t sys_sendv(int fd, const struct iovec *iov, int n_iov)
{
    // WHY: iovec serves reading too and isn't const; sending leaves it alone.
    const struct msghdr m = {.msg_iov = (struct iovec *)(uintptr_t)iov,
                             .msg_iovlen = (size_t)n_iov};
    return CALL(sendmsg, fd, &m, MSG_NOSIGNAL);
}

ssize_t sys_splice(int from, int to, size_t n, int has_more)
{
    unsigned flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | (has_more ? SPLICE_F_MORE : 0u);
    return CALL(splice, from, NULL, to, NULL, n, flags);
}

int sys_pipe(int ret_fds[2], size_t wanted_bytes)
{
    if (pipe2(ret_fds, O_NONBLOCK | O_CLOEXEC) != 0)
        return -1;
    // Beyond the user's quota (pipe-user-pages-soft) the pipe keeps its smaller size, and works.
    (void)fcntl(ret_fds[1], F_SETPIPE_SZ, (int)wanted_bytes);
    return 0;
}

ssize_t sys_pwrite(int fd, const void *buf, size_t n, int64_t at)
{
    return pwrite(fd, buf, n, at);
}

ssize_t sys_pread(int fd, void *buf, size_t n, int64_t at)
{
    return pread(fd, buf, n, at);
}

int sys_truncate(int fd, int64_t to)
{
    return ftruncate(fd, to);
}

int sys_shutdown(int fd, int how)
{
    return shutdown(fd, how);
}

int sys_close(int fd)
{
    return (int)CALL(close, fd);
}

int sys_reset(int fd)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    return (int)CALL(close, fd);
}
