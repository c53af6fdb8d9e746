// SPDX-License-Identifier: Apache-2.0
#include "http/h1_server.h"

#include "base/assert.h"
#include "base/mem.h"
#include "http/h1_server_priv.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "tls/conn.h"

#define FIRST_MS 60000 // for the first byte of a connection, where the listener says nothing

// How a connection goes on.
enum next {
    NEXT_REQUEST,
    NEXT_IDLE,
    NEXT_PARK,
    NEXT_LINGER,
    NEXT_TUNNEL,
    NEXT_H2,
    NEXT_CLOSE,
};

// ---- Exchanges ----------------------------------------------------------------------------------

void h1_turn_init_exchange(struct h1_turn *t)
{
    struct exchange *x = &t->x;
    struct h1_conn *c = t->c;
    memset(x, 0, offsetof(struct exchange, trail) + offsetof(struct trail, steps));
    x->mem = &t->mem;
    x->env = h1_conn_env(c);
    x->ops = &h1_server_ops;
    x->driver = t;
    x->peer = c->peer;
    x->peer_port = c->peer_port;
    x->tls = tls_conn_info(&c->stream);
    headers_init(&x->req.headers, &t->mem);
    headers_init(&x->resp.headers, &t->mem);
    t->framing = (struct h1_framing){.body = H1_BODY_NONE};
    t->in.is_done = false; // until a head tells: nothing after it would be understood
    t->in.is_failed = true;
    t->head_seen = 0;
    t->sent_continue = t->keep_alive = t->is_last = t->is_answered = t->is_broken = false;
}

static void begin(struct h1_turn *t)
{
    struct exchange *x = &t->x;
    struct h1_conn *c = t->c;
    struct http_env *env = x->env;
    x->times.accepted = clock_now_ns();
    c->is_overdue = c->is_quiet = false;
    c->n_requests++;
    http_count(env, HTTP_COUNTER_EXCHANGES, 1);
    http_count(env, HTTP_COUNTER_EXCHANGES_OPEN, 1);
    env->app->begin(env, c->conn.listener, x);
    ASSERT(x->entry != NULL);
    t->has_begun = true;
    t->head_due_ms = clock_now_ms() + x->entry->head_ms;
}

static void count_status(struct http_env *env, unsigned status)
{
    if (status >= 100 && status < 600)
        http_count(env, (enum http_counter)(HTTP_COUNTER_STATUS_1XX + status / 100 - 1), 1);
}

void h1_turn_finish(struct h1_turn *t)
{
    struct exchange *x = &t->x;
    struct http_env *env = x->env;
    if (!t->has_begun)
        return;
    body_fini(x->resp.body);
    x->resp.body = NULL;
    body_fini(x->req.body); // after the answer's, with which its sending has ended
    x->req.body = NULL;
    if (x->resp.tunnel)
        x->resp.tunnel->release(x->resp.tunnel);
    x->resp.tunnel = NULL;
    exchange_end_guards(x);
    if (t->is_answered)
        count_status(env, x->resp.status);
    http_count(env, HTTP_COUNTER_EXCHANGES_OPEN, -1);
    x->times.finished = clock_now_ns();
    env->app->finish(env, x);
    t->has_begun = false;
    arena_reset(&t->mem);
}

// The exchange is lost: no answer can be given any more, or not to its end.
static enum next abandon(struct h1_turn *t, enum exchange_end end)
{
    struct exchange *x = &t->x;
    if (t->c->is_stopped)
        x->end = EXCHANGE_END_SHUTDOWN;
    else if (x->end == EXCHANGE_END_OK || fiber_is_cancelled(t->c->fiber))
        x->end = end;
    h1_turn_finish(t);
    return NEXT_CLOSE;
}

// False: the client is gone, or the exchange was cancelled.
static bool serve(struct h1_turn *t)
{
    struct exchange *x = &t->x;
    if (x->resp.status != 0) // refused when its head was read
        return true;
    if (x->env->app->serve(x->env, x) == ERR_OK)
        return !t->is_broken;
    if (t->is_broken || fiber_is_cancelled(t->c->fiber) || x->end == EXCHANGE_END_OK ||
        x->end == EXCHANGE_END_CLIENT_GONE)
        return false;
    struct str why = x->end_detail.len > 0 ? x->end_detail : str_of(exchange_end_text(x->end));
    exchange_fail(x, exchange_end_status(x->end), x->end, STR_FMT, STR_ARG(why));
    return true;
}

static enum next after_answer(struct h1_turn *t)
{
    struct h1_conn *c = t->c;
    const struct http_entry *e = t->x.entry;
    if (t->x.resp.status == 101 && (c->is_stopped || fiber_is_cancelled(c->fiber)))
        return abandon(t, EXCHANGE_END_CLIENT_GONE);
    if (t->x.resp.status == 101)
        return NEXT_TUNNEL;
    if (t->keep_alive && !h1_server_body_is_done(t))
        t->keep_alive = h1_server_body_drain(t);
    // An early request's client has still to send the end of its handshake.
    bool is_early = t->x.tls && t->x.tls->is_early;
    bool is_read = h1_server_body_is_done(t) && t->pos == t->end &&
                   !stream_is_readable(&c->stream) && !is_early;
    bool is_last = t->is_last;
    c->linger_ms = (uint32_t)MIN(e->linger_ms, (int64_t)UINT32_MAX);
    c->linger_left = (uint32_t)MIN(e->linger_max_bytes, (uint64_t)UINT32_MAX);
    h1_turn_finish(t);
    if (t->keep_alive)
        return NEXT_REQUEST;
    // What the client has sent, or is sending before it knows that nobody reads on, would turn our
    // end into a reset (RFC 9112 9.6).
    return is_read && is_last ? NEXT_CLOSE : NEXT_LINGER;
}

// Reads one request, has it served, and answers. Waits.
static enum next serve_one(struct h1_turn *t)
{
    struct h1_conn *c = t->c;
    if (c->parked) {
        h1_turn_init_exchange(t);
        h1_turn_unpark(t);
    } else {
        if (t->pos == t->end) {
            t->pos = t->end = 0;
            enum io io = stream_is_readable(&c->stream) ? h1_turn_read(t, BODY_NO_WAIT) : IO_AGAIN;
            if (io != IO_DONE)
                return io == IO_AGAIN ? NEXT_IDLE : NEXT_CLOSE;
        }
        h1_turn_init_exchange(t);
        begin(t);
    }
    c->idle_ms = (uint32_t)MIN(t->x.entry->idle_ms, (int64_t)UINT32_MAX);
    t->mem.limit_bytes = t->x.entry->exchange_mem_bytes;
    switch (h1_server_look_for_h2(t)) {
    case IO_DONE:
        return c->is_stopped ? abandon(t, EXCHANGE_END_CLIENT_GONE) : NEXT_H2;
    case IO_AGAIN:
        return NEXT_PARK;
    case IO_EOF:
    case IO_FAIL:
        break;
    }
    switch (h1_server_read_head(t)) {
    case IO_DONE:
        break;
    case IO_AGAIN:
        return NEXT_PARK;
    case IO_EOF:
    case IO_FAIL:
        return abandon(t, EXCHANGE_END_CLIENT_GONE);
    }
    if (!serve(t) || !h1_server_answer(t))
        return abandon(t, EXCHANGE_END_CLIENT_GONE);
    return after_answer(t);
}

// ---- Connections --------------------------------------------------------------------------------

static enum next serve_all(struct h1_conn *c)
{
    enum next next;
    if (!h1_turn_open(c)) {
        http_count(h1_conn_env(c), HTTP_COUNTER_CONNS_REFUSED, 1);
        return NEXT_CLOSE;
    }
    while ((next = serve_one(c->turn)) == NEXT_REQUEST) {
        if (c->turn->pos < c->turn->end) // pipelined
            fiber_give_way(HTTP_BUFFER_BYTES);
    }
    return next;
}

// The fiber of a connection while it is active.
static void run(void *arg)
{
    struct h1_conn *c = arg;
    c->fiber = fiber_self();
    enum next next = c->is_stopped ? NEXT_CLOSE : serve_all(c);
    bool is_dead = c->is_stopped || fiber_is_cancelled(c->fiber);
    if (next == NEXT_TUNNEL) { // keeps the fiber for the tunnel's first bytes
        h1_conn_go_tunnel(c);
        return;
    }
    if (next == NEXT_H2) {
        h1_conn_go_h2(c);
        return;
    }
    c->fiber = NULL;
    if (next == NEXT_PARK) {
        h1_conn_go_parked(c);
        if (c->is_stopped)
            h1_conn_close_parked(c, EXCHANGE_END_SHUTDOWN);
    } else if (next == NEXT_CLOSE || is_dead) {
        h1_conn_close(c);
    } else if (next == NEXT_LINGER) {
        h1_conn_go_lingering(c);
    } else {
        h1_conn_go_idle(c);
    }
}

void h1_conn_resume(struct h1_conn *c)
{
    http_conn_rouse(&c->conn);
    c->state = H1_CONN_ACTIVE;
    if (fiber_run(run, c))
        return;
    http_count(h1_conn_env(c), HTTP_COUNTER_CONNS_REFUSED, 1);
    if (c->parked)
        h1_conn_close_parked(c, EXCHANGE_END_RESOURCES);
    else
        h1_conn_close(c);
}

static void on_event(struct rt_sock *s)
{
    struct h1_conn *c = CONTAINER_OF(s, struct h1_conn, stream.sock);
    switch ((enum h1_conn_state)c->state) {
    case H1_CONN_IDLE:
    case H1_CONN_PARKED:
        if (s->is_readable) // not only writable
            h1_conn_resume(c);
        return;
    case H1_CONN_ACTIVE:
        // A reset: nobody is there any more. A client that has only ended its side still gets its
        // answer.
        if (s->has_error && c->fiber)
            fiber_cancel(c->fiber);
        return;
    case H1_CONN_LINGERING:
        h1_conn_linger(c);
        return;
    case H1_CONN_TUNNEL:
    case H1_CONN_CLOSED:
        return;
    }
}

static void stop(struct http_conn *conn)
{
    struct h1_conn *c = CONTAINER_OF(conn, struct h1_conn, conn);
    switch ((enum h1_conn_state)c->state) {
    case H1_CONN_IDLE:
    case H1_CONN_LINGERING:
        h1_conn_close(c);
        return;
    case H1_CONN_PARKED:
        h1_conn_close_parked(c, h1_conn_env(c)->leave.is_on ? EXCHANGE_END_SHUTDOWN
                                                            : EXCHANGE_END_CLIENT_TIMEOUT);
        return;
    case H1_CONN_ACTIVE:
        c->is_stopped = true;
        if (c->fiber)
            fiber_cancel(c->fiber);
        return;
    case H1_CONN_TUNNEL: // tunnel_abort_all is for these
    case H1_CONN_CLOSED:
        return;
    }
}

static void leave(struct http_conn *conn, int64_t idle_ms, int64_t not_before_ms)
{
    h1_conn_leave(CONTAINER_OF(conn, struct h1_conn, conn), idle_ms, not_before_ms);
}

static const struct http_conn_ops conn_ops = {
    .name = STR_INIT("h1"), .close = stop, .leave = leave};

void h1_server_adopt(struct http_listener *l, struct stream *s, const struct ip *peer,
                     uint16_t peer_port)
{
    struct h1_conn *c = MEM_NEW(struct h1_conn);
    c->state = H1_CONN_ACTIVE;
    c->idle_ms = l->first_ms > 0 ? l->first_ms : FIRST_MS;
    http_conn_begin(&c->conn, l, &conn_ops);
    stream_move(s, &c->stream);
    c->stream.sock.on_event = on_event;
    c->peer = *peer;
    c->peer_port = peer_port;
    h1_conn_resume(c);
}

void h1_server_accept(struct http_listener *l, int fd, const struct rt_addr *peer)
{
    struct stream s;
    struct ip ip;
    uint16_t port;
    if (http_accept(l->env, fd, peer, &s, &ip, &port))
        h1_server_adopt(l, &s, &ip, port);
}
