// SPDX-License-Identifier: Apache-2.0
// One exchange with a server: its stream's beginning and end, and the wait for the answer's head.
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "http/env.h"
#include "http/h2_client_priv.h"
#include "http/replay.h"
#include "rt/clock.h"
#include "rt/fiber.h"

void h2_call_note(struct h2_call *call, const char *fmt, ...)
{
    char text[240];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    struct exchange *x = call->x;
    x->end_detail = arena_printf(x->mem, "server " STR_FMT ": %s", STR_ARG(x->server_name), text);
}

// --- the stream's end ---

void h2_call_wake(struct h2_call *call)
{
    if (call->waiter)
        fiber_wake(call->waiter);
    if (!call->pipe || list_node_is_linked(&call->told))
        return;
    list_push_back(&call->on->told, &call->told);
    h2_client_schedule(call->on);
}

void h2_call_end_stream(struct h2_call *call, enum h2_failure failure)
{
    struct h2_client *c = call->c;
    if (!c)
        return;
    if (call->failure == H2_FAILURE_NONE && !call->is_complete)
        call->failure = failure;
    if (call->sending <= H2_SENDING_LAST)
        call->sending = H2_SENDING_REFUSED;
    if (call->is_complete)
        h2_client_count_served(c);
    (void)nghttp2_session_set_stream_user_data(c->session, call->id, NULL);
    call->c = NULL;
    list_remove(&call->node);
    if (call->ended)
        call->ended(call->ended_arg);
    c->window_bytes -= call->counted;
    c->n_calls--;
    if (c->n_calls == 0)
        c->idle_since_ms = clock_now_ms();
    h2_client_change(c);
    if (call->is_pump_waiting)
        fiber_wake(call->pump);
    h2_call_wake(call);
}

void h2_call_reset(struct h2_call *call, enum h2_failure failure, uint32_t code)
{
    struct h2_client *c = call->c;
    if (!c)
        return;
    if (!c->is_over && call->id > 0) {
        (void)nghttp2_submit_rst_stream(c->session, NGHTTP2_FLAG_NONE, call->id, code);
        h2_client_count_reset(c);
        h2_client_expect_late(c, (uint64_t)MAX(call->window, 0));
    }
    h2_call_end_stream(call, failure);
}

void h2_call_refuse(struct h2_call *call, enum h2_error error)
{
    http_count_server_h2_error(call->x->env, error);
    h2_call_note(call, "malformed answer: %s (RFC %s)", h2_error_text(error),
                 h2_error_section(error));
    call->is_complete = false; // what was whole before isn't what was meant
    enum h2_failure failure = error == H2_ERROR_MEMORY ? H2_FAILURE_RESOURCES : H2_FAILURE_PROTOCOL;
    h2_call_reset(call, failure, NGHTTP2_PROTOCOL_ERROR);
}

void h2_call_finish(struct h2_call *call)
{
    if (call->is_finished)
        return;
    call->is_finished = true;
    list_remove(&call->told);
    call->pipe = NULL;
    h2_call_stop_pump(call);
    h2_call_reset(call, H2_FAILURE_NONE, NGHTTP2_CANCEL);
    h2_call_drop_data(call);
    h2_call_set_window(call, 0); // nothing of it is left to be read
}

// --- waiting ---

static enum fiber_wake wait_once(struct h2_call *call, struct deadline until)
{
    call->waiter = fiber_self();
    enum fiber_wake wake = fiber_wait(until);
    call->waiter = NULL;
    return wake;
}

enum fiber_wake h2_call_wait(struct h2_call *call, struct deadline until)
{
    until = deadline_min(until, call->until);
    if (!call->is_watched) {
        struct deadline quick = deadline_min(until, deadline_in(HTTP_CLIENT_WATCH_MS));
        enum fiber_wake wake = wait_once(call, quick);
        if (wake != FIBER_EXPIRED || until.at_ms <= clock_now_ms())
            return wake;
        call->is_watched = true;
        exchange_watch(call->x);
        return FIBER_READY; // what came in this very turn found nobody waiting any more
    }
    return wait_once(call, until);
}

// --- the answer's head ---

static enum http_client_end no_memory(struct h2_call *call)
{
    h2_call_note(call, "the exchange's memory is used up");
    return HTTP_CLIENT_RESOURCES;
}

// Until when to wait for the head: from the request's end on for head_ms.
static struct deadline head_deadline(const struct h2_call *call)
{
    int64_t now = clock_now_ms();
    if (call->sending == H2_SENDING_HELD)
        return deadline_at(now + MIN(call->head_ms, HTTP_CLIENT_CONTINUE_MS));
    if (call->sending == H2_SENDING_RUNS)
        return deadline_at(now + call->head_ms);
    return deadline_at(call->send_moved_ms + call->head_ms);
}

static enum http_client_end head_failure(const struct h2_call *call)
{
    switch (call->failure) {
    case H2_FAILURE_NONE:
    case H2_FAILURE_RESET:
        break;
    case H2_FAILURE_REFUSED:
        return HTTP_CLIENT_REFUSED;
    case H2_FAILURE_HTTP_1:
        return HTTP_CLIENT_HTTP_1;
    case H2_FAILURE_GONE:
        return call->was_reused && !call->has_answer ? HTTP_CLIENT_STALE : HTTP_CLIENT_CLOSED;
    case H2_FAILURE_PROTOCOL:
        return HTTP_CLIENT_PROTOCOL;
    case H2_FAILURE_RESOURCES:
        return HTTP_CLIENT_RESOURCES;
    }
    return HTTP_CLIENT_CLOSED;
}

// The time for the head is over. HTTP_CLIENT_OK: wait on.
static enum http_client_end head_expired(struct h2_call *call)
{
    if (call->until.at_ms <= clock_now_ms()) {
        h2_call_note(call, "no answer within the exchange's own time-out");
        return HTTP_CLIENT_TIMEOUT;
    }
    if (call->sending == H2_SENDING_HELD) {
        // The server ignores the expectation; a client that waits for its 100 would wait for ever,
        // and the server for the body (RFC 9110 10.1.1).
        if (exchange_continue(call->x) != ERR_OK)
            return HTTP_CLIENT_CANCELLED;
        h2_call_start_pump(call);
        return HTTP_CLIENT_OK;
    }
    if (call->sending == H2_SENDING_RUNS || head_deadline(call).at_ms > clock_now_ms())
        return HTTP_CLIENT_OK;
    h2_call_note(call, "no answer within %" PRId64 " ms", call->head_ms);
    return HTTP_CLIENT_TIMEOUT;
}

static enum http_client_end pass_interims(struct h2_call *call)
{
    struct exchange *x = call->x;
    while (call->interims) {
        struct h2_interim *i = call->interims;
        call->interims = i->next;
        if (!call->interims)
            call->interims_end = &call->interims;
        if (i->status == 100 && call->sending == H2_SENDING_HELD)
            h2_call_start_pump(call);
        enum err err =
            i->status == 100 ? exchange_continue(x) : x->ops->inform(x, i->status, &i->headers);
        if (err != ERR_OK)
            return HTTP_CLIENT_CANCELLED;
    }
    return HTTP_CLIENT_OK;
}

// What is there without waiting: OK with has_head, or nothing yet.
static enum http_client_end look(struct h2_call *call)
{
    enum http_client_end end = pass_interims(call);
    if (end != HTTP_CLIENT_OK || call->has_head)
        return end;
    if (call->sending == H2_SENDING_FAILED)
        return HTTP_CLIENT_BODY;
    if (call->sending == H2_SENDING_STUCK) {
        h2_call_note(call, "takes no more of the request's body");
        return HTTP_CLIENT_TIMEOUT;
    }
    return call->c ? HTTP_CLIENT_OK : head_failure(call);
}

static enum http_client_end wait_for_head(struct h2_call *call)
{
    for (;;) {
        enum http_client_end end = look(call);
        if (end != HTTP_CLIENT_OK || call->has_head)
            return end;
        switch (h2_call_wait(call, head_deadline(call))) {
        case FIBER_READY:
            break;
        case FIBER_CANCELLED:
            return HTTP_CLIENT_CANCELLED;
        case FIBER_EXPIRED:
            end = head_expired(call);
            if (end != HTTP_CLIENT_OK)
                return end;
            break;
        }
    }
}

// As h1_client does: where no body follows, the field stays as the number that it is; 204 has none.
static bool fix_length_field(struct exchange *x, int64_t length)
{
    struct headers *h = &x->resp.headers;
    if (x->resp.status == 204)
        headers_remove(h, FIELD_CONTENT_LENGTH);
    if (!headers_find(h, FIELD_CONTENT_LENGTH))
        return true;
    struct str number = arena_printf(x->mem, "%" PRId64, length);
    return number.ptr && headers_set(h, FIELD_CONTENT_LENGTH, number) == ERR_OK;
}

static enum http_client_end take_answer(struct h2_call *call)
{
    struct exchange *x = call->x;
    x->times.answer_head = clock_now_ns();
    x->resp = (struct response){
        .status = call->status,
        .must_close = x->resp.must_close,
        .headers = call->head,
    };
    if (call->sending == H2_SENDING_TUNNEL && call->status < 300)
        return h2_call_open_tunnel(call) ? HTTP_CLIENT_OK : no_memory(call);
    if (call->sending == H2_SENDING_TUNNEL)
        h2_call_put_end(call);
    bool is_empty = call->is_complete && !call->first && !call->has_trailers;
    if (call->has_body && !is_empty)
        x->resp.body = h2_call_body(call);
    else if (!fix_length_field(x, call->announced))
        return no_memory(call);
    return HTTP_CLIENT_OK;
}

// --- public ---

static struct h2_call *call_new(struct h2_client *c, struct exchange *x,
                                const struct http_client_options *options)
{
    struct h2_call *call = ARENA_NEW(x->mem, struct h2_call);
    if (!call)
        return NULL;
    int64_t now = clock_now_ms();
    *call = (struct h2_call){
        .c = c,
        .on = c,
        .x = x,
        .was_reused = c->n_exchanges > 0,
        .limits = options->limits,
        .head_ms = options->head_ms,
        .body_idle_ms = options->body_idle_ms,
        .until = options->until,
        .ended = options->ended,
        .ended_arg = options->ended_arg,
        .send_moved_ms = now,
        .came_ms = now,
    };
    call->interims_end = &call->interims;
    h2_session_fit_windows(c);
    h2_call_set_window(call, c->is_frugal ? H2_CLIENT_WINDOW_LEAST : H2_CLIENT_WINDOW_BYTES);
    list_push_back(&c->calls, &call->node);
    c->n_calls++;
    c->n_exchanges++;
    return call;
}

enum http_client_end h2_client_serve(struct h2_client *c, struct exchange *x,
                                     const struct http_client_options *options, bool *ret_sent_body)
{
    ASSERT(fiber_self() && !c->is_over);
    *ret_sent_body = false;
    struct h2_call *call = call_new(c, x, options);
    if (!call) {
        if (options->ended)
            options->ended(options->ended_arg);
        x->end_detail = STR("no memory for an exchange with a server");
        return HTTP_CLIENT_RESOURCES;
    }
    enum http_client_end end = h2_call_send(call, options);
    if (end == HTTP_CLIENT_OK)
        end = wait_for_head(call);
    if (end == HTTP_CLIENT_OK)
        end = take_answer(call);
    if (end == HTTP_CLIENT_BODY && x->end == EXCHANGE_END_OK)
        x->end = EXCHANGE_END_CLIENT_GONE;
    if (end != HTTP_CLIENT_OK || (!x->resp.body && !x->resp.tunnel))
        h2_call_finish(call);
    // Where the pump has gone its last piece counts. Where the answer came early it still reads.
    *ret_sent_body = call->has_taken_body && !replay_is_whole(x);
    return end;
}
