// SPDX-License-Identifier: Apache-2.0
// Waiting for a server's answer: interim answers, the head, and what it says about the rest.
#include <errno.h>
#include <inttypes.h>

#include "http/env.h"
#include "http/h1_client_priv.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "tls/conn.h"

#define ERRNO_TEXT(e) ((e) != 0 ? strerrordesc_np(e) : "closed")

COLD static enum http_client_end refuse(struct h1_call *call, enum h1_error error)
{
    h1_call_note_refused(call, error);
    return HTTP_CLIENT_PROTOCOL;
}

COLD static enum http_client_end no_memory(struct h1_call *call)
{
    h1_call_note(call, "the exchange's memory is used up");
    return HTTP_CLIENT_RESOURCES;
}

// --- waiting for the head ---

// Until when to wait for the next byte of the head: from the request's end on for head_ms.
static struct deadline head_deadline(const struct h1_call *call)
{
    int64_t now = clock_now_ms();
    if (call->sending == H1_SENDING_HELD)
        return deadline_at(now + MIN(call->head_ms, HTTP_CLIENT_CONTINUE_MS));
    if (call->sending == H1_SENDING_RUNS)
        return deadline_at(now + call->head_ms);
    return deadline_at(call->send_moved_ms + call->head_ms);
}

// Why reading failed.
COLD static enum http_client_end head_failure(struct h1_call *call, enum io io)
{
    int error = io == IO_EOF ? 0 : call->c->stream.sock.error;
    if (call->sending == H1_SENDING_FAILED)
        return HTTP_CLIENT_BODY;
    if (call->sending == H1_SENDING_STUCK) {
        h1_call_note(call, "takes no more of the request's body");
        return HTTP_CLIENT_TIMEOUT;
    }
    if (fiber_is_cancelled(fiber_self()))
        return HTTP_CLIENT_CANCELLED;
    if (error == ETIMEDOUT) {
        h1_call_note(call, "no answer within %" PRId64 " ms", call->head_ms);
        return HTTP_CLIENT_TIMEOUT;
    }
    if (error == ENOBUFS && !call->buf) {
        h1_call_note(call, "no buffer for the answer");
        return HTTP_CLIENT_RESOURCES;
    }
    const char *alert = tls_conn_alert(&call->c->stream);
    h1_call_note(call, "%s before %s", alert ? alert : ERRNO_TEXT(error),
                 call->has_answer ? "the end of the answer's head" : "an answer");
    return call->has_answer || call->c->n_exchanges == 0 ? HTTP_CLIENT_CLOSED : HTTP_CLIENT_STALE;
}

// Reads more of the head. May wait.
static enum http_client_end fill_head(struct h1_call *call)
{
    for (;;) {
        enum io io = h1_call_fill(call, head_deadline(call));
        if (io == IO_DONE)
            return HTTP_CLIENT_OK;
        bool is_expired = io == IO_FAIL && call->c->stream.sock.error == ETIMEDOUT;
        if (is_expired && call->sending == H1_SENDING_HELD) {
            // The server ignores the expectation; a client that waits for its 100 would wait for
            // ever, and the server for the body (RFC 9110 10.1.1).
            if (exchange_continue(call->x) != ERR_OK)
                return HTTP_CLIENT_CANCELLED;
            h1_call_start_pump(call);
        } else if (!is_expired || (call->sending != H1_SENDING_RUNS &&
                                   head_deadline(call).at_ms <= clock_now_ms())) {
            return head_failure(call, io);
        }
    }
}

static enum http_client_end read_head(struct h1_call *call, struct h1_response *ret,
                                      size_t *ret_used)
{
    size_t max_bytes = (size_t)call->limits.head_max_bytes;
    size_t seen = 0;
    for (;;) {
        struct str in = h1_call_unread(call);
        if (in.len > 0 && (seen == 0 || in.len > max_bytes || h1_head_may_end(in, seen))) {
            enum h1_error error = H1_ERROR_NONE;
            switch (
                h1_response_parse(in, &call->limits, call->x->env->fields, ret, ret_used, &error)) {
            case IO_DONE:
                return HTTP_CLIENT_OK;
            case IO_AGAIN:
                break;
            case IO_EOF:
            case IO_FAIL:
                return refuse(call, error);
            }
        }
        seen = in.len;
        if (!h1_call_make_room(call, max_bytes + HTTP_BUFFER_BYTES))
            return refuse(call, H1_ERROR_HEAD_LENGTH);
        enum http_client_end end = fill_head(call);
        if (end != HTTP_CLIENT_OK)
            return end;
    }
}

// --- the head's meaning ---

static enum http_client_end pass_interim(struct h1_call *call, const struct h1_response *head,
                                         size_t used)
{
    struct exchange *x = call->x;
    call->interim_bytes += used;
    if (++call->n_interim > HTTP_CLIENT_INTERIM_MAX ||
        call->interim_bytes > call->limits.head_max_bytes) {
        h1_call_note(call, "too many interim answers");
        return HTTP_CLIENT_PROTOCOL;
    }
    struct headers h;
    headers_init(&h, x->mem);
    if (headers_take(&h, head->fields, head->n_fields) != ERR_OK)
        return no_memory(call);
    headers_remove_hop_by_hop(&h);
    headers_remove(&h, FIELD_CONTENT_LENGTH); // an interim answer has no body (RFC 9110 15.2)
    unsigned status = head->status;
    if (x->ops && x->ops->inform && x->ops->inform(x, status, &h) != ERR_OK)
        return HTTP_CLIENT_CANCELLED;
    call->at += used;
    if (status == 100 && call->sending == H1_SENDING_HELD)
        h1_call_start_pump(call);
    return HTTP_CLIENT_OK;
}

// Fills x->resp's status and headers; their texts move to the exchange's arena.
static bool take_headers(struct h1_call *call, const struct h1_response *head, size_t used)
{
    struct exchange *x = call->x;
    const char *from = call->buf + call->at;
    struct str text = arena_dup(x->mem, str_from(from, used));
    if (!text.ptr)
        return false;
    h1_call_rebase(head->fields, head->n_fields, from, text.ptr);
    x->resp = (struct response){.status = head->status, .must_close = x->resp.must_close};
    headers_init(&x->resp.headers, x->mem);
    if (headers_take(&x->resp.headers, head->fields, head->n_fields) != ERR_OK)
        return false;
    call->at += used;
    return true;
}

static enum http_client_end take_upgrade(struct h1_call *call)
{
    struct exchange *x = call->x;
    struct str protocol = headers_get(&x->resp.headers, FIELD_UPGRADE);
    if (!x->req.is_upgrade || protocol.len == 0 || call->sending != H1_SENDING_DONE) {
        http_count_server_error(x->env, H1_ERROR_STATUS);
        h1_call_note(call, "a 101 that nobody asked for (RFC 9110 15.2.2)");
        return HTTP_CLIENT_PROTOCOL;
    }
    headers_remove_hop_by_hop(&x->resp.headers);
    headers_remove(&x->resp.headers, FIELD_CONTENT_LENGTH);
    if (headers_set(&x->resp.headers, FIELD_UPGRADE, protocol) != ERR_OK)
        return no_memory(call);
    x->resp.tunnel = h1_call_tunnel(call);
    return HTTP_CLIENT_OK;
}

// In answers to HEAD and in 304 the field tells of a body that isn't here: it is passed on as the
// number that it stands for (RFC 9110 8.6). 204 has none.
static bool fix_length_field(struct exchange *x, uint64_t length)
{
    struct headers *h = &x->resp.headers;
    if (x->resp.status == 204)
        headers_remove(h, FIELD_CONTENT_LENGTH);
    if (!headers_find(h, FIELD_CONTENT_LENGTH))
        return true;
    struct str number = arena_printf(x->mem, "%" PRIu64, length);
    return number.ptr && headers_set(h, FIELD_CONTENT_LENGTH, number) == ERR_OK;
}

static enum http_client_end take_answer(struct h1_call *call, const struct h1_response *head,
                                        size_t used)
{
    struct exchange *x = call->x;
    struct h1_framing framing = {.body = H1_BODY_NONE};
    enum h1_error error = h1_response_framing(head, x->req.method_id, &framing);
    if (error != H1_ERROR_NONE)
        return refuse(call, error);
    if (!take_headers(call, head, used))
        return no_memory(call);
    if (head->status == 101)
        return take_upgrade(call);
    headers_remove_hop_by_hop(&x->resp.headers);
    call->keep_alive = framing.keep_alive;
    call->framing = framing.body;
    call->left = framing.length;
    bool has_body = framing.body != H1_BODY_NONE && x->req.method_id != METHOD_HEAD &&
                    !(framing.body == H1_BODY_LENGTH && framing.length == 0);
    if (has_body)
        x->resp.body = h1_call_body(call);
    else if (!fix_length_field(x, framing.length))
        return no_memory(call);
    call->is_complete = !has_body;
    return HTTP_CLIENT_OK;
}

enum http_client_end h1_call_read_answer(struct h1_call *call)
{
    for (;;) {
        struct h1_response head;
        size_t used = 0;
        enum http_client_end end = read_head(call, &head, &used);
        if (end != HTTP_CLIENT_OK)
            return end;
        if (head.status >= 200 || head.status == 101) {
            call->x->times.answer_head = clock_now_ns();
            return take_answer(call, &head, used);
        }
        end = pass_interim(call, &head, used);
        if (end != HTTP_CLIENT_OK)
            return end;
    }
}
