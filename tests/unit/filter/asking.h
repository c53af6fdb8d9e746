// SPDX-License-Identifier: Apache-2.0
// A loop around exchanges whose filter asks an auth server that is made up.
#pragma once

#include "http/env.h"
#include "unit/filter/fixture.h"
#include "unit/rt/rt_test.h"

// The auth server: what it answers, and what it was asked.
struct auth_server {
    struct handler handler;
    unsigned status;           // 0: it can't be reached
    const char *const *fields; // name, value, …, NULL
    const char *body;
    bool is_silent;   // never answers
    int64_t delay_ms; // answers after it
    unsigned n_asked;
    char text[2048]; // of the request
};

static inline enum err auth_serve(const struct handler *h, struct exchange *x)
{
    struct auth_server *a = (struct auth_server *)(uintptr_t)h;
    struct writer w;
    a->n_asked++;
    writer_init(&w, a->text, sizeof a->text - 1);
    writer_put(&w, x->req.method);
    writer_byte(&w, ' ');
    writer_put(&w, x->req.authority);
    writer_put(&w, x->req.path);
    if (x->req.has_query) {
        writer_byte(&w, '?');
        writer_put(&w, x->req.query);
    }
    writer_put(&w, STR("\n"));
    headers_write(&w, &x->req.headers, 0);
    struct str piece;
    while (x->req.body && body_read(x->req.body, &piece, deadline_at(INT64_MAX)) == IO_DONE)
        writer_put(&w, piece);
    a->text[w.len] = '\0';
    if (a->is_silent && fiber_wait(deadline_at(INT64_MAX)) == FIBER_CANCELLED)
        return ERR_CANCELLED;
    if (a->delay_ms > 0 && fiber_sleep(a->delay_ms) == FIBER_CANCELLED)
        return ERR_CANCELLED;
    if (a->status == 0) {
        exchange_fail(x, 502, EXCHANGE_END_SERVER_CONNECT, "server 10.0.0.9:80: refused");
        return ERR_OK;
    }
    CHECK_INT(exchange_respond(x, a->status, STR_NONE, str_of(a->body)), ERR_OK);
    x->resp.is_internal = false;
    for (const char *const *f = a->fields; f && *f; f += 2)
        CHECK_INT(headers_add_named(&x->resp.headers, str_of(f[0]), str_of(f[1])), ERR_OK);
    return ERR_OK;
}

static const struct handler_type auth_type = {.name = "auth", .serve = auth_serve};

struct asking {
    struct rt_loop *loop;
    struct http_env env;
    struct http_entry entry;
    struct auth_server auth;
    struct filter_fixture f;
    struct fixture e;
    struct exchange *x;
    enum err err;
    bool is_done;
};

static inline void asking_start(struct asking *a, const struct filter_type *type, const char *yaml)
{
    static const struct http_app app;
    *a = (struct asking){.loop = test_loop(0), .entry.exchange_mem_bytes = 1 << 20};
    a->auth = (struct auth_server){.handler = {.type = &auth_type, .name = STR_INIT("auth")},
                                   .status = 200};
    http_env_init(&a->env, &app, NULL, 10);
    filter_start_asking(&a->f, type, yaml, NULL, &a->auth.handler);
    CHECK(a->f.filter != NULL);
    a->x = fixture_start(&a->e, "GET", "a.example", "/a", "b=c");
    a->x->env = &a->env;
    a->x->entry = &a->entry;
}

static inline void asking_run(void *arg)
{
    struct asking *a = arg;
    a->err = handler_serve(a->f.filter, a->x);
    a->is_done = true;
}

static inline void asking_serve(struct asking *a)
{
    CHECK(fiber_start(asking_run, a) != NULL);
    CHECK(test_run_all(a->loop));
    CHECK(a->is_done);
}

static inline void asking_end(struct asking *a)
{
    fixture_end(&a->e);
    filter_end(&a->f);
    http_env_fini(&a->env);
    loop_free(a->loop);
}
