// SPDX-License-Identifier: Apache-2.0
// Answers as they go out on a stream (RFC 9113 8.1): heads, interim ones, bodies with the client's
// speed, trailers.
#include "base/writer.h"
#include "http/grpc.h"
#include "http/h2_server_priv.h"
#include "rt/clock.h"
#include "rt/fiber.h"

#define FIELDS_OF_OURS 5     // :status, content-length, date, x-request-id, via
#define GATHER_BYTES 2048    // small pieces go together with what follows at once
#define FLUSH_NOW_BYTES 8192 // a piece of this size doesn't wait for the end of the turn
#define RATE_GRACE_MS 10000
#define FOREVER deadline_at(INT64_MAX)

static bool fail(struct h2_stream *s, enum exchange_end end, const char *detail)
{
    if (s->x.end == EXCHANGE_END_OK) {
        s->x.end = end;
        s->x.end_detail = str_of(detail);
    }
    return false;
}

// --- heads ---

// RFC 9110 6.4.1.
static bool may_have_body(const struct exchange *x)
{
    unsigned status = x->resp.status;
    return x->req.method_id != METHOD_HEAD && status >= 200 && status != 204 && status != 304;
}

// The length in our words: a Content-Length among the fields counts only where no body follows that
// could contradict it.
static void add_length(struct h2_list *l, const struct exchange *x, uint64_t *skip)
{
    const struct body *body = x->resp.body;
    unsigned status = x->resp.status;
    bool is_ours = may_have_body(x) || (body && body->length >= 0 && status != 304);
    if (is_ours || status < 200 || status == 204) // RFC 9110 8.6
        *skip |= FIELD_BIT(FIELD_CONTENT_LENGTH);
    if (is_ours && status != 204 && (!body || body->length >= 0))
        h2_list_add_number(l, STR("content-length"), body ? (uint64_t)body->length : 0);
}

// The texts live as long as the stream, and not only until the next wait.
static void add_copy(struct h2_list *l, struct str name, struct str value)
{
    struct str copy = arena_dup(l->mem, value);
    l->is_failed |= !copy.ptr;
    h2_list_add(l, name, copy);
}

static void build_head(struct h2_stream *s, struct h2_list *l, struct h2_list_room *room,
                       bool is_tunnel)
{
    struct exchange *x = &s->x;
    const struct http_entry *e = x->entry;
    const struct headers *h = &x->resp.headers;
    uint64_t skip = e->request_id_to_client ? FIELD_BIT(FIELD_X_REQUEST_ID) : 0;
    h2_list_init(l, x->mem, room, FIELDS_OF_OURS, h);
    h2_list_add_number(l, STR(":status"), x->resp.status);
    if (is_tunnel)
        skip |= FIELD_BIT(FIELD_CONTENT_LENGTH);
    else
        add_length(l, x, &skip);
    h2_list_add_headers(l, h, skip);
    if (!headers_find(h, FIELD_DATE))
        add_copy(l, STR("date"), http_date(x->env));
    if (e->request_id_to_client && x->request_id.len > 0)
        h2_list_add_once(l, STR("x-request-id"), x->request_id);
    if (e->via.len > 0 && !x->resp.is_internal)
        add_copy(l, STR("via"), arena_concat(x->mem, STR("1.1 "), e->via, STR_NONE));
}

static ssize_t lend(nghttp2_session *session, int32_t id, uint8_t *buf, size_t n, uint32_t *flags,
                    nghttp2_data_source *source, void *arg)
{
    (void)session, (void)id, (void)buf, (void)arg;
    return h2_stream_lend(source->ptr, n, flags);
}

static bool submit(struct h2_stream *s, const struct h2_list *l, bool has_body)
{
    const nghttp2_data_provider provider = {.source = {.ptr = s}, .read_callback = lend};
    return nghttp2_submit_response(s->c->session, s->id, l->items, l->n,
                                   has_body ? &provider : NULL) == 0;
}

// RFC 9218 10: the session sends heads in the order in which it gets them. So while the socket
// takes nothing they wait here, and it gets one at a time. Their texts may outlive the exchange.
COLD static bool queue_head(struct h2_stream *s, bool is_tunnel, bool has_body)
{
    build_head(s, &s->answer, NULL, is_tunnel);
    h2_list_keep_texts(&s->answer);
    if (s->answer.is_failed)
        return fail(s, EXCHANGE_END_RESOURCES, "no memory for the answer's head");
    s->has_body = has_body;
    s->is_queued = s->is_answered = true;
    s->c->n_heads++;
    return true;
}

void h2_stream_unqueue(struct h2_stream *s)
{
    s->c->n_heads -= s->is_queued;
    s->is_queued = false;
}

void h2_conn_submit_next(struct h2_conn *c)
{
    struct h2_stream *next = NULL;
    LIST_FOR (node, &c->streams) {
        struct h2_stream *s = CONTAINER_OF(node, struct h2_stream, node);
        if (s->is_queued && (!next || s->urgency < next->urgency))
            next = s;
    }
    ASSERT(next != NULL);
    h2_stream_unqueue(next);
    if (!submit(next, &next->answer, next->has_body))
        h2_stream_cut(next, NGHTTP2_INTERNAL_ERROR);
}

NOINLINE static bool submit_head(struct h2_stream *s, bool is_tunnel, bool has_body)
{
    struct h2_list l;
    UNINITIALIZED struct h2_list_room room;
    if (s->is_gone || s->is_cut || s->c->state != H2_CONN_OPEN)
        return fail(s, EXCHANGE_END_CLIENT_GONE, "the client gave the exchange up");
    if (UNLIKELY(!h2_conn_takes_heads(s->c, !has_body)))
        return queue_head(s, is_tunnel, has_body);
    build_head(s, &l, &room, is_tunnel);
    if (l.is_failed)
        return fail(s, EXCHANGE_END_RESOURCES, "no memory for the answer's head");
    s->is_answered = true;
    return submit(s, &l, has_body) ||
           fail(s, EXCHANGE_END_RESOURCES, "the session takes no answer");
}

static bool send_head(struct h2_stream *s, bool is_tunnel, bool has_body)
{
    if (!submit_head(s, is_tunnel, has_body))
        return false;
    if (has_body)
        h2_conn_flush_soon(s->c); // whenever the body comes
    else
        h2_conn_gather(s->c);
    return true;
}

// --- bodies ---

ssize_t h2_stream_lend(struct h2_stream *s, size_t n, uint32_t *flags)
{
    if (s->out.len == 0 && !s->out_is_last)
        return NGHTTP2_ERR_DEFERRED;
    n = MIN(n, s->out.len);
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (n < s->out.len || !s->out_is_last)
        return (ssize_t)n;
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    s->out_is_last = false;
    if (s->trailers.n > 0) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        if (n == 0 && s->writer) // no DATA goes, and h2_stream_taken isn't called
            fiber_wake(s->writer);
        int rv = nghttp2_submit_trailer(s->c->session, s->id, s->trailers.items, s->trailers.n);
        s->trailers.n = 0;
        if (rv != 0)
            return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    return (ssize_t)n;
}

void h2_stream_taken(struct h2_stream *s, size_t n)
{
    s->out = str_skip(s->out, n);
    s->x.response_bytes += n;
    s->x.wire_out += n + H2_FRAME_HEAD_BYTES;
    s->taken_ms = clock_now_ms();
    if (s->out.len == 0 && s->writer)
        fiber_wake(s->writer);
}

void h2_stream_sent(struct h2_stream *s)
{
    s->is_sent = true;
    h2_flood_allow(s->c, H2_FLOOD_RESET, 1);
    h2_stream_touch(s);
}

static struct deadline write_deadline(const struct http_entry *e, size_t n)
{
    if (e->body_min_rate == 0)
        return FOREVER;
    return deadline_in(RATE_GRACE_MS + (int64_t)(n / e->body_min_rate) * 1000);
}

// Until the session has taken the piece, and the end, for which a window has to be open as well.
static bool wait_taken(struct h2_stream *s)
{
    const struct http_entry *e = s->x.entry;
    struct deadline whole = write_deadline(e, s->out.len);
    s->taken_ms = clock_now_ms();
    while (s->out.len > 0 || s->out_is_last) {
        s->writer = fiber_self();
        enum fiber_wake why =
            h2_conn_wait(s->c, deadline_min(whole, deadline_at(s->taken_ms + e->body_idle_ms)));
        s->writer = NULL;
        int64_t now_ms = clock_now_ms();
        if (why == FIBER_CANCELLED || s->is_reset)
            return fail(s, EXCHANGE_END_CLIENT_GONE, "the client gave the exchange up");
        if (why == FIBER_EXPIRED &&
            (now_ms >= whole.at_ms || now_ms >= s->taken_ms + e->body_idle_ms)) {
            http_count_client_h2_error(s->x.env, H2_ERROR_STALLED);
            return fail(s, EXCHANGE_END_CLIENT_TIMEOUT, "the client took no byte of the answer");
        }
    }
    return true;
}

bool h2_stream_put(struct h2_stream *s, struct str piece, bool is_last)
{
    if (s->is_reset || s->is_cut || s->c->state != H2_CONN_OPEN)
        return fail(s, EXCHANGE_END_CLIENT_GONE, "the client gave the exchange up");
    s->out = piece;
    s->out_is_last = is_last;
    // An error says that it isn't waiting for more: it asks by itself then.
    (void)nghttp2_session_resume_data(s->c->session, s->id);
    if (piece.len >= FLUSH_NOW_BYTES)
        h2_conn_flush(s->c);
    else
        h2_conn_gather(s->c);
    return wait_taken(s);
}

bool h2_stream_put_end(struct h2_stream *s)
{
    ASSERT(s->out.len == 0);
    if (s->is_reset || s->is_cut || s->c->state != H2_CONN_OPEN)
        return false;
    s->out_is_last = true;
    (void)nghttp2_session_resume_data(s->c->session, s->id);
    h2_conn_flush_soon(s->c);
    return true;
}

// The texts of trailers belong to the body, which ends before they are sent.
static bool take_trailers(struct h2_stream *s)
{
    const struct headers *h = s->x.resp.body->trailers;
    if (!h || !headers_next(h, NULL))
        return true;
    struct h2_list l;
    h2_list_init(&l, &s->mem, NULL, 0, h);
    h2_list_add_headers(&l, h, 0);
    h2_list_keep_texts(&l);
    if (l.is_failed)
        return fail(s, EXCHANGE_END_RESOURCES, "no memory for trailers");
    s->trailers = l;
    return true;
}

struct pump {
    struct h2_stream *s;
    struct writer gather; // small pieces not given to the session yet
    uint64_t left;        // of a body of known length
    bool has_length;
    bool ends_by_length; // the last byte is the end: no trailers are waited for
};

static bool flush_gather(struct pump *p, bool is_last)
{
    struct str piece = writer_str(&p->gather);
    p->gather.len = 0;
    return piece.len == 0 && !is_last ? true : h2_stream_put(p->s, piece, is_last);
}

static bool send_piece(struct pump *p, struct str piece)
{
    if (p->has_length && piece.len > p->left)
        return fail(p->s, EXCHANGE_END_SERVER_PROTOCOL, "the body is longer than announced");
    p->left -= p->has_length ? piece.len : 0;
    if (p->ends_by_length)
        return h2_stream_put(p->s, piece, p->left == 0);
    if (piece.len <= p->gather.cap - p->gather.len) {
        writer_put(&p->gather, piece);
        return true;
    }
    return flush_gather(p, false) && h2_stream_put(p->s, piece, false);
}

static bool send_end(struct pump *p)
{
    if (p->has_length && p->left > 0)
        return fail(p->s, EXCHANGE_END_SERVER_GONE, "the body is shorter than announced");
    return take_trailers(p->s) && flush_gather(p, true);
}

// Goes on from the first look at the body.
static bool pump_body(struct pump *p, enum io io, struct str piece)
{
    struct body *body = p->s->x.resp.body;
    struct deadline until = FOREVER;
    for (;;) {
        switch (io) {
        case IO_DONE:
            if (!send_piece(p, piece))
                return false;
            if (p->ends_by_length && p->left == 0)
                return true;
            fiber_give_way(BODY_PIECE_COST + (uint32_t)MIN(piece.len, (size_t)INT32_MAX));
            // What is gathered waits for what is at hand, never for what isn't.
            until = p->gather.len > 0 ? BODY_NO_WAIT : FOREVER;
            break;
        case IO_AGAIN:
            if (!flush_gather(p, false))
                return false;
            until = FOREVER;
            break;
        case IO_EOF:
            return send_end(p);
        case IO_FAIL:
            return fail(p->s, EXCHANGE_END_SERVER_GONE, "the body of the answer was cut");
        }
        io = body_read(body, &piece, until);
    }
}

// Trailers behind a body of known length are rare, and then they are announced; but gRPC's are
// what the answer is about.
static bool ends_by_length(const struct exchange *x)
{
    return x->resp.body->length > 0 && !headers_find(&x->resp.headers, FIELD_TRAILER) &&
           !grpc_is(x);
}

static bool answer_with_body(struct h2_stream *s)
{
    struct exchange *x = &s->x;
    struct str piece = STR_NONE;
    struct pump p = {
        .s = s,
        .has_length = x->resp.body->length >= 0,
        .left = (uint64_t)MAX(x->resp.body->length, 0),
        .ends_by_length = ends_by_length(x),
    };
    // Before the head is out, a body that breaks can still become an error page.
    enum io io = body_read(x->resp.body, &piece, BODY_NO_WAIT);
    if (io == IO_FAIL)
        return fail(s, EXCHANGE_END_SERVER_GONE, "the body of the answer was cut");
    if (!p.ends_by_length) {
        char *room = ARENA_ARRAY(x->mem, char, GATHER_BYTES);
        writer_init(&p.gather, room, room ? GATHER_BYTES : 0);
    }
    return send_head(s, false, true) && pump_body(&p, io, piece);
}

// --- answers ---

static bool answer_once(struct h2_stream *s)
{
    struct exchange *x = &s->x;
    if (s->protocol.len > 0 && h2_tunnel_accept(s))
        return send_head(s, true, true) &&
               (h2_tunnel_start(s) || fail(s, EXCHANGE_END_RESOURCES, "no memory for a tunnel"));
    if (x->resp.body && may_have_body(x))
        return answer_with_body(s);
    return send_head(s, false, false);
}

bool h2_stream_answer(struct h2_stream *s)
{
    struct exchange *x = &s->x;
    bool is_upgrade = s->protocol.len > 0 && x->resp.status == 101 && x->resp.tunnel;
    if ((x->resp.status < 200 && !is_upgrade) || x->resp.status > 999) // no handler may give it
        exchange_fail(x, 502, EXCHANGE_END_SERVER_PROTOCOL, "the status %u is no answer",
                      x->resp.status);
    if (answer_once(s))
        return true;
    // Nothing was sent yet: then the client can still be told the truth.
    if (s->is_answered || s->is_reset || x->end == EXCHANGE_END_CLIENT_GONE ||
        fiber_is_cancelled(s->fiber))
        return false;
    struct str why = x->end_detail.len > 0 ? x->end_detail : str_of(exchange_end_text(x->end));
    exchange_fail(x, exchange_end_status(x->end), x->end, STR_FMT, STR_ARG(why));
    return answer_once(s);
}

// RFC 9110 15.2.
static enum err inform(struct exchange *x, unsigned status, const struct headers *headers)
{
    struct h2_stream *s = x->driver;
    if (s->is_answered || status < 100 || status > 199 || status == 101 ||
        (status == 100 && s->sent_continue))
        return ERR_OK;
    if (s->is_reset || s->is_gone || s->is_cut || s->c->state != H2_CONN_OPEN)
        return ERR_CLOSED;
    s->sent_continue |= status == 100;
    struct h2_list l;
    h2_list_init(&l, x->mem, NULL, 1, headers);
    h2_list_add_number(&l, STR(":status"), status);
    if (headers)
        h2_list_add_headers(&l, headers, FIELD_BIT(FIELD_CONTENT_LENGTH));
    h2_list_keep_texts(&l);
    if (l.is_failed)
        return ERR_LIMIT;
    http_count(x->env, HTTP_COUNTER_STATUS_1XX, 1);
    if (nghttp2_submit_headers(s->c->session, NGHTTP2_FLAG_NONE, s->id, NULL, l.items, l.n, NULL) !=
        0)
        return ERR_LIMIT;
    h2_conn_flush_soon(s->c);
    return ERR_OK;
}

const struct exchange_ops h2_server_ops = {.inform = inform};
