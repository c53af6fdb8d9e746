// SPDX-License-Identifier: Apache-2.0
#include "keeper/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "keeper/control_priv.h"
#include "keeper/keeper_priv.h"
#include "rt/clock.h"

#define REQUEST_MAX_MS 10000 // to come whole
#define WRITE_MAX_MS 30000   // without a byte taken
#define SHORTAGE_WAIT_MS 1000

// --- connections ---

void control_init(struct control *c)
{
    *c = (struct control){.fd = -1};
    list_init(&c->conns);
}

static void close_conn(struct control *c, struct control_conn *conn)
{
    list_remove(&conn->node);
    c->n_conns--;
    close(conn->fd);
    if (conn->out_fd >= 0)
        close(conn->out_fd);
    text_fini(&conn->out);
    mem_free(conn);
}

void control_fini(struct control *c)
{
    LIST_FOR_SAFE (n, &c->conns)
        close_conn(c, CONTAINER_OF(n, struct control_conn, node));
    control_stop_listening(c);
}

static struct control_conn *add_conn(struct control *c, int fd)
{
    struct control_conn *conn = MEM_NEW(struct control_conn);
    conn->fd = fd;
    conn->out_fd = -1;
    conn->due_ms = clock_now_ms() + REQUEST_MAX_MS;
    list_push_back(&c->conns, &conn->node);
    c->n_conns++;
    return conn;
}

static bool is_child(pid_t pid)
{
    siginfo_t ignored; // of one that has ended: it stays to be waited for
    return waitid(P_PID, (id_t)pid, &ignored, WEXITED | WNOHANG | WNOWAIT) == 0;
}

// Root and the keeper's own user; the socket's mode says so, too. But no gate, which may have the
// same user: whoever has taken one over could order an upgrade.
static bool is_allowed(int fd)
{
    struct ucred who;
    socklen_t len = sizeof who;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) == 0 &&
           (who.uid == 0 || who.uid == geteuid()) && !is_child(who.pid);
}

// False: there is none.
static bool accept_one(struct control *c)
{
    int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        // Without a free descriptor poll would tell of the same one again at once.
        c->accept_at_ms = errno == EAGAIN ? 0 : clock_now_ms() + SHORTAGE_WAIT_MS;
        return false;
    }
    if (c->n_conns < CONTROL_CONNS_MAX && is_allowed(fd))
        add_conn(c, fd);
    else
        close(fd);
    return true;
}

void control_accept_all(struct control *c)
{
    while (c->fd >= 0 && accept_one(c))
        ;
}

static ssize_t send_piece(struct control_conn *conn)
{
    struct iovec iov = {.iov_base = conn->out.ptr + conn->out_sent,
                        .iov_len = conn->out.len - conn->out_sent};
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {.space = {0}};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (conn->out_fd >= 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = sizeof control.space;
        struct cmsghdr *head = CMSG_FIRSTHDR(&msg);
        head->cmsg_level = SOL_SOCKET;
        head->cmsg_type = SCM_RIGHTS;
        head->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(head), &conn->out_fd, sizeof(int));
    }
    return sendmsg(conn->fd, &msg, MSG_NOSIGNAL);
}

bool control_conn_flush(struct control_conn *conn)
{
    while (conn->out_sent < conn->out.len) {
        ssize_t n = send_piece(conn);
        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        if (conn->out_fd >= 0)
            close(conn->out_fd);
        conn->out_fd = -1;
        conn->out_sent += (size_t)n;
        conn->due_ms = clock_now_ms() + WRITE_MAX_MS;
    }
    return true;
}

void control_conn_put(struct control_conn *conn, const json_t *j)
{
    char *line = json_dumps(j, JSON_COMPACT);
    ASSERT(line != NULL);
    text_put(&conn->out, str_of(line));
    text_byte(&conn->out, '\n');
    free(line);
}

void control_conn_finish(struct control_conn *conn, json_t *answer)
{
    control_conn_put(conn, answer);
    json_decref(answer);
    conn->state = CONTROL_CONN_WRITING;
    conn->due_ms = clock_now_ms() + WRITE_MAX_MS;
    (void)control_conn_flush(conn); // what is left, or a peer that is gone, is poll's
}

void control_conn_refuse(struct control_conn *conn, const char *why)
{
    control_conn_finish(conn, report_failure(why));
}

void control_conn_wait(struct control_conn *conn, enum control_wait what, uint64_t number,
                       int64_t due_ms)
{
    conn->state = CONTROL_CONN_WAITING;
    conn->wait = what;
    conn->number = number;
    conn->due_ms = due_ms;
}

// False: it is to be closed.
static bool read_request(struct keeper *k, struct control_conn *conn)
{
    ssize_t n = recv(conn->fd, conn->in + conn->in_bytes, sizeof conn->in - conn->in_bytes, 0);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0)
        return false;
    conn->in_bytes += (size_t)n;
    const char *end = memchr(conn->in, '\n', conn->in_bytes);
    if (end)
        control_command(k, conn, str_from(conn->in, (size_t)(end - conn->in)));
    else if (conn->in_bytes == sizeof conn->in)
        control_conn_refuse(conn, "the request is too long");
    return true;
}

// --- poll ---

size_t control_poll(struct control *c, struct pollfd *fds)
{
    size_t n = 0;
    bool has_room = c->n_conns < CONTROL_CONNS_MAX && clock_now_ms() >= c->accept_at_ms;
    fds[n++] = (struct pollfd){.fd = has_room ? c->fd : -1, .events = POLLIN};
    LIST_FOR (node, &c->conns) {
        const struct control_conn *conn = CONTAINER_OF(node, struct control_conn, node);
        short events = conn->state == CONTROL_CONN_READING ? POLLIN : 0;
        if (conn->out_sent < conn->out.len)
            events |= POLLOUT;
        fds[n++] = (struct pollfd){.fd = conn->fd, .events = events};
    }
    return n;
}

// False: it is to be closed.
static bool serve_conn(struct keeper *k, struct control_conn *conn, short events)
{
    if (conn->state == CONTROL_CONN_READING && (events & (POLLIN | POLLHUP)) &&
        !read_request(k, conn))
        return false;
    if (!control_conn_flush(conn))
        return false;
    // Who waits and hangs up isn't interested any more.
    return conn->state == CONTROL_CONN_READING || !(events & (POLLHUP | POLLERR));
}

static struct control_conn *find_conn(const struct control *c, int fd)
{
    LIST_FOR (n, &c->conns) {
        struct control_conn *conn = CONTAINER_OF(n, struct control_conn, node);
        if (conn->fd == fd)
            return conn;
    }
    return NULL;
}

void control_on_poll(struct keeper *k, const struct pollfd *fds, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        struct control_conn *conn = fds[i].revents ? find_conn(&k->control, fds[i].fd) : NULL;
        if (conn && !serve_conn(k, conn, fds[i].revents))
            close_conn(&k->control, conn);
    }
    while (fds[0].revents && k->control.fd >= 0 && k->control.n_conns < CONTROL_CONNS_MAX) {
        if (!accept_one(&k->control))
            break;
    }
}

void control_do_what_is_due(struct keeper *k, int64_t now_ms, int64_t *next_ms)
{
    if (k->control.accept_at_ms > now_ms)
        *next_ms = MIN(*next_ms, k->control.accept_at_ms);
    LIST_FOR_SAFE (n, &k->control.conns) {
        struct control_conn *conn = CONTAINER_OF(n, struct control_conn, node);
        if (conn->state == CONTROL_CONN_WRITING && conn->out_sent == conn->out.len) {
            close_conn(&k->control, conn);
            continue;
        }
        if (conn->due_ms > 0 && now_ms >= conn->due_ms) {
            if (conn->state != CONTROL_CONN_WAITING) {
                close_conn(&k->control, conn);
                continue;
            }
            if (conn->wait == CONTROL_WAIT_STATUS)
                control_conn_finish(conn, report_make(k, NULL));
            else
                control_conn_refuse(conn, "no gate serves, or it doesn't answer");
        }
        if (conn->due_ms > 0)
            *next_ms = MIN(*next_ms, conn->due_ms);
    }
}

// --- answers that come later ---

void control_bind_reload(struct control *c, uint64_t attempt)
{
    LIST_FOR (n, &c->conns) {
        struct control_conn *conn = CONTAINER_OF(n, struct control_conn, node);
        if (conn->state == CONTROL_CONN_WAITING && conn->wait == CONTROL_WAIT_RELOAD &&
            conn->number == 0)
            conn->number = attempt;
    }
}

static bool waits_for(const struct control_conn *conn, enum control_wait what, uint64_t number)
{
    return conn->state == CONTROL_CONN_WAITING && conn->wait == what && conn->number == number;
}

void control_answer(struct control *c, enum control_wait what, uint64_t number, json_t *answer)
{
    LIST_FOR (n, &c->conns) {
        struct control_conn *conn = CONTAINER_OF(n, struct control_conn, node);
        if (waits_for(conn, what, number))
            control_conn_finish(conn, json_incref(answer));
    }
    json_decref(answer);
}

void control_answer_file(struct control *c, enum control_wait what, uint64_t number, int fd,
                         json_t *answer)
{
    LIST_FOR (n, &c->conns) {
        struct control_conn *conn = CONTAINER_OF(n, struct control_conn, node);
        if (!waits_for(conn, what, number))
            continue;
        conn->out_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        control_conn_finish(conn, answer);
        return;
    }
    json_decref(answer);
}

bool control_is_awaited(const struct control *c, enum control_wait what, uint64_t number)
{
    LIST_FOR (n, &c->conns) {
        if (waits_for(CONTAINER_OF(n, struct control_conn, node), what, number))
            return true;
    }
    return false;
}

void control_refuse_all(struct control *c, enum control_wait what, const char *why)
{
    LIST_FOR (n, &c->conns) {
        struct control_conn *conn = CONTAINER_OF(n, struct control_conn, node);
        if (conn->state == CONTROL_CONN_WAITING && conn->wait == what)
            control_conn_refuse(conn, why);
    }
}

void control_progress(struct control *c, enum control_wait what, uint64_t number, const char *fmt,
                      ...)
{
    char text[512];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    json_t *line = json_pack("{s:o}", "progress", report_text(str_of(text)));
    LIST_FOR (n, &c->conns) {
        struct control_conn *conn = CONTAINER_OF(n, struct control_conn, node);
        if (waits_for(conn, what, number)) {
            control_conn_put(conn, line);
            (void)control_conn_flush(conn);
        }
    }
    json_decref(line);
}

int control_upgrade_fd(const struct control *c)
{
    LIST_FOR (n, &c->conns) {
        const struct control_conn *conn = CONTAINER_OF(n, struct control_conn, node);
        if (waits_for(conn, CONTROL_WAIT_UPGRADE, 0))
            return conn->fd;
    }
    return -1;
}

void control_adopt_upgrade(struct control *c, int fd)
{
    control_conn_wait(add_conn(c, fd), CONTROL_WAIT_UPGRADE, 0, 0);
}
