// SPDX-License-Identifier: Apache-2.0
// A client's side of a connection, whatever it says. Properties: however the bytes are cut, the
// same requests are served and the client gets the same answers; each exchange that is begun is
// finished, each answer begins with a status line; the connection comes to its end and gives
// everything back.
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/assert.h"
#include "http/env.h"
#include "http/exchange.h"
#include "http/h1_server.h"
#include "rt/loop.h"

#define GOT_MAX_BYTES (1024 * 1024)
#define TURNS_MAX 100000

static const struct http_entry entry = {
    .limits = {512, 2048, 16},
    .body_max_bytes = 4096,
    .exchange_mem_bytes = 65536,
    .idle_ms = 600000,
    .head_ms = 600000,
    .body_idle_ms = 600000,
    .linger_ms = 600000,
    .linger_max_bytes = 65536,
    .x_forwarded = true,
    .forwarded = true,
};

struct run {
    struct http_env env;
    struct http_listener listener;
    unsigned n_begun, n_finished;
    uint64_t served; // a hash of what the application saw
    char *got;
    size_t n_got;
};

static void note(struct run *r, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        r->served = (r->served ^ (uint8_t)s.ptr[i]) * 0x100000001b3u;
    r->served = (r->served ^ 0x100) * 0x100000001b3u;
}

static void begin(struct http_env *env, struct http_listener *l, struct exchange *x)
{
    (void)l;
    x->entry = &entry;
    ((struct run *)env->app_data)->n_begun++;
}

static enum err serve(struct http_env *env, struct exchange *x)
{
    struct run *r = env->app_data;
    struct str piece;
    note(r, x->req.method);
    note(r, x->req.host);
    note(r, x->req.path);
    note(r, x->req.query);
    for (const struct field *f = headers_next(&x->req.headers, NULL); f;
         f = headers_next(&x->req.headers, f)) {
        note(r, f->name);
        if (f->id != FIELD_X_REQUEST_ID)
            note(r, f->value);
    }
    if (!x->req.body || str_starts(x->req.path, STR("/ignore")))
        return exchange_respond(x, 200, STR_NONE, STR("hello\n"));
    if (exchange_continue(x) != ERR_OK)
        return ERR_CLOSED;
    enum io io;
    uint64_t n = 0;
    while ((io = body_read(x->req.body, &piece, deadline_at(INT64_MAX))) == IO_DONE) {
        ASSERT(piece.len > 0);
        n += piece.len;
    }
    ASSERT(n <= entry.body_max_bytes);
    if (io != IO_EOF)
        return ERR_PROTOCOL;
    struct str text = arena_printf(x->mem, "%ju\n", (uintmax_t)n);
    return text.ptr ? exchange_respond(x, 200, STR_NONE, text) : ERR_LIMIT;
}

static void finish(struct http_env *env, struct exchange *x)
{
    (void)x;
    ((struct run *)env->app_data)->n_finished++;
}

static const struct http_app app = {.begin = begin, .serve = serve, .finish = finish};

static void receive(struct run *r, int fd)
{
    ssize_t n;
    while ((n = recv(fd, r->got + r->n_got, GOT_MAX_BYTES - r->n_got, MSG_DONTWAIT)) > 0)
        r->n_got += (size_t)n;
}

// Sends the input in pieces of step bytes, then ends the client's side.
static void run(struct run *r, struct str in, size_t step)
{
    static struct rt_loop *loop;
    int fds[2];
    if (!loop)
        loop = loop_new(NULL);
    loop_enter(loop);
    http_env_init(&r->env, &app, r, 10);
    r->listener = (struct http_listener){.env = &r->env};
    ASSERT(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0);
    struct rt_addr peer = {.u.any.sa_family = AF_UNIX};
    h1_server_accept(&r->listener, fds[0], &peer);
    while (in.len > 0) {
        struct str piece = str_first(in, step);
        if (send(fds[1], piece.ptr, piece.len, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
            break;
        in = str_skip(in, piece.len);
        loop_turn(loop, 0);
        receive(r, fds[1]);
    }
    shutdown(fds[1], SHUT_WR);
    unsigned n_turns = 0;
    for (; !list_is_empty(&r->env.conns) && n_turns < TURNS_MAX; n_turns++) {
        loop_turn(loop, 0);
        receive(r, fds[1]);
    }
    loop_turn(loop, 0);
    receive(r, fds[1]);
    close(fds[1]);
    ASSERT(n_turns < TURNS_MAX);
    ASSERT(r->n_begun == r->n_finished);
    ASSERT(r->env.buffers.n_out == 0 && r->env.blocks.n_out == 0 && r->env.parked_bytes == 0);
    http_env_fini(&r->env);
}

// Blanks what differs between two runs: dates and ids.
static void blank(char *text, size_t n, struct str before, size_t n_blank)
{
    struct str rest = str_from(text, n);
    for (size_t at; (at = str_search(rest, before)) != STR_NPOS;) {
        rest = str_skip(rest, at + before.len);
        memset(text + (rest.ptr - text), '*', MIN(n_blank, rest.len));
    }
}

static void check_same(const struct run *a, const struct run *b)
{
    ASSERT(a->served == b->served);
    ASSERT(str_eq(str_from(a->got, a->n_got), str_from(b->got, b->n_got)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = str_from((const char *)data, MIN(size, (size_t)8192));
    const size_t steps[] = {8192, 1, 7, size / 2 + 1};
    struct run runs[ARRAY_LEN(steps)];
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        struct run *r = &runs[i];
        memset(r, 0, sizeof *r);
        r->got = malloc(GOT_MAX_BYTES);
        run(r, in, steps[i]);
        blank(r->got, r->n_got, STR("\r\nDate: "), DATE_HTTP_BYTES);
        blank(r->got, r->n_got, STR("\nrequest "), 26);
        ASSERT(r->n_got == 0 || str_starts(str_from(r->got, r->n_got), STR("HTTP/1.1 ")));
        if (i > 0)
            check_same(&runs[0], r);
    }
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        free(runs[i].got);
    return 0;
}
