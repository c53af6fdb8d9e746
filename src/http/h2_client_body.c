// SPDX-License-Identifier: Apache-2.0
// The body of a server's answer. What comes is kept, at most a window of it; as it is pulled, the
// window is given back. So a slow client holds up its own stream alone.
#include "http/env.h"
#include "http/h2_client_priv.h"
#include "rt/clock.h"
#include "rt/fiber.h"

// Windows of streams grow while their readers wait for the server, and not for their clients.
#define WINDOW_MAX_BYTES (2 * 1024 * 1024)
#define CONN_WINDOWS_MAX_BYTES (22 * 1024 * 1024) // of one connection, over all its streams

static struct h2_call *call_of(struct body *b)
{
    return CONTAINER_OF(b, struct h2_call, body);
}

// --- what has come ---

void h2_call_add_data(struct h2_call *call, const char *bytes, size_t n)
{
    struct rt_pool *pool = &call->x->env->pieces;
    call->came_ms = clock_now_ms();
    while (n > 0) {
        struct h2_chunk *last = call->last;
        if (!last || last->end == H2_CHUNK_BYTES) {
            struct h2_chunk *chunk = pool_take(pool);
            chunk->next = NULL;
            chunk->at = chunk->end = 0;
            if (last)
                last->next = chunk;
            else
                call->first = chunk;
            call->last = last = chunk;
        }
        size_t part = MIN(n, H2_CHUNK_BYTES - last->end);
        memcpy(last->bytes + last->end, bytes, part);
        last->end += (uint32_t)part;
        bytes += part;
        n -= part;
        call->held += part;
    }
    h2_call_wake(call);
}

static void drop_first(struct h2_call *call)
{
    struct h2_chunk *chunk = call->first;
    call->first = chunk->next;
    if (!call->first)
        call->last = NULL;
    pool_give(&call->x->env->pieces, chunk);
}

void h2_call_drop_data(struct h2_call *call)
{
    while (call->first)
        drop_first(call);
    call->held = 0;
}

// --- windows ---

static void count_window(struct h2_call *call, int64_t bytes)
{
    int64_t by = bytes - call->counted;
    call->x->env->h2_window_bytes += by;
    if (call->c)
        call->c->window_bytes += by;
    call->counted = bytes;
}

void h2_call_set_window(struct h2_call *call, int64_t bytes)
{
    call->window = bytes;
    count_window(call, bytes);
}

void h2_call_shrink_window(struct h2_call *call, int64_t by)
{
    call->window -= by;
}

void h2_call_settle_window(struct h2_call *call)
{
    bool is_excess = call->counted > call->window;
    if (is_excess && call->c && call->c->n_unacked == 0)
        count_window(call, MIN(call->counted, MAX(call->window, (int64_t)call->held)));
}

// All of a window has been used while the reader waited: the server might have sent more.
static void grow(struct h2_call *call)
{
    struct h2_client *c = call->c;
    int64_t larger = MIN(call->window * 2, WINDOW_MAX_BYTES);
    int64_t by = larger - call->window;
    bool has_room = c->window_bytes + by <= CONN_WINDOWS_MAX_BYTES &&
                    c->env->h2_window_bytes + by <= H2_CLIENT_WINDOWS_MAX_BYTES;
    // What SETTINGS change on their way would come on top of it.
    if (by <= 0 || !has_room || c->n_unacked > 0 ||
        nghttp2_session_set_local_window_size(c->session, NGHTTP2_FLAG_NONE, call->id,
                                              (int32_t)larger) != 0)
        return;
    h2_call_set_window(call, larger);
    call->asked = 0;
}

static void give_back(struct h2_call *call, size_t n)
{
    struct h2_client *c = call->c;
    if (!c || call->is_complete)
        return;
    call->asked += (int64_t)n;
    h2_call_settle_window(call);
    if (call->held == 0 && call->asked >= call->window)
        grow(call);
    (void)nghttp2_session_consume_stream(c->session, call->id, n);
    h2_client_schedule(c);
}

// The piece that was lent isn't needed any more.
static void take_back(struct h2_call *call)
{
    struct h2_chunk *chunk = call->first;
    size_t n = call->n_lent;
    if (n == 0)
        return;
    chunk->at += (uint32_t)n;
    call->n_lent = 0;
    call->held -= n;
    if (chunk->at == chunk->end && (chunk->next || chunk->end == H2_CHUNK_BYTES))
        drop_first(call);
    else if (chunk->at == chunk->end)
        chunk->at = chunk->end = 0;
    give_back(call, n);
}

// --- reading ---

static enum io fail(struct h2_call *call, enum exchange_end end)
{
    if (call->x->end == EXCHANGE_END_OK)
        call->x->end = end;
    call->is_failed = true;
    return IO_FAIL;
}

static enum io fail_as_stream(struct h2_call *call)
{
    switch (call->failure) {
    case H2_FAILURE_PROTOCOL:
        return fail(call, EXCHANGE_END_SERVER_PROTOCOL);
    case H2_FAILURE_RESOURCES:
        return fail(call, EXCHANGE_END_RESOURCES);
    case H2_FAILURE_NONE:
    case H2_FAILURE_REFUSED:
    case H2_FAILURE_HTTP_1:
    case H2_FAILURE_RESET:
    case H2_FAILURE_GONE:
        break;
    }
    return fail(call, EXCHANGE_END_SERVER_GONE);
}

static enum io expired(struct h2_call *call)
{
    h2_call_note(call, call->until.at_ms <= clock_now_ms()
                           ? "the answer's body lasts longer than the exchange may"
                           : "stopped in the middle of the answer's body");
    h2_call_reset(call, H2_FAILURE_RESET, NGHTTP2_CANCEL);
    return fail(call, EXCHANGE_END_SERVER_TIMEOUT);
}

// Waits for more. IO_AGAIN: look again.
static enum io wait_for_more(struct h2_call *call, struct deadline until)
{
    // A request that is still being sent is progress too.
    int64_t moved_ms = MAX(call->came_ms, call->pump ? call->send_moved_ms : 0);
    struct deadline idle = {moved_ms + call->body_idle_ms};
    switch (h2_call_wait(call, deadline_min(until, idle))) {
    case FIBER_READY:
        return IO_AGAIN;
    case FIBER_CANCELLED:
        return IO_FAIL;
    case FIBER_EXPIRED:
        break;
    }
    int64_t now = clock_now_ms();
    bool has_moved = call->pump && call->send_moved_ms + call->body_idle_ms > now;
    return has_moved && until.at_ms > now && call->until.at_ms > now ? IO_AGAIN : expired(call);
}

static enum io lend(struct h2_call *call, struct str *ret_piece)
{
    struct h2_chunk *chunk = call->first;
    call->n_lent = chunk->end - chunk->at;
    *ret_piece = str_from(chunk->bytes + chunk->at, call->n_lent);
    return IO_DONE;
}

enum io h2_call_lend(struct h2_call *call, struct str *ret_piece)
{
    take_back(call);
    if (call->held > 0)
        return lend(call, ret_piece);
    return call->is_complete ? IO_EOF : call->c ? IO_AGAIN : IO_FAIL;
}

static enum io end(struct h2_call *call)
{
    if (call->has_trailers)
        call->body.trailers = &call->trailers;
    h2_call_finish(call);
    return IO_EOF;
}

static enum io answer_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct h2_call *call = call_of(b);
    if (call->is_failed)
        return IO_FAIL;
    int64_t began_ms = clock_now_ms();
    take_back(call);
    for (;;) {
        if (call->held > 0)
            return lend(call, ret_piece);
        if (call->is_complete)
            return end(call);
        if (!call->c)
            return fail_as_stream(call);
        if (until.at_ms == BODY_NO_WAIT.at_ms)
            return IO_AGAIN;
        call->came_ms = MAX(call->came_ms, began_ms); // the client's time isn't the server's
        enum io io = wait_for_more(call, until);
        if (io != IO_AGAIN)
            return io;
    }
}

static void answer_fini(struct body *b)
{
    h2_call_finish(call_of(b));
}

static const struct body_ops answer_ops = {
    .name = "answer of HTTP/2",
    .read = answer_read,
    .fini = answer_fini,
};

struct body *h2_call_body(struct h2_call *call)
{
    // What has come as a whole has a length, whether the server told it or not.
    int64_t length = call->announced;
    if (length < 0 && call->is_complete && !call->has_trailers)
        length = (int64_t)call->held;
    call->body = (struct body){.ops = &answer_ops, .length = length};
    return &call->body;
}
