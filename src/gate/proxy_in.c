// SPDX-License-Identifier: Apache-2.0
#include "gate/proxy_in.h"

#include "base/mem.h"
#include "codec/proxy_header.h"
#include "rt/clock.h"
#include "rt/log.h"
#include "rt/loop.h"
#include "rt/timer.h"

_Static_assert(PROXY_HEADER_V2_BYTES <= HTTP_BLOCK_BYTES, "a header is looked at in a block");

struct newcomer {
    struct stream stream; // plain
    struct http_conn conn;
    struct rt_timer timer;
    struct ip peer;
    uint16_t peer_port;
    proxy_in_fn *go_on;
};

static struct http_env *env_of(const struct newcomer *c)
{
    return c->conn.listener->env;
}

static void free_newcomer(void *arg)
{
    mem_free(arg);
}

// Its stream has gone on, or is closed.
static void end(struct newcomer *c)
{
    timer_stop(&c->timer);
    http_conn_end(&c->conn);
    loop_defer(free_newcomer, c);
}

static void close_newcomer(struct newcomer *c)
{
    stream_close(&c->stream);
    end(c);
}

// They come from proxies that are trusted, so nobody else can fill the log with this.
static void refuse(struct newcomer *c, const char *why)
{
    char text[46];
    http_count(env_of(c), HTTP_COUNTER_PROXY_REFUSED, 1);
    log_warn("PROXY protocol: from " STR_FMT " at entrypoint " STR_FMT ": %s",
             STR_ARG(ip_text(&c->peer, text)),
             STR_ARG(env_of(c)->app->entry(env_of(c), c->conn.listener)->name), why);
    close_newcomer(c);
}

static void go_on(struct newcomer *c, const struct proxy_header *h)
{
    struct http_listener *l = c->conn.listener;
    struct ip peer = h->source.family != 0 ? h->source : c->peer;
    uint16_t port = h->source.family != 0 ? h->source_port : c->peer_port;
    struct stream s;
    stream_move(&c->stream, &s);
    proxy_in_fn *fn = c->go_on;
    http_count(l->env, HTTP_COUNTER_PROXIED, 1);
    end(c);
    fn(l, &s, &peer, port);
}

// What was looked at is the connection's no more.
static bool drop(struct stream *s, char *buf, size_t n)
{
    while (n > 0) {
        size_t got;
        if (stream_try_read(s, buf, n, &got) != IO_DONE)
            return false;
        n -= got;
    }
    return true;
}

// buf: a block. IO_FAIL without *ret_why: the connection is lost.
static enum io take_header(struct newcomer *c, char *buf, struct proxy_header *ret,
                           const char **ret_why)
{
    struct rt_sock *sock = &c->stream.sock;
    enum proxy_header_error error;
    size_t n, used;
    enum io io = sock_try_peek(sock, buf, PROXY_HEADER_V2_BYTES, &n);
    if (io != IO_DONE)
        return io;
    io = proxy_header_parse(str_from(buf, n), ret, &used, &error);
    if (io == IO_FAIL)
        *ret_why = proxy_header_error_text(error);
    else if (io == IO_AGAIN && sock->has_hangup)
        io = IO_EOF;
    else if (io == IO_DONE && !drop(&c->stream, buf, used))
        io = IO_FAIL;
    return io;
}

static void look(struct newcomer *c)
{
    struct http_env *env = env_of(c);
    struct proxy_header h;
    const char *why = NULL;
    char *buf = pool_take(&env->blocks);
    if (!buf) {
        http_count(env, HTTP_COUNTER_CONNS_REFUSED, 1);
        close_newcomer(c);
        return;
    }
    enum io io = take_header(c, buf, &h, &why);
    pool_give(&env->blocks, buf);
    if (io == IO_DONE)
        go_on(c, &h);
    else if (why)
        refuse(c, why);
    else if (io != IO_AGAIN) // a balancer's look whether we are there, as a rule
        close_newcomer(c);
    else
        sock_watch(&c->stream.sock);
}

static void on_event(struct rt_sock *s)
{
    struct newcomer *c = CONTAINER_OF(s, struct newcomer, stream.sock);
    if (s->is_readable)
        look(c);
}

static void on_timer(struct rt_timer *t)
{
    struct newcomer *c = CONTAINER_OF(t, struct newcomer, timer);
    if (http_leave_idle_ms(c->conn.listener) < INT64_MAX)
        close_newcomer(c);
    else
        refuse(c, "the header didn't come in time");
}

static void stop(struct http_conn *conn)
{
    close_newcomer(CONTAINER_OF(conn, struct newcomer, conn));
}

static void leave(struct http_conn *conn, int64_t idle_ms, int64_t not_before_ms)
{
    struct newcomer *c = CONTAINER_OF(conn, struct newcomer, conn);
    int64_t due_ms = MAX(clock_now_ms() + idle_ms, not_before_ms);
    if (due_ms < c->timer.at_ms)
        timer_start(&c->timer, due_ms, on_timer);
}

static const struct http_conn_ops conn_ops = {
    .name = STR_INIT("proxied"), .close = stop, .leave = leave};

static bool is_from(const struct proxy_in *conf, const struct ip *ip)
{
    for (size_t i = 0; i < conf->n_from; i++) {
        if (ip_net_contains(&conf->from[i], ip))
            return true;
    }
    return false;
}

static void refuse_stranger(struct http_listener *l, struct stream *s, const struct ip *peer)
{
    char text[46];
    http_count(l->env, HTTP_COUNTER_PROXY_REFUSED, 1);
    if (log_is_on(LOG_DEBUG))
        log_line(LOG_DEBUG, "PROXY protocol: refused " STR_FMT ", which isn't one of `from`",
                 STR_ARG(ip_text(peer, text)));
    stream_close(s);
}

void proxy_in_accept(struct http_listener *l, const struct proxy_in *conf, int fd,
                     const struct rt_addr *from, proxy_in_fn *fn)
{
    struct stream s;
    struct ip peer;
    uint16_t port;
    if (!http_accept(l->env, fd, from, &s, &peer, &port))
        return;
    if (!is_from(conf, &peer)) {
        if (conf->takes_others)
            fn(l, &s, &peer, port);
        else
            refuse_stranger(l, &s, &peer);
        return;
    }
    struct newcomer *c = MEM_NEW(struct newcomer);
    stream_move(&s, &c->stream);
    c->stream.sock.on_event = on_event;
    c->peer = peer;
    c->peer_port = port;
    c->go_on = fn;
    http_conn_begin(&c->conn, l, &conn_ops);
    http_conn_rest(&c->conn);
    int64_t due_ms = clock_now_ms() + conf->timeout_ms;
    int64_t leave_ms = http_leave_idle_ms(l);
    if (leave_ms < INT64_MAX)
        due_ms = MIN(due_ms, clock_now_ms() + leave_ms);
    timer_start(&c->timer, due_ms, on_timer);
    look(c); // TCP_DEFER_ACCEPT: it is here, as a rule
}
