// SPDX-License-Identifier: Apache-2.0
// A request on its way to a server: its head with what is at hand of the body; the rest is brought
// by a fiber of its own, the pump, piece by piece, as the server's windows and the socket take it.
#include "http/env.h"
#include "http/h2_client_priv.h"
#include "http/replay.h"
#include "rt/clock.h"
#include "rt/fiber.h"

#define FIELDS_OURS 8 // pseudo-headers, and what says how the message is framed

// --- the head ---

// ptr is NULL: the arena is full.
static struct str path_of(const struct exchange *x, const struct http_client_options *options)
{
    const struct request *r = &x->req;
    struct str path = options->path.len > 0 ? options->path : r->path;
    if (r->is_asterisk)
        return STR("*");
    return r->has_query ? arena_concat(x->mem, path, STR("?"), r->query) : path;
}

// What WebSocket over HTTP/2 does without (RFC 8441 5).
static void drop_key(struct h2_list *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (!str_eq(str_from((const char *)l->items[i].name, l->items[i].namelen),
                    STR("sec-websocket-key")))
            l->items[n++] = l->items[i];
    }
    l->n = n;
}

static bool build_head(const struct h2_call *call, const struct http_client_options *options,
                       struct h2_list *l, struct h2_list_room *room)
{
    struct exchange *x = call->x;
    const struct request *r = &x->req;
    bool is_plain = stream_is_plain(&call->c->stream);
    struct str path = path_of(x, options);
    h2_list_init(l, x->mem, room, FIELDS_OURS, &r->headers);
    bool is_tunnel = call->sending == H2_SENDING_TUNNEL;
    h2_list_add(l, STR(":method"), is_tunnel ? STR("CONNECT") : r->method);
    if (is_tunnel)
        h2_list_add(l, STR(":protocol"), STR("websocket"));
    h2_list_add(l, STR(":scheme"), is_plain ? STR("http") : STR("https"));
    struct str authority = options->host.len > 0 ? options->host : r->authority;
    if (authority.len > 0) // HTTP/1.0 can do without (RFC 9113 8.3.1)
        h2_list_add(l, STR(":authority"), authority);
    h2_list_add(l, STR(":path"), path);
    bool has_length =
        r->body ? r->body->length >= 0 : headers_find(&r->headers, FIELD_CONTENT_LENGTH) != NULL;
    if (has_length && !is_tunnel)
        h2_list_add_number(l, STR("content-length"), r->body ? (uint64_t)r->body->length : 0);
    if (r->body && r->expects_continue)
        h2_list_add(l, STR("expect"), STR("100-continue"));
    if (r->takes_trailers)
        h2_list_add(l, STR("te"), STR("trailers"));
    h2_list_add_headers(l, &r->headers,
                        FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_CONTENT_LENGTH) |
                            FIELD_BIT(FIELD_EXPECT));
    if (is_tunnel)
        drop_key(l);
    return path.ptr && !l->is_failed;
}

// The exchange may end before nghttp2 has sent the fields: it keeps copies.
static const nghttp2_nv *copied(struct h2_list *l)
{
    const uint8_t borrowed = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE;
    for (size_t i = 0; i < l->n; i++)
        l->items[i].flags &= (uint8_t)~borrowed;
    return l->items;
}

// --- the body, as nghttp2 asks for it ---

// Leaves a state that was set by h2_call_stop_pump meanwhile.
static void go(struct h2_call *call, enum h2_sending to)
{
    if (call->sending == H2_SENDING_RUNS || call->sending == H2_SENDING_LAST ||
        call->sending == H2_SENDING_TUNNEL)
        call->sending = to;
    call->send_moved_ms = clock_now_ms();
}

// Everything has been taken. Trailers end the stream instead of DATA.
static uint32_t finish_body(struct h2_call *call)
{
    const struct body *body = call->x->req.body;
    const struct headers *trailers = body ? body->trailers : NULL;
    go(call, H2_SENDING_DONE);
    h2_call_wake(call); // the time for the answer's head begins
    if (!trailers || !headers_next(trailers, NULL))
        return NGHTTP2_DATA_FLAG_EOF;
    struct h2_list l;
    h2_list_init(&l, call->x->mem, NULL, 0, trailers);
    h2_list_add_headers(&l, trailers, 0);
    if (l.is_failed || nghttp2_submit_trailer(call->c->session, call->id, copied(&l), l.n) != 0)
        return NGHTTP2_DATA_FLAG_EOF; // no memory: the message is whole without them
    return NGHTTP2_DATA_FLAG_EOF | NGHTTP2_DATA_FLAG_NO_END_STREAM;
}

static ssize_t give_data(nghttp2_session *session, int32_t id, uint8_t *to, size_t cap,
                         uint32_t *flags, nghttp2_data_source *source, void *arg)
{
    (void)source;
    (void)arg;
    struct h2_call *call = nghttp2_session_get_stream_user_data(session, id);
    if (!call || call->sending > H2_SENDING_LAST)
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE; // it was given up
    size_t n = MIN(cap, call->out.len);
    if (n > 0)
        memcpy(to, call->out.ptr, n);
    call->out = str_skip(call->out, n);
    if (n > 0)
        call->send_moved_ms = clock_now_ms();
    if (call->out.len == 0 && call->sending == H2_SENDING_LAST) {
        *flags |= finish_body(call);
        return (ssize_t)n;
    }
    if (call->out.len == 0 && call->is_pump_waiting)
        fiber_wake(call->pump);
    if (n > 0)
        return (ssize_t)n;
    call->is_asleep = true;
    return NGHTTP2_ERR_DEFERRED;
}

// More is in call->out, or nothing comes any more.
static void tell_more(struct h2_call *call)
{
    if (!call->c)
        return;
    if (call->is_asleep)
        (void)nghttp2_session_resume_data(call->c->session, call->id);
    call->is_asleep = false;
    h2_client_schedule(call->c);
}

// --- the pump ---

// A piece is there. Of a body with a length, the last one is known, unless trailers may follow.
static void take_piece(struct h2_call *call, struct str piece)
{
    call->out = piece;
    if (call->x->req.body->length < 0)
        return;
    ASSERT(piece.len <= call->send_left);
    call->send_left -= piece.len;
    if (call->send_left == 0 && !call->x->req.body->has_tail)
        call->sending = H2_SENDING_LAST;
}

static void wait_until_taken(struct h2_call *call)
{
    while (call->out.len > 0 && call->sending <= H2_SENDING_LAST) {
        call->is_pump_waiting = true;
        enum fiber_wake wake = fiber_wait(deadline_at(call->send_moved_ms + call->body_idle_ms));
        call->is_pump_waiting = false;
        if (wake == FIBER_CANCELLED)
            return;
        if (wake == FIBER_EXPIRED && call->out.len > 0 &&
            call->send_moved_ms + call->body_idle_ms <= clock_now_ms())
            go(call, H2_SENDING_STUCK);
    }
}

bool h2_call_put(struct h2_call *call, struct str piece)
{
    if (!call->c || call->sending != H2_SENDING_TUNNEL)
        return false;
    ASSERT(!call->pump);
    call->pump = fiber_self();
    call->out = piece;
    call->send_moved_ms = clock_now_ms();
    tell_more(call);
    wait_until_taken(call);
    call->pump = NULL;
    bool is_taken = call->out.len == 0;
    call->out = STR_NONE;
    return is_taken;
}

void h2_call_put_end(struct h2_call *call)
{
    if (call->sending != H2_SENDING_TUNNEL)
        return;
    call->sending = H2_SENDING_LAST;
    tell_more(call);
}

static void send_part(struct h2_call *call)
{
    struct str piece = STR_NONE;
    switch (body_read(call->x->req.body, &piece,
                      http_client_body_deadline(call->x, call->body_idle_ms))) {
    case IO_DONE:
        call->has_taken_body = true;
        if (call->sending != H2_SENDING_RUNS) // meanwhile
            break;
        call->send_moved_ms = clock_now_ms();
        take_piece(call, piece);
        tell_more(call);
        fiber_give_way(BODY_PIECE_COST + (uint32_t)piece.len);
        break;
    case IO_EOF:
        go(call, call->send_left > 0 ? H2_SENDING_FAILED : H2_SENDING_LAST);
        tell_more(call);
        break;
    case IO_FAIL:
    case IO_AGAIN:
        go(call, H2_SENDING_FAILED);
        break;
    }
}

static void run_pump(void *arg)
{
    struct h2_call *call = arg;
    while (call->sending == H2_SENDING_RUNS) {
        wait_until_taken(call); // what is still to be sent is borrowed from the body
        if (call->sending == H2_SENDING_RUNS)
            send_part(call);
    }
    // Nothing comes of this request any more: the waiting for its answer ends at once.
    if (call->sending == H2_SENDING_FAILED || call->sending == H2_SENDING_STUCK)
        h2_call_reset(call, H2_FAILURE_RESET, NGHTTP2_CANCEL);
    call->pump = NULL; // the call may be freed from here on
}

void h2_call_start_pump(struct h2_call *call)
{
    ASSERT(!call->pump);
    call->sending = H2_SENDING_RUNS;
    call->pump = fiber_start(run_pump, call);
    if (call->pump)
        return;
    // Without a fiber nothing can be sent while this one waits.
    h2_call_note(call, "too many exchanges run to send a request's body");
    h2_call_reset(call, H2_FAILURE_RESOURCES, NGHTTP2_CANCEL);
}

void h2_call_stop_pump(struct h2_call *call)
{
    if (!call->pump)
        return;
    // That the client's body ends with a cancelled wait is our doing, not the client's.
    struct exchange *x = call->x;
    enum exchange_end end = x->end;
    struct str detail = x->end_detail;
    bool is_ours_to_end = call->sending <= H2_SENDING_LAST;
    if (is_ours_to_end)
        call->sending = H2_SENDING_STOPPED;
    fiber_cancel(call->pump);
    while (call->pump)
        fiber_yield();
    if (is_ours_to_end) {
        x->end = end;
        x->end_detail = detail;
    }
}

// --- the beginning ---

// What is at hand of the body. False: it failed.
static bool take_first(struct h2_call *call)
{
    struct exchange *x = call->x;
    struct body *b = x->req.body;
    struct str piece = STR_NONE;
    switch (body_read(b, &piece, BODY_NO_WAIT)) {
    case IO_DONE:
        take_piece(call, piece);
        if (b->length != (int64_t)piece.len || !replay_keep(x, piece))
            call->has_taken_body = true;
        return true;
    case IO_EOF:
        call->sending = H2_SENDING_LAST;
        return b->length < 0; // else it is shorter than it said
    case IO_AGAIN:
        return true;
    case IO_FAIL:
        break;
    }
    return false;
}

// A tunnel is asked for when the server has said that it takes such (RFC 8441 3). Waits.
static enum http_client_end begin_tunnel(struct h2_call *call)
{
    struct h2_client *c = call->c;
    struct deadline until = deadline_in(call->head_ms);
    call->sending = H2_SENDING_TUNNEL;
    while (call->c && !c->is_ready) {
        enum fiber_wake wake = h2_call_wait(call, until);
        if (wake == FIBER_CANCELLED)
            return HTTP_CLIENT_CANCELLED;
        if (wake == FIBER_EXPIRED && until.at_ms <= clock_now_ms()) {
            h2_call_note(call, "sends no SETTINGS");
            return HTTP_CLIENT_TIMEOUT;
        }
    }
    if (!call->c)
        return HTTP_CLIENT_REFUSED; // nothing of it was sent
    if (nghttp2_session_get_remote_settings(c->session, NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL) ==
        1)
        return HTTP_CLIENT_OK;
    h2_call_note(call, "takes no WebSocket by HTTP/2 (RFC 8441)");
    return HTTP_CLIENT_HTTP_1;
}

// How the body is sent: what is at hand goes with the head. False: it failed.
static bool begin_body(struct h2_call *call)
{
    struct body *b = call->x->req.body;
    call->sending = H2_SENDING_DONE;
    if (!b || b->length == 0)
        return true;
    call->send_left = b->length > 0 ? (uint64_t)b->length : 0;
    call->sending = call->x->req.expects_continue ? H2_SENDING_HELD : H2_SENDING_RUNS;
    return call->sending == H2_SENDING_HELD || take_first(call);
}

// The stream's number, or nghttp2's error.
NOINLINE static int32_t submit_head(struct h2_call *call, const struct http_client_options *options)
{
    struct h2_list head;
    UNINITIALIZED struct h2_list_room room;
    bool has_body = call->sending != H2_SENDING_DONE;
    const nghttp2_data_provider provider = {.read_callback = give_data};
    if (!build_head(call, options, &head, &room))
        return NGHTTP2_ERR_NOMEM;
    return nghttp2_submit_request(call->c->session, NULL, copied(&head), head.n,
                                  has_body ? &provider : NULL, call);
}

enum http_client_end h2_call_send(struct h2_call *call, const struct http_client_options *options)
{
    if (call->x->req.is_upgrade) {
        enum http_client_end end = begin_tunnel(call);
        if (end != HTTP_CLIENT_OK)
            return end;
    } else if (!begin_body(call)) {
        return HTTP_CLIENT_BODY;
    }
    int32_t id = submit_head(call, options);
    if (id == NGHTTP2_ERR_STREAM_ID_NOT_AVAILABLE) { // after 2^30 of them
        h2_client_leave(call->c);
        return HTTP_CLIENT_REFUSED;
    }
    if (id < 0) {
        h2_call_note(call, "no memory for another stream");
        return HTTP_CLIENT_RESOURCES;
    }
    call->id = id;
    h2_client_schedule(call->c);
    if (call->sending == H2_SENDING_RUNS)
        h2_call_start_pump(call);
    return HTTP_CLIENT_OK;
}
