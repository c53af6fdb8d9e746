// SPDX-License-Identifier: Apache-2.0
// Request bodies (RFC 9112 6 and 7) as they come in on a connection.
#include <errno.h>

#include "http/forward.h"
#include "http/h1_server_priv.h"
#include "rt/clock.h"
#include "rt/fiber.h"

#define RATE_GRACE_MS 10000

static enum io fail(struct h1_turn *t, enum exchange_end end, const char *detail)
{
    t->in.is_failed = true;
    if (t->x.end == EXCHANGE_END_OK) {
        t->x.end = end;
        t->x.end_detail = str_of(detail);
    }
    return IO_FAIL;
}

static enum io fail_protocol(struct h1_turn *t, enum h1_error e)
{
    http_count_client_error(t->x.env, e);
    bool is_limit = h1_error_status(e) == 431; // of trailers
    return fail(t, is_limit ? EXCHANGE_END_CLIENT_LIMIT : EXCHANGE_END_CLIENT_PROTOCOL,
                h1_error_text(e));
}

// Too slow on the whole: only the time counts in which we waited for the client.
static bool is_too_slow(const struct h1_turn *t)
{
    const struct http_entry *e = t->x.entry;
    if (e->body_min_rate == 0 || t->in.waited_ms < RATE_GRACE_MS)
        return false;
    return t->in.got / (uint64_t)(t->in.waited_ms / 1000) < e->body_min_rate;
}

// What has come, or not, of a wait for the client since before_ms.
static enum io judge(struct h1_turn *t, enum io io, int64_t before_ms)
{
    switch (io) {
    case IO_DONE:
        t->in.waited_ms += clock_now_ms() - before_ms;
        return is_too_slow(t) ? fail(t, EXCHANGE_END_CLIENT_TIMEOUT, "below the minimum rate") : io;
    case IO_AGAIN:
        return io;
    case IO_EOF:
        return fail(t, EXCHANGE_END_CLIENT_GONE, "closed in the request's body");
    case IO_FAIL:
        break;
    }
    int error = t->c->stream.sock.error;
    if (error == ECANCELED) // the reader was told to stop; the body itself is sound
        return IO_FAIL;
    if (error == ETIMEDOUT)
        return fail(t, EXCHANGE_END_CLIENT_TIMEOUT, "no byte of the request's body in time");
    return fail(t, EXCHANGE_END_CLIENT_GONE, "the connection broke in the request's body");
}

// More bytes into the free end of the buffer. The caller has used up what it can.
static enum io read_more(struct h1_turn *t, struct deadline until)
{
    if (t->pos == t->end)
        t->pos = t->end = t->body_start;
    int64_t before_ms = clock_now_ms();
    struct deadline idle = deadline_in(t->x.entry->body_idle_ms);
    enum io io = h1_turn_read(t, until.at_ms == 0 ? until : deadline_min(idle, until));
    return judge(t, io, before_ms);
}

static void consume(struct h1_turn *t, size_t n)
{
    t->pos += n;
    t->x.wire_in += n;
}

static enum io lend(struct h1_turn *t, struct str piece, struct str *ret_piece)
{
    uint64_t max = t->x.entry->body_max_bytes;
    t->in.got += piece.len;
    t->x.request_bytes += piece.len;
    if (max > 0 && t->in.got > max)
        return fail(t, EXCHANGE_END_CLIENT_LIMIT, "the request's body is too large");
    *ret_piece = piece;
    return IO_DONE;
}

static enum io read_length(struct h1_turn *t, struct str *ret_piece, struct deadline until)
{
    if (t->in.left == 0) {
        t->in.is_done = true;
        return IO_EOF;
    }
    if (t->pos == t->end) {
        enum io io = read_more(t, until);
        if (io != IO_DONE)
            return io;
    }
    struct str piece = str_first(str_from(t->buf + t->pos, t->end - t->pos), t->in.left);
    t->in.left -= piece.len;
    consume(t, piece.len);
    return lend(t, piece, ret_piece);
}

// The trailer section is parsed as a whole; it stays in the buffer, where x borrows it.
static enum io read_trailers(struct h1_turn *t, struct deadline until)
{
    for (;;) {
        size_t n_fields, used;
        enum h1_error error;
        struct str in = str_from(t->buf + t->pos, t->end - t->pos);
        enum io io =
            h1_trailers_parse(in, &t->x.entry->limits, t->x.env->fields, &n_fields, &used, &error);
        if (io == IO_FAIL)
            return fail_protocol(t, error);
        if (io == IO_DONE) {
            consume(t, used);
            t->in.is_done = true;
            headers_init(&t->in.trailers, t->x.mem);
            if (n_fields == 0)
                return IO_EOF;
            if (headers_take(&t->in.trailers, t->x.env->fields, n_fields) != ERR_OK)
                return fail(t, EXCHANGE_END_RESOURCES, "no memory for trailers");
            forward_clean_trailers(&t->x, &t->in.trailers);
            t->in.body.trailers = &t->in.trailers;
            return IO_EOF;
        }
        if (t->end == t->cap && t->pos > t->body_start) {
            memmove(t->buf + t->body_start, t->buf + t->pos, t->end - t->pos);
            t->end -= t->pos - t->body_start;
            t->pos = t->body_start;
        }
        if (t->end == t->cap)
            return fail_protocol(t, H1_ERROR_HEAD_LENGTH);
        io = read_more(t, until);
        if (io != IO_DONE)
            return io;
    }
}

static enum io read_chunked(struct h1_turn *t, struct str *ret_piece, struct deadline until)
{
    while (!t->in.in_trailers) {
        size_t used;
        struct str piece;
        enum h1_error error;
        struct str in = str_from(t->buf + t->pos, t->end - t->pos);
        enum io io = h1_chunks_next(&t->in.chunks, in, &used, &piece, &error);
        if (io == IO_FAIL)
            return fail_protocol(t, error);
        consume(t, used);
        if (io == IO_DONE)
            return lend(t, piece, ret_piece);
        t->in.in_trailers = io == IO_EOF;
        if (io == IO_AGAIN) {
            io = read_more(t, until);
            if (io != IO_DONE)
                return io;
        }
    }
    return read_trailers(t, until);
}

static enum io body_in_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct h1_body_in *in = CONTAINER_OF(b, struct h1_body_in, body);
    struct h1_turn *t = CONTAINER_OF(in, struct h1_turn, in);
    if (in->is_failed)
        return IO_FAIL;
    if (in->is_done)
        return IO_EOF;
    return in->kind == H1_BODY_LENGTH ? read_length(t, ret_piece, until)
                                      : read_chunked(t, ret_piece, until);
}

static bool body_in_raw(struct body *b, struct rt_sock **ret_sock, uint64_t *ret_left)
{
    struct h1_body_in *in = CONTAINER_OF(b, struct h1_body_in, body);
    struct h1_turn *t = CONTAINER_OF(in, struct h1_turn, in);
    uint64_t max = t->x.entry->body_max_bytes;
    if (in->kind != H1_BODY_LENGTH || in->is_failed || in->left == 0 || t->pos < t->end ||
        !stream_is_plain(&t->c->stream) || (max > 0 && in->left > max))
        return false;
    *ret_sock = &t->c->stream.sock;
    *ret_left = in->left;
    return true;
}

static bool body_in_raw_wait(struct body *b)
{
    struct h1_body_in *in = CONTAINER_OF(b, struct h1_body_in, body);
    struct h1_turn *t = CONTAINER_OF(in, struct h1_turn, in);
    int64_t before_ms = clock_now_ms();
    struct deadline idle = deadline_in(t->x.entry->body_idle_ms);
    return judge(t, sock_wait_readable(&t->c->stream.sock, idle), before_ms) == IO_DONE;
}

static void body_in_raw_moved(struct body *b, uint64_t n)
{
    struct h1_body_in *in = CONTAINER_OF(b, struct h1_body_in, body);
    struct h1_turn *t = CONTAINER_OF(in, struct h1_turn, in);
    n = MIN(n, in->left);
    in->left -= n;
    in->got += n;
    t->x.request_bytes += n;
    t->x.wire_in += n;
    http_count(t->x.env, HTTP_COUNTER_BYTES_IN, (int64_t)n);
}

static const struct body_ops body_in_ops = {
    .name = "h1-request",
    .read = body_in_read,
    .raw = body_in_raw,
    .raw_wait = body_in_raw_wait,
    .raw_moved = body_in_raw_moved,
};

bool h1_server_body_init(struct h1_turn *t)
{
    const struct h1_framing *f = &t->framing;
    uint64_t max = t->x.entry->body_max_bytes;
    t->in = (struct h1_body_in){
        .body = {.ops = &body_in_ops, .length = -1},
        .kind = f->body,
        .is_done = f->body == H1_BODY_NONE,
    };
    if (f->body == H1_BODY_NONE)
        return true;
    t->x.req.body = &t->in.body;
    if (f->body == H1_BODY_CHUNKED)
        return true;
    t->in.left = f->length;
    t->in.body.length = (int64_t)MIN(f->length, (uint64_t)INT64_MAX);
    return f->length <= INT64_MAX && (max == 0 || f->length <= max);
}

bool h1_server_body_is_done(const struct h1_turn *t)
{
    return t->in.is_done || (t->in.kind == H1_BODY_LENGTH && t->in.left == 0 && !t->in.is_failed);
}

bool h1_server_body_is_drainable(const struct h1_turn *t)
{
    // A client that waits for a 100 in vain need not send the body at all (RFC 9110 10.1.1): what
    // comes next would be anybody's guess.
    if (t->in.is_failed || (t->framing.expect_continue && !t->sent_continue && t->in.got == 0))
        return false;
    return t->in.kind != H1_BODY_LENGTH || t->in.left <= t->x.entry->linger_max_bytes;
}

bool h1_server_body_drain(struct h1_turn *t)
{
    struct deadline until = deadline_in(t->x.entry->linger_ms);
    uint64_t max = t->in.got + t->x.entry->linger_max_bytes;
    struct str piece;
    enum exchange_end end = t->x.end; // the exchange is over: what happens now isn't its end
    while (!h1_server_body_is_done(t) && t->in.got <= max &&
           body_in_read(&t->in.body, &piece, until) != IO_FAIL)
        fiber_give_way(BODY_PIECE_COST);
    t->x.end = end;
    return h1_server_body_is_done(t);
}
