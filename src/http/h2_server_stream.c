// SPDX-License-Identifier: Apache-2.0
// Streams: from a request's first field to the end of its exchange, and of the session's interest
// in it.
#include <string.h>

#include "http/forward.h"
#include "http/h2_server_priv.h"
#include "http/request.h"
#include "http/tunnel.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "tls/conn.h"

#define EXCHANGE_MEM_BYTES (64 * 1024) // until app->begin tells
#define WINDING_UP_FACTOR 2 // of streams_max: those that are cancelled are there for a while

_Static_assert(sizeof(struct h2_stream) <= HTTP_BLOCK_BYTES / 2, "half a block is for the arena");

// --- beginning ---

static void init_exchange(struct h2_stream *s)
{
    struct exchange *x = &s->x;
    struct h2_conn *c = s->c;
    x->mem = &s->mem;
    x->env = h2_conn_env(c);
    x->ops = &h2_server_ops;
    x->driver = s;
    x->peer = c->peer;
    x->peer_port = c->peer_port;
    x->tls = tls_conn_info(&c->stream);
    x->req.version = HTTP_2;
    headers_init(&x->req.headers, &s->mem);
    headers_init(&x->resp.headers, &s->mem);
}

static void begin(struct h2_stream *s)
{
    struct exchange *x = &s->x;
    struct h2_conn *c = s->c;
    struct http_env *env = x->env;
    x->times.accepted = clock_now_ns();
    http_count(env, HTTP_COUNTER_EXCHANGES, 1);
    http_count(env, HTTP_COUNTER_EXCHANGES_OPEN, 1);
    env->app->begin(env, c->conn.listener, x);
    ASSERT(x->entry != NULL);
    s->is_begun = true;
    s->mem.limit_bytes = x->entry->exchange_mem_bytes;
    c->idle_ms = (uint32_t)MIN(x->entry->idle_ms, (int64_t)UINT32_MAX);
    c->head_due_ms = clock_now_ms() + x->entry->head_ms;
    c->n_requests++;
    if (x->entry->requests_max > 0 && c->n_requests >= x->entry->requests_max)
        c->leave_due_ms = clock_now_ms();
}

struct h2_stream *h2_stream_open(struct h2_conn *c, int32_t id)
{
    bool has_room = c->n_streams < WINDING_UP_FACTOR * c->streams_max;
    struct h2_stream *s = has_room ? pool_take(&h2_conn_env(c)->blocks) : NULL;
    if (!s)
        return NULL;
    memset(s, 0,
           offsetof(struct h2_stream, x) + offsetof(struct exchange, trail) +
               offsetof(struct trail, steps));
    s->c = c;
    s->id = id;
    s->urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY;
    arena_init(&s->mem, EXCHANGE_MEM_BYTES, s + 1, HTTP_BLOCK_BYTES - sizeof *s);
    list_push_back(&c->streams, &s->node);
    c->n_streams++;
    init_exchange(s);
    begin(s);
    h2_body_init(s);
    h2_section_init(&s->section, H2_SECTION_REQUEST, &s->x.req.headers, &s->x.entry->limits);
    return s;
}

// What the client asks for in the head; of PRIORITY_UPDATE frames the session hears by itself.
static void take_priority(struct h2_stream *s)
{
    const struct field *f = headers_find_named(&s->x.req.headers, STR("priority"));
    if (!f)
        return;
    nghttp2_extpri p = h2_priority_parse(f->value);
    s->urgency = (uint8_t)p.urgency;
    (void)nghttp2_session_change_extpri_stream_priority(s->c->session, s->id, &p, 0);
}

void h2_stream_end_head(struct h2_stream *s, bool is_ended)
{
    struct request *req = &s->x.req;
    const struct h2_section *head = &s->section;
    s->is_whole = true;
    s->in.is_ended = is_ended;
    s->x.times.head_read = clock_now_ns();
    s->head_error = (uint8_t)h2_section_end(&s->section);
    s->protocol = head->protocol;
    take_priority(s);
    req->method = head->method;
    req->method_id = method_of(head->method);
    req->target = head->path;
    req->expects_continue = head->expects_continue;
    req->takes_trailers = head->takes_trailers;
    if (is_ended && head->length > 0 && s->head_error == H2_ERROR_NONE)
        s->head_error = H2_ERROR_LENGTH_DIFFERS;
    if (is_ended)
        return;
    s->in.length.wanted = head->length;
    s->in.body.length = head->length;
    req->body = &s->in.body;
}

// --- the exchange, on its fiber ---

// The id for the page and the log is made here, as request_prepare didn't come to it.
static void refuse(struct h2_stream *s, unsigned status, enum exchange_end end, const char *why)
{
    struct exchange *x = &s->x;
    if (x->request_id.len == 0 && forward_believe(x) != ERR_OK)
        x->request_id = STR_NONE;
    exchange_fail(x, status, end, "%s", why);
}

static void refuse_head(struct h2_stream *s, enum h2_error e)
{
    http_count_client_h2_error(s->x.env, e);
    unsigned status = (unsigned)h2_error_status(e);
    bool is_limit = status == 431 || status == 414;
    refuse(s, status, is_limit ? EXCHANGE_END_CLIENT_LIMIT : EXCHANGE_END_CLIENT_PROTOCOL,
           h2_error_text(e));
}

// x is ready to be served, or x.resp tells why not.
static void prepare(struct h2_stream *s)
{
    struct exchange *x = &s->x;
    uint64_t max = x->entry->body_max_bytes;
    if (s->head_error == H2_ERROR_NONE && s->protocol.len > 0)
        s->head_error = (uint8_t)h2_tunnel_prepare(s);
    if (s->head_error != H2_ERROR_NONE)
        refuse_head(s, (enum h2_error)s->head_error);
    else if (request_prepare(x) == ERR_OK && max > 0 && x->req.body && x->req.body->length > 0 &&
             (uint64_t)x->req.body->length > max)
        refuse(s, 413, EXCHANGE_END_CLIENT_LIMIT, "the request's body is too large");
}

// False: the client is gone, or the exchange was cancelled.
static bool serve(struct h2_stream *s)
{
    struct exchange *x = &s->x;
    prepare(s);
    if (x->resp.status != 0)
        return true;
    if (x->env->app->serve(x->env, x) == ERR_OK)
        return true;
    if (fiber_is_cancelled(s->fiber) || x->end == EXCHANGE_END_OK ||
        x->end == EXCHANGE_END_CLIENT_GONE)
        return false;
    struct str why = x->end_detail.len > 0 ? x->end_detail : str_of(exchange_end_text(x->end));
    exchange_fail(x, exchange_end_status(x->end), x->end, STR_FMT, STR_ARG(why));
    return true;
}

static void count_status(struct http_env *env, unsigned status)
{
    if (status >= 100 && status < 600)
        http_count(env, (enum http_counter)(HTTP_COUNTER_STATUS_1XX + status / 100 - 1), 1);
}

static void finish(struct h2_stream *s)
{
    struct exchange *x = &s->x;
    struct http_env *env = x->env;
    body_fini(x->resp.body);
    x->resp.body = NULL;
    body_fini(x->req.body); // after the answer's, with which its sending has ended
    x->req.body = NULL;
    if (x->resp.tunnel)
        x->resp.tunnel->release(x->resp.tunnel);
    x->resp.tunnel = NULL;
    exchange_end_guards(x);
    if (s->is_answered)
        count_status(env, x->resp.status);
    http_count(env, HTTP_COUNTER_EXCHANGES_OPEN, -1);
    x->times.finished = clock_now_ns();
    env->app->finish(env, x);
    s->is_begun = false;
}

// The exchange is lost: no answer can be given any more, or not to its end.
static void abandon(struct h2_stream *s)
{
    struct exchange *x = &s->x;
    if (s->c->is_stopped)
        x->end = EXCHANGE_END_SHUTDOWN;
    else if (x->end == EXCHANGE_END_OK || s->is_reset)
        x->end = EXCHANGE_END_CLIENT_GONE;
    // What the session may still ask for is gone.
    s->out = STR_NONE;
    s->out_is_last = false;
}

static uint32_t reset_code(const struct h2_stream *s)
{
    switch (s->x.end) {
    case EXCHANGE_END_CLIENT_PROTOCOL:
        return NGHTTP2_PROTOCOL_ERROR;
    case EXCHANGE_END_CLIENT_LIMIT:
    case EXCHANGE_END_CLIENT_TIMEOUT:
    case EXCHANGE_END_CLIENT_GONE:
    case EXCHANGE_END_SHUTDOWN:
        return NGHTTP2_CANCEL;
    case EXCHANGE_END_OK:
    case EXCHANGE_END_MISDIRECTED:
    case EXCHANGE_END_EARLY:
    case EXCHANGE_END_NO_ROUTE:
    case EXCHANGE_END_FILTERED:
    case EXCHANGE_END_NO_SERVER:
    case EXCHANGE_END_BREAKER:
    case EXCHANGE_END_SERVER_CONNECT:
    case EXCHANGE_END_SERVER_CONNECT_TIMEOUT:
    case EXCHANGE_END_SERVER_TLS:
    case EXCHANGE_END_SERVER_TIMEOUT:
    case EXCHANGE_END_SERVER_PROTOCOL:
    case EXCHANGE_END_SERVER_GONE:
    case EXCHANGE_END_RESOURCES:
        break;
    }
    return NGHTTP2_INTERNAL_ERROR;
}

void h2_stream_cut(struct h2_stream *s, uint32_t code)
{
    if (s->is_gone || s->is_cut || s->c->state != H2_CONN_OPEN)
        return;
    s->is_cut = true;
    // Its only other failure is that of the heap, which panics.
    (void)nghttp2_submit_rst_stream(s->c->session, NGHTTP2_FLAG_NONE, s->id, code);
    h2_conn_flush_soon(s->c);
}

// Where a client leaves no window, even an empty DATA frame waits: it has its time to take
// something.
static void wait_for_end(struct h2_conn *c)
{
    if (c->state != H2_CONN_OPEN)
        return; // it goes with its connection
    c->over_due_ms = c->n_over > 0 ? clock_now_ms() + c->body_idle_ms : INT64_MAX;
    h2_conn_set_timer(c);
}

static void set_over(struct h2_stream *s)
{
    s->is_over = true;
    if (s->c->n_over++ == 0)
        wait_for_end(s->c);
}

static void end(struct h2_stream *s)
{
    struct h2_conn *c = s->c;
    set_over(s);
    h2_stream_settle(s);
    if (c->n_streams == 0)
        h2_conn_rest(c);
}

static void run(void *arg)
{
    struct h2_stream *s = arg;
    s->fiber = fiber_self();
    // Begun on a fiber, it runs a little later: the client may have gone meanwhile.
    bool is_whole = !s->is_reset && serve(s) && h2_stream_answer(s);
    if (s->side) { // it goes on without a fiber
        s->fiber = NULL;
        return;
    }
    if (!is_whole)
        abandon(s);
    finish(s); // may wait, for the fiber that sends the request's body
    if (!is_whole)
        h2_stream_cut(s, reset_code(s));
    s->fiber = NULL;
    end(s);
}

void h2_stream_end_tunnel(struct h2_stream *s, bool is_told, const char *ended_by)
{
    struct exchange *x = &s->x;
    if (!is_told)
        abandon(s);
    x->end = EXCHANGE_END_OK;
    x->end_detail = str_of(ended_by);
    finish(s);
    s->side = NULL;
    if (!is_told)
        h2_stream_cut(s, NGHTTP2_CANCEL);
    end(s);
}

// --- what has happened ---

void h2_stream_touch(struct h2_stream *s)
{
    if (!list_node_is_linked(&s->touched))
        list_push_back(&s->c->touched, &s->touched);
}

static void free_stream(struct h2_stream *s)
{
    struct h2_conn *c = s->c;
    bool was_over = s->is_over; // unless the connection ends
    ASSERT(!s->fiber && !s->is_begun && !s->in.reader);
    h2_body_drop(s);
    list_remove(&s->node);
    list_remove(&s->touched);
    arena_fini(&s->mem);
    pool_give(&h2_conn_env(c)->blocks, s);
    c->n_streams--;
    if (was_over) {
        c->n_over--;
        wait_for_end(c);
    }
}

static void start(struct h2_stream *s)
{
    s->is_started = true;
    if (fiber_run(run, s))
        return;
    http_count(s->x.env, HTTP_COUNTER_CONNS_REFUSED, 1);
    s->x.end = EXCHANGE_END_RESOURCES;
    set_over(s);
    finish(s);
    h2_stream_cut(s, NGHTTP2_REFUSED_STREAM);
}

static void tell_tunnel(struct h2_stream *s)
{
    if (s->is_reset)
        h2_body_fail(s, EXCHANGE_END_CLIENT_GONE, "the client gave the exchange up");
    if (s->is_reset && s->writer)
        fiber_wake(s->writer);
    h2_tunnel_tell(s);
}

void h2_stream_settle(struct h2_stream *s)
{
    if (s->is_reset && s->fiber) {
        h2_body_fail(s, EXCHANGE_END_CLIENT_GONE, "the client gave the exchange up");
        fiber_cancel(s->fiber);
        return;
    }
    if (s->side) {
        tell_tunnel(s);
        return;
    }
    if (s->is_reset && !s->is_started) { // before its fiber began, or could
        s->is_started = true;
        set_over(s);
        abandon(s);
        finish(s);
    }
    if (s->is_gone && s->is_over)
        free_stream(s);
    else if (s->is_over && s->is_sent) // RFC 9113 8.1: the rest of the request isn't needed
        h2_stream_cut(s, NGHTTP2_NO_ERROR);
    else if (s->is_whole && !s->is_started)
        start(s);
}
