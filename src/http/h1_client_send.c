// SPDX-License-Identifier: Apache-2.0
// Sending a request to a server: its head with as much of the body as is at hand in one call, the
// rest by a fiber of its own, the pump, while the exchange's fiber waits for the answer.
#include <errno.h>

#include "base/mem.h"
#include "base/writer.h"
#include "http/env.h"
#include "http/h1_client_priv.h"
#include "http/replay.h"
#include "rt/clock.h"
#include "rt/fiber.h"

#define SPLICE_MIN_BYTES (32 * 1024)
#define SPLICE_TURN_BYTES ((size_t)256 * 1024)
#define CHUNK_LINE_BYTES 20 // 16 digits, CR, LF

// --- sending ---

static struct iovec iov_of(struct str s)
{
    // WHY: iovec serves reading too and isn't const; writing leaves the bytes alone.
    return (struct iovec){(void *)(uintptr_t)s.ptr, s.len};
}

// Leaves a state that was set by h1_call_stop_pump meanwhile.
static void go(struct h1_call *call, enum h1_sending to)
{
    if (call->sending == H1_SENDING_RUNS)
        call->sending = to;
    call->send_moved_ms = clock_now_ms();
}

static bool put(struct h1_call *call, struct iovec *iov, int n_iov)
{
    struct stream *s = &call->c->stream;
    if (stream_writev(s, iov, n_iov, call->body_idle_ms, H1_CALL_FOREVER) == IO_DONE) {
        call->send_moved_ms = clock_now_ms();
        return true;
    }
    go(call, s->sock.error == ETIMEDOUT ? H1_SENDING_STUCK : H1_SENDING_REFUSED);
    return false;
}

// Frames a piece of the body: the vectors to write. line is room for a chunk's first line.
static int frame_piece(struct h1_call *call, struct str piece, char line[static CHUNK_LINE_BYTES],
                       struct iovec ret_iov[static 3])
{
    if (call->x->req.body->length >= 0) {
        ASSERT(piece.len <= call->send_left);
        call->send_left -= piece.len;
        ret_iov[0] = iov_of(piece);
        return 1;
    }
    struct writer w;
    writer_init(&w, line, CHUNK_LINE_BYTES);
    writer_hex(&w, piece.len);
    writer_put(&w, STR("\r\n"));
    ret_iov[0] = iov_of(writer_str(&w));
    ret_iov[1] = iov_of(piece);
    ret_iov[2] = iov_of(STR("\r\n"));
    return 3;
}

// The last chunk with the trailers, in the exchange's arena. ptr is NULL when that is full.
static struct str last_chunk(struct h1_call *call)
{
    const struct headers *trailers = call->x->req.body->trailers;
    if (!trailers || !headers_next(trailers, NULL))
        return STR("0\r\n\r\n");
    size_t need = STR("0\r\n\r\n").len;
    for (const struct field *f = headers_next(trailers, NULL); f; f = headers_next(trailers, f))
        need += f->name.len + f->value.len + STR(": \r\n").len;
    struct writer w;
    char *text = ARENA_ARRAY(call->x->mem, char, need);
    if (!text)
        return STR_NONE;
    writer_init(&w, text, need);
    writer_put(&w, STR("0\r\n"));
    h1_put_fields(&w, trailers);
    return writer_str(&w);
}

// The body has been read to its end.
static void send_end(struct h1_call *call)
{
    if (call->x->req.body->length >= 0) {
        go(call, call->send_left == 0 ? H1_SENDING_DONE : H1_SENDING_FAILED);
        return;
    }
    struct str last = last_chunk(call);
    struct iovec iov = iov_of(last);
    if (!last.ptr)
        go(call, H1_SENDING_FAILED);
    else if (put(call, &iov, 1))
        go(call, H1_SENDING_DONE);
}

// Moves a part of a large plain body inside the kernel. False: not possible (any more).
static bool splice_part(struct h1_call *call)
{
    struct body *b = call->x->req.body;
    struct stream *to = &call->c->stream;
    struct rt_sock *from;
    uint64_t left;
    if (call->is_splice_off || !b->ops->raw || b->length < 0 || !stream_is_plain(to) ||
        !b->ops->raw(b, &from, &left) || left < SPLICE_MIN_BYTES)
        return false;
    ASSERT(left <= call->send_left);
    size_t n = 0;
    bool from_failed = false;
    enum io io = sock_splice(from, &to->sock, (size_t)MIN(left, SPLICE_TURN_BYTES),
                             call->body_idle_ms, H1_CALL_FOREVER, &n, &from_failed);
    if (io == IO_DONE) {
        call->has_taken_body = true;
        call->send_left -= n;
        call->send_moved_ms = clock_now_ms();
        b->ops->raw_moved(b, n);
    } else if (io == IO_FAIL && !from_failed) {
        call->has_taken_body = true;
        b->ops->raw_moved(b, n); // they are lost, but gone from the client's connection
        go(call, to->sock.error == ETIMEDOUT ? H1_SENDING_STUCK : H1_SENDING_REFUSED);
    } else if (io == IO_AGAIN) {
        return body_raw_wait(b);
    } else {
        call->is_splice_off = true; // the body itself knows why, when it is read
    }
    return true;
}

static void send_part(struct h1_call *call)
{
    if (splice_part(call)) {
        fiber_give_way(SPLICE_MIN_BYTES);
        return;
    }
    struct str piece = STR_NONE;
    char line[CHUNK_LINE_BYTES];
    struct iovec iov[3];
    switch (body_read(call->x->req.body, &piece,
                      http_client_body_deadline(call->x, call->body_idle_ms))) {
    case IO_DONE:
        call->has_taken_body = true;
        if (put(call, iov, frame_piece(call, piece, line, iov)))
            fiber_give_way(BODY_PIECE_COST + (uint32_t)piece.len);
        break;
    case IO_EOF:
        send_end(call);
        break;
    case IO_FAIL:
    case IO_AGAIN:
        go(call, H1_SENDING_FAILED);
        break;
    }
}

static void run_pump(void *arg)
{
    struct h1_call *call = arg;
    while (call->sending == H1_SENDING_RUNS)
        send_part(call);
    // Nothing comes of this request any more: the waiting for its answer ends at once.
    if (call->sending == H1_SENDING_FAILED || call->sending == H1_SENDING_STUCK)
        stream_close(&call->c->stream);
    call->pump = NULL; // the call may be freed from here on
}

void h1_call_start_pump(struct h1_call *call)
{
    ASSERT(!call->pump);
    call->sending = H1_SENDING_RUNS;
    call->pump = fiber_start(run_pump, call);
    if (!call->pump) // too many fibers: then this one sends first and reads afterwards
        run_pump(call);
}

void h1_call_stop_pump(struct h1_call *call)
{
    if (!call->pump)
        return;
    // That the client's body ends with a cancelled wait is our doing, not the client's.
    struct exchange *x = call->x;
    enum exchange_end end = x->end;
    struct str detail = x->end_detail;
    bool is_ours_to_end = call->sending == H1_SENDING_RUNS;
    if (is_ours_to_end)
        call->sending = H1_SENDING_STOPPED;
    fiber_cancel(call->pump);
    while (call->pump)
        fiber_yield();
    if (is_ours_to_end) {
        x->end = end;
        x->end_detail = detail;
    }
}

// Adds to iov what of the body is at hand. Returns the number of vectors, -1: the body failed.
static int take_first(struct h1_call *call, char line[static CHUNK_LINE_BYTES],
                      struct iovec iov[static 3])
{
    struct exchange *x = call->x;
    struct body *b = x->req.body;
    struct str piece = STR_NONE;
    switch (body_read(b, &piece, BODY_NO_WAIT)) {
    case IO_DONE: {
        int n = frame_piece(call, piece, line, iov);
        bool is_all = b->length >= 0 && call->send_left == 0;
        if (is_all)
            call->sending = H1_SENDING_DONE;
        if (!is_all || piece.len != (uint64_t)b->length || !replay_keep(x, piece))
            call->has_taken_body = true;
        return n;
    }
    case IO_EOF:
        if (b->length >= 0)
            return -1; // shorter than it said
        iov[0] = iov_of(last_chunk(call));
        call->sending = H1_SENDING_DONE;
        return iov[0].iov_base ? 1 : -1;
    case IO_AGAIN:
        return 0;
    case IO_FAIL:
        break;
    }
    return -1;
}

static enum http_client_end send_first(struct h1_call *call, struct str head)
{
    char line[CHUNK_LINE_BYTES];
    struct iovec iov[4] = {iov_of(head)};
    int n = 0;
    if (call->sending == H1_SENDING_RUNS)
        n = take_first(call, line, iov + 1);
    if (n < 0)
        return HTTP_CLIENT_BODY;
    struct rt_sock *sock = &call->c->stream.sock;
    if (stream_writev(&call->c->stream, iov, 1 + n, call->body_idle_ms, H1_CALL_FOREVER) ==
        IO_DONE) {
        call->send_moved_ms = clock_now_ms();
        return HTTP_CLIENT_OK;
    }
    if (sock->error == ETIMEDOUT) {
        h1_call_note(call, "takes no request");
        return HTTP_CLIENT_TIMEOUT;
    }
    if (sock->error == ECANCELED)
        return HTTP_CLIENT_CANCELLED;
    call->sending = H1_SENDING_REFUSED;
    return HTTP_CLIENT_OK;
}

enum http_client_end h1_call_send(struct h1_call *call, const struct http_client_options *options)
{
    struct exchange *x = call->x;
    struct str head;
    if (!h1_call_build_head(call, options, &head)) {
        h1_call_note(call, "the request's head is too large to be sent");
        return HTTP_CLIENT_RESOURCES;
    }
    struct body *b = x->req.body;
    call->send_left = b && b->length > 0 ? (uint64_t)b->length : 0;
    if (!b || b->length == 0)
        call->sending = H1_SENDING_DONE;
    else if (x->req.expects_continue)
        call->sending = H1_SENDING_HELD;
    else
        call->sending = H1_SENDING_RUNS;
    enum http_client_end end = send_first(call, head);
    x->times.sent = clock_now_ns();
    if (end == HTTP_CLIENT_OK && call->sending == H1_SENDING_RUNS)
        h1_call_start_pump(call);
    return end;
}
