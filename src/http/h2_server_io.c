// SPDX-License-Identifier: Apache-2.0
// Bytes between a connection's socket and its session. What streams have to say in one turn goes
// out together at its end; nothing here waits.
#include <string.h>

#include "http/h2_server_priv.h"
#include "rt/clock.h"
#include "rt/loop.h"

#define READS_PER_TURN 8    // of a buffer's size: then others have their turn
#define ROOM_MIN_BYTES 2048 // less isn't worth a frame of a body

// --- out ---

static bool has_out(const struct h2_conn *c)
{
    return c->out_at < c->out_end || c->rest.len > 0;
}

static void give_out(struct h2_conn *c)
{
    if (c->out)
        pool_give(&h2_conn_env(c)->buffers, c->out);
    c->out = NULL;
    c->out_at = c->out_end = 0;
}

static size_t room(const struct h2_conn *c)
{
    return HTTP_BUFFER_BYTES - c->out_end;
}

static void take_rest(struct h2_conn *c)
{
    size_t n = MIN(c->rest.len, room(c));
    if (n > 0)
        memcpy(c->out + c->out_end, c->rest.ptr, n);
    c->out_end += n;
    c->rest = str_skip(c->rest, n);
}

char *h2_conn_room(struct h2_conn *c, size_t n)
{
    if (c->rest.len > 0 || n > room(c))
        return NULL;
    c->out_end += n;
    return c->out + c->out_end - n;
}

size_t h2_conn_frame_max(const struct h2_conn *c)
{
    size_t n = room(c);
    return c->rest.len > 0 || n < ROOM_MIN_BYTES ? ROOM_MIN_BYTES : n - H2_FRAME_HEAD_BYTES;
}

// Lets the session write into the buffer until that is full. False: the session is broken.
static bool gather(struct h2_conn *c)
{
    take_rest(c);
    while (c->rest.len == 0 && room(c) >= ROOM_MIN_BYTES) {
        const uint8_t *bytes;
        size_t before = c->out_end;
        if (UNLIKELY(c->n_heads > 0))
            h2_conn_submit_next(c);
        c->in_session = true;
        ssize_t n = nghttp2_session_mem_send(c->session, &bytes);
        c->in_session = false;
        if (n < 0)
            return false;
        if (n == 0 && c->out_end == before) // bodies are put into the buffer without passing here
            return true;
        c->rest = str_from((const char *)bytes, (size_t)n);
        take_rest(c);
    }
    return true;
}

static enum io write_out(struct h2_conn *c)
{
    while (c->out_at < c->out_end) {
        size_t n = 0;
        struct iovec iov = {c->out + c->out_at, c->out_end - c->out_at};
        enum io io = stream_try_writev(&c->stream, &iov, 1, &n);
        if (io != IO_DONE)
            return io;
        c->out_at += n;
        c->write_due_ms = INT64_MAX;
        http_count(h2_conn_env(c), HTTP_COUNTER_BYTES_OUT, (int64_t)n);
    }
    c->out_at = c->out_end = 0;
    return IO_DONE;
}

static enum io write_all(struct h2_conn *c)
{
    for (;;) {
        if (!gather(c))
            return IO_FAIL;
        if (!has_out(c))
            return stream_try_flush(&c->stream);
        enum io io = write_out(c);
        if (io != IO_DONE)
            return io;
    }
}

// Lets the session write into the buffer, which goes to the socket whenever it is full.
static enum io write_full(struct h2_conn *c)
{
    for (;;) {
        if (!gather(c))
            return IO_FAIL;
        if (c->rest.len == 0 && room(c) >= ROOM_MIN_BYTES)
            return IO_DONE;
        enum io io = write_out(c);
        if (io != IO_DONE)
            return io;
    }
}

static void send_by(struct h2_conn *c, enum io (*send)(struct h2_conn *c))
{
    ASSERT(!c->in_session);
    if (c->state != H2_CONN_OPEN)
        return;
    if (!c->out)
        c->out = pool_take(&h2_conn_env(c)->buffers);
    enum io io = c->out ? send(c) : IO_FAIL;
    if (io == IO_FAIL) {
        h2_conn_close(c);
        return;
    }
    if (!has_out(c))
        give_out(c);
    if (io == IO_DONE && !has_out(c))
        c->write_due_ms = INT64_MAX;
    else if (io == IO_AGAIN && c->write_due_ms == INT64_MAX)
        c->write_due_ms = clock_now_ms() + c->body_idle_ms;
    h2_conn_set_timer(c);
    h2_conn_settle(c);
}

void h2_conn_flush(struct h2_conn *c)
{
    send_by(c, write_all);
}

void h2_conn_gather(struct h2_conn *c)
{
    send_by(c, write_full);
    h2_conn_flush_soon(c);
}

static void flush_now(void *arg)
{
    struct h2_conn *c = arg;
    c->is_flush_due = false;
    if (c->state == H2_CONN_CLOSED)
        return;
    h2_conn_flush(c);
    h2_conn_rest(c);
}

void h2_conn_flush_soon(struct h2_conn *c)
{
    if (c->is_flush_due || c->state != H2_CONN_OPEN)
        return;
    c->is_flush_due = true;
    loop_defer(flush_now, c);
}

void h2_conn_drop_out(struct h2_conn *c)
{
    give_out(c);
    c->rest = STR_NONE;
}

bool h2_conn_takes_heads(const struct h2_conn *c, bool at_once)
{
    if (c->write_due_ms != INT64_MAX)
        return false;
    return !at_once || (c->rest.len == 0 && room(c) >= ROOM_MIN_BYTES && c->n_heads == 0 &&
                        nghttp2_session_want_write(c->session) == 0);
}

bool h2_conn_has_out(const struct h2_conn *c)
{
    return has_out(c) || c->n_heads > 0 || nghttp2_session_want_write(c->session) != 0;
}

// --- in ---

static void refuse_session(struct h2_conn *c, ssize_t error)
{
    if (c->refused != H2_ERROR_NONE) // a callback has said why
        h2_conn_refuse(c, (enum h2_error)c->refused, c->refuse_code);
    else if (error == NGHTTP2_ERR_FLOODED || error == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
        h2_conn_refuse(c, H2_ERROR_FLOOD, NGHTTP2_ENHANCE_YOUR_CALM);
    else if (error == NGHTTP2_ERR_BAD_CLIENT_MAGIC || error == NGHTTP2_ERR_SETTINGS_EXPECTED)
        h2_conn_refuse(c, H2_ERROR_PREFACE, NGHTTP2_PROTOCOL_ERROR);
    else
        h2_conn_refuse(c, H2_ERROR_FRAMES, NGHTTP2_INTERNAL_ERROR);
}

void h2_conn_feed(struct h2_conn *c, struct str bytes)
{
    http_count(h2_conn_env(c), HTTP_COUNTER_BYTES_IN, (int64_t)bytes.len);
    c->in_session = true;
    ssize_t n = nghttp2_session_mem_recv(c->session, (const uint8_t *)bytes.ptr, bytes.len);
    c->in_session = false;
    if (n < 0)
        refuse_session(c, n);
    h2_conn_settle(c);
}

// One that has broken the rules has had its say.
static bool is_listened_to(const struct h2_conn *c)
{
    return c->state == H2_CONN_OPEN && c->goaway != H2_GOAWAY_REFUSED;
}

void h2_conn_read(struct h2_conn *c)
{
    struct http_env *env = h2_conn_env(c);
    char *buf = pool_take(&env->buffers);
    enum io io = buf ? IO_DONE : IO_FAIL;
    c->is_hungry = false;
    for (int i = 0; io == IO_DONE && is_listened_to(c) && stream_is_readable(&c->stream); i++) {
        size_t n = 0;
        if (i == READS_PER_TURN) {
            c->is_hungry = true;
            break;
        }
        io = stream_try_read(&c->stream, buf, HTTP_BUFFER_BYTES, &n);
        if (io == IO_DONE)
            h2_conn_feed(c, str_from(buf, n));
    }
    if (buf)
        pool_give(&env->buffers, buf);
    if (c->state == H2_CONN_OPEN && (io == IO_EOF || io == IO_FAIL))
        h2_conn_close(c);
}

void h2_conn_linger(struct h2_conn *c)
{
    if (!http_linger(h2_conn_env(c), &c->stream, &c->linger_left))
        h2_conn_close(c);
}
