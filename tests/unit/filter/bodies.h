// SPDX-License-Identifier: Apache-2.0
// For tests of filters that change bodies: a worker's env, a fiber to run on, bodies that come in
// pieces with pauses, and servers that answer with them.
#pragma once

#include "base/mem.h"
#include "http/env.h"
#include "rt/fiber.h"
#include "rt/loop.h"
#include "unit/filter/fixture.h"

// --- a fiber ---

struct on_fiber {
    void (*fn)(const void *arg);
    const void *arg;
    bool is_done;
};

static inline void on_fiber_main(void *arg)
{
    struct on_fiber *f = arg;
    f->fn(f->arg);
    f->is_done = true;
}

// Runs fn(arg) on a fiber of a loop of its own, to its end. fibers_max: with that one; 0: no limit.
static inline void run_on_few_fibers(unsigned fibers_max, void (*fn)(const void *arg),
                                     const void *arg)
{
    struct rt_loop *loop = loop_new(&(struct loop_options){.fibers_max = fibers_max});
    loop_enter(loop);
    struct on_fiber f = {.fn = fn, .arg = arg};
    CHECK(fiber_start(on_fiber_main, &f) != NULL);
    while (!f.is_done)
        loop_turn(loop, 1000);
    loop_turn(loop, 0);
    loop_free(loop);
}

static inline void run_on_fiber(void (*fn)(const void *arg), const void *arg)
{
    run_on_few_fibers(0, fn, arg);
}

// --- bodies ---

// Comes in these pieces; an empty one is a pause: nothing is at hand, and who waits gets the next.
struct script {
    struct body body;
    const struct str *pieces;
    size_t n, at;
    bool fails; // in the place of the end
    unsigned n_fini;
};

static inline enum io script_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct script *s = CONTAINER_OF(b, struct script, body);
    for (; s->at < s->n; s->at++) {
        if (s->pieces[s->at].len > 0) {
            *ret_piece = s->pieces[s->at++];
            return IO_DONE;
        }
        if (until.at_ms == BODY_NO_WAIT.at_ms)
            return IO_AGAIN;
    }
    return s->fails ? IO_FAIL : IO_EOF;
}

static inline void script_fini(struct body *b)
{
    CONTAINER_OF(b, struct script, body)->n_fini++;
}

static const struct body_ops script_ops = {
    .name = "script", .read = script_read, .fini = script_fini};

static inline struct body *script_init(struct script *s, const struct str *pieces, size_t n)
{
    *s = (struct script){.body = {.ops = &script_ops, .length = -1}, .pieces = pieces, .n = n};
    return &s->body;
}

// --- a server ---

struct body_server {
    struct handler handler;
    unsigned status;
    const char *const *fields; // name, value, …, NULL; may be NULL
    struct body *body;         // NULL: none
    bool reads_request;        // all of it, before it answers
    struct text request;       // what it read
    enum io request_end;
    unsigned n_served;
};

static inline void body_server_read(struct body_server *s, struct body *b)
{
    struct str piece;
    do {
        s->request_end = body_read(b, &piece, deadline_at(INT64_MAX));
        if (s->request_end == IO_DONE)
            text_put(&s->request, piece);
    } while (s->request_end == IO_DONE);
}

static inline enum err body_server_serve(const struct handler *h, struct exchange *x)
{
    struct body_server *s = (struct body_server *)(uintptr_t)h;
    s->n_served++;
    if (s->reads_request && x->req.body)
        body_server_read(s, x->req.body);
    x->resp.status = (uint16_t)s->status;
    for (const char *const *f = s->fields; f && *f; f += 2)
        CHECK_INT(headers_add_named(&x->resp.headers, str_of(f[0]), str_of(f[1])), ERR_OK);
    x->resp.body = s->body;
    return ERR_OK;
}

static const struct handler_type body_server_type = {.name = "mock", .serve = body_server_serve};

// --- both, with a filter in front ---

struct bodies {
    struct filter_fixture f;
    struct fixture e;
    struct body_server server;
    struct http_env env;
};

// The filter of these settings, and a request of `method` that isn't sent yet.
static inline struct exchange *bodies_start(struct bodies *b, const struct filter_type *type,
                                            const char *yaml, const char *method)
{
    *b = (struct bodies){.server = {.handler.type = &body_server_type, .status = 200}};
    filter_start(&b->f, type, yaml, NULL);
    CHECK(b->f.filter != NULL);
    b->f.filter->next = &b->server.handler;
    http_env_init(&b->env, NULL, NULL, 8);
    struct exchange *x = fixture_start(&b->e, method, "a.example", "/", NULL);
    x->env = &b->env;
    return x;
}

static inline void bodies_end(struct bodies *b)
{
    body_fini(b->e.x.resp.body);
    b->e.x.resp.body = NULL;
    body_fini(b->e.x.req.body);
    CHECK_INT(b->env.buffers.n_out, 0);
    CHECK_INT(b->env.zip.promised_bytes, 0);
    fixture_end(&b->e);
    filter_end(&b->f);
    http_env_fini(&b->env);
    text_fini(&b->server.request);
}

// All of x's answer. ret_end: IO_EOF or IO_FAIL. Owned by the caller.
static inline struct text bodies_read(struct body *b, enum io *ret_end)
{
    struct text all = {.ptr = NULL};
    struct str piece;
    while ((*ret_end = body_read(b, &piece, deadline_at(INT64_MAX))) == IO_DONE)
        text_put(&all, piece);
    return all;
}

static inline struct str bodies_field(const struct bodies *b, const char *name)
{
    const struct field *f = headers_find_named(&b->e.x.resp.headers, str_of(name));
    return f ? f->value : STR_NONE;
}
