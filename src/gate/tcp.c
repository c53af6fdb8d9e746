// SPDX-License-Identifier: Apache-2.0
#include "gate/tcp.h"

#include "base/mem.h"
#include "codec/proxy_header.h"
#include "gate/snapshot.h"
#include "gate/worker.h"
#include "http/exchange.h"
#include "http/forward.h"
#include "http/tunnel.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/loop.h"
#include "upstream/service.h"

#define EXCHANGE_MEM_BYTES (64 * 1024)

enum tcp_state {
    TCP_CONNECTING, // a fiber and a block
    TCP_TUNNEL,     // neither
    TCP_CLOSED,     // freed at the end of the turn
};

// What the log line at the end needs of the exchange: the rest of it isn't kept. One piece of
// memory, with the texts behind the steps of the trail.
struct record {
    void *snapshot; // shares: app->begin's
    const struct http_entry *entry;
    const struct route *route; // borrows: the snapshot's
    struct exchange_times times;
    struct str host, server_name, request_id;
    struct ip client;
    bool peer_is_trusted;
    unsigned n_tries;
    uint64_t early_bytes; // sent to the server before the tunnel began
    unsigned n_steps;
    struct trail_step steps[];
};

struct tcp_conn {
    struct stream stream; // the client's
    struct http_conn conn;
    struct tunnel_side side;
    struct fiber *fiber;   // borrows: CONNECTING
    struct record *record; // owns: TUNNEL
    struct ip peer;
    uint16_t peer_port;
    bool is_stopped;
    enum tcp_state state;
};

// An exchange with the start of its arena: a block of the worker's.
struct turn {
    struct tcp_conn *c; // borrows
    struct arena mem;
    struct exchange x;
};
_Static_assert(sizeof(struct turn) <= HTTP_BLOCK_BYTES / 2, "half a block is for the arena");

static struct http_env *env_of(const struct tcp_conn *c)
{
    return c->conn.listener->env;
}

// --- connections ---

static void on_event(struct rt_sock *s)
{
    struct tcp_conn *c = CONTAINER_OF(s, struct tcp_conn, stream.sock);
    if (c->state == TCP_CONNECTING && s->has_error && c->fiber)
        fiber_cancel(c->fiber); // a reset: nobody is there any more
}

static void stop(struct http_conn *conn)
{
    struct tcp_conn *c = CONTAINER_OF(conn, struct tcp_conn, conn);
    if (c->state != TCP_CONNECTING) // tunnel_abort_all is for tunnels
        return;
    c->is_stopped = true;
    if (c->fiber)
        fiber_cancel(c->fiber);
}

// They never are among the idle ones, which are told to leave.
static const struct http_conn_ops conn_ops = {.name = STR_INIT("tcp"), .close = stop};

static struct tcp_conn *new_conn(struct http_listener *l, struct stream *s, const struct ip *peer,
                                 uint16_t peer_port)
{
    struct tcp_conn *c = MEM_NEW(struct tcp_conn);
    http_conn_begin(&c->conn, l, &conn_ops);
    stream_move(s, &c->stream);
    c->stream.sock.on_event = on_event;
    c->peer = *peer;
    c->peer_port = peer_port;
    return c;
}

static void free_conn(void *arg)
{
    mem_free(arg);
}

static void close_conn(struct tcp_conn *c)
{
    ASSERT(c->state != TCP_CLOSED && !c->record);
    c->state = TCP_CLOSED;
    if (c->stream.sock.fd >= 0) // a tunnel closes it itself
        stream_close(&c->stream);
    http_conn_end(&c->conn);
    loop_defer(free_conn, c);
}

// --- exchanges ---

// Nothing to offer: there is no HTTP, and the client is watched from the beginning.
static const struct exchange_ops exchange_ops;

// t: HTTP_BLOCK_BYTES.
static void init_turn(struct turn *t, struct tcp_conn *c)
{
    *t = (struct turn){.c = c};
    arena_init(&t->mem, EXCHANGE_MEM_BYTES, t + 1, HTTP_BLOCK_BYTES - sizeof *t);
    struct exchange *x = &t->x;
    x->mem = &t->mem;
    x->env = env_of(c);
    x->ops = &exchange_ops;
    x->driver = t;
    x->peer = x->client = c->peer;
    x->peer_port = c->peer_port;
    x->req.is_raw = true;
    x->req.scheme = STR("tcp");
    headers_init(&x->req.headers, &t->mem);
    headers_init(&x->resp.headers, &t->mem);
}

// The line in the log, and the snapshot back.
static void finish(struct exchange *x)
{
    x->times.finished = clock_now_ns();
    x->env->app->finish(x->env, x);
}

// --- what is kept of an exchange while its tunnel lives ---

static struct str copy_text(char **to, struct str s)
{
    struct str copy = {*to, s.len};
    if (s.len > 0)
        memcpy(*to, s.ptr, s.len);
    *to += s.len;
    return copy;
}

static struct record *record_of(const struct exchange *x, const struct route *route,
                                uint64_t early_bytes)
{
    unsigned n_steps = MIN(x->trail.n, (unsigned)TRAIL_MAX);
    size_t n = x->req.host.len + x->server_name.len + x->request_id.len;
    for (unsigned i = 0; i < n_steps; i++)
        n += x->trail.steps[i].detail.len;
    struct record *r = mem_alloc_raw(sizeof *r + n_steps * sizeof r->steps[0] + n);
    char *text = (char *)(r->steps + n_steps);
    *r = (struct record){
        .snapshot = x->snapshot,
        .entry = x->entry,
        .route = route,
        .times = x->times,
        .host = copy_text(&text, x->req.host),
        .server_name = copy_text(&text, x->server_name),
        .request_id = copy_text(&text, x->request_id),
        .client = x->client,
        .peer_is_trusted = x->peer_is_trusted,
        .n_tries = x->n_tries,
        .early_bytes = early_bytes,
        .n_steps = n_steps,
    };
    for (unsigned i = 0; i < n_steps; i++) {
        r->steps[i] = x->trail.steps[i]; // who: the snapshot's, or a static text
        r->steps[i].detail = copy_text(&text, x->trail.steps[i].detail);
    }
    return r;
}

static void restore(const struct record *r, struct exchange *x)
{
    x->snapshot = r->snapshot;
    x->entry = r->entry;
    x->route_name = r->route->name;
    x->service_name = r->route->service_name;
    x->times = r->times;
    x->req.host = r->host;
    x->server_name = r->server_name;
    x->request_id = r->request_id;
    x->client = r->client;
    x->peer_is_trusted = r->peer_is_trusted;
    x->n_tries = r->n_tries;
    for (unsigned i = 0; i < r->n_steps; i++)
        trail_add(&x->trail, r->steps[i].who, r->steps[i].what, r->steps[i].detail);
}

// --- tunnels ---

static void release_side(struct tunnel_side *side)
{
    stream_close(&CONTAINER_OF(side, struct tcp_conn, side)->stream);
}

static void on_done(void *arg, const struct tunnel_totals *totals)
{
    struct tcp_conn *c = arg;
    // Not from the pool, which may be at its limit, and this must not fail.
    struct turn *t = mem_alloc_raw(HTTP_BLOCK_BYTES);
    struct record *r = c->record;
    init_turn(t, c);
    struct exchange *x = &t->x;
    restore(r, x);
    x->request_bytes = x->wire_in = totals->a_to_b + r->early_bytes;
    x->response_bytes = x->wire_out = totals->b_to_a;
    x->end_detail = str_of(totals->ended_by);
    if (str_eq(x->end_detail, STR("shutdown")))
        x->end = EXCHANGE_END_SHUTDOWN;
    finish(x);
    arena_fini(&t->mem);
    mem_free(t);
    mem_free(r);
    c->record = NULL;
    close_conn(c);
}

// The PROXY header and what was read of the client already, in one write. Waits.
static bool send_first(struct turn *t, const struct route *route, struct str early)
{
    struct tcp_conn *c = t->c;
    struct exchange *x = &t->x;
    char buf[PROXY_HEADER_WRITE_BYTES];
    struct proxy_header h = {.source = x->client, .source_port = c->peer_port};
    enum service_proxy_protocol version = service_proxy_protocol(route->handler);
    struct str header = STR_NONE;
    struct rt_addr local;
    if (version != SERVICE_PROXY_PROTOCOL_OFF) {
        if (!sock_local_addr(&c->stream.sock, &local) ||
            !addr_to_ip(&local, &h.destination, &h.destination_port))
            h.destination = (struct ip){.family = 0};
        header = proxy_header_write(
            version == SERVICE_PROXY_PROTOCOL_V1 ? PROXY_HEADER_V1 : PROXY_HEADER_V2, &h, buf);
    }
    if (header.len + early.len == 0)
        return true;
    // WHY: iovec serves reading too and isn't const; writing leaves the bytes alone.
    struct iovec iov[2] = {{(void *)(uintptr_t)header.ptr, header.len},
                           {(void *)(uintptr_t)early.ptr, early.len}};
    int64_t each_ms = x->entry->tunnel_idle_ms;
    if (stream_writev(x->resp.tunnel->stream, iov, 2, each_ms, deadline_at(INT64_MAX)) == IO_DONE) {
        http_count(x->env, HTTP_COUNTER_BYTES_IN, (int64_t)early.len);
        x->times.sent = clock_now_ns();
        return true;
    }
    x->end = EXCHANGE_END_SERVER_GONE;
    x->end_detail = STR("the server closed the connection before it had the first bytes");
    return false;
}

// --- from a connection to a tunnel ---

static const struct route *find_route(struct exchange *x)
{
    const struct snapshot *s = x->snapshot;
    if (worker_refuses(x))
        return NULL;
    const struct route *route =
        s->tcp_router ? router_find(s->tcp_router, (unsigned)(x->entry - s->entries), x) : NULL;
    if (!route) {
        trail_add(&x->trail, STR("router"), "no route", STR_NONE);
        x->end = EXCHANGE_END_NO_ROUTE;
        x->end_detail = STR("no TCP route takes the connection");
        return NULL;
    }
    x->meter = route->meter;
    x->route_name = route->name;
    x->service_name = route->service_name;
    trail_add(&x->trail, STR("route"), "matched", route->name);
    return route;
}

// A server's connection in x->resp.tunnel, with the first bytes sent; else x->end tells. Waits.
static const struct route *reach_server(struct turn *t, struct str early)
{
    struct exchange *x = &t->x;
    enum err err = forward_believe(x);
    x->times.head_read = clock_now_ns();
    const struct route *route = err == ERR_OK ? find_route(x) : NULL;
    if (!route)
        return NULL;
    err = handler_serve(route->handler, x);
    bool is_done = err == ERR_OK && x->resp.tunnel && send_first(t, route, early);
    if (is_done && !fiber_is_cancelled(t->c->fiber))
        return route;
    if (t->c->is_stopped)
        x->end = EXCHANGE_END_SHUTDOWN;
    else if (fiber_is_cancelled(t->c->fiber) || x->end == EXCHANGE_END_OK)
        x->end = EXCHANGE_END_CLIENT_GONE;
    return NULL;
}

static void close_turn(struct turn *t)
{
    struct http_env *env = t->x.env;
    arena_fini(&t->mem);
    pool_give(&env->blocks, t);
}

// The client of c, of which `early` was read, as `host`. Ends as a tunnel, or closed. Waits.
static void serve(struct tcp_conn *c, struct str host, struct str early)
{
    struct http_env *env = env_of(c);
    struct turn *t = pool_take(&env->blocks);
    if (!t) {
        http_count(env, HTTP_COUNTER_CONNS_REFUSED, 1);
        close_conn(c);
        return;
    }
    init_turn(t, c);
    struct exchange *x = &t->x;
    x->req.host = host;
    x->times.accepted = clock_now_ns();
    env->app->begin(env, c->conn.listener, x);
    sock_watch(&c->stream.sock);
    const struct route *route = reach_server(t, early);
    struct tunnel_side *server = x->resp.tunnel;
    c->fiber = NULL;
    if (!route) {
        if (server)
            server->release(server);
        x->resp.tunnel = NULL;
        finish(x);
        close_turn(t);
        close_conn(c);
        return;
    }
    int64_t idle_ms = x->entry->tunnel_idle_ms;
    c->record = record_of(x, route, early.len);
    c->side = (struct tunnel_side){.stream = &c->stream, .release = release_side};
    c->state = TCP_TUNNEL;
    close_turn(t);
    http_count(env, HTTP_COUNTER_CONNS_TCP, 1);
    tunnel_start(env, &c->side, server, idle_ms, on_done, c);
}

static void run(void *arg)
{
    struct tcp_conn *c = arg;
    c->fiber = fiber_self();
    serve(c, STR_NONE, STR_NONE);
}

// --- public ---

void tcp_adopt(struct http_listener *l, struct stream *s, const struct ip *peer, uint16_t peer_port)
{
    struct tcp_conn *c = new_conn(l, s, peer, peer_port);
    if (fiber_run(run, c))
        return;
    http_count(l->env, HTTP_COUNTER_CONNS_REFUSED, 1);
    close_conn(c);
}

void tcp_accept(struct http_listener *l, int fd, const struct rt_addr *peer)
{
    struct stream s;
    struct ip ip;
    uint16_t port;
    if (http_accept(l->env, fd, peer, &s, &ip, &port))
        tcp_adopt(l, &s, &ip, port);
}

bool tcp_take(struct door_guest *g)
{
    const struct snapshot *s = g->snapshot;
    if (!s->tcp_router)
        return false;
    struct exchange x = {.client = g->peer, .req = {.is_raw = true, .host = g->server_name}};
    if (!router_find(s->tcp_router, g->listener->entry_index, &x))
        return false;
    door_hand_over(g);
    struct tcp_conn *c = new_conn(g->listener, &g->stream, &g->peer, g->peer_port);
    c->fiber = fiber_self();
    serve(c, g->server_name, g->early);
    return true;
}
