// SPDX-License-Identifier: Apache-2.0
// What a connection is while no exchange runs on it: idle, parked, lingering, a tunnel, closed.
// None of these holds a fiber or a buffer.
#include "base/assert.h"
#include "base/mem.h"
#include "http/h1_server_priv.h"
#include "http/h2_server.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/loop.h"

#define EXCHANGE_MEM_BYTES (64 * 1024) // until app->begin tells

_Static_assert(sizeof(struct h1_conn) <= 256, "an idle connection is small");
_Static_assert(sizeof(struct h1_turn) <= HTTP_BLOCK_BYTES / 2, "half a block is for the arena");

static void init_turn(struct h1_turn *t, struct h1_conn *c, char *buf)
{
    t->c = c;
    t->buf = buf;
    t->cap = buf ? HTTP_BUFFER_BYTES : 0;
    t->pos = t->end = 0;
    t->has_begun = false;
    arena_init(&t->mem, EXCHANGE_MEM_BYTES, t + 1, HTTP_BLOCK_BYTES - sizeof *t);
}

bool h1_turn_open(struct h1_conn *c)
{
    struct http_env *env = h1_conn_env(c);
    struct h1_turn *t = pool_take(&env->blocks);
    if (!t)
        return false;
    char *buf = pool_take(&env->buffers);
    if (!buf) {
        pool_give(&env->blocks, t);
        return false;
    }
    init_turn(t, c, buf);
    c->turn = t;
    return true;
}

static void give_buffer(struct h1_turn *t)
{
    if (t->cap == HTTP_BUFFER_BYTES)
        pool_give(&h1_conn_env(t->c)->buffers, t->buf);
    else
        mem_free(t->buf);
    t->buf = NULL;
}

void h1_turn_close(struct h1_conn *c)
{
    struct h1_turn *t = c->turn;
    if (!t)
        return;
    ASSERT(!t->has_begun);
    if (t->buf)
        give_buffer(t);
    arena_fini(&t->mem);
    pool_give(&h1_conn_env(c)->blocks, t);
    c->turn = NULL;
}

static void free_conn(void *arg)
{
    mem_free(arg);
}

void h1_conn_close(struct h1_conn *c)
{
    ASSERT(c->state != H1_CONN_CLOSED && !c->parked);
    h1_turn_close(c);
    c->state = H1_CONN_CLOSED;
    timer_stop(&c->timer);
    if (c->stream.sock.fd >= 0) // a tunnel closes it itself
        stream_close(&c->stream);
    http_conn_end(&c->conn);
    loop_defer(free_conn, c);
}

static void on_timer(struct rt_timer *timer)
{
    struct h1_conn *c = CONTAINER_OF(timer, struct h1_conn, timer);
    if (c->state != H1_CONN_IDLE && c->state != H1_CONN_PARKED && c->state != H1_CONN_LINGERING)
        return;
    if (clock_now_ms() < c->due_ms) {
        timer_start(timer, c->due_ms, on_timer);
    } else if (c->state == H1_CONN_PARKED) {
        h1_conn_resume(c);
    } else if (c->state == H1_CONN_IDLE) {
        // A request may have come in this very turn: to close would be to drop it with a reset.
        c->is_overdue = c->stream.sock.is_readable = true;
        h1_conn_resume(c);
    } else {
        h1_conn_close(c);
    }
}

// Waits without a fiber until an event or due_ms. A timer that runs out earlier is left alone: it
// starts itself anew then, which is cheaper than moving it with each request.
static void rest(struct h1_conn *c, enum h1_conn_state state, int64_t due_ms)
{
    h1_turn_close(c);
    c->state = (uint8_t)state;
    c->due_ms = due_ms;
    if (!timer_is_running(&c->timer) || c->timer.at_ms > due_ms)
        timer_start(&c->timer, due_ms, on_timer);
    sock_watch(&c->stream.sock);
}

static int64_t idle_max_ms(const struct h1_conn *c)
{
    return MIN((int64_t)c->idle_ms, http_leave_idle_ms(c->conn.listener));
}

void h1_conn_go_idle(struct h1_conn *c)
{
    if (c->is_stopped || c->is_overdue) {
        h1_conn_close(c);
        return;
    }
    http_conn_rest(&c->conn);
    int64_t due_ms = c->is_quiet ? c->due_ms : clock_now_ms() + idle_max_ms(c);
    c->is_quiet = true;
    rest(c, H1_CONN_IDLE, due_ms);
}

void h1_conn_leave(struct h1_conn *c, int64_t idle_ms, int64_t not_before_ms)
{
    if (c->state != H1_CONN_IDLE) // a head that has begun to come has its own time
        return;
    // A slow reader takes the end of an answer long after it was written, and may then ask again.
    int64_t since_ms = MAX(c->due_ms - idle_max_ms(c), sock_last_ack_ms(&c->stream.sock));
    int64_t due_ms = MAX(since_ms + idle_ms, not_before_ms);
    if (due_ms >= c->due_ms)
        return;
    c->due_ms = due_ms;
    timer_start(&c->timer, due_ms, on_timer);
}

void h1_conn_go_parked(struct h1_conn *c)
{
    struct h1_turn *t = c->turn;
    size_t n = t->end - t->pos;
    struct h1_parked *p = mem_alloc_raw(sizeof *p + n);
    *p = (struct h1_parked){
        .snapshot = t->x.snapshot,
        .entry = t->x.entry,
        .accepted_ns = t->x.times.accepted,
        .head_due_ms = t->head_due_ms,
        .head_seen = t->head_seen,
        .n = n,
    };
    memcpy(p->bytes, t->buf + t->pos, n);
    c->parked = p;
    h1_conn_env(c)->parked_bytes += n;
    t->has_begun = false; // the exchange lives on in p
    http_conn_rest(&c->conn);
    rest(c, H1_CONN_PARKED, p->head_due_ms);
}

// Everything but the bytes.
static void unpark(struct h1_turn *t)
{
    struct h1_parked *p = t->c->parked;
    t->c->parked = NULL;
    h1_conn_env(t->c)->parked_bytes -= p->n;
    t->has_begun = true;
    t->head_due_ms = p->head_due_ms;
    t->head_seen = p->head_seen;
    t->x.snapshot = p->snapshot;
    t->x.entry = p->entry;
    t->x.times.accepted = p->accepted_ns;
}

void h1_turn_unpark(struct h1_turn *t)
{
    struct h1_parked *p = t->c->parked;
    unpark(t);
    h1_turn_make_room(t, p->n + 1);
    memcpy(t->buf, p->bytes, p->n);
    t->end = p->n;
    mem_free(p);
}

void h1_conn_close_parked(struct h1_conn *c, enum exchange_end end)
{
    // Not from the pool, which may be at its limit, and this must not fail.
    struct h1_turn *t = mem_alloc_raw(HTTP_BLOCK_BYTES);
    struct h1_parked *p = c->parked;
    init_turn(t, c, NULL);
    h1_turn_init_exchange(t);
    unpark(t);
    mem_free(p);
    t->x.end = end;
    h1_turn_finish(t);
    arena_fini(&t->mem);
    mem_free(t);
    h1_conn_close(c);
}

void h1_conn_linger(struct h1_conn *c)
{
    if (!http_linger(h1_conn_env(c), &c->stream, &c->linger_left))
        h1_conn_close(c);
}

// The client sees our answer and then our end, rather than a reset that could take the answer away
// (RFC 9112 9.6).
void h1_conn_go_lingering(struct h1_conn *c)
{
    stream_shut_write(&c->stream);
    rest(c, H1_CONN_LINGERING, clock_now_ms() + c->linger_ms);
    h1_conn_linger(c);
}

void h1_conn_go_h2(struct h1_conn *c)
{
    struct h1_turn *t = c->turn;
    http_count(h1_conn_env(c), HTTP_COUNTER_EXCHANGES, -1); // it was none
    h1_turn_finish(t);
    h2_server_adopt(c->conn.listener, &c->stream, &c->peer, c->peer_port,
                    str_from(t->buf + t->pos, t->end - t->pos));
    c->fiber = NULL;
    h1_conn_close(c);
}

static void release_side(struct tunnel_side *side)
{
    struct h1_turn *t = CONTAINER_OF(side, struct h1_turn, side);
    stream_close(&t->c->stream);
}

static void on_tunnel_done(void *arg, const struct tunnel_totals *totals)
{
    struct h1_conn *c = arg;
    struct h1_turn *t = c->turn;
    t->x.request_bytes += totals->a_to_b;
    t->x.response_bytes += totals->b_to_a;
    t->x.wire_in += totals->a_to_b;
    t->x.wire_out += totals->b_to_a;
    t->x.end_detail = str_of(totals->ended_by);
    h1_turn_finish(t);
    h1_conn_close(c);
}

void h1_conn_go_tunnel(struct h1_conn *c)
{
    struct h1_turn *t = c->turn;
    struct tunnel_side *server = t->x.resp.tunnel;
    t->x.resp.tunnel = NULL;
    t->side = (struct tunnel_side){
        .stream = &c->stream,
        .early = str_from(t->buf + t->pos, t->end - t->pos),
        .release = release_side,
    };
    if (t->side.early.len == 0)
        give_buffer(t); // else it is needed until the tunnel's end
    c->state = H1_CONN_TUNNEL;
    c->fiber = NULL;
    tunnel_start(h1_conn_env(c), &t->side, server, t->x.entry->tunnel_idle_ms, on_tunnel_done, c);
}
