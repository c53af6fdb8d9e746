// SPDX-License-Identifier: Apache-2.0
// A client connection to a scripted server over a socket pair, one exchange after the other: for
// the tests of h1_client.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include "http/env.h"
#include "http/h1_client.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/loop.h"
#include "unit/test.h"

#define RIG_TEXT_BYTES (256 * 1024)
#define TURNS_MAX 20000

enum server_does {
    SERVER_READS = 1, // until text has come
    SERVER_SENDS,
    SERVER_ENDS,   // shuts its writing side
    SERVER_CLOSES, // with what it hasn't read: a reset
    SERVER_AWAITS, // the client's connection to be watched
    SERVER_READS_TO_END,
};

struct step {
    enum server_does what;
    const char *text;
};
#define STEPS_MAX 12

// A request body whose pieces come as told.
struct test_body {
    struct body body;
    const char *pieces[8];
    size_t n, i;
    bool is_slow;  // nothing is at hand without waiting
    bool is_stuck; // after the pieces: waits until it is cancelled
    bool is_cut;   // after the pieces: fails
    struct exchange *x;
};

struct rig {
    struct rt_loop *loop;
    struct http_env env;
    struct arena mem;
    struct exchange x;
    struct h1_client c;
    struct http_client_options options;
    struct rt_sock server;
    const struct step *script;
    char wire[RIG_TEXT_BYTES]; // what the server got
    size_t n_wire;
    char body[RIG_TEXT_BYTES]; // the answer's body as pulled
    size_t n_body, n_longest;  // and its longest piece
    struct fiber *client;
    enum http_client_end end;
    enum io body_end;
    bool sent_body, is_client_done, is_server_done, keeps_body, stops_early;
    unsigned n_done, n_reusable, n_informs, informed[8], n_watched;
    struct test_body upload;
};

// --- the server ---

static inline bool rig_server_reads(struct rig *r, const char *text)
{
    while (!memmem(r->wire, r->n_wire, text, strlen(text))) {
        size_t n;
        if (r->n_wire == sizeof r->wire ||
            sock_read(&r->server, r->wire + r->n_wire, sizeof r->wire - r->n_wire,
                      deadline_at(INT64_MAX), &n) != IO_DONE)
            return false;
        r->n_wire += n;
    }
    return true;
}

static inline void rig_server(void *arg)
{
    struct rig *r = arg;
    for (const struct step *s = r->script; s->what; s++) {
        struct iovec iov = {(void *)(uintptr_t)s->text, s->text ? strlen(s->text) : 0};
        switch (s->what) {
        case SERVER_READS:
            if (!rig_server_reads(r, s->text))
                printf("# the server waited for '%s' and got '%.*s'\n", s->text, (int)r->n_wire,
                       r->wire);
            break;
        case SERVER_SENDS:
            if (sock_writev(&r->server, &iov, 1, 5000, deadline_at(INT64_MAX)) != IO_DONE)
                printf("# the server can't send\n");
            break;
        case SERVER_ENDS:
            sock_shut_write(&r->server);
            break;
        case SERVER_CLOSES:
            sock_close(&r->server);
            break;
        case SERVER_AWAITS:
            while (r->n_watched == 0)
                fiber_sleep(1);
            break;
        case SERVER_READS_TO_END:
            rig_server_reads(r, "\xff never sent \xff");
            break;
        }
    }
    r->is_server_done = true;
}

// --- the client ---

static inline void rig_done(struct h1_client *c, bool is_reusable)
{
    struct rig *r = c->owner;
    r->n_done++;
    r->n_reusable += is_reusable;
    CHECK(is_reusable == (c->stream.sock.fd >= 0));
    CHECK(c->state == NULL);
}

static inline enum err rig_inform(struct exchange *x, unsigned status, const struct headers *h)
{
    struct rig *r = x->driver;
    (void)h;
    if (r->n_informs < ARRAY_LEN(r->informed))
        r->informed[r->n_informs] = status;
    r->n_informs++;
    return ERR_OK;
}

static inline void rig_watch(struct exchange *x)
{
    ((struct rig *)x->driver)->n_watched++;
}

static const struct exchange_ops rig_ops = {.inform = rig_inform, .watch = rig_watch};

static inline void rig_client(void *arg)
{
    struct rig *r = arg;
    struct exchange *x = &r->x;
    r->client = fiber_self();
    r->end = h1_client_serve(&r->c, x, &r->options, &r->sent_body);
    r->body_end = IO_EOF;
    struct body *b = r->end == HTTP_CLIENT_OK ? x->resp.body : NULL;
    for (struct str piece; b && !r->stops_early;) {
        r->body_end = body_read(b, &piece, deadline_at(INT64_MAX));
        if (r->body_end != IO_DONE)
            break;
        CHECK(piece.len > 0 && piece.len <= sizeof r->body - r->n_body);
        memcpy(r->body + r->n_body, piece.ptr, piece.len);
        r->n_body += piece.len;
    }
    body_fini(b);
    r->client = NULL;
    r->is_client_done = true;
}

// --- the rig ---

static inline void rig_connect(struct rig *r)
{
    int fds[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) == 0);
    r->c = (struct h1_client){.done = rig_done, .owner = r};
    sock_init(&r->c.stream.sock, fds[0]);
    sock_init(&r->server, fds[1]);
}

static inline void rig_request(struct rig *r, enum method method)
{
    struct exchange *x = &r->x;
    arena_reset(&r->mem);
    static const char *const names[] = {
#define X(id, text) [METHOD_##id] = text,
        METHOD_LIST(X)
#undef X
    };
    *x = (struct exchange){
        .mem = &r->mem,
        .env = &r->env,
        .ops = &rig_ops,
        .driver = r,
        .server_name = STR("10.0.0.1:80"),
    };
    x->req.method = str_of(names[method]);
    x->req.method_id = method;
    x->req.path = STR("/a");
    x->req.authority = STR("example.com");
    headers_init(&x->req.headers, &r->mem);
    headers_init(&x->resp.headers, &r->mem);
    r->n_wire = r->n_body = 0;
    r->is_client_done = r->is_server_done = r->sent_body = false;
}

static inline struct rig *rig_new(enum method method)
{
    struct rig *r = calloc(1, sizeof *r);
    r->loop = loop_new(&(struct loop_options){.fibers_max = 0});
    loop_enter(r->loop);
    static const struct http_app app;
    http_env_init(&r->env, &app, NULL, 100);
    arena_init(&r->mem, (size_t)4 * 1024 * 1024, NULL, 0);
    r->options = (struct http_client_options){
        .limits = H1_LIMITS_DEFAULT,
        .head_ms = 5000,
        .body_idle_ms = 5000,
    };
    rig_connect(r);
    rig_request(r, method);
    return r;
}

static inline void rig_turn_until(struct rig *r, const bool *done)
{
    for (int i = 0; i < TURNS_MAX && !*done; i++)
        loop_turn(r->loop, 1000);
    CHECK(*done);
}

// Runs the request against the script; returns when both are at their end.
static inline void rig_run(struct rig *r, const struct step *script)
{
    r->script = script;
    CHECK(fiber_start(rig_server, r) && fiber_start(rig_client, r));
    rig_turn_until(r, &r->is_client_done);
    rig_turn_until(r, &r->is_server_done);
    loop_turn(r->loop, 0); // what was deferred
}
#define RIG_RUN(r, ...) rig_run((r), (const struct step[STEPS_MAX]){__VA_ARGS__})

// Runs a script of the server's while the client goes on.
static inline void rig_serve(struct rig *r, const struct step *script)
{
    r->script = script;
    r->is_server_done = false;
    CHECK(fiber_start(rig_server, r));
    rig_turn_until(r, &r->is_server_done);
    for (int i = 0; i < 3; i++) // what was sent is read
        loop_turn(r->loop, 0);
}
#define RIG_SERVE(r, ...) rig_serve((r), (const struct step[STEPS_MAX]){__VA_ARGS__})

// Nothing may be left of any exchange.
static inline void rig_free(struct rig *r)
{
    h1_client_fini(&r->c);
    sock_close(&r->server);
    CHECK_INT(r->env.buffers.n_out, 0);
    struct loop_stats stats;
    loop_turn(r->loop, 0);
    loop_stats(r->loop, &stats);
    CHECK_INT(stats.n_fibers, 0);
    arena_fini(&r->mem);
    http_env_fini(&r->env);
    loop_free(r->loop);
    free(r);
}

static inline struct str rig_wire(const struct rig *r)
{
    return str_from(r->wire, r->n_wire);
}

static inline struct str rig_body(const struct rig *r)
{
    return str_from(r->body, r->n_body);
}

// --- uploads ---

static inline enum io test_body_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct test_body *t = CONTAINER_OF(b, struct test_body, body);
    bool may_wait = until.at_ms != BODY_NO_WAIT.at_ms;
    if (t->is_slow && !may_wait)
        return IO_AGAIN;
    if (t->i < t->n) {
        *ret_piece = str_of(t->pieces[t->i++]);
        return IO_DONE;
    }
    if (!t->is_stuck && !t->is_cut)
        return IO_EOF;
    if (!may_wait)
        return IO_AGAIN;
    if (t->is_stuck)
        (void)fiber_wait(deadline_at(INT64_MAX));
    t->x->end = EXCHANGE_END_CLIENT_GONE;
    return IO_FAIL;
}

// pieces end with NULL. length: -1 for chunked.
static inline struct test_body *rig_upload(struct rig *r, int64_t length, const char *const *pieces)
{
    static const struct body_ops ops = {.name = "test", .read = test_body_read};
    struct test_body *t = &r->upload;
    *t = (struct test_body){.body = {.ops = &ops, .length = length}, .x = &r->x};
    while (pieces[t->n]) {
        t->pieces[t->n] = pieces[t->n];
        t->n++;
    }
    r->x.req.body = &t->body;
    return t;
}
#define RIG_UPLOAD(r, length, ...)                                                                 \
    rig_upload((r), (length), (const char *const[]){__VA_ARGS__, NULL})
