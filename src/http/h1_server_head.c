// SPDX-License-Identifier: Apache-2.0
// Request heads as they come in on a connection (RFC 9112 2 and 3).
#include <errno.h>

#include "base/mem.h"
#include "http/forward.h"
#include "http/h1_server_priv.h"
#include "http/h2_server.h"
#include "http/request.h"
#include "rt/clock.h"

// A head that isn't complete is parked at once, unless it is so large that copying it for each
// packet would cost more than holding on to fiber and buffer for a while, and not many do.
#define WAIT_MIN_BYTES 4096
#define WAIT_MAX_MS 1000
#define WAITERS_MAX 256

#define BODY_ROOM_BYTES 8192 // at least this much of the buffer for the body behind a head

enum io h1_turn_read(struct h1_turn *t, struct deadline until)
{
    size_t n = 0;
    char *at = t->buf + t->end;
    struct stream *s = &t->c->stream;
    enum io io = until.at_ms == 0 ? stream_try_read(s, at, t->cap - t->end, &n)
                                  : stream_read(s, at, t->cap - t->end, until, &n);
    if (io == IO_DONE) {
        t->end += n;
        http_count(h1_conn_env(t->c), HTTP_COUNTER_BYTES_IN, (int64_t)n);
    }
    return io;
}

void h1_turn_make_room(struct h1_turn *t, size_t n)
{
    size_t used = t->end - t->pos;
    if (n > t->cap - used) {
        char *bigger = mem_alloc_raw(used + n);
        memcpy(bigger, t->buf + t->pos, used);
        if (t->cap == HTTP_BUFFER_BYTES)
            pool_give(&h1_conn_env(t->c)->buffers, t->buf);
        else
            mem_free(t->buf);
        t->buf = bigger;
        t->cap = used + n;
    } else if (t->pos > 0) {
        memmove(t->buf, t->buf + t->pos, used);
    }
    t->pos = 0;
    t->end = used;
}

// Answers instead of serving. The id for the page and the log is made here, as no head came to it.
static enum io refuse(struct h1_turn *t, unsigned status, enum exchange_end end, const char *why)
{
    if (t->x.request_id.len == 0 && forward_believe(&t->x) != ERR_OK)
        t->x.request_id = STR_NONE;
    exchange_fail(&t->x, status, end, "%s", why);
    t->keep_alive = false;
    return IO_DONE;
}

static enum io refuse_error(struct h1_turn *t, enum h1_error e)
{
    http_count_client_error(t->x.env, e);
    unsigned status = (unsigned)h1_error_status(e);
    bool is_limit = status == 431 || status == 414;
    return refuse(t, status, is_limit ? EXCHANGE_END_CLIENT_LIMIT : EXCHANGE_END_CLIENT_PROTOCOL,
                  h1_error_text(e));
}

// More of the head. IO_AGAIN: park.
static enum io read_more(struct h1_turn *t)
{
    int64_t now_ms = clock_now_ms();
    int64_t head_ms = t->x.entry->head_ms;
    int64_t wait_end_ms = t->head_due_ms - head_ms + MIN(WAIT_MAX_MS, head_ms / 4);
    bool may_wait = t->end - t->pos > WAIT_MIN_BYTES && now_ms < wait_end_ms &&
                    t->x.env->blocks.n_out <= WAITERS_MAX;
    enum io io = h1_turn_read(t, may_wait ? deadline_at(wait_end_ms) : BODY_NO_WAIT);
    bool is_late = io == IO_FAIL && t->c->stream.sock.error == ETIMEDOUT;
    // Where parked heads fill their memory, a new one is held no longer than that.
    if ((is_late || io == IO_AGAIN) && t->x.env->parked_bytes > H1_PARKED_MAX_BYTES)
        t->head_due_ms = now_ms;
    return is_late ? IO_AGAIN : io;
}

static struct str unused(const struct h1_turn *t)
{
    return str_from(t->buf + t->pos, t->end - t->pos);
}

enum io h1_server_look_for_h2(struct h1_turn *t)
{
    const struct str preface = H2_PREFACE;
    while (t->x.entry->h2c && t->c->n_requests == 1) {
        struct str in = unused(t);
        if (!str_starts(preface, str_first(in, preface.len)))
            break;
        if (in.len >= preface.len)
            return IO_DONE;
        enum io io = read_more(t);
        if (io == IO_AGAIN && clock_now_ms() < t->head_due_ms)
            return io;
        if (io != IO_DONE)
            break;
    }
    return IO_EOF;
}

// The whole head, parsed into ret (whose fields are env->fields). IO_FAIL with *reterr NONE: the
// connection broke.
static enum io read_whole(struct h1_turn *t, struct h1_request *ret, size_t *ret_used,
                          enum h1_error *reterr)
{
    const struct h1_limits *limits = &t->x.entry->limits;
    *reterr = H1_ERROR_NONE;
    for (;;) {
        struct str in = unused(t);
        // A head that comes in many pieces is parsed when it may have ended, or can't go on.
        if (t->head_seen == 0 || in.len > limits->head_max_bytes ||
            h1_head_may_end(in, t->head_seen)) {
            enum io io = h1_request_parse(in, limits, t->x.env->fields, ret, ret_used, reterr);
            if (io != IO_AGAIN)
                return io;
        }
        t->head_seen = in.len;
        if (t->end == t->cap)
            h1_turn_make_room(t, t->pos > 0 ? t->pos : limits->head_max_bytes + 1);
        enum io io = read_more(t);
        if (io == IO_EOF &&
            h1_request_parse(unused(t), limits, t->x.env->fields, ret, ret_used, reterr) == IO_FAIL)
            return IO_FAIL; // it never could have become a head: say so
        if (io != IO_DONE)
            return io;
    }
}

// Puts the head where nothing moves it: an upgraded connection gives its buffer away while x and
// its log line still borrow from the head. *used bytes are parsed again, with the same result.
static bool move_head_to_arena(struct h1_turn *t, struct h1_request *r, size_t used)
{
    struct str head = arena_dup(t->x.mem, str_first(unused(t), used));
    enum h1_error error;
    return head.ptr && h1_request_parse(head, &t->x.entry->limits, t->x.env->fields, r, &used,
                                        &error) == IO_DONE;
}

// A body needs room behind its head, which stays in the buffer.
static bool make_body_room(struct h1_turn *t, struct h1_request *r, size_t used)
{
    if (t->cap - t->pos - used >= BODY_ROOM_BYTES)
        return true;
    size_t have = t->end - t->pos;
    size_t wanted = used + BODY_ROOM_BYTES;
    h1_turn_make_room(t, wanted > have ? wanted - have : 0);
    enum h1_error error;
    return h1_request_parse(unused(t), &t->x.entry->limits, t->x.env->fields, r, &used, &error) ==
           IO_DONE;
}

static enum io accept_head(struct h1_turn *t, const struct h1_request *r, size_t used)
{
    struct exchange *x = &t->x;
    struct request *req = &x->req;
    const struct h1_framing *f = &t->framing;
    t->pos += used;
    t->body_start = t->pos;
    x->wire_in = used;
    x->times.head_read = clock_now_ns();
    req->method = r->method;
    req->method_id = r->method_id;
    req->target = r->target;
    req->version = r->minor > 0 ? HTTP_1_1 : HTTP_1_0;
    req->expects_continue = f->expect_continue;
    req->takes_trailers = f->has_te_trailers;
    req->is_upgrade = f->wants_upgrade && f->body == H1_BODY_NONE;
    t->keep_alive = f->keep_alive;
    t->is_last = !f->keep_alive;
    if (headers_take(&req->headers, r->fields, r->n_fields) != ERR_OK)
        return refuse(t, 431, EXCHANGE_END_RESOURCES, "the memory of the exchange is used up");
    bool body_fits = h1_server_body_init(t);
    if (request_prepare(x) != ERR_OK)
        t->keep_alive = false;
    else if (!body_fits)
        return refuse(t, 413, EXCHANGE_END_CLIENT_LIMIT, "the request's body is too large");
    return IO_DONE;
}

enum io h1_server_read_head(struct h1_turn *t)
{
    struct h1_request r;
    size_t used = 0;
    enum h1_error error;
    enum io io = read_whole(t, &r, &used, &error);
    if (io == IO_AGAIN && clock_now_ms() >= t->head_due_ms)
        return refuse(t, 408, EXCHANGE_END_CLIENT_TIMEOUT, "the head took too long");
    if (io == IO_FAIL && error != H1_ERROR_NONE)
        return refuse_error(t, error);
    if (io != IO_DONE)
        return io;
    error = h1_request_framing(&r, &t->framing);
    if (error != H1_ERROR_NONE)
        return refuse_error(t, error);
    // With a body it is no upgrade, and the head stays.
    bool is_there = t->framing.body != H1_BODY_NONE ? make_body_room(t, &r, used)
                    : t->framing.wants_upgrade      ? move_head_to_arena(t, &r, used)
                                                    : true;
    if (!is_there)
        return refuse(t, 431, EXCHANGE_END_RESOURCES, "the memory of the exchange is used up");
    return accept_head(t, &r, used);
}
