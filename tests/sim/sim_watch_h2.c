// SPDX-License-Identifier: Apache-2.0
#include "base/num.h"
#include "http/h2_server_priv.h"
#include "rt/loop_priv.h"
#include "sim/sim.h"
#include "sim/sim_watch_priv.h"

#include "filter/ahead_body.h"
#include "upstream/mux.h"

// --- connections of clients ---

static size_t look_at_body(struct tally *t, const struct h2_body_in *in)
{
    size_t held = 0;
    for (const struct h2_chunk *chunk = in->first; chunk; chunk = chunk->next) {
        t->n_chunks++;
        held += chunk->end - chunk->at;
    }
    if (in->reader && in->first && in->lent_bytes == 0)
        sim_fail("a fiber waits for a body that is there already");
    if (in->reader)
        sim_watch_fiber(t, in->reader, "reading a body of HTTP/2");
    return held;
}

// Who doesn't run waits for something that has an end: its head, or to be told or sent.
static void look_at_stream(struct tally *t, const struct sim_watch *w, const struct h2_stream *s)
{
    const struct h2_conn *c = s->c;
    t->n_streams++;
    t->held_bytes += look_at_body(t, &s->in);
    if (s->is_begun) {
        t->n_begun++;
        t->n_fibers += ahead_body_n_waiting(s->x.resp.body);
        sim_watch_use(t, w, s->x.snapshot);
    }
    if (s->writer)
        sim_watch_fiber(t, s->writer, "writing a body of HTTP/2");
    if (s->writer && s->is_reset)
        sim_fail("stream %d: writes to who has gone", s->id);
    SIM_CHECK(!list_node_is_linked(&s->touched));
    SIM_CHECK(s->is_begun == !s->is_over);
    if (!s->is_whole && c->head != s)
        sim_fail("stream %d: a head that nothing waits for", s->id);
    // Its time may have run out, and the GOAWAY that says so waits for room.
    if (!s->is_whole && c->head_due_ms == INT64_MAX && c->write_due_ms == INT64_MAX)
        sim_fail("stream %d: waits for its head without a deadline", s->id);
    // A tunnel has no fiber, and its own deadline.
    if (s->is_whole && !s->fiber && !s->side && c->write_due_ms == INT64_MAX &&
        c->over_due_ms == INT64_MAX)
        sim_fail("stream %d: is over, and nothing ends it", s->id);
    if (s->is_gone && !s->fiber)
        sim_fail("stream %d: is gone, and not freed", s->id);
}

static int64_t due_ms(const struct h2_conn *c)
{
    return MIN(MIN(c->idle_due_ms, c->head_due_ms), MIN(c->write_due_ms, c->leave_due_ms));
}

static void look_at_open(const struct tally *t, const struct h2_conn *c)
{
    bool has_out = c->out_at < c->out_end || c->rest.len > 0;
    bool is_idle = c->n_streams == 0;
    if (is_idle != list_node_is_linked(&c->conn.idle))
        sim_fail("a connection of HTTP/2 with %u streams is%s idle", c->n_streams,
                 is_idle ? " not" : "");
    if (has_out != (c->out != NULL))
        sim_fail("a connection of HTTP/2 has%s a buffer for %zu bytes", c->out ? "" : " not",
                 c->out_end - c->out_at);
    if (has_out && c->write_due_ms == INT64_MAX)
        sim_fail("a connection of HTTP/2 writes without a deadline");
    if (!has_out && (c->n_heads > 0 || nghttp2_session_want_write(c->session)))
        sim_fail("a connection of HTTP/2 has something to say, and doesn't");
    // Who has broken the rules isn't listened to, only told so, in the time for that.
    bool is_listened_to = c->goaway != H2_GOAWAY_REFUSED;
    if (!is_listened_to && !has_out)
        sim_fail("a refused connection of HTTP/2 stays open, and has nothing to say");
    if (is_listened_to && c->stream.sock.is_readable && !c->is_hungry)
        sim_fail("a connection of HTTP/2 has something to read");
    if (is_idle || due_ms(c) != INT64_MAX)
        sim_watch_timer(t, &c->timer, due_ms(c), "a connection of HTTP/2");
}

// What was cancelled may yield once more, for a fiber of its own to end.
static void look_at_leftovers(const struct h2_conn *c)
{
    LIST_FOR (node, &c->streams) {
        const struct h2_stream *s = CONTAINER_OF(node, struct h2_stream, node);
        if (!s->fiber || s->fiber->state == FIBER_PARKED)
            sim_fail("a closed connection of HTTP/2 still has stream %d:%s%s%s%s%s", s->id,
                     s->fiber ? " waits" : "", s->in.reader ? " reads" : "",
                     s->writer ? " writes" : "", s->is_reset ? " is reset" : "",
                     s->is_sent ? " is sent" : "");
    }
}

void sim_watch_h2_conn(struct tally *t, const struct sim_watch *w, struct http_conn *conn)
{
    const struct h2_conn *c = CONTAINER_OF(conn, struct h2_conn, conn);
    uint32_t n = 0, n_heads = 0;
    size_t before = t->held_bytes;
    t->n_h2_conns++;
    SIM_CHECK(!c->in_session && !c->is_flush_due && !c->is_look_due);
    SIM_CHECK(list_is_empty(&c->touched));
    LIST_FOR (node, &c->streams) {
        const struct h2_stream *s = CONTAINER_OF(node, struct h2_stream, node);
        look_at_stream(t, w, s);
        n_heads += s->is_queued;
        n++;
    }
    SIM_CHECK_INT(c->n_streams, n);
    SIM_CHECK_INT(c->n_heads, n_heads);
    SIM_CHECK(t->held_bytes - before == c->held_bytes);
    SIM_CHECK(c->owed_bytes <= c->held_bytes);
    switch ((enum h2_conn_state)c->state) {
    case H2_CONN_OPEN:
        look_at_open(t, c);
        return;
    case H2_CONN_LINGERING:
        look_at_leftovers(c);
        SIM_CHECK(!c->out && !list_node_is_linked(&c->conn.idle));
        sim_watch_timer(t, &c->timer, c->leave_due_ms, "a lingering connection of HTTP/2");
        return;
    case H2_CONN_CLOSED:
        look_at_leftovers(c);
    }
}

// --- connections of servers ---

void sim_watch_mux(struct tally *t, const struct mux *m)
{
    const struct h2_client *c = &m->client;
    uint32_t n = 0;
    t->n_muxes++;
    SIM_CHECK_INT(m->n_waiters, sim_watch_queue(t, &m->waiters, "a connection to be shared"));
    if (!m->is_open)
        return;
    LIST_FOR (node, &c->calls) {
        sim_watch_h2_call(t, node);
        n++;
    }
    SIM_CHECK_INT(c->n_calls, n);
    SIM_CHECK(!c->is_scheduled && !c->is_changed);
    // Those who can't be repeated wait for a sign of life.
    uint32_t n_listen = sim_watch_queue(t, &c->listeners, "a sign of life");
    SIM_CHECK(n_listen == 0 || (c->probe_ms != 0 && !c->is_over && timer_is_running(&c->timer)));
    if (m->n_promised != n_listen)
        sim_fail("%u have room on a shared connection, and %u wait to use it", m->n_promised,
                 n_listen);
    if (c->is_over) {
        sim_fail("a connection to a server is over, and still there");
        return;
    }
    SIM_CHECK(c->stream.sock.fd >= 0 && c->stream.sock.is_watched && c->stream.sock.on_event);
    if (n == 0 && n_listen == 0)
        sim_watch_timer(t, &m->timer, m->timer.at_ms, "an idle connection that many share");
    if (c->probe_ms != 0)
        sim_watch_timer(t, &c->timer, c->probe_ms,
                        "a connection that was asked for a sign of life");
    if (!c->rest && nghttp2_session_want_write(c->session))
        sim_fail("a connection to a server has something to say, and doesn't");
}

void sim_watch_h2_end(const struct tally *t)
{
    // What has come whole, and whose stream is over, waits with its exchange alone.
    SIM_CHECK(t->env->pieces.n_out >= t->n_chunks);
    SIM_CHECK(t->env->h2_held_bytes == t->held_bytes);
}
