// SPDX-License-Identifier: Apache-2.0
// A client's side of an HTTP/2 connection, whatever it says: the input is what it sends, in pieces
// of several sizes. Properties: each exchange that is begun is finished; what the client gets is a
// row of frames that begins with SETTINGS; the connection comes to its end and gives everything
// back.
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "http/env.h"
#include "http/exchange.h"
#include "http/h2_server.h"
#include "rt/fiber.h"
#include "rt/loop.h"

#define GOT_MAX_BYTES (4 * 1024 * 1024)
#define TURNS_MAX 100000
#define FRAME_HEAD_BYTES 9
#define FRAME_MAX_BYTES 16384
#define LARGE_BYTES (100 * 1024)

static const struct http_entry entry = {
    .limits = {512, 2048, 16},
    .body_max_bytes = 256 * 1024,
    .exchange_mem_bytes = 65536,
    .h2_streams_max = 8,
    .idle_ms = 600000,
    .head_ms = 600000,
    .body_idle_ms = 600000,
    .linger_ms = 600000,
    .linger_max_bytes = 65536,
    .x_forwarded = true,
};

struct run {
    struct http_env env;
    struct http_listener listener;
    unsigned n_begun, n_finished;
    char *got;
    size_t n_got;
};

static const struct http_entry *entry_of(struct http_env *env, struct http_listener *l)
{
    (void)env, (void)l;
    return &entry;
}

static void begin(struct http_env *env, struct http_listener *l, struct exchange *x)
{
    (void)l;
    x->entry = &entry;
    ((struct run *)env->app_data)->n_begun++;
}

static enum err read_all(struct exchange *x)
{
    struct str piece;
    enum io io;
    uint64_t n = 0;
    if (exchange_continue(x) != ERR_OK)
        return ERR_CLOSED;
    while ((io = body_read(x->req.body, &piece, deadline_at(INT64_MAX))) == IO_DONE) {
        ASSERT(piece.len > 0);
        n += piece.len;
    }
    ASSERT(n <= entry.body_max_bytes);
    if (io != IO_EOF)
        return ERR_PROTOCOL;
    ASSERT(x->req.body->length < 0 || (uint64_t)x->req.body->length == n);
    struct str text = arena_printf(x->mem, "%ju\n", (uintmax_t)n);
    return text.ptr ? exchange_respond(x, 200, STR_NONE, text) : ERR_LIMIT;
}

static enum err serve(struct http_env *env, struct exchange *x)
{
    static char large[LARGE_BYTES];
    (void)env;
    ASSERT(x->req.host.len > 0 && x->req.path.len > 0);
    if (str_starts(x->req.path, STR("/large")))
        return exchange_respond(x, 200, STR_NONE, str_from(large, sizeof large));
    if (str_starts(x->req.path, STR("/slow")) && fiber_sleep(1) == FIBER_CANCELLED)
        return ERR_CANCELLED;
    if (str_starts(x->req.path, STR("/echo"))) {
        x->resp.status = 200;
        x->resp.body = x->req.body;
        return ERR_OK;
    }
    if (!x->req.body || str_starts(x->req.path, STR("/ignore")))
        return exchange_respond(x, 200, STR_NONE, STR("hello\n"));
    return read_all(x);
}

static void finish(struct http_env *env, struct exchange *x)
{
    (void)x;
    ((struct run *)env->app_data)->n_finished++;
}

static const struct http_app app = {
    .begin = begin, .serve = serve, .finish = finish, .entry = entry_of};

static void receive(struct run *r, int fd)
{
    ssize_t n;
    while (r->n_got < GOT_MAX_BYTES &&
           (n = recv(fd, r->got + r->n_got, GOT_MAX_BYTES - r->n_got, MSG_DONTWAIT)) > 0)
        r->n_got += (size_t)n;
}

// The last one may be cut.
static void check_frames(const struct run *r)
{
    const unsigned char *p = (const unsigned char *)r->got;
    size_t at = 0;
    ASSERT(r->n_got < FRAME_HEAD_BYTES || p[3] == 4); // SETTINGS
    while (r->n_got - at >= FRAME_HEAD_BYTES) {
        size_t len = (size_t)p[at] << 16 | (size_t)p[at + 1] << 8 | p[at + 2];
        ASSERT(len <= FRAME_MAX_BYTES && p[at + 3] <= 9);
        if (len > r->n_got - at - FRAME_HEAD_BYTES)
            break;
        at += FRAME_HEAD_BYTES + len;
    }
}

static void begin_run(struct run *r, struct rt_loop *loop, int *ret_fd)
{
    int fds[2];
    loop_enter(loop);
    http_env_init(&r->env, &app, r, 10);
    r->listener = (struct http_listener){.env = &r->env};
    ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    struct stream stream = {.ops = NULL};
    struct ip peer = {.family = 0};
    sock_init(&stream.sock, fds[0]);
    h2_server_adopt(&r->listener, &stream, &peer, 0, STR_NONE);
    *ret_fd = fds[1];
}

// Sends the input in pieces of step bytes, then ends the client's side.
static void run(struct run *r, struct str in, size_t step)
{
    static struct rt_loop *loop;
    int fd;
    if (!loop)
        loop = loop_new(NULL);
    begin_run(r, loop, &fd);
    while (in.len > 0) {
        struct str piece = str_first(in, step);
        ssize_t n = send(fd, piece.ptr, piece.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            break;
        in = str_skip(in, n > 0 ? (size_t)n : 0);
        loop_turn(loop, 0);
        receive(r, fd);
    }
    for (int i = 0; i < 4; i++) {
        loop_turn(loop, 1);
        receive(r, fd);
    }
    shutdown(fd, SHUT_WR);
    unsigned n_turns = 0;
    for (; !list_is_empty(&r->env.conns) && n_turns < TURNS_MAX; n_turns++) {
        loop_turn(loop, 0);
        receive(r, fd);
    }
    loop_turn(loop, 0);
    receive(r, fd);
    close(fd);
    ASSERT(n_turns < TURNS_MAX);
    ASSERT(r->n_begun == r->n_finished);
    ASSERT(r->env.buffers.n_out == 0 && r->env.pieces.n_out == 0 && r->env.blocks.n_out == 0 &&
           r->env.h2_held_bytes == 0);
    ASSERT(r->env.stats.counters[HTTP_COUNTER_CONNS_OPEN] == 0);
    ASSERT(r->env.stats.counters[HTTP_COUNTER_EXCHANGES_OPEN] == 0);
    check_frames(r);
    http_env_fini(&r->env);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_from((const char *)data, MIN(size, (size_t)65536));
    const size_t steps[] = {65536, 1, size / 2 + 1};
    static char got[GOT_MAX_BYTES];
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        if (steps[i] == 1 && in.len > 2048) // a turn for each byte of a long one tells nothing more
            continue;
        struct run r = {.got = got};
        run(&r, in, steps[i]);
    }
    return 0;
}
