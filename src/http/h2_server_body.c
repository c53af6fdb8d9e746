// SPDX-License-Identifier: Apache-2.0
// Request bodies: what comes in DATA frames waits in buffers until it is read, and is given back to
// the client's windows then. A window grows with a reader that is faster than the client may be.
#include <string.h>

#include "http/forward.h"
#include "http/h2_server_priv.h"
#include "rt/clock.h"
#include "rt/fiber.h"

#define RATE_GRACE_MS 10000
#define STREAM_WINDOW_MAX_BYTES ((size_t)4 * 1024 * 1024)
#define CONN_WINDOW_MAX_BYTES ((size_t)8 * 1024 * 1024)
// A connection gets its window back at once, so that a body which nobody reads holds up no other
// one; from here on only with what is read.
#define CONN_HELD_MAX_BYTES ((size_t)1024 * 1024)
#define ENV_HELD_MAX_BYTES ((size_t)64 * 1024 * 1024) // of all connections of a worker

static struct h2_stream *stream_of(struct h2_body_in *in)
{
    return CONTAINER_OF(in, struct h2_stream, in);
}

// --- windows ---

static void return_to_conn(struct h2_conn *c, size_t n)
{
    // The amounts are those that came, so that this fails only with the heap, which panics.
    if (n > 0 && c->state == H2_CONN_OPEN)
        (void)nghttp2_session_consume_connection(c->session, n);
}

static bool holds_too_much(const struct h2_conn *c)
{
    return c->held_bytes > CONN_HELD_MAX_BYTES ||
           h2_conn_env(c)->h2_held_bytes > ENV_HELD_MAX_BYTES;
}

static void hold(struct h2_conn *c, size_t n)
{
    c->held_bytes += n;
    h2_conn_env(c)->h2_held_bytes += n;
    if (holds_too_much(c))
        c->owed_bytes += n;
    else
        return_to_conn(c, n);
}

static void let_go(struct h2_conn *c, size_t n)
{
    size_t back = MIN(n, c->owed_bytes);
    c->held_bytes -= n;
    h2_conn_env(c)->h2_held_bytes -= n;
    c->owed_bytes -= back;
    return_to_conn(c, back);
}

static void return_to_stream(struct h2_stream *s, size_t n)
{
    if (s->is_gone || s->in.is_ended || s->c->state != H2_CONN_OPEN)
        return;
    (void)nghttp2_session_consume_stream(s->c->session, s->id, n);
    h2_conn_flush_soon(s->c);
}

static void set_window(struct h2_conn *c, int32_t id, size_t n)
{
    (void)nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, id, (int32_t)n);
}

// All has been read, and a whole window has gone through since the last time: it is the window that
// the client waits for.
static void grow(struct h2_stream *s)
{
    struct h2_body_in *in = &s->in;
    struct h2_conn *c = s->c;
    if (in->is_ended || s->is_gone || c->state != H2_CONN_OPEN || holds_too_much(c) ||
        in->length.got - in->grown_at < in->window_bytes)
        return;
    in->grown_at = in->length.got;
    if (in->window_bytes < STREAM_WINDOW_MAX_BYTES) {
        in->window_bytes *= 2;
        set_window(c, s->id, in->window_bytes);
    }
    if (c->window_bytes < MIN(2 * in->window_bytes, CONN_WINDOW_MAX_BYTES)) {
        c->window_bytes *= 2;
        set_window(c, 0, c->window_bytes);
    }
}

// --- what comes ---

static void wake(struct h2_body_in *in)
{
    if (in->reader)
        fiber_wake(in->reader);
    else if (stream_of(in)->side) // told when the session's call is over
        h2_stream_touch(stream_of(in));
}

static struct h2_chunk *last_with_room(struct h2_stream *s)
{
    struct h2_body_in *in = &s->in;
    if (in->last && in->last->end < H2_CHUNK_BYTES)
        return in->last;
    struct h2_chunk *chunk = pool_take(&s->x.env->pieces);
    if (!chunk)
        return NULL;
    chunk->next = NULL;
    chunk->at = chunk->end = 0;
    if (in->last)
        in->last->next = chunk;
    else
        in->first = chunk;
    in->last = chunk;
    return chunk;
}

static bool keep(struct h2_stream *s, const uint8_t *data, size_t n)
{
    while (n > 0) {
        struct h2_chunk *chunk = last_with_room(s);
        if (!chunk)
            return false;
        size_t part = MIN(n, H2_CHUNK_BYTES - chunk->end);
        memcpy(chunk->bytes + chunk->end, data, part);
        chunk->end += (uint32_t)part;
        data += part;
        n -= part;
        hold(s->c, part);
    }
    return true;
}

static void refuse(struct h2_stream *s, enum h2_error e)
{
    http_count_client_h2_error(s->x.env, e);
    h2_body_fail(s, EXCHANGE_END_CLIENT_PROTOCOL, h2_error_text(e));
    h2_stream_cut(s, NGHTTP2_PROTOCOL_ERROR);
}

size_t h2_body_add(struct h2_stream *s, const uint8_t *data, size_t n)
{
    struct h2_body_in *in = &s->in;
    s->x.wire_in += n + H2_FRAME_HEAD_BYTES;
    if (s->is_over || in->is_failed)
        return 0;
    if (!h2_length_add(&in->length, n)) {
        refuse(s, H2_ERROR_LENGTH_DIFFERS);
        return 0;
    }
    size_t before = s->c->held_bytes;
    if (!keep(s, data, n)) {
        h2_body_fail(s, EXCHANGE_END_RESOURCES, "no buffer for the request's body");
        h2_stream_cut(s, NGHTTP2_ENHANCE_YOUR_CALM);
    }
    wake(in);
    return s->c->held_bytes - before;
}

void h2_body_end(struct h2_stream *s)
{
    if (s->in.is_failed)
        return;
    if (!h2_length_is_whole(&s->in.length)) {
        refuse(s, H2_ERROR_LENGTH_DIFFERS);
        return;
    }
    s->in.is_ended = true;
    wake(&s->in);
}

void h2_stream_begin_trailers(struct h2_stream *s)
{
    headers_init(&s->in.trailers, &s->mem);
    h2_section_init(&s->section, H2_SECTION_TRAILERS, &s->in.trailers, &s->x.entry->limits);
}

void h2_stream_end_trailers(struct h2_stream *s, bool is_ended)
{
    enum h2_error e = h2_section_end(&s->section);
    if (e == H2_ERROR_NONE && !is_ended) // RFC 9113 8.1
        e = H2_ERROR_TRAILERS_OPEN;
    if (s->protocol.len > 0) // RFC 9113 8.5
        e = H2_ERROR_TUNNEL;
    if (e != H2_ERROR_NONE) {
        refuse(s, e);
        return;
    }
    if (headers_next(&s->in.trailers, NULL))
        s->in.body.trailers = &s->in.trailers;
    h2_body_end(s);
}

void h2_body_fail(struct h2_stream *s, enum exchange_end end, const char *detail)
{
    struct h2_body_in *in = &s->in;
    bool is_read = in->is_ended && !in->first;
    if (in->is_failed || is_read)
        return;
    in->is_failed = true;
    if (s->x.end == EXCHANGE_END_OK) {
        s->x.end = end;
        s->x.end_detail = str_of(detail);
    }
    wake(in);
}

// --- reading ---

static void give_chunk(struct h2_stream *s, struct h2_chunk *chunk)
{
    pool_give(&s->x.env->pieces, chunk);
}

static void pop_chunk(struct h2_stream *s)
{
    struct h2_body_in *in = &s->in;
    struct h2_chunk *chunk = in->first;
    in->first = chunk->next;
    if (!in->first)
        in->last = NULL;
    give_chunk(s, chunk);
}

// What was lent before has been used.
static void end_loan(struct h2_stream *s)
{
    struct h2_body_in *in = &s->in;
    size_t n = in->lent_bytes;
    if (n == 0)
        return;
    in->lent_bytes = 0;
    in->first->at += (uint32_t)n;
    if (in->first->at == in->first->end)
        pop_chunk(s);
    if (!in->first)
        grow(s);
    let_go(s->c, n);
    return_to_stream(s, n);
}

static enum io lend(struct h2_stream *s, struct str *ret_piece)
{
    struct h2_body_in *in = &s->in;
    struct h2_chunk *chunk = in->first;
    uint64_t max = s->x.entry->body_max_bytes;
    in->lent_bytes = chunk->end - chunk->at;
    s->x.request_bytes += in->lent_bytes;
    if (max > 0 && s->x.request_bytes > max && s->protocol.len == 0) {
        h2_body_fail(s, EXCHANGE_END_CLIENT_LIMIT, "the request's body is too large");
        return IO_FAIL;
    }
    *ret_piece = str_from(chunk->bytes + chunk->at, in->lent_bytes);
    in->body.has_tail = !in->is_ended || in->body.trailers != NULL;
    return IO_DONE;
}

// Too slow on the whole: only the time counts in which we waited for the client.
static bool is_too_slow(const struct h2_stream *s)
{
    uint64_t min_rate = s->x.entry->body_min_rate;
    return min_rate > 0 && s->protocol.len == 0 && s->in.waited_ms >= RATE_GRACE_MS &&
           s->in.length.got / (uint64_t)(s->in.waited_ms / 1000) < min_rate;
}

// Nothing has come in time. A tunnel may be quiet: it is for its owner to judge.
static enum io expire(struct h2_stream *s)
{
    if (s->protocol.len > 0)
        return IO_AGAIN;
    h2_body_fail(s, EXCHANGE_END_CLIENT_TIMEOUT, "no byte of the request's body in time");
    return IO_FAIL;
}

// IO_DONE: look again.
static enum io wait_for_more(struct h2_stream *s, struct deadline until)
{
    struct h2_body_in *in = &s->in;
    bool is_tunnel = s->protocol.len > 0;
    int64_t before_ms = clock_now_ms();
    ASSERT(!in->reader);
    in->reader = fiber_self();
    if (!is_tunnel)
        until = deadline_min(deadline_in(s->x.entry->body_idle_ms), until);
    enum fiber_wake why = h2_conn_wait(s->c, until);
    in->reader = NULL;
    in->waited_ms += clock_now_ms() - before_ms;
    if (why == FIBER_EXPIRED)
        return expire(s);
    if (why == FIBER_READY && is_too_slow(s))
        h2_body_fail(s, EXCHANGE_END_CLIENT_TIMEOUT, "below the minimum rate");
    return why == FIBER_READY ? IO_DONE : IO_FAIL;
}

// Trailers are cleaned here: when they came, nobody may have looked at the head yet.
static enum io end_body(struct h2_stream *s)
{
    if (s->in.body.trailers)
        forward_clean_trailers(&s->x, &s->in.trailers);
    return IO_EOF;
}

static enum io body_in_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct h2_body_in *in = CONTAINER_OF(b, struct h2_body_in, body);
    struct h2_stream *s = stream_of(in);
    end_loan(s);
    for (;;) {
        if (in->is_failed)
            return IO_FAIL;
        if (in->first)
            return lend(s, ret_piece);
        if (in->is_ended)
            return end_body(s);
        if (until.at_ms == BODY_NO_WAIT.at_ms)
            return IO_AGAIN;
        enum io io = wait_for_more(s, until);
        if (io != IO_DONE)
            return io;
    }
}

static const struct body_ops body_in_ops = {.name = "h2-request", .read = body_in_read};

void h2_body_init(struct h2_stream *s)
{
    s->in.body = (struct body){.ops = &body_in_ops, .length = -1};
    s->in.length.wanted = -1;
    s->in.window_bytes = H2_STREAM_WINDOW_BYTES;
}

void h2_body_drop(struct h2_stream *s)
{
    struct h2_body_in *in = &s->in;
    size_t n = 0;
    while (in->first) {
        n += in->first->end - in->first->at;
        pop_chunk(s);
    }
    in->lent_bytes = 0;
    let_go(s->c, n);
    if (n > 0)
        h2_conn_flush_soon(s->c);
}
