// SPDX-License-Identifier: Apache-2.0
#include "cli/control_client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/mem.h"
#include "cli/control_find.h"
#include "cli/plain.h"
#include "rt/clock.h"

#define SEND_MAX_S 10
#define ASK_PATIENCE_MS 10000
#define TICK_MS 500
#define READ_BYTES 65536

// --- connecting ---

static bool connect_to(struct control_client *c, struct sockaddr_un *at)
{
    c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = SEND_MAX_S};
    return c->fd >= 0 && setsockopt(c->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
           connect(c->fd, (const struct sockaddr *)at, sizeof *at) == 0;
}

static void tell_refusal(const struct control_client *c, int error, const struct text *note)
{
    switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ECONNREFUSED: // or a socket that was left behind
        fprintf(stderr,
                "sallyport: nothing is running with the control socket %s; start it with "
                "'sallyport run', or name another socket with --control" STR_FMT "\n",
                c->path, STR_ARG(text_str(note)));
        break;
    case EACCES:
    case EPERM:
        fprintf(stderr,
                "sallyport: no permission to use the control socket %s: it is for root and for "
                "the user who runs the proxy\n",
                c->path);
        break;
    case EAGAIN:
        fprintf(stderr, "sallyport: the proxy at %s is busy and takes no connection\n", c->path);
        break;
    default:
        fprintf(stderr, "sallyport: can't use the control socket %s: %s\n", c->path,
                strerror(error));
    }
}

// Somebody else's process could only lie to us, in a folder where everybody may write.
static bool check_peer(struct control_client *c)
{
    struct ucred peer;
    socklen_t n = sizeof peer;
    if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) != 0) {
        fprintf(stderr, "sallyport: can't tell who listens at %s: %s\n", c->path, strerror(errno));
        return false;
    }
    c->keeper_pid = peer.pid;
    if (geteuid() == 0 || peer.uid == 0 || peer.uid == geteuid())
        return true;
    fprintf(stderr, "sallyport: another user's process (uid %u) listens at %s: not used\n",
            (unsigned)peer.uid, c->path);
    return false;
}

bool control_client_is_there(const struct cli_args *args)
{
    struct text path = {.ptr = NULL}, note = {.ptr = NULL};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    struct control_client c = {.fd = -1};
    bool is_there = control_find(args, &path, &note) && path.len < sizeof at.sun_path;
    if (is_there) {
        memcpy(at.sun_path, path.ptr, path.len);
        is_there = connect_to(&c, &at);
    }
    if (c.fd >= 0)
        close(c.fd);
    text_fini(&path);
    text_fini(&note);
    return is_there;
}

bool control_client_open(struct control_client *c, const struct cli_args *args, const char *what)
{
    struct text path = {.ptr = NULL}, note = {.ptr = NULL};
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    *c = (struct control_client){.fd = -1, .received_fd = -1};
    progress_start(&c->progress, what, cli_has(args, "quiet"));
    bool is_open = control_find(args, &path, &note);
    if (is_open) {
        c->path = mem_copy(path.ptr, path.len);
        is_open = path.len < sizeof at.sun_path;
        if (!is_open)
            fprintf(stderr, "sallyport: '%s' is too long for a socket's path: %zu bytes at most\n",
                    c->path, sizeof at.sun_path - 1);
    }
    if (is_open) {
        memcpy(at.sun_path, path.ptr, path.len);
        is_open = connect_to(c, &at);
        if (!is_open)
            tell_refusal(c, errno, &note);
    }
    text_fini(&path);
    text_fini(&note);
    return is_open && check_peer(c);
}

void control_client_close(struct control_client *c)
{
    progress_clear(&c->progress);
    if (c->fd >= 0)
        close(c->fd);
    if (c->received_fd >= 0)
        close(c->received_fd);
    mem_free(c->path);
    text_fini(&c->in);
    *c = (struct control_client){.fd = -1, .received_fd = -1};
}

// --- talking ---

enum heard {
    HEARD_LINE,
    HEARD_END,    // between two lines
    HEARD_FAILED, // told
};

static enum heard fail(struct control_client *c, const char *what)
{
    progress_clear(&c->progress);
    fprintf(stderr, "sallyport: %s (control socket %s)\n", what, c->path);
    return HEARD_FAILED;
}

static enum heard fail_nonsense(struct control_client *c)
{
    return fail(c, "what listens there doesn't answer as Sallyport does");
}

static bool send_all(struct control_client *c, struct str s)
{
    while (s.len > 0) {
        ssize_t n = send(c->fd, s.ptr, s.len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return false;
        s = str_skip(s, (size_t)n);
    }
    return true;
}

// A descriptor may come with any bytes; the last one stays.
static void take_descriptor(struct control_client *c, struct msghdr *m)
{
    for (struct cmsghdr *h = CMSG_FIRSTHDR(m); h; h = CMSG_NXTHDR(m, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS ||
            h->cmsg_len != CMSG_LEN(sizeof(int)))
            continue;
        if (c->received_fd >= 0)
            close(c->received_fd);
        memcpy(&c->received_fd, CMSG_DATA(h), sizeof(int));
    }
}

// More bytes than 0, 0 at the end, -1 with errno.
static ssize_t receive(struct control_client *c)
{
    char buf[READ_BYTES];
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } rights;
    struct iovec part = {.iov_base = buf, .iov_len = sizeof buf};
    struct msghdr m = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &rights, .msg_controllen = sizeof rights};
    ssize_t n = recvmsg(c->fd, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    if (n < 0)
        return n;
    take_descriptor(c, &m);
    text_put(&c->in, str_from(buf, (size_t)n));
    return n;
}

// Waits for bytes. patience_ms < 0: as long as it takes.
static enum heard wait_bytes(struct control_client *c, int64_t patience_ms)
{
    int64_t due = clock_now_ms() + patience_ms;
    for (;;) {
        struct pollfd p = {.fd = c->fd, .events = POLLIN};
        if (poll(&p, 1, TICK_MS) > 0)
            return HEARD_LINE;
        if (patience_ms >= 0 && clock_now_ms() >= due)
            return fail(c, "the proxy doesn't answer in time");
        progress_tick(&c->progress);
    }
}

static void forget_taken(struct control_client *c)
{
    if (c->n_taken == 0)
        return;
    memmove(c->in.ptr, c->in.ptr + c->n_taken, c->in.len - c->n_taken);
    c->in.len -= c->n_taken;
    c->n_taken = 0;
}

// The next line, without its end; borrowed until the next call.
static enum heard next_line(struct control_client *c, int64_t patience_ms, struct str *ret)
{
    size_t n_searched = 0;
    for (;;) {
        struct str rest = str_skip(text_str(&c->in), c->n_taken);
        size_t end = str_find(str_skip(rest, n_searched), '\n');
        if (end != STR_NPOS) {
            *ret = str_first(rest, n_searched + end);
            c->n_taken += ret->len + 1;
            return HEARD_LINE;
        }
        n_searched = rest.len;
        forget_taken(c);
        if (rest.len > CONTROL_ANSWER_MAX_BYTES)
            return fail_nonsense(c);
        enum heard heard = wait_bytes(c, patience_ms);
        if (heard != HEARD_LINE)
            return heard;
        ssize_t n = receive(c);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0 && rest.len > 0)
            return fail(c, "the answer broke off: the proxy may have ended");
        if (n <= 0)
            return HEARD_END;
    }
}

// The next line that isn't a step: its object, which the caller owns, in *ret.
static enum heard next_answer(struct control_client *c, int64_t patience_ms, json_t **ret)
{
    for (;;) {
        struct str line;
        enum heard heard = next_line(c, patience_ms, &line);
        if (heard != HEARD_LINE)
            return heard;
        json_t *object = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES, NULL);
        const char *step = json_string_value(json_object_get(object, "progress"));
        if (step) {
            progress_step(&c->progress, step);
            json_decref(object);
            continue;
        }
        if (json_is_boolean(json_object_get(object, "ok"))) {
            *ret = object;
            return HEARD_LINE;
        }
        json_decref(object);
        return fail_nonsense(c);
    }
}

json_t *control_client_call(struct control_client *c, json_t *request, int64_t patience_ms)
{
    json_t *answer = NULL;
    char *line = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    ASSERT(line); // it holds nothing that JSON can't
    // A peer that hangs up may have said why.
    bool is_sent = send_all(c, str_of(line)) && send_all(c, STR("\n"));
    free(line);
    if (!is_sent && errno != EPIPE && errno != ECONNRESET) {
        fail(c, errno == EAGAIN ? "the proxy doesn't listen" : strerror(errno));
        return NULL;
    }
    if (next_answer(c, patience_ms, &answer) == HEARD_END)
        fail(c, "the proxy hung up without an answer: it may have ended, or be about to");
    progress_clear(&c->progress);
    return answer;
}

bool control_client_wait_end(struct control_client *c)
{
    json_t *ignored = NULL;
    enum heard heard = next_answer(c, -1, &ignored);
    json_decref(ignored);
    progress_clear(&c->progress);
    if (heard == HEARD_LINE)
        fail_nonsense(c);
    return heard == HEARD_END;
}

json_t *control_client_talk(const struct cli_args *args, json_t *request, const char *what,
                            int64_t patience_ms)
{
    struct control_client c;
    json_t *answer = NULL;
    if (control_client_open(&c, args, what))
        answer = control_client_call(&c, request, patience_ms);
    else
        json_decref(request);
    control_client_close(&c);
    return answer;
}

json_t *control_client_insist(const struct cli_args *args, json_t *request, const char *what,
                              int64_t patience_ms)
{
    json_t *answer = control_client_talk(args, request, what, patience_ms);
    if (!answer || json_is_true(json_object_get(answer, "ok")))
        return answer;
    control_client_print_error(answer);
    json_decref(answer);
    return NULL;
}

json_t *control_client_ask(const struct cli_args *args, const char *name, const char *what)
{
    return control_client_talk(args, json_pack("{s:s}", "command", name), what, ASK_PATIENCE_MS);
}

void control_client_print_error(const json_t *answer)
{
    const char *text = json_string_value(json_object_get(answer, "error"));
    struct text line = {.ptr = NULL};
    text_put(&line, STR("sallyport: "));
    plain_put(&line, str_of(text ? text : "the proxy says no, but not why"));
    fprintf(stderr, "%s\n", line.ptr);
    text_fini(&line);
}

void control_client_put_text(struct text *to, const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    plain_put(to, str_of(value ? value : "?"));
}

void control_client_print_list(const json_t *list, void (*put)(struct text *to, const json_t *item))
{
    size_t i;
    const json_t *item;
    struct text t = {.ptr = NULL};
    json_array_foreach(list, i, item)
    {
        put(&t, item);
    }
    fwrite(t.ptr, 1, t.len, stdout);
    text_fini(&t);
}

void control_client_print_json(const json_t *answer)
{
    json_dumpf(answer, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
    putchar('\n');
}
