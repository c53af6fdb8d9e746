// SPDX-License-Identifier: Apache-2.0
#include "keeper/control.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/text.h"
#include "keeper/control_cert.h"
#include "keeper/keeper_priv.h"
#include "rt/clock.h"
#include "rt/log.h"

#define REQUEST_MAX_BYTES 8192
#define REQUEST_MAX_MS 10000 // to come whole
#define REPORT_MAX_MS 5000   // for the gate's report
#define WRITE_MAX_MS 30000   // without a byte taken
#define BEACON_MAX_MS 10000  // for the gate to have it
#define SHORTAGE_WAIT_MS 1000
#define BACKLOG 64

enum conn_state {
    CONN_READING,
    CONN_WAITING, // for what `wait` says
    CONN_WRITING, // closed when all is written
    CONN_HELD,    // open until the keeper ends
};

struct control_conn {
    struct list_node node; // in control.conns
    int fd;                // owns
    enum conn_state state;
    enum control_wait wait;
    uint64_t number; // of the attempt or question waited for; 0: the attempt that comes next
    int64_t due_ms;  // 0: no deadline
    size_t in_bytes;
    char in[REQUEST_MAX_BYTES];
    struct text out;
    size_t out_sent;
    int out_fd; // owns: goes with the first byte; -1
};

// --- listening ---

void control_init(struct control *c)
{
    *c = (struct control){.fd = -1};
    list_init(&c->conns);
}

// The folder of path, made for its owner alone when it isn't there.
static bool make_folder(const char *path)
{
    char folder[108];
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return true;
    snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
    struct stat st;
    if (mkdir(folder, 0700) == 0 || errno != EEXIST)
        return stat(folder, &st) == 0;
    // In /tmp somebody else could have made it.
    if (stat(folder, &st) == 0 && S_ISDIR(st.st_mode) &&
        (st.st_uid == geteuid() || st.st_uid == 0 || geteuid() == 0))
        return true;
    errno = EACCES;
    return false;
}

static bool fill_address(const char *path, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof ret->sun_path)
        return false;
    memcpy(ret->sun_path, path, strlen(path));
    return true;
}

// Nobody listens at this socket's file any more: it may go.
static bool is_abandoned(const struct sockaddr_un *addr)
{
    struct stat st;
    if (lstat(addr->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
        return false;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool is_refused = fd >= 0 && connect(fd, (const struct sockaddr *)addr, sizeof *addr) != 0 &&
                      errno == ECONNREFUSED;
    if (fd >= 0)
        close(fd);
    return is_refused;
}

static bool bind_and_listen(int fd, const struct sockaddr_un *addr)
{
    const struct sockaddr *any = (const struct sockaddr *)addr;
    mode_t before = umask(0177);
    bool is_bound = bind(fd, any, sizeof *addr) == 0;
    if (!is_bound && errno == EADDRINUSE && is_abandoned(addr)) {
        unlink(addr->sun_path);
        is_bound = bind(fd, any, sizeof *addr) == 0;
    }
    umask(before);
    return is_bound && listen(fd, BACKLOG) == 0;
}

static void remember_file(struct control *c)
{
    struct stat st;
    if (lstat(c->path, &st) == 0) {
        c->dev = st.st_dev;
        c->ino = st.st_ino;
    }
}

static void stop_listening(struct control *c)
{
    struct stat st;
    if (c->fd < 0)
        return;
    close(c->fd);
    // Another process may have put its own socket there.
    if (lstat(c->path, &st) == 0 && st.st_dev == c->dev && st.st_ino == c->ino)
        unlink(c->path);
    c->fd = -1;
    c->path[0] = '\0';
}

// errno, in words that lead on.
static void tell_failure(const char *path, char *reterr, size_t n)
{
    int error = errno;
    struct stat st;
    bool is_there = error == EADDRINUSE && lstat(path, &st) == 0;
    const char *why = strerror(error);
    if (is_there && !S_ISSOCK(st.st_mode))
        why = "something that is no socket is in its place: remove it, or name another path with "
              "'control: { socket: PATH }'";
    else if (is_there)
        why = "another sallyport listens there: name a path of its own with "
              "'control: { socket: PATH }'";
    snprintf(reterr, n, "%s: %s%s", path, why,
             error == ENOENT ? ": the folder's folder must exist" : "");
}

bool control_listen(struct control *c, const char *path, char *reterr, size_t n)
{
    struct sockaddr_un addr;
    if (strcmp(path, c->path) == 0)
        return true;
    if (path[0] == '\0') {
        stop_listening(c);
        return true;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || !fill_address(path, &addr) || !make_folder(path) || !bind_and_listen(fd, &addr)) {
        tell_failure(path, reterr, n);
        if (fd >= 0)
            close(fd);
        return false;
    }
    stop_listening(c);
    c->fd = fd;
    snprintf(c->path, sizeof c->path, "%s", path);
    remember_file(c);
    return true;
}

void control_adopt(struct control *c, int fd)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    socklen_t len = sizeof addr;
    (void)getsockname(fd, (struct sockaddr *)&addr, &len);
    c->fd = fd;
    snprintf(c->path, sizeof c->path, "%s", addr.sun_path); // control_listen has left room for NUL
    remember_file(c);
}

// --- connections ---

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
    stop_listening(c);
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

// Writes what it can. False: the peer is gone.
static bool flush(struct control_conn *conn)
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

static void put_json(struct control_conn *conn, const json_t *j)
{
    char *line = json_dumps(j, JSON_COMPACT);
    ASSERT(line != NULL);
    text_put(&conn->out, str_of(line));
    text_byte(&conn->out, '\n');
    free(line);
}

// The last line. Takes over the reference.
static void finish(struct control_conn *conn, json_t *answer)
{
    put_json(conn, answer);
    json_decref(answer);
    conn->state = CONN_WRITING;
    conn->due_ms = clock_now_ms() + WRITE_MAX_MS;
    (void)flush(conn); // what is left, or a peer that is gone, is poll's
}

static void refuse(struct control_conn *conn, const char *why)
{
    finish(conn, report_failure(why));
}

static void wait_for(struct control_conn *conn, enum control_wait what, uint64_t number,
                     int64_t due_ms)
{
    conn->state = CONN_WAITING;
    conn->wait = what;
    conn->number = number;
    conn->due_ms = due_ms;
}

// --- commands ---

static void do_status(struct keeper *k, struct control_conn *conn)
{
    struct gate *g = gates_find(k, GATE_SERVING);
    if (!g || g->is_foreign) {
        finish(conn, report_make(k, NULL));
        return;
    }
    struct gate_question m = {.type = GATE_ASK, .seq = ++k->last_question};
    wait_for(conn, CONTROL_WAIT_STATUS, m.seq, clock_now_ms() + REPORT_MAX_MS);
    gates_tell(g, &m, sizeof m, -1);
}

static void do_reload(struct keeper *k, struct control_conn *conn)
{
    if (k->is_stopping) {
        refuse(conn, "it is stopping");
        return;
    }
    wait_for(conn, CONTROL_WAIT_RELOAD, 0, 0);
    reload_ask(k);
}

static void do_stop(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    json_t *answer = json_pack("{s:b, s:i}", "ok", 1, "pid", (int)getpid());
    put_json(conn, answer);
    json_decref(answer);
    conn->state = CONN_HELD;
    conn->due_ms = 0;
    (void)flush(conn);
    keeper_stop(k, json_is_true(json_object_get(request, "now")));
}

static void do_upgrade(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    char why[512];
    wait_for(conn, CONTROL_WAIT_UPGRADE, 0, 0);
    if (!upgrade_begin(k, json_string_value(json_object_get(request, "binary")), why, sizeof why))
        refuse(conn, why);
}

static void do_settings(struct keeper *k, struct control_conn *conn)
{
    if (k->current.seq == 0) {
        refuse(conn, "no settings are in force yet");
        return;
    }
    conn->out_fd = fcntl(k->current.settings_fd, F_DUPFD_CLOEXEC, 0);
    const char *path = k->options->path ? k->options->path : "command line";
    finish(conn, json_pack("{s:b, s:I, s:o}", "ok", 1, "seq", (json_int_t)k->current.seq, "source",
                           report_text(str_of(path))));
}

static void do_cert(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    uint64_t number = 0;
    json_t *answer = control_cert(k, request, &number);
    if (answer)
        finish(conn, answer);
    else
        wait_for(conn, CONTROL_WAIT_CERT, number, 0);
}

static void do_account(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    uint64_t number = 0;
    json_t *answer = control_account(k, request, &number);
    if (answer)
        finish(conn, answer);
    else
        wait_for(conn, CONTROL_WAIT_CERT, number, 0);
}

static json_t *beacon_answer(const struct keeper *k)
{
    return json_pack("{s:b, s:s, s:s}", "ok", 1, "token", k->secrets.beacon.token, "body",
                     k->secrets.beacon.body);
}

static void do_beacon(struct keeper *k, struct control_conn *conn)
{
    const char *why;
    if (!secrets_light_beacon(&k->secrets, &why))
        refuse(conn, why);
    else if (secrets_beacon_is_seen(&k->secrets))
        finish(conn, beacon_answer(k));
    else
        wait_for(conn, CONTROL_WAIT_BEACON, 0, clock_now_ms() + BEACON_MAX_MS);
}

void control_beacon(struct keeper *k)
{
    if (secrets_beacon_is_seen(&k->secrets))
        control_answer(&k->control, CONTROL_WAIT_BEACON, 0, beacon_answer(k));
}

static void do_refresh(struct keeper *k, struct control_conn *conn)
{
    secrets_refresh(&k->secrets);
    finish(conn, json_pack("{s:b}", "ok", 1));
}

static void do_pin(struct keeper *k, struct control_conn *conn, const json_t *request)
{
    const char *action = json_string_value(json_object_get(request, "action"));
    const char *server = json_string_value(json_object_get(request, "server"));
    const char *why = "an action is needed: list, or forget with a server";
    if (action && strcmp(action, "list") == 0)
        finish(conn, json_pack("{s:b, s:o}", "ok", 1, "pins", secrets_report_pins(&k->secrets)));
    else if (action && strcmp(action, "forget") == 0 && server &&
             secrets_forget_pin(&k->secrets, str_of(server), &why))
        finish(conn, json_pack("{s:b}", "ok", 1));
    else
        refuse(conn, why);
}

static void take_request(struct keeper *k, struct control_conn *conn, size_t n)
{
    json_t *request = json_loadb(conn->in, n, JSON_REJECT_DUPLICATES, NULL);
    const char *command = json_string_value(json_object_get(request, "command"));
    if (!command)
        refuse(conn, "a request is one line of JSON with a \"command\"");
    else if (strcmp(command, "status") == 0)
        do_status(k, conn);
    else if (strcmp(command, "reload") == 0)
        do_reload(k, conn);
    else if (strcmp(command, "stop") == 0)
        do_stop(k, conn, request);
    else if (strcmp(command, "upgrade") == 0)
        do_upgrade(k, conn, request);
    else if (strcmp(command, "settings") == 0)
        do_settings(k, conn);
    else if (strcmp(command, "cert") == 0)
        do_cert(k, conn, request);
    else if (strcmp(command, "pin") == 0)
        do_pin(k, conn, request);
    else if (strcmp(command, "account") == 0)
        do_account(k, conn, request);
    else if (strcmp(command, "refresh") == 0)
        do_refresh(k, conn);
    else if (strcmp(command, "beacon") == 0)
        do_beacon(k, conn);
    else
        refuse(conn, "there is no such command; known: status, reload, stop, upgrade, settings, "
                     "cert, account, pin, refresh, beacon");
    json_decref(request);
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
        take_request(k, conn, (size_t)(end - conn->in));
    else if (conn->in_bytes == sizeof conn->in)
        refuse(conn, "the request is too long");
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
        short events = conn->state == CONN_READING ? POLLIN : 0;
        if (conn->out_sent < conn->out.len)
            events |= POLLOUT;
        fds[n++] = (struct pollfd){.fd = conn->fd, .events = events};
    }
    return n;
}

// False: it is to be closed.
static bool serve_conn(struct keeper *k, struct control_conn *conn, short events)
{
    if (conn->state == CONN_READING && (events & (POLLIN | POLLHUP)) && !read_request(k, conn))
        return false;
    if (!flush(conn))
        return false;
    // Who waits and hangs up isn't interested any more.
    return conn->state == CONN_READING || !(events & (POLLHUP | POLLERR));
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
        if (conn->state == CONN_WRITING && conn->out_sent == conn->out.len) {
            close_conn(&k->control, conn);
            continue;
        }
        if (conn->due_ms > 0 && now_ms >= conn->due_ms) {
            if (conn->state != CONN_WAITING) {
                close_conn(&k->control, conn);
                continue;
            }
            if (conn->wait == CONTROL_WAIT_STATUS)
                finish(conn, report_make(k, NULL));
            else
                refuse(conn, "no gate serves"); // for the beacon
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
        if (conn->state == CONN_WAITING && conn->wait == CONTROL_WAIT_RELOAD && conn->number == 0)
            conn->number = attempt;
    }
}

static bool waits_for(const struct control_conn *conn, enum control_wait what, uint64_t number)
{
    return conn->state == CONN_WAITING && conn->wait == what && conn->number == number;
}

void control_answer(struct control *c, enum control_wait what, uint64_t number, json_t *answer)
{
    LIST_FOR (n, &c->conns) {
        struct control_conn *conn = CONTAINER_OF(n, struct control_conn, node);
        if (waits_for(conn, what, number))
            finish(conn, json_incref(answer));
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
        if (conn->state == CONN_WAITING && conn->wait == what)
            refuse(conn, why);
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
            put_json(conn, line);
            (void)flush(conn);
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
    wait_for(add_conn(c, fd), CONTROL_WAIT_UPGRADE, 0, 0);
}
