// SPDX-License-Identifier: Apache-2.0
// A server's side of a connection of HTTP/2, whatever it sends to two exchanges. Properties:
// however the bytes are cut, an answer that arrives whole is the same; no body is longer than
// announced; the exchanges and the connection come to their ends and give everything back.
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "http/env.h"
#include "http/h2_client.h"
#include "rt/fiber.h"
#include "rt/loop.h"

#define TURNS_MAX 20000
#define N_EXCHANGES 2

static const struct http_client_options options = {
    .limits = {512, 2048, 16},
    .head_ms = 600000,
    .body_idle_ms = 600000,
    .until = {INT64_MAX},
    .host = STR_INIT("fuzz.example"),
};

struct result {
    enum http_client_end end;
    unsigned status;
    uint64_t body; // a hash
    size_t n_body;
    enum io io;
    bool has_trailers;
};

struct run {
    struct http_env env;
    struct h2_client c;
    struct fuzz_exchange {
        struct run *r;
        struct arena mem;
        struct exchange x;
        struct body_bytes upload;
        struct result result;
        bool is_done;
    } exchanges[N_EXCHANGES];
};

static void on_changed(struct h2_client *c)
{
    (void)c; // is_over is looked at
}

static enum err inform(struct exchange *x, unsigned status, const struct headers *headers)
{
    (void)x;
    (void)headers;
    ASSERT(status >= 100 && status < 200);
    return ERR_OK;
}

static const struct exchange_ops ops = {.inform = inform};

static void read_body(struct fuzz_exchange *e)
{
    struct body *b = e->x.resp.body;
    struct str piece;
    e->result.io = IO_EOF;
    while (b && (e->result.io = body_read(b, &piece, deadline_at(INT64_MAX))) == IO_DONE) {
        ASSERT(piece.len > 0);
        for (size_t i = 0; i < piece.len; i++)
            e->result.body = (e->result.body ^ (uint8_t)piece.ptr[i]) * 0x100000001b3u;
        e->result.n_body += piece.len;
    }
    e->result.has_trailers = b && b->trailers;
    if (b && e->result.io == IO_EOF && b->length >= 0)
        ASSERT(e->result.n_body == (size_t)b->length);
    body_fini(b);
}

static void serve(void *arg)
{
    struct fuzz_exchange *e = arg;
    bool sent_body = false;
    e->result.end = h2_client_serve(&e->r->c, &e->x, &options, &sent_body);
    ASSERT(e->result.end != HTTP_CLIENT_CANCELLED && e->result.end != HTTP_CLIENT_TIMEOUT);
    if (e->result.end == HTTP_CLIENT_OK) {
        e->result.status = e->x.resp.status;
        ASSERT(e->result.status >= 200 && e->result.status <= 599);
        read_body(e);
    }
    e->is_done = true;
}

static void begin(struct run *r, struct fuzz_exchange *e, enum method method, const char *name)
{
    e->r = r;
    arena_init(&e->mem, 65536, NULL, 0);
    e->x = (struct exchange){.mem = &e->mem, .env = &r->env, .ops = &ops};
    headers_init(&e->x.req.headers, &e->mem);
    headers_init(&e->x.resp.headers, &e->mem);
    e->x.req.method = str_of(name);
    e->x.req.method_id = method;
    e->x.req.path = STR("/");
    if (method == METHOD_POST)
        e->x.req.body = body_bytes_init(&e->upload, STR("some body"));
    ASSERT(fiber_start(serve, e));
}

static bool is_done(const struct run *r)
{
    return r->exchanges[0].is_done && r->exchanges[1].is_done;
}

static void drain(int fd)
{
    char buf[4096];
    while (recv(fd, buf, sizeof buf, MSG_DONTWAIT) > 0)
        ;
}

// The server sends the input in pieces of step bytes, then ends.
static void run(struct rt_loop *loop, struct str in, size_t step, struct result *ret)
{
    static const struct http_app app;
    static struct run r;
    int fds[2];
    r = (struct run){.c.changed = on_changed};
    http_env_init(&r.env, &app, NULL, 10);
    ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    sock_init(&r.c.stream.sock, fds[0]);
    h2_client_start(&r.c, &r.env);
    begin(&r, &r.exchanges[0], METHOD_GET, "GET");
    begin(&r, &r.exchanges[1], METHOD_POST, "POST");
    loop_turn(loop, 0);
    while (in.len > 0) {
        struct str piece = str_first(in, step);
        ssize_t n = send(fds[1], piece.ptr, piece.len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN)
            break;
        in = str_skip(in, n > 0 ? (size_t)n : 0);
        loop_turn(loop, 0);
        drain(fds[1]);
    }
    (void)shutdown(fds[1], SHUT_WR);
    for (int i = 0; i < TURNS_MAX && !(is_done(&r) && r.c.is_over); i++) {
        drain(fds[1]);
        loop_turn(loop, 0);
    }
    ASSERT(is_done(&r) && r.c.is_over && r.c.n_calls == 0 && r.c.window_bytes == 0);
    close(fds[1]);
    h2_client_fini(&r.c);
    loop_turn(loop, 0);
    for (size_t i = 0; i < N_EXCHANGES; i++) {
        ret[i] = r.exchanges[i].result;
        arena_fini(&r.exchanges[i].mem);
    }
    ASSERT(r.env.pieces.n_out == 0 && r.env.buffers.n_out == 0 && r.env.h2_window_bytes == 0);
    http_env_fini(&r.env);
}

static bool is_whole(const struct result *r)
{
    return r->end == HTTP_CLIENT_OK && r->io == IO_EOF;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct rt_loop *loop;
    static const char settings[9] = {0, 0, 0, 4};
    if (n > 16384)
        return 0;
    if (!loop)
        loop = loop_new(NULL);
    loop_enter(loop);
    // Most inputs would end with the first frame if it weren't the preface that has to come.
    char *in = malloc(sizeof settings + n + 1);
    ASSERT(in != NULL);
    memcpy(in, settings, sizeof settings);
    if (n > 0)
        memcpy(in + sizeof settings, data, n);
    struct str bytes = str_from(in, sizeof settings + n);
    struct result whole[N_EXCHANGES], cut[N_EXCHANGES];
    run(loop, bytes, SIZE_MAX, whole);
    run(loop, bytes, n > 2048 ? 61 : 1 + n % 7, cut);
    for (size_t i = 0; i < N_EXCHANGES; i++) {
        // What breaks the connection may come before or after an exchange has ended, or be
        // ignored since its stream was given up.
        if (!is_whole(&whole[i]) || !is_whole(&cut[i]))
            continue;
        ASSERT(whole[i].status == cut[i].status);
        ASSERT(whole[i].n_body == cut[i].n_body && whole[i].body == cut[i].body);
        ASSERT(whole[i].has_trailers == cut[i].has_trailers);
    }
    free(in);
    return 0;
}
