// SPDX-License-Identifier: Apache-2.0
#include "rt/log_target.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "rt/file.h"

#define CONNECT_MAX_MS 1000
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 5000
#define UNACKED_MAX_MS 30000 // then a TCP connection counts as dead

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int64_t wall_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool poll_out(int fd, int wait_ms)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, wait_ms) == 1;
}

// --- state ---

static void disconnect(struct log_output *o)
{
    if (o->target.kind != LOG_TO_FD && o->fd >= 0) {
        close(o->fd);
        o->fd = -1;
        o->n_sent = 0; // what the peer has a part of is sent whole again
    }
}

// What failed is tried again after a time that grows.
static void fail(struct log_output *o, int error)
{
    disconnect(o);
    o->error = error;
    o->n_good = 0;
    o->backoff_ms = MIN(MAX(o->backoff_ms * 2, (int64_t)BACKOFF_MIN_MS), (int64_t)BACKOFF_MAX_MS);
    o->retry_at_ms = now_ms() + o->backoff_ms;
}

// A first datagram over UDP goes out whether somebody listens or not: the second one tells.
static void succeed(struct log_output *o)
{
    if (o->n_good++ < (o->target.kind == LOG_TO_SYSLOG_UDP ? 1 : 0))
        return;
    o->error = 0;
    o->backoff_ms = 0;
}

void log_output_set(struct log_output *o, const struct log_target *target)
{
    disconnect(o);
    if (o->target.kind == LOG_TO_FD && o->target.fd > STDERR_FILENO)
        close(o->target.fd);
    o->target = *target;
    o->sender.facility = target->facility;
    o->fd = -1;
    o->n_sent = 0; // a line that was cut is written whole to the new target
    o->n_good = 0;
    o->error = 0;
    o->backoff_ms = o->retry_at_ms = 0;
    o->is_blocked = o->must_ask = false;
    if (target->kind != LOG_TO_FD)
        return;
    o->fd = target->fd;
    // Non-blocking mode would be that of everybody who shares this pipe or terminal.
    struct stat st;
    bool is_file = file_stat(o->fd, &st) && S_ISREG(st.st_mode);
    o->must_ask = !is_file && (fcntl(o->fd, F_GETFL) & O_NONBLOCK) == 0;
}

void log_output_wait(const struct log_output *o, int wait_ms)
{
    int64_t left = o->retry_at_ms - now_ms();
    if (left <= 0 && o->is_blocked) {
        poll_out(o->fd, wait_ms);
        return;
    }
    int64_t ms = MIN(MAX(left, (int64_t)1), (int64_t)wait_ms);
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

void log_output_hurry(struct log_output *o)
{
    o->retry_at_ms = 0;
}

// --- descriptors: lines as they are ---

static size_t put_lines(struct log_output *o, const struct log_entry *entries, size_t n)
{
    size_t n_done = 0;
    while (n_done < n) {
        struct iovec iov[LOG_BATCH];
        int n_iov = 0;
        // A pipe that is ready takes so much without blocking, and not a byte more for sure.
        size_t room = o->must_ask ? PIPE_BUF : SIZE_MAX, skip = o->n_sent;
        for (size_t i = n_done; i < n && room > 0; i++, skip = 0) {
            struct str part = str_first(str_skip(entries[i].line, skip), room);
            iov[n_iov++] = (struct iovec){(void *)(uintptr_t)part.ptr, part.len};
            room -= part.len;
        }
        ssize_t written;
        if (o->must_ask && !poll_out(o->fd, 0)) {
            written = -1;
            errno = EAGAIN;
        } else {
            written = writev(o->fd, iov, n_iov);
        }
        if (written < 0 && errno == EINTR)
            continue;
        o->is_blocked = written < 0 && errno == EAGAIN;
        if (o->is_blocked)
            return n_done;
        if (written < 0) {
            fail(o, errno);
            return n_done;
        }
        succeed(o);
        o->n_sent += (size_t)written;
        for (; n_done < n && o->n_sent >= entries[n_done].line.len; n_done++)
            o->n_sent -= entries[n_done].line.len;
    }
    return n_done;
}

// --- sockets: each line in a frame ---

static int open_socket(const struct log_target *t, int type)
{
    int fd = socket(t->addr.u.any.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    int error = 0;
    if (t->kind == LOG_TO_SYSLOG_TCP)
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &(unsigned){UNACKED_MAX_MS},
                   sizeof(unsigned));
    if (connect(fd, &t->addr.u.any, t->addr.len) != 0)
        error = errno;
    if (error == EINPROGRESS) {
        socklen_t len = sizeof error;
        error = ETIMEDOUT;
        if (poll_out(fd, CONNECT_MAX_MS))
            getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    }
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

static bool is_connected(struct log_output *o)
{
    if (o->fd >= 0)
        return true;
    o->is_stream = o->target.kind == LOG_TO_SYSLOG_TCP;
    o->fd = open_socket(&o->target, o->is_stream ? SOCK_STREAM : SOCK_DGRAM);
    if (o->fd < 0 && errno == EPROTOTYPE && o->target.kind == LOG_TO_SYSLOG_UNIX) {
        o->is_stream = true;
        o->fd = open_socket(&o->target, SOCK_STREAM);
    }
    if (o->fd < 0)
        fail(o, errno);
    return o->fd >= 0;
}

// A collector that was restarted has closed its end: what is sent before we look is lost.
static bool is_peer_there(struct log_output *o)
{
    char ignored[256];
    ssize_t n = recv(o->fd, ignored, sizeof ignored, MSG_DONTWAIT);
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void build_frame(struct log_output *o, const struct log_entry *entry)
{
    struct writer w;
    if (o->target.kind == LOG_TO_JOURNAL) {
        writer_init(&w, o->frame, sizeof o->frame);
        log_message_journal(&w, &o->sender, entry, LOG_TEXT_MAX_JOURNAL);
        o->frame_bytes = w.len;
        return;
    }
    bool is_counted = o->target.kind == LOG_TO_SYSLOG_TCP;
    char message[LOG_TEXT_MAX_SYSLOG + LOG_MESSAGE_HEAD_BYTES];
    writer_init(&w, message, sizeof message);
    log_message_syslog(&w, &o->sender, entry,
                       o->target.kind == LOG_TO_SYSLOG_UDP ? LOG_TEXT_MAX_UDP : LOG_TEXT_MAX_SYSLOG,
                       wall_ns());
    struct str text = writer_str(&w);
    writer_init(&w, o->frame, sizeof o->frame);
    if (is_counted) { // RFC 6587 3.4.1
        writer_dec(&w, text.len);
        writer_byte(&w, ' ');
    }
    writer_put(&w, text);
    if (o->is_stream && !is_counted) // as the C library's syslog does
        writer_byte(&w, '\0');
    ASSERT(!w.overflowed);
    o->frame_bytes = w.len;
}

// False: not now. What can't be sent at all is counted, and done with.
static bool send_frame(struct log_output *o, const struct log_entry *entry, bool has_more)
{
    if (o->n_sent == 0)
        build_frame(o, entry);
    int flags = MSG_DONTWAIT | MSG_NOSIGNAL | (o->is_stream && has_more ? MSG_MORE : 0);
    while (o->n_sent < o->frame_bytes) {
        ssize_t n = send(o->fd, o->frame + o->n_sent, o->frame_bytes - o->n_sent, flags);
        if (n < 0 && errno == EINTR)
            continue;
        o->is_blocked = n < 0 && errno == EAGAIN;
        if (o->is_blocked)
            return false;
        if (n < 0 && errno == EMSGSIZE) {
            o->n_lost++;
            break;
        }
        if (n < 0) {
            // Over UDP this is about a datagram before: the network's word that nobody took it.
            o->n_lost += o->target.kind == LOG_TO_SYSLOG_UDP && errno == ECONNREFUSED;
            fail(o, errno);
            return false;
        }
        succeed(o);
        o->n_sent += (size_t)n;
    }
    o->n_sent = 0;
    return true;
}

static size_t put_frames(struct log_output *o, const struct log_entry *entries, size_t n)
{
    if (!is_connected(o))
        return 0;
    if (o->is_stream && !is_peer_there(o)) {
        disconnect(o);
        if (!is_connected(o))
            return 0;
    }
    size_t n_done = 0;
    while (n_done < n && send_frame(o, &entries[n_done], n_done + 1 < n))
        n_done++;
    return n_done;
}

size_t log_output_put(struct log_output *o, const struct log_entry *entries, size_t n)
{
    ASSERT(n <= LOG_BATCH);
    o->is_blocked = false;
    if (o->target.kind == LOG_TO_NOTHING)
        return n;
    if (o->retry_at_ms > 0 && now_ms() < o->retry_at_ms)
        return 0;
    o->retry_at_ms = 0;
    return o->target.kind == LOG_TO_FD ? put_lines(o, entries, n) : put_frames(o, entries, n);
}

struct str log_target_text(const struct log_target *t, char *buf, size_t n)
{
    static const char *const kinds[] = {
        [LOG_TO_NOTHING] = "nothing",           [LOG_TO_FD] = "its file",
        [LOG_TO_SYSLOG_UNIX] = "syslog at ",    [LOG_TO_SYSLOG_UDP] = "syslog at udp ",
        [LOG_TO_SYSLOG_TCP] = "syslog at tcp ", [LOG_TO_JOURNAL] = "journald at ",
    };
    char addr[128];
    struct str where = STR_NONE;
    if (t->kind > LOG_TO_FD)
        where = addr_text(&t->addr, addr, sizeof addr);
    struct writer w;
    writer_init(&w, buf, n);
    writer_put(&w, str_of(kinds[t->kind]));
    writer_put(&w, where);
    return writer_str(&w);
}
