// SPDX-License-Identifier: Apache-2.0
// The body of a server's answer, read from its connection as it is pulled. The connection goes back
// to its owner as soon as the last byte has been read from it, before that byte is passed on.
#include <errno.h>

#include "http/env.h"
#include "http/h1_client_priv.h"
#include "rt/clock.h"
#include "rt/fiber.h"

static struct h1_call *call_of(struct body *b)
{
    return CONTAINER_OF(b, struct h1_call, body);
}

// The last byte of the answer has been read. A request that is still being sent ends with it: from
// here on the client's driver may read what is left of the request's body. That is done in a turn
// or two, also where the caller doesn't want to wait for bytes.
static void complete(struct h1_call *call)
{
    h1_call_stop_pump(call);
    call->is_complete = true;
    h1_call_release(call, h1_call_is_reusable(call));
}

// The answer breaks off here. A pump that runs sees the closed socket; it is waited for, and the
// owner told, at the body's end.
static enum io fail(struct h1_call *call, enum exchange_end end)
{
    call->is_failed = true;
    stream_close(&call->c->stream);
    if (call->x->end == EXCHANGE_END_OK)
        call->x->end = end;
    return IO_FAIL;
}

static enum io refuse(struct h1_call *call, enum h1_error error)
{
    h1_call_note_refused(call, error);
    return fail(call, EXCHANGE_END_SERVER_PROTOCOL);
}

static enum io stopped(struct h1_call *call)
{
    h1_call_note(call, "stopped in the middle of the answer's body");
    return fail(call, EXCHANGE_END_SERVER_TIMEOUT);
}

// Reads more. IO_DONE, IO_AGAIN, IO_FAIL; IO_EOF only for a body that ends so. May wait.
static enum io fill(struct h1_call *call, struct deadline until)
{
    int64_t began_ms = clock_now_ms();
    for (;;) {
        // A request that is still being sent is progress too.
        struct deadline idle = {MAX(began_ms, call->pump ? call->send_moved_ms : 0) +
                                call->body_idle_ms};
        enum io io = h1_call_fill(call, deadline_min(until, idle));
        if (io == IO_DONE || io == IO_AGAIN)
            return io;
        if (io == IO_EOF) {
            if (call->framing == H1_BODY_UNTIL_CLOSE)
                return IO_EOF;
            h1_call_note(call, "closed in the middle of the answer's body");
            return fail(call, EXCHANGE_END_SERVER_GONE);
        }
        if (call->c->stream.sock.error == ENOBUFS && !call->buf) {
            h1_call_note(call, "no buffer for the answer's body");
            return fail(call, EXCHANGE_END_RESOURCES);
        }
        if (call->c->stream.sock.error != ETIMEDOUT) {
            h1_call_note(call, "reset in the middle of the answer's body");
            return fail(call, EXCHANGE_END_SERVER_GONE);
        }
        bool has_moved = call->pump && call->send_moved_ms + call->body_idle_ms > clock_now_ms();
        if (!has_moved || until.at_ms <= clock_now_ms())
            return stopped(call);
    }
}

// The server is faster than we are, and much is to come: four records of TLS cost one read then.
static void enlarge_buffer(struct h1_call *call)
{
    char *large = pool_take(&call->x->env->large);
    if (!large)
        return;
    h1_call_give_buffer(call);
    call->buf = large;
    call->buf_bytes = HTTP_LARGE_BYTES;
    call->is_large = true;
}

// Fills the empty buffer. What was lent from it before is gone.
static enum io refill(struct h1_call *call, struct deadline until)
{
    ASSERT(call->at == call->end);
    bool was_full = call->end == call->buf_bytes;
    bool is_long = call->framing == H1_BODY_LENGTH && call->left >= HTTP_LARGE_BYTES;
    if (was_full && is_long && call->buf_bytes < HTTP_LARGE_BYTES)
        enlarge_buffer(call);
    call->at = call->end = 0;
    return fill(call, until);
}

static enum io read_plain(struct h1_call *call, struct str *ret_piece, struct deadline until)
{
    if (call->at == call->end) {
        enum io io = refill(call, until);
        if (io == IO_EOF)
            complete(call);
        if (io != IO_DONE)
            return io;
    }
    struct str piece = h1_call_unread(call);
    if (call->framing == H1_BODY_LENGTH) {
        piece = str_first(piece, (size_t)MIN(call->left, piece.len));
        call->left -= piece.len;
    }
    call->at += piece.len;
    if (call->framing == H1_BODY_LENGTH && call->left == 0)
        complete(call);
    *ret_piece = piece;
    return IO_DONE;
}

// Their texts move to the exchange's arena, for the buffer ends before it.
static bool keep_trailers(struct h1_call *call, size_t n_fields, size_t used)
{
    struct exchange *x = call->x;
    if (n_fields == 0)
        return true;
    const char *from = call->buf + call->at;
    struct str text = arena_dup(x->mem, str_from(from, used));
    if (!text.ptr)
        return false;
    h1_call_rebase(x->env->fields, n_fields, from, text.ptr);
    headers_init(&call->trailers, x->mem);
    if (headers_take(&call->trailers, x->env->fields, n_fields) != ERR_OK)
        return false;
    call->body.trailers = &call->trailers;
    return true;
}

static enum io read_trailers(struct h1_call *call, struct deadline until)
{
    for (;;) {
        enum h1_error error = H1_ERROR_NONE;
        size_t n_fields = 0, used = 0;
        switch (h1_trailers_parse(h1_call_unread(call), &call->limits, call->x->env->fields,
                                  &n_fields, &used, &error)) {
        case IO_DONE:
            if (!keep_trailers(call, n_fields, used)) {
                h1_call_note(call, "no memory for the answer's trailers");
                return fail(call, EXCHANGE_END_RESOURCES);
            }
            call->at += used;
            complete(call);
            return IO_EOF;
        case IO_AGAIN:
            break;
        case IO_EOF:
        case IO_FAIL:
            return refuse(call, error);
        }
        if (!h1_call_make_room(call, (size_t)call->limits.head_max_bytes + HTTP_BUFFER_BYTES))
            return refuse(call, H1_ERROR_HEAD_LENGTH);
        enum io io = fill(call, until);
        if (io != IO_DONE)
            return io;
    }
}

static enum io read_chunked(struct h1_call *call, struct str *ret_piece, struct deadline until)
{
    while (!call->in_trailers) {
        enum h1_error error = H1_ERROR_NONE;
        size_t used = 0;
        struct str in = h1_call_unread(call);
        enum io io =
            in.len > 0 ? h1_chunks_next(&call->chunks, in, &used, ret_piece, &error) : IO_AGAIN;
        call->at += used;
        switch (io) {
        case IO_DONE:
            return IO_DONE;
        case IO_EOF:
            call->in_trailers = true;
            break;
        case IO_FAIL:
            return refuse(call, error);
        case IO_AGAIN:
            io = refill(call, until);
            if (io != IO_DONE)
                return io;
            break;
        }
    }
    return read_trailers(call, until);
}

static enum io answer_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct h1_call *call = call_of(b);
    if (call->is_failed)
        return IO_FAIL;
    if (call->is_complete)
        return IO_EOF;
    return call->framing == H1_BODY_CHUNKED ? read_chunked(call, ret_piece, until)
                                            : read_plain(call, ret_piece, until);
}

static bool answer_raw(struct body *b, struct rt_sock **ret_sock, uint64_t *ret_left)
{
    struct h1_call *call = call_of(b);
    if (call->is_failed || call->is_complete || call->framing == H1_BODY_CHUNKED ||
        call->at != call->end || !stream_is_plain(&call->c->stream))
        return false;
    *ret_sock = &call->c->stream.sock;
    *ret_left = call->framing == H1_BODY_LENGTH ? call->left : UINT64_MAX;
    return true;
}

static bool answer_raw_wait(struct body *b)
{
    struct h1_call *call = call_of(b);
    struct rt_sock *s = &call->c->stream.sock;
    if (call->pump) // whose progress counts too: read knows how
        return false;
    if (sock_wait_readable(s, deadline_in(call->body_idle_ms)) == IO_DONE)
        return true;
    if (s->error == ETIMEDOUT)
        stopped(call);
    return false;
}

static void answer_raw_moved(struct body *b, uint64_t n)
{
    struct h1_call *call = call_of(b);
    if (call->framing != H1_BODY_LENGTH)
        return;
    ASSERT(n <= call->left);
    call->left -= n;
    if (call->left == 0)
        complete(call);
}

static void answer_fini(struct body *b)
{
    struct h1_call *call = call_of(b);
    h1_call_stop_pump(call);
    if (call->c)
        h1_call_release(call, h1_call_is_reusable(call));
    h1_call_give_buffer(call);
}

static const struct body_ops answer_ops = {
    .name = "answer",
    .read = answer_read,
    .raw = answer_raw,
    .raw_wait = answer_raw_wait,
    .raw_moved = answer_raw_moved,
    .fini = answer_fini,
};

struct body *h1_call_body(struct h1_call *call)
{
    bool has_length = call->framing == H1_BODY_LENGTH && call->left <= INT64_MAX;
    call->body = (struct body){
        .ops = &answer_ops,
        .length = has_length ? (int64_t)call->left : -1,
    };
    return &call->body;
}
