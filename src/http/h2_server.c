// SPDX-License-Identifier: Apache-2.0
#include "http/h2_server.h"

#include "base/mem.h"
#include "http/h2_server_priv.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/log.h"
#include "rt/loop.h"

_Static_assert(sizeof(struct h2_conn) <= 512, "an idle connection is small");

// --- the end ---

static void free_conn(void *arg)
{
    mem_free(arg);
}

// Once nothing runs on a closed connection, it goes with the end of this turn. Not before, as
// exchanges tell of its TLS to their very end.
static void release(struct h2_conn *c)
{
    if (c->n_streams > 0 || c->is_released)
        return;
    ASSERT(c->held_bytes == 0);
    c->is_released = true;
    stream_close(&c->stream);
    nghttp2_session_del(c->session);
    c->session = NULL;
    http_conn_end(&c->conn);
    loop_defer(free_conn, c);
}

// The session is not asked about any stream any more.
static void abandon_streams(struct h2_conn *c)
{
    LIST_FOR_SAFE (node, &c->streams) {
        struct h2_stream *s = CONTAINER_OF(node, struct h2_stream, node);
        s->is_gone = true;
        s->is_reset |= !s->is_sent;
        h2_stream_unqueue(s);
        h2_stream_touch(s);
    }
    c->head = NULL;
}

void h2_conn_close(struct h2_conn *c)
{
    ASSERT(!c->in_session);
    if (c->state == H2_CONN_CLOSED)
        return;
    http_conn_rouse(&c->conn);
    c->state = H2_CONN_CLOSED;
    timer_stop(&c->timer);
    h2_conn_drop_out(c);
    abandon_streams(c);
    h2_conn_settle(c);
    release(c);
}

void h2_conn_settle(struct h2_conn *c)
{
    for (struct list_node *n; (n = list_pop_front(&c->touched));)
        h2_stream_settle(CONTAINER_OF(n, struct h2_stream, touched));
}

// --- leaving ---

static void go_lingering(struct h2_conn *c)
{
    http_conn_rouse(&c->conn);
    h2_conn_drop_out(c);
    abandon_streams(c);
    h2_conn_settle(c);
    c->state = H2_CONN_LINGERING;
    c->is_hungry = false;
    c->leave_due_ms = clock_now_ms() + c->linger_ms;
    c->idle_due_ms = c->head_due_ms = c->write_due_ms = c->over_due_ms = INT64_MAX;
    stream_shut_write(&c->stream);
    h2_conn_linger(c);
}

// RFC 9113 6.8: whatever has come until now is served, and nothing after it.
static void say_goodbye(struct h2_conn *c)
{
    if (c->goaway == H2_GOAWAY_FINAL)
        return;
    c->goaway = H2_GOAWAY_FINAL;
    c->leave_due_ms = INT64_MAX;
    (void)nghttp2_submit_goaway(c->session, NGHTTP2_FLAG_NONE,
                                nghttp2_session_get_last_proc_stream_id(c->session),
                                NGHTTP2_NO_ERROR, NULL, 0);
    h2_conn_flush(c);
}

static enum http_offence offence_of(enum h2_error why)
{
    if (why == H2_ERROR_FLOOD || why == H2_ERROR_RESETS || why == H2_ERROR_BOMB)
        return HTTP_OFFENCE_FLOOD;
    return why == H2_ERROR_SLOW_HEAD ? HTTP_OFFENCE_SLOW : HTTP_OFFENCE_MALFORMED;
}

void h2_conn_refuse(struct h2_conn *c, enum h2_error why, uint32_t code)
{
    if (c->goaway == H2_GOAWAY_REFUSED)
        return;
    http_count_client_h2_error(h2_conn_env(c), why);
    http_note_offence(c->conn.listener, &c->peer, offence_of(why));
    if (log_is_on(LOG_DEBUG))
        log_line(LOG_DEBUG, "HTTP/2: a connection is refused: %s (RFC %s)", h2_error_text(why),
                 h2_error_section(why));
    c->goaway = H2_GOAWAY_REFUSED;
    (void)nghttp2_session_terminate_session(c->session, code);
    h2_conn_flush(c);
}

static void leave(struct http_conn *conn, int64_t idle_ms, int64_t not_before_ms)
{
    struct h2_conn *c = CONTAINER_OF(conn, struct h2_conn, conn);
    if (c->state != H2_CONN_OPEN || c->goaway != H2_GOAWAY_NONE)
        return;
    c->goaway = H2_GOAWAY_NOTICE;
    c->leave_due_ms = MAX(clock_now_ms() + idle_ms, not_before_ms);
    (void)nghttp2_submit_shutdown_notice(c->session);
    // Its answer tells that the notice was seen.
    (void)nghttp2_submit_ping(c->session, NGHTTP2_FLAG_NONE, NULL);
    h2_conn_flush_soon(c);
}

static void stop(struct http_conn *conn)
{
    struct h2_conn *c = CONTAINER_OF(conn, struct h2_conn, conn);
    c->is_stopped = true;
    if (c->state == H2_CONN_OPEN)
        say_goodbye(c);
    h2_conn_close(c);
}

static const struct http_conn_ops conn_ops = {
    .name = STR_INIT("h2"), .close = stop, .leave = leave};

// --- resting ---

static void on_timer(struct rt_timer *timer);

void h2_conn_set_timer(struct h2_conn *c)
{
    int64_t due_ms =
        MIN(MIN(c->idle_due_ms, c->head_due_ms), MIN(c->write_due_ms, c->leave_due_ms));
    due_ms = MIN(due_ms, c->over_due_ms);
    if (c->is_hungry)
        due_ms = clock_now_ms();
    // One that runs out earlier starts itself anew then, which is cheaper than moving it often.
    if (due_ms != INT64_MAX && (!timer_is_running(&c->timer) || c->timer.at_ms > due_ms))
        timer_start(&c->timer, due_ms, on_timer);
}

static void enter_idle(struct h2_conn *c)
{
    if (list_node_is_linked(&c->conn.idle))
        return;
    http_conn_rest(&c->conn);
    c->idle_due_ms =
        clock_now_ms() + MIN((int64_t)c->idle_ms, http_leave_idle_ms(c->conn.listener));
}

// Nothing more can come or go.
static bool is_finished(const struct h2_conn *c)
{
    return nghttp2_session_want_read(c->session) == 0 && !h2_conn_has_out(c);
}

void h2_conn_rest(struct h2_conn *c)
{
    if (c->state == H2_CONN_CLOSED) {
        release(c);
        return;
    }
    if (c->state == H2_CONN_OPEN && is_finished(c))
        go_lingering(c);
    if (c->state == H2_CONN_CLOSED)
        return;
    if (c->state == H2_CONN_OPEN && c->n_streams == 0) {
        enter_idle(c);
    } else {
        http_conn_rouse(&c->conn);
        c->idle_due_ms = INT64_MAX;
    }
    h2_conn_set_timer(c);
}

// --- events and times ---

static void look(struct h2_conn *c)
{
    h2_conn_read(c);
    if (c->state == H2_CONN_OPEN)
        h2_conn_flush(c);
}

static void look_now(void *arg)
{
    struct h2_conn *c = arg;
    c->is_look_due = false;
    if (c->state == H2_CONN_OPEN)
        look(c);
    if (c->state != H2_CONN_CLOSED)
        h2_conn_rest(c);
}

// One that has closed meanwhile is freed in this round of what was deferred.
static void look_last(void *arg)
{
    struct h2_conn *c = arg;
    c->is_look_due = c->state == H2_CONN_OPEN;
    if (c->is_look_due)
        loop_defer(look_now, c);
}

// What has come is read behind all that ends in this turn, and behind what that has deferred: the
// memory of streams and connections with servers goes, still in the processor's caches, from those
// that end to those that begin.
static void look_soon(struct h2_conn *c)
{
    if (!c->is_look_due)
        loop_defer(look_last, c);
    c->is_look_due = true;
}

enum fiber_wake h2_conn_wait(const struct h2_conn *c, struct deadline until)
{
    enum fiber_wake why = fiber_wait(until);
    return why == FIBER_EXPIRED && c->is_look_due ? fiber_wait(deadline_in(1)) : why;
}

static void on_event(struct rt_sock *sock)
{
    struct h2_conn *c = CONTAINER_OF(sock, struct h2_conn, stream.sock);
    if (c->state == H2_CONN_LINGERING)
        h2_conn_linger(c);
    else if (c->state == H2_CONN_OPEN && sock->has_error)
        h2_conn_close(c); // a reset: nobody is there any more
    else if (c->state == H2_CONN_OPEN)
        look_soon(c);
    if (c->state != H2_CONN_CLOSED)
        h2_conn_rest(c);
}

static void on_idle(struct h2_conn *c)
{
    // A request may have come in this very turn.
    c->stream.sock.is_readable = true;
    c->idle_due_ms = INT64_MAX; // a client that doesn't take the GOAWAY has its time for that
    h2_conn_read(c);
    if (c->state == H2_CONN_OPEN && c->n_streams == 0)
        say_goodbye(c);
}

static void act(struct h2_conn *c, int64_t now_ms)
{
    if (c->is_hungry)
        look(c);
    else if (now_ms >= MIN(c->write_due_ms, c->over_due_ms)) {
        http_count_client_h2_error(h2_conn_env(c), H2_ERROR_STALLED);
        http_note_offence(c->conn.listener, &c->peer, HTTP_OFFENCE_SLOW);
        h2_conn_close(c);
    } else if (now_ms >= c->head_due_ms) {
        c->head_due_ms = INT64_MAX;
        h2_conn_refuse(c, c->is_greeted ? H2_ERROR_SLOW_HEAD : H2_ERROR_PREFACE,
                       NGHTTP2_ENHANCE_YOUR_CALM);
    } else if (now_ms >= c->leave_due_ms)
        say_goodbye(c);
    else if (now_ms >= c->idle_due_ms)
        on_idle(c);
}

static void on_timer(struct rt_timer *timer)
{
    struct h2_conn *c = CONTAINER_OF(timer, struct h2_conn, timer);
    if (c->state == H2_CONN_LINGERING) {
        if (clock_now_ms() >= c->leave_due_ms)
            h2_conn_close(c);
        else
            h2_conn_set_timer(c);
        return;
    }
    if (c->is_look_due)
        return; // what came in this turn came in time: the timer is set behind the look at it
    act(c, clock_now_ms());
    if (c->state != H2_CONN_CLOSED)
        h2_conn_rest(c);
}

// --- public ---

static void init_conn(struct h2_conn *c, struct http_listener *l)
{
    const struct http_entry *entry = l->env->app->entry(l->env, l);
    c->state = H2_CONN_OPEN;
    c->idle_due_ms = c->write_due_ms = c->over_due_ms = c->leave_due_ms = INT64_MAX;
    c->flood_at_ms = clock_now_ms();
    c->head_due_ms = clock_now_ms() + entry->head_ms;
    c->idle_ms = (uint32_t)MIN(entry->idle_ms, (int64_t)UINT32_MAX);
    c->linger_ms = (uint32_t)MIN(entry->linger_ms, (int64_t)UINT32_MAX);
    c->linger_left = (uint32_t)MIN(entry->linger_max_bytes, (uint64_t)UINT32_MAX);
    c->body_idle_ms = (uint32_t)MIN(entry->body_idle_ms, (int64_t)UINT32_MAX);
    c->streams_max = entry->h2_streams_max;
    list_init(&c->streams);
    list_init(&c->touched);
    http_conn_begin(&c->conn, l, &conn_ops);
    http_count(l->env, HTTP_COUNTER_CONNS_HTTP2, 1);
    h2_session_open(c, entry);
}

void h2_server_adopt(struct http_listener *l, struct stream *s, const struct ip *peer,
                     uint16_t peer_port, struct str early)
{
    struct h2_conn *c = MEM_NEW(struct h2_conn);
    init_conn(c, l);
    stream_move(s, &c->stream);
    c->stream.sock.on_event = on_event;
    c->peer = *peer;
    c->peer_port = peer_port;
    sock_watch(&c->stream.sock);
    if (http_leave_idle_ms(l) < INT64_MAX)
        leave(&c->conn, http_leave_idle_ms(l), 0);
    if (early.len > 0)
        h2_conn_feed(c, early);
    if (c->state == H2_CONN_OPEN)
        look(c);
    if (c->state != H2_CONN_CLOSED)
        h2_conn_rest(c);
}
