// SPDX-License-Identifier: Apache-2.0
// h1_server with a small application that answers by path, and a client that is only a socket: for
// the tests of the server side.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http/env.h"
#include "http/exchange.h"
#include "http/h1_server.h"
#include "http/tunnel.h"
#include "http/websocket.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/loop.h"
#include "unit/test.h"

#define RIG_MAX_BYTES (4 * 1024 * 1024)
#define RIG_PATIENCE_MS 5000

struct rig_server_side {
    struct tunnel_side side;
    struct stream stream;
};

struct rig {
    struct rt_loop *loop;
    struct http_env env;
    struct http_listener listener;
    struct http_entry entry;
    int fd; // the client's
    char *got;
    size_t n_got;
    bool is_closed, is_reset; // by the proxy, as the client sees it
    // What the application saw.
    unsigned n_begun, n_served, n_finished, n_released;
    enum exchange_end end;
    unsigned status;
    uint64_t request_bytes, response_bytes;
    char target[256];
    char detail[256];
    struct fiber *waiting;
    struct ip_net trusted[1];
    struct rig_server_side server; // of a tunnel
    int server_fd;
};

static struct rig *rig_now;

// ---- Bodies ----

// Pieces one after the other, of a length that isn't told.
struct rig_body {
    struct body body;
    const char *const *pieces; // NULL ends; "" waits a turn; "!" fails
    struct headers trailers;
    bool has_waited;
};

static inline enum io rig_body_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct rig_body *rb = CONTAINER_OF(b, struct rig_body, body);
    if (!*rb->pieces) {
        if (rb->trailers.n > 0)
            b->trailers = &rb->trailers;
        return IO_EOF;
    }
    if (**rb->pieces == '\0' && !rb->has_waited) {
        if (until.at_ms == 0)
            return IO_AGAIN;
        fiber_sleep(1);
        rb->has_waited = true;
    }
    if (**rb->pieces == '\0')
        rb->pieces++;
    rb->has_waited = false;
    const char *piece = *rb->pieces;
    if (!piece)
        return rig_body_read(b, ret_piece, until);
    if (strcmp(piece, "!") == 0)
        return IO_FAIL;
    *ret_piece = str_of(piece);
    rb->pieces++;
    return IO_DONE;
}

static const struct body_ops rig_body_ops = {.name = "pieces", .read = rig_body_read};

static inline enum err rig_respond_pieces(struct exchange *x, const char *const *pieces,
                                          int64_t length, bool has_trailers)
{
    struct rig_body *rb = ARENA_NEW(x->mem, struct rig_body);
    rb->body.ops = &rig_body_ops;
    rb->body.length = length;
    rb->pieces = pieces;
    headers_init(&rb->trailers, x->mem);
    x->resp.status = 200;
    x->resp.body = &rb->body;
    if (!has_trailers)
        return ERR_OK;
    return headers_add_named(&rb->trailers, STR("X-Sum"), STR("42"));
}

// A body on a plain socket, all of it raw: what a large answer of a server is.
#define RIG_RAW_BYTES (1024 * 1024)
struct rig_raw {
    struct body body;
    struct rt_sock from, to;
    uint64_t left;
    bool is_cut;
    char buf[4096];
};

static inline void rig_feed_raw(void *arg)
{
    struct rig_raw *raw = arg;
    static char bytes[RIG_RAW_BYTES];
    memset(bytes, 'r', sizeof bytes);
    struct iovec iov = {bytes, raw->is_cut ? sizeof bytes / 2 : sizeof bytes};
    enum io io = sock_writev(&raw->to, &iov, 1, 60000, deadline_in(60000));
    CHECK(io == IO_DONE);
    sock_close(&raw->to);
}

static inline enum io rig_raw_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct rig_raw *raw = CONTAINER_OF(b, struct rig_raw, body);
    size_t n, want = MIN(sizeof raw->buf, raw->left);
    if (want == 0)
        return IO_EOF;
    enum io io = until.at_ms == 0 ? sock_try_read(&raw->from, raw->buf, want, &n)
                                  : sock_read(&raw->from, raw->buf, want, until, &n);
    if (io != IO_DONE)
        return io == IO_AGAIN ? IO_AGAIN : IO_FAIL;
    raw->left -= n;
    *ret_piece = str_from(raw->buf, n);
    return IO_DONE;
}

static inline bool rig_raw_offer(struct body *b, struct rt_sock **ret_sock, uint64_t *ret_left)
{
    struct rig_raw *raw = CONTAINER_OF(b, struct rig_raw, body);
    *ret_sock = &raw->from;
    *ret_left = raw->left;
    return true;
}

static unsigned rig_raw_moves;

static inline void rig_raw_moved(struct body *b, uint64_t n)
{
    CONTAINER_OF(b, struct rig_raw, body)->left -= n;
    rig_raw_moves++;
}

static inline void rig_raw_fini(struct body *b)
{
    struct rig_raw *raw = CONTAINER_OF(b, struct rig_raw, body);
    sock_close(&raw->from);
}

static const struct body_ops rig_raw_ops = {.name = "raw",
                                            .read = rig_raw_read,
                                            .raw = rig_raw_offer,
                                            .raw_moved = rig_raw_moved,
                                            .fini = rig_raw_fini};

static inline enum err rig_respond_raw(struct exchange *x, bool is_cut)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    struct rig_raw *raw = ARENA_NEW(x->mem, struct rig_raw);
    sock_init(&raw->from, fds[0]);
    sock_init(&raw->to, fds[1]);
    raw->body = (struct body){.ops = &rig_raw_ops, .length = RIG_RAW_BYTES};
    raw->left = RIG_RAW_BYTES;
    raw->is_cut = is_cut;
    rig_raw_moves = 0;
    CHECK(fiber_start(rig_feed_raw, raw) != NULL);
    x->resp.status = 200;
    x->resp.body = &raw->body;
    return ERR_OK;
}

// ---- The application ----

static inline void rig_begin(struct http_env *env, struct http_listener *l, struct exchange *x)
{
    struct rig *r = env->app_data;
    CHECK(l == &r->listener);
    x->entry = &r->entry;
    x->snapshot = r;
    r->n_begun++;
}

static inline void rig_release(struct tunnel_side *s)
{
    stream_close(s->stream);
    rig_now->n_released++;
}

static inline enum err rig_upgrade(struct rig *r, struct exchange *x)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    memset(&r->server, 0, sizeof r->server);
    sock_init(&r->server.stream.sock, fds[0]);
    r->server.side = (struct tunnel_side){.stream = &r->server.stream, .release = rig_release};
    r->server_fd = fds[1];
    x->resp.status = 101;
    x->resp.tunnel = &r->server.side;
    struct str accept = websocket_accept(&x->req, x->mem);
    if (accept.ptr)
        CHECK_INT(headers_add_named(&x->resp.headers, STR("Sec-WebSocket-Accept"), accept), ERR_OK);
    return ERR_OK;
}

static inline enum err rig_read_all(struct exchange *x)
{
    char text[32];
    uint64_t n = 0;
    struct str piece;
    if (exchange_continue(x) != ERR_OK)
        return ERR_CLOSED;
    enum io io = IO_EOF;
    while (x->req.body && (io = body_read(x->req.body, &piece, deadline_at(INT64_MAX))) == IO_DONE)
        n += piece.len;
    if (io == IO_FAIL)
        return ERR_PROTOCOL;
    struct str sum = x->req.body && x->req.body->trailers
                         ? headers_get(x->req.body->trailers, FIELD_ETAG)
                         : STR_NONE;
    int len = snprintf(text, sizeof text, "%ju" STR_FMT "\n", (uintmax_t)n, STR_ARG(sum));
    return exchange_respond(x, 200, STR_NONE, arena_dup(x->mem, str_from(text, (size_t)len)));
}

static inline enum err rig_dump_fields(struct exchange *x)
{
    struct str all = STR("");
    for (const struct field *f = headers_next(&x->req.headers, NULL); f;
         f = headers_next(&x->req.headers, f)) {
        struct str line = arena_concat(x->mem, f->name, STR(": "), f->value);
        all = arena_concat(x->mem, all, line, STR("\n"));
    }
    return exchange_respond(x, 200, STR_NONE, all);
}

// Interim answers until the client takes no more, and then, when it does again, an answer.
static inline enum err rig_get_stuck(struct rig *r, struct exchange *x)
{
    static char link[32 * 1024];
    struct headers h;
    headers_init(&h, x->mem);
    memset(link, 'a', sizeof link);
    CHECK_INT(headers_add_named(&h, STR("Link"), str_from(link, sizeof link)), ERR_OK);
    while (x->ops->inform(x, 103, &h) == ERR_OK)
        continue;
    r->waiting = fiber_self();
    CHECK_INT(fiber_wait(deadline_in(60000)), FIBER_READY);
    x->end = EXCHANGE_END_OK; // as filters do that answer in the place of what has failed
    return exchange_respond(x, 200, STR_NONE, STR("late"));
}

static inline enum err rig_serve(struct http_env *env, struct exchange *x)
{
    static const char *const pieces[] = {"one,", "two,", "", "three", NULL};
    static const char *const quick[] = {"one,", "two,", "three", NULL};
    static const char *const cut[] = {"one,", "", "!", NULL};
    static const char *const broken[] = {"!", NULL};
    static char large[1024 * 1024];
    struct rig *r = env->app_data;
    struct str path = x->req.path;
    r->n_served++;
    if (str_eq(path, STR("/hello")))
        return exchange_respond(x, 200, STR("text/plain"), STR("hello\n"));
    if (str_eq(path, STR("/path")))
        return exchange_respond(x, 200, STR_NONE, x->req.target);
    if (str_eq(path, STR("/fields")) || x->req.is_asterisk)
        return rig_dump_fields(x);
    if (str_eq(path, STR("/read")))
        return rig_read_all(x);
    if (str_eq(path, STR("/empty")))
        return exchange_respond(x, 204, STR_NONE, STR_NONE);
    if (str_eq(path, STR("/pieces")))
        return rig_respond_pieces(x, pieces, -1, false);
    if (str_eq(path, STR("/quick")))
        return rig_respond_pieces(x, quick, -1, false);
    if (str_eq(path, STR("/trailers")))
        return rig_respond_pieces(x, quick, -1, true);
    if (str_eq(path, STR("/length")))
        return rig_respond_pieces(x, pieces, 13, false);
    if (str_eq(path, STR("/short")))
        return rig_respond_pieces(x, pieces, 14, false);
    if (str_eq(path, STR("/cut")))
        return rig_respond_pieces(x, cut, -1, false);
    if (str_eq(path, STR("/broken")))
        return rig_respond_pieces(x, broken, 5, false);
    if (str_eq(path, STR("/large")))
        return exchange_respond(x, 200, STR_NONE, str_from(large, sizeof large));
    if (str_eq(path, STR("/raw")) || str_eq(path, STR("/raw-cut")))
        return rig_respond_raw(x, path.len > 4);
    if (str_eq(path, STR("/upgrade")))
        return rig_upgrade(r, x);
    if (str_eq(path, STR("/nothing")))
        return ERR_OK;
    if (str_eq(path, STR("/length-of-head"))) {
        x->resp.status = 200;
        return headers_add(&x->resp.headers, FIELD_CONTENT_LENGTH, STR("1234"));
    }
    if (str_eq(path, STR("/hints"))) {
        struct headers h;
        headers_init(&h, x->mem);
        if (headers_add_named(&h, STR("Link"), STR("</a.css>")) != ERR_OK ||
            x->ops->inform(x, 103, &h) != ERR_OK)
            return ERR_CLOSED;
        return exchange_respond(x, 200, STR_NONE, STR("ok"));
    }
    if (str_eq(path, STR("/stuck")))
        return rig_get_stuck(r, x);
    if (str_eq(path, STR("/echo"))) {
        x->resp.status = 200;
        x->resp.body = x->req.body;
        return ERR_OK;
    }
    if (str_eq(path, STR("/wait"))) {
        exchange_watch(x);
        r->waiting = fiber_self();
        enum fiber_wake why = fiber_wait(deadline_in(60000));
        r->waiting = NULL;
        if (why == FIBER_CANCELLED)
            return ERR_CANCELLED;
        return exchange_respond(x, 200, STR_NONE, STR("waited"));
    }
    exchange_fail(x, 404, EXCHANGE_END_NO_ROUTE, "no route");
    return ERR_OK;
}

static inline void rig_finish(struct http_env *env, struct exchange *x)
{
    struct rig *r = env->app_data;
    CHECK(x->snapshot == r);
    CHECK(x->times.accepted > 0 && x->times.finished >= x->times.accepted);
    r->n_finished++;
    r->end = x->end;
    r->status = x->resp.status;
    r->request_bytes = x->request_bytes;
    r->response_bytes = x->response_bytes;
    snprintf(r->target, sizeof r->target, STR_FMT, STR_ARG(x->req.target));
    snprintf(r->detail, sizeof r->detail, STR_FMT, STR_ARG(x->end_detail));
}

static inline const struct http_entry *rig_entry(struct http_env *env, struct http_listener *l)
{
    (void)l;
    return &((struct rig *)env->app_data)->entry;
}

static const struct http_app rig_app = {
    .begin = rig_begin, .serve = rig_serve, .finish = rig_finish, .entry = rig_entry};

// ---- The client ----

// A new connection; an open one of before is forgotten by the rig only.
static inline void rig_connect(struct rig *r)
{
    // TCP, for resets as real clients make them.
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof at;
    int l = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(l, (struct sockaddr *)&at, len) == 0 && listen(l, 1) == 0);
    CHECK(getsockname(l, (struct sockaddr *)&at, &len) == 0);
    r->fd = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(r->fd, (struct sockaddr *)&at, len) == 0);
    struct rt_addr peer = {.len = sizeof peer.u};
    int fd = accept4(l, &peer.u.any, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    CHECK(fd >= 0);
    close(l);
    fcntl(r->fd, F_SETFL, O_NONBLOCK);
    r->n_got = 0;
    r->is_closed = r->is_reset = false;
    h1_server_accept(&r->listener, fd, &peer);
}

static inline void rig_send(struct rig *r, struct str s)
{
    while (s.len > 0) {
        ssize_t n = send(r->fd, s.ptr, s.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            return;
        s = str_skip(s, n > 0 ? (size_t)n : 0);
        loop_turn(r->loop, 0);
    }
}

// One turn, then what came.
static inline void rig_turn(struct rig *r)
{
    loop_turn(r->loop, 2);
    while (r->fd >= 0 && !r->is_closed && r->n_got < RIG_MAX_BYTES) {
        ssize_t n = recv(r->fd, r->got + r->n_got, RIG_MAX_BYTES - r->n_got, 0);
        if (n < 0 && errno == EAGAIN)
            break;
        r->is_closed = n <= 0;
        r->is_reset = n < 0;
        r->n_got += n > 0 ? (size_t)n : 0;
    }
}

static inline struct str rig_got(const struct rig *r)
{
    return str_from(r->got, r->n_got);
}

#define RIG_UNTIL(r, cond)                                                                         \
    do {                                                                                           \
        int64_t until_ms_ = clock_exact_ns() / 1000000 + RIG_PATIENCE_MS;                          \
        while (!(cond) && clock_exact_ns() / 1000000 < until_ms_)                                  \
            rig_turn(r);                                                                           \
        CHECK(cond);                                                                               \
    } while (0)

// Waits until all of what the client got ends with text.
static inline void rig_expect_end(struct rig *r, const char *text)
{
    RIG_UNTIL(r, r->is_closed || str_ends(rig_got(r), str_of(text)));
    if (!str_ends(rig_got(r), str_of(text)))
        printf("# got '" STR_FMT "'\n", STR_ARG(rig_got(r)));
}

static inline void rig_expect_close(struct rig *r)
{
    RIG_UNTIL(r, r->is_closed);
}

static inline bool rig_has(const struct rig *r, const char *text)
{
    return str_search(rig_got(r), str_of(text)) != STR_NPOS;
}

#define CHECK_HAS(r, text)                                                                         \
    do {                                                                                           \
        if (!rig_has(r, text)) {                                                                   \
            printf("# %s:%d: no '%s' in '" STR_FMT "'\n", __FILE__, __LINE__, text,                \
                   STR_ARG(rig_got(r)));                                                           \
            test_failed = true;                                                                    \
        }                                                                                          \
    } while (0)

static inline void rig_forget(struct rig *r)
{
    r->n_got = 0;
}

static inline uint64_t rig_counter(const struct rig *r, enum http_counter c)
{
    return r->env.stats.counters[c];
}

// ---- Life ----

static inline void rig_open(struct rig *r)
{
    *r = (struct rig){.fd = -1, .server_fd = -1};
    rig_now = r;
    r->loop = loop_new(NULL);
    loop_enter(r->loop);
    http_env_init(&r->env, &rig_app, r, 100);
    r->listener = (struct http_listener){.env = &r->env};
    r->entry = (struct http_entry){
        .name = STR("web"),
        .limits = H1_LIMITS_DEFAULT,
        .exchange_mem_bytes = 256 * 1024,
        .idle_ms = 60000,
        .head_ms = 60000,
        .body_idle_ms = 60000,
        .tunnel_idle_ms = 60000,
        .linger_ms = 5000,
        .linger_max_bytes = 256 * 1024,
        .h2_streams_max = 100,
        .port = 80,
    };
    r->got = malloc(RIG_MAX_BYTES);
    rig_connect(r);
}

// Everything that was begun must have ended, and everything been given back.
static inline void rig_close(struct rig *r)
{
    if (r->fd >= 0)
        close(r->fd);
    r->fd = -1;
    http_env_abort(&r->env);
    RIG_UNTIL(r, list_is_empty(&r->env.conns));
    loop_turn(r->loop, 0);
    if (r->server_fd >= 0)
        close(r->server_fd);
    CHECK_INT(r->n_begun, r->n_finished);
    CHECK_INT(rig_counter(r, HTTP_COUNTER_CONNS_OPEN), 0);
    CHECK_INT(rig_counter(r, HTTP_COUNTER_CONNS_IDLE), 0);
    CHECK_INT(rig_counter(r, HTTP_COUNTER_EXCHANGES_OPEN), 0);
    CHECK_INT(r->listener.n_conns, 0);
    CHECK_INT(r->env.buffers.n_out, 0);
    CHECK_INT(r->env.blocks.n_out, 0);
    CHECK_INT(r->env.parked_bytes, 0);
    CHECK_INT(r->env.h2_held_bytes, 0);
    CHECK_INT(r->env.pieces.n_out, 0);
    http_env_fini(&r->env);
    loop_free(r->loop);
    free(r->got);
}

// A connection for one request: sends it and collects all that comes until the end.
static inline void rig_ask(struct rig *r, const char *request)
{
    rig_send(r, str_of(request));
    rig_expect_close(r);
}
