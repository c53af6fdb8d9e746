// SPDX-License-Identifier: Apache-2.0
#include "http/h1_client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/mem.h"
#include "http/env.h"
#include "http/h1_client_priv.h"
#include "http/replay.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/loop.h"

// --- what the other files use ---

bool h1_call_make_room(struct h1_call *call, size_t max_bytes)
{
    size_t n = call->end - call->at;
    if (call->end < call->buf_bytes)
        return true;
    if (call->at > 0) {
        memmove(call->buf, call->buf + call->at, n);
    } else {
        size_t bytes = MIN(call->buf_bytes * 2, max_bytes);
        if (bytes <= call->buf_bytes)
            return false;
        char *larger = mem_alloc_raw(bytes);
        memcpy(larger, call->buf, n);
        h1_call_give_buffer(call);
        call->buf = larger;
        call->buf_bytes = bytes;
    }
    call->at = 0;
    call->end = n;
    return true;
}

void h1_call_give_buffer(struct h1_call *call)
{
    if (call->buf && call->is_large)
        pool_give(&call->x->env->large, call->buf);
    else if (call->buf && call->buf_bytes == HTTP_BUFFER_BYTES)
        pool_give(&call->x->env->buffers, call->buf);
    else
        mem_free(call->buf);
    call->buf = NULL;
}

static bool take_buffer(struct h1_call *call)
{
    if (call->buf)
        return true;
    call->buf = pool_take(&call->x->env->buffers);
    call->buf_bytes = HTTP_BUFFER_BYTES;
    call->is_large = false;
    return call->buf != NULL;
}

static enum io read_now(struct h1_call *call, struct deadline until, size_t *ret_n)
{
    struct stream *s = &call->c->stream;
    if (!take_buffer(call)) {
        s->sock.error = ENOBUFS;
        return IO_FAIL;
    }
    char *to = call->buf + call->end;
    size_t room = call->buf_bytes - call->end;
    ASSERT(room > 0);
    return until.at_ms == BODY_NO_WAIT.at_ms ? stream_try_read(s, to, room, ret_n)
                                             : stream_read(s, to, room, until, ret_n);
}

// With empty hands, where nothing is kept: those whose answers are there share few buffers then,
// which stay in the cache.
static enum io wait_readable(struct h1_call *call, struct deadline until)
{
    if (call->at == call->end) {
        h1_call_give_buffer(call);
        call->at = call->end = 0;
    }
    return sock_wait_readable(&call->c->stream.sock, until);
}

static enum io read_or_wait(struct h1_call *call, struct deadline until, size_t *ret_n)
{
    const struct stream *s = &call->c->stream;
    if (!stream_is_plain(s))
        return read_now(call, until, ret_n);
    for (;;) {
        enum io io = s->sock.is_readable ? IO_DONE : wait_readable(call, until);
        if (io == IO_DONE)
            io = read_now(call, BODY_NO_WAIT, ret_n);
        if (io != IO_AGAIN)
            return io;
    }
}

static enum io read_some(struct h1_call *call, struct deadline until, size_t *ret_n)
{
    struct stream *s = &call->c->stream;
    if (until.at_ms == BODY_NO_WAIT.at_ms)
        return read_now(call, until, ret_n);
    if (!call->is_watched) {
        struct deadline quick = deadline_min(until, deadline_in(HTTP_CLIENT_WATCH_MS));
        enum io io = read_or_wait(call, quick, ret_n);
        if (io != IO_FAIL || s->sock.error != ETIMEDOUT)
            return io;
        call->is_watched = true;
        const struct exchange_ops *ops = call->x->ops;
        if (ops && ops->watch)
            ops->watch(call->x);
        if (until.at_ms <= clock_now_ms())
            return IO_FAIL;
    }
    return read_or_wait(call, until, ret_n);
}

enum io h1_call_fill(struct h1_call *call, struct deadline until)
{
    size_t n = 0;
    enum io io = read_some(call, until, &n);
    if (io == IO_DONE) {
        call->end += n;
        call->has_answer = true;
    }
    return io;
}

void h1_call_note(struct h1_call *call, const char *fmt, ...)
{
    char text[160];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    struct exchange *x = call->x;
    x->end_detail = arena_printf(x->mem, "server " STR_FMT ": %s", STR_ARG(x->server_name), text);
}

void h1_call_note_refused(struct h1_call *call, enum h1_error error)
{
    http_count_server_error(call->x->env, error);
    h1_call_note(call, "malformed answer: %s (RFC %s)", h1_error_text(error),
                 h1_error_section(error));
}

void h1_call_rebase(struct field *fields, size_t n, const char *from, const char *to)
{
    for (struct field *f = fields; f < fields + n; f++) {
        f->name.ptr = to + (f->name.ptr - from);
        f->value.ptr = f->value.len > 0 ? to + (f->value.ptr - from) : NULL;
    }
}

bool h1_call_is_reusable(const struct h1_call *call)
{
    return call->is_complete && call->keep_alive && call->sending == H1_SENDING_DONE &&
           call->at == call->end && !call->pump;
}

// The call has nothing to do with the connection any more.
static struct h1_client *detach(struct h1_call *call, bool is_reusable)
{
    struct h1_client *c = call->c;
    ASSERT(c && c->state == call && !call->pump);
    if (!is_reusable)
        stream_close(&c->stream);
    c->n_exchanges++;
    c->state = NULL;
    call->c = NULL;
    return c;
}

void h1_call_release(struct h1_call *call, bool is_reusable)
{
    struct h1_client *c = detach(call, is_reusable);
    c->done(c, is_reusable);
}

// --- ends ---

static void done_reusable(void *arg)
{
    struct h1_client *c = arg;
    c->done(c, true);
}

static void done_closed(void *arg)
{
    struct h1_client *c = arg;
    c->done(c, false);
}

// Ends the call inside h1_client_serve: the owner hears of it at the end of this turn.
static void end_in_serve(struct h1_call *call)
{
    h1_call_stop_pump(call);
    bool is_reusable = h1_call_is_reusable(call);
    loop_defer(is_reusable ? done_reusable : done_closed, detach(call, is_reusable));
    h1_call_give_buffer(call);
}

// --- public ---

static struct h1_call *call_new(struct h1_client *c, struct exchange *x,
                                const struct http_client_options *options)
{
    struct h1_call *call = ARENA_NEW(x->mem, struct h1_call);
    char *buf = call ? pool_take(&x->env->buffers) : NULL;
    if (!buf)
        return NULL;
    call->c = c;
    call->x = x;
    call->limits = options->limits;
    call->head_ms = options->head_ms;
    call->body_idle_ms = options->body_idle_ms;
    call->buf = buf;
    call->buf_bytes = HTTP_BUFFER_BYTES;
    call->send_moved_ms = clock_now_ms();
    c->state = call;
    c->stream.sock.on_event = NULL; // the owner's, for when it is idle
    return call;
}

enum http_client_end h1_client_serve(struct h1_client *c, struct exchange *x,
                                     const struct http_client_options *options, bool *ret_sent_body)
{
    ASSERT(fiber_self() && !c->state);
    *ret_sent_body = false;
    struct h1_call *call = call_new(c, x, options);
    if (!call) {
        x->end_detail = STR("no memory for an exchange with a server");
        stream_close(&c->stream);
        loop_defer(done_closed, c);
        return HTTP_CLIENT_RESOURCES;
    }
    enum http_client_end end = h1_call_send(call, options);
    call->at = call->end = 0;
    if (end == HTTP_CLIENT_OK)
        end = h1_call_read_answer(call);
    if (end == HTTP_CLIENT_BODY && x->end == EXCHANGE_END_OK)
        x->end = EXCHANGE_END_CLIENT_GONE;
    if (call->c && (end != HTTP_CLIENT_OK || call->is_complete))
        end_in_serve(call);
    // Where the pump has gone its last piece counts. Where the answer came early it still reads.
    *ret_sent_body = call->has_taken_body && !replay_is_whole(x);
    return end;
}

bool h1_client_is_clean(struct h1_client *c, bool is_sure)
{
    struct rt_sock *s = &c->stream.sock;
    if (s->fd < 0 || s->has_hangup || s->has_error)
        return false;
    if (!is_sure && s->is_watched && !stream_is_readable(&c->stream))
        return true;
    char byte;
    size_t n;
    s->is_readable = true; // else the try would trust the flag
    return stream_try_read(&c->stream, &byte, 1, &n) == IO_AGAIN;
}

void h1_client_fini(struct h1_client *c)
{
    ASSERT(!c->state); // of an exchange that still runs
    stream_close(&c->stream);
}
