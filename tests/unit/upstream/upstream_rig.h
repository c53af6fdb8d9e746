// SPDX-License-Identifier: Apache-2.0
// A worker with services, servers of all kinds on fibers of the same loop, and exchanges without
// clients: for the tests of this layer.
#pragma once

#include "base/arena.h"
#include "http/env.h"
#include "http/exchange.h"
#include "http/tunnel.h"
#include "unit/rt/rt_test.h"
#include "upstream/service_priv.h"

// --- servers ---

enum origin_does {
    ORIGIN_ANSWERS,           // each request, on kept connections
    ORIGIN_ANSWERS_ONCE,      // closes a connection when the second request has come
    ORIGIN_CLOSES_IDLE,       // after each answer, without saying so before
    ORIGIN_CLOSES_UNHEARD,    // reads a request, then closes
    ORIGIN_TALKS_OUT_OF_TURN, // two answers to one request
    ORIGIN_TALKS_NONSENSE,
    ORIGIN_HANGS, // never answers
    ORIGIN_WAITS, // answers when origin_go is called
    ORIGIN_SAYS,  // what stands in `says`, and closes
    ORIGIN_EATS,  // reads on behind the head until `eats` bytes have come, then closes
};

struct origin {
    const char *name; // the body of its answers: one byte
    enum origin_does does;
    struct rt_addr addr;
    char url[160];
    int fd;
    struct rt_listener *listener;
    unsigned n_requests, n_conns, n_open;
    bool may_answer;
    const char *says;
    size_t eats;
    char last[2048]; // request head
};

struct origin_conn {
    struct rt_sock sock;
    struct origin *o;
    unsigned n;
    char head[2048];
    size_t have;
};

static inline bool origin_read_head(struct origin_conn *c)
{
    c->have = 0;
    do {
        size_t n = 0;
        if (sock_read(&c->sock, c->head + c->have, sizeof c->head - 1 - c->have,
                      deadline_in(SOON_MS), &n) != IO_DONE)
            return false;
        c->have += n;
        c->head[c->have] = '\0';
    } while (!strstr(c->head, "\r\n\r\n"));
    memcpy(c->o->last, c->head, c->have + 1);
    c->o->n_requests++;
    c->n++;
    return true;
}

static inline bool origin_write(struct origin_conn *c, const char *text)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", text);
    struct iovec iov = {copy, strlen(copy)};
    return sock_writev(&c->sock, &iov, 1, SOON_MS, deadline_in(SOON_MS)) == IO_DONE;
}

static inline bool origin_answer(struct origin_conn *c)
{
    char text[128];
    snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%s", c->o->name);
    return origin_write(c, text);
}

// Returns whether the connection goes on.
static inline bool origin_step(struct origin_conn *c)
{
    switch (c->o->does) {
    case ORIGIN_ANSWERS:
        return origin_answer(c);
    case ORIGIN_ANSWERS_ONCE:
        return c->n == 1 && origin_answer(c);
    case ORIGIN_CLOSES_IDLE:
        origin_answer(c);
        return false;
    case ORIGIN_CLOSES_UNHEARD:
        return false;
    case ORIGIN_TALKS_OUT_OF_TURN:
        origin_answer(c);
        fiber_sleep(1);
        return origin_answer(c);
    case ORIGIN_TALKS_NONSENSE:
        return origin_write(c, "220 smtp ready\r\n\r\n");
    case ORIGIN_HANGS:
        (void)origin_read_head(c);
        return false;
    case ORIGIN_WAITS:
        while (!c->o->may_answer)
            fiber_sleep(1);
        return origin_answer(c);
    case ORIGIN_SAYS:
        (void)origin_write(c, c->o->says);
        return false;
    case ORIGIN_EATS:
        while (c->have < c->o->eats) {
            char bytes[1024];
            size_t n = 0;
            if (sock_read(&c->sock, bytes, sizeof bytes, deadline_in(SOON_MS), &n) != IO_DONE)
                break;
            c->have += n;
        }
        return false;
    }
    return false;
}

static inline void origin_run(void *arg)
{
    struct origin_conn *c = arg;
    while (origin_read_head(c) && origin_step(c))
        ;
    sock_close(&c->sock);
    c->o->n_open--;
    free(c);
}

static inline void origin_accept(void *arg, int fd, const struct rt_addr *peer)
{
    (void)peer;
    struct origin_conn *c = calloc(1, sizeof *c);
    c->o = arg;
    c->o->n_conns++;
    c->o->n_open++;
    sock_init(&c->sock, fd);
    fiber_start(origin_run, c);
}

static inline struct origin *origin_listen(struct origin *o)
{
    char buf[128];
    struct str text = addr_text(&o->addr, buf, sizeof buf);
    snprintf(o->url, sizeof o->url, "%s" STR_FMT,
             o->addr.u.any.sa_family == AF_UNIX ? "" : "http://", STR_ARG(text));
    o->listener = listener_start(o->fd, origin_accept, o);
    return o;
}

static inline struct origin *origin_start(struct origin *o, const char *name, enum origin_does does)
{
    *o = (struct origin){.name = name, .does = does};
    o->fd = test_listen(&o->addr);
    return origin_listen(o);
}

static inline void origin_stop(struct origin *o)
{
    listener_stop(o->listener);
    close(o->fd);
}

// A port on which nobody listens, and which nobody else gets.
static inline struct origin *origin_refuse(struct origin *o)
{
    *o = (struct origin){.name = "?"};
    struct ip loopback = {.bytes = {127, 0, 0, 1}, .family = 4};
    addr_from_ip(&loopback, 0, &o->addr);
    o->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (o->fd < 0 || bind(o->fd, &o->addr.u.any, o->addr.len) != 0 ||
        getsockname(o->fd, &o->addr.u.any, &o->addr.len) != 0)
        abort();
    char buf[128];
    struct str text = addr_text(&o->addr, buf, sizeof buf);
    snprintf(o->url, sizeof o->url, "http://" STR_FMT, STR_ARG(text));
    return o;
}

// --- services ---

struct rig {
    struct rt_loop *loop;
    struct http_env env;
    struct http_entry entry;
    struct upstream_registry *registry;
    struct upstream_worker *worker;
    struct arena mem; // of the snapshot
    struct diags diags;
    struct service_conf conf;
    struct server_conf servers[8];
    void *server_items[8];
    struct handler *service;
};

static struct conf_text rig_retries[] = {{.text = STR_INIT("connect")},
                                         {.text = STR_INIT("closed")}};

static inline void rig_init(struct rig *r)
{
    *r = (struct rig){.loop = test_loop(0)};
    static const struct http_app app;
    http_env_init(&r->env, &app, NULL, 100);
    arena_init(&r->mem, 1 << 20, NULL, 0);
    r->registry = upstream_registry_new();
    r->worker = upstream_worker_new(r->registry, 0, r->loop);
    r->conf = (struct service_conf){
        .connect_ms = SOON_MS,
        .head_ms = SOON_MS,
        .body_idle_ms = SOON_MS,
        .tries = 3,
        .skip_ms = SOON_MS,
        .idle_ms = SOON_MS,
        .idle_max = 10,
        .queue_max = 10,
        .queue_ms = SOON_MS,
        .head_max_bytes = 64 * 1024,
        .panic_percent = 1,
        .retries = {.on = {.items = rig_retries, .n = ARRAY_LEN(rig_retries)},
                    .budget_percent = 20,
                    .budget_min = 10,
                    .body_max_bytes = 1024},
    };
    r->conf.servers.items = r->server_items;
}

static inline void rig_server(struct rig *r, const char *url, uint32_t weight)
{
    size_t i = r->conf.servers.n++;
    r->servers[i] = (struct server_conf){.url = {.text = str_of(url)}, .weight = weight};
    r->server_items[i] = &r->servers[i];
}

static inline struct handler *rig_build(struct rig *r)
{
    r->service = service_build(STR("app"), &r->conf, r->registry, &r->mem, &r->diags);
    for (size_t i = 0; i < r->diags.n; i++)
        printf("# %s\n", r->diags.items[i].text);
    CHECK(r->service != NULL);
    // Exchanges are counted in all tests: the registry asserts at its end that none was forgotten.
    const struct service *s = service_of(r->service);
    for (size_t i = 0; i < s->n_servers; i++)
        atomic_store(&s->servers[i].state->is_counted, true);
    return r->service;
}

static inline void rig_fini(struct rig *r)
{
    service_release(r->service);
    upstream_worker_free(r->worker);
    upstream_registry_free(r->registry);
    CHECK(test_run_all(r->loop));
    diags_fini(&r->diags);
    arena_fini(&r->mem);
    CHECK_INT(r->env.buffers.n_out, 0);
    http_env_fini(&r->env);
    loop_free(r->loop);
}

// --- exchanges ---

struct call {
    struct rig *r;
    struct handler *service; // NULL: the rig's
    enum method method;
    const char *upload; // a body, or NULL
    const char *cookie; // or NULL
    bool is_raw;        // a connection is wanted, not an answer
    bool got_tunnel;
    struct fiber *fiber;
    bool is_done;
    enum err err;
    unsigned status;
    char body[256];
    char server[128], detail[256], trail[1024];
    char set_cookie[256], retry_after[16];
    unsigned n_tries;
    bool is_reused;
    enum exchange_end end;
};

static inline void call_run(void *arg)
{
    struct call *c = arg;
    static const char *const names[] = {
#define X(id, text) [METHOD_##id] = text,
        METHOD_LIST(X)
#undef X
    };
    static const struct exchange_ops ops;
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct exchange x = {.mem = &mem, .env = &c->r->env, .entry = &c->r->entry, .ops = &ops};
    headers_init(&x.req.headers, &mem);
    headers_init(&x.resp.headers, &mem);
    x.req.method_id = c->method;
    x.req.method = str_of(names[c->method]);
    x.req.path = STR("/");
    x.req.authority = x.req.host = STR("client.test");
    if (c->cookie && headers_add(&x.req.headers, FIELD_COOKIE, str_of(c->cookie)) != ERR_OK)
        abort();
    struct body_bytes upload;
    if (c->upload)
        x.req.body = body_bytes_init(&upload, str_of(c->upload));
    x.req.is_raw = c->is_raw;
    x.times.head_read = clock_now_ns();
    c->err = handler_serve(c->service ? c->service : c->r->service, &x);
    c->status = x.resp.status;
    struct str set_cookie = headers_get(&x.resp.headers, FIELD_SET_COOKIE);
    snprintf(c->set_cookie, sizeof c->set_cookie, STR_FMT, STR_ARG(set_cookie));
    struct str retry_after = headers_get(&x.resp.headers, FIELD_RETRY_AFTER);
    snprintf(c->retry_after, sizeof c->retry_after, STR_FMT, STR_ARG(retry_after));
    struct str piece;
    size_t n = 0;
    while (!c->err && x.resp.body &&
           body_read(x.resp.body, &piece, deadline_in(SOON_MS)) == IO_DONE) {
        size_t room = MIN(piece.len, sizeof c->body - 1 - n);
        memcpy(c->body + n, piece.ptr, room);
        n += room;
    }
    body_fini(x.resp.body);
    c->got_tunnel = x.resp.tunnel != NULL;
    if (x.resp.tunnel)
        x.resp.tunnel->release(x.resp.tunnel);
    snprintf(c->server, sizeof c->server, STR_FMT, STR_ARG(x.server_name));
    snprintf(c->detail, sizeof c->detail, STR_FMT, STR_ARG(x.end_detail));
    struct writer w;
    writer_init(&w, c->trail, sizeof c->trail - 1);
    trail_write(&x.trail, &w);
    c->trail[w.len] = '\0';
    c->n_tries = x.n_tries;
    c->is_reused = x.is_reused;
    c->end = x.end;
    arena_fini(&mem);
    c->is_done = true;
}

static inline void call_start(struct call *c)
{
    c->is_done = false;
    c->fiber = fiber_start(call_run, c);
}

static inline void call_wait(struct call *c)
{
    int64_t end_ns = clock_exact_ns() + (int64_t)SOON_MS * 1000000;
    while (!c->is_done && clock_exact_ns() < end_ns)
        loop_turn(c->r->loop, 100);
    CHECK(c->is_done);
}

// One exchange from its beginning to its end.
static inline struct call call(struct rig *r, enum method method)
{
    struct call c = {.r = r, .method = method};
    call_start(&c);
    call_wait(&c);
    return c;
}

#define TURN_UNTIL(r, cond)                                                                        \
    do {                                                                                           \
        int64_t end_ns_ = clock_exact_ns() + (int64_t)SOON_MS * 1000000;                           \
        while (!(cond) && clock_exact_ns() < end_ns_)                                              \
            loop_turn((r)->loop, 10);                                                              \
        CHECK(cond);                                                                               \
    } while (0)
