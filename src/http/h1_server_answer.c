// SPDX-License-Identifier: Apache-2.0
// Answers as they go out on a connection: heads and interim answers (RFC 9112 4 to 6).
#include <errno.h>

#include "base/assert.h"
#include "http/h1_server_priv.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "tls/conn.h"

// Everything of a head but fields, id and Via: a status line with the longest phrase, a length,
// a date, the connection's options.
#define HEAD_FIXED_BYTES 256

// What the driver says itself about this hop and the message's length.
#define FIELDS_OF_HOP                                                                              \
    (FIELD_BIT(FIELD_CONNECTION) | FIELD_BIT(FIELD_KEEP_ALIVE) |                                   \
     FIELD_BIT(FIELD_PROXY_CONNECTION) | FIELD_BIT(FIELD_TRANSFER_ENCODING) |                      \
     FIELD_BIT(FIELD_TE) | FIELD_BIT(FIELD_UPGRADE))

static void put_line(struct writer *w, struct str name, struct str value)
{
    writer_put(w, name);
    writer_put(w, value);
    writer_put(w, STR("\r\n"));
}

static void put_status_line(struct writer *w, unsigned status)
{
    struct str line = http_status_line(status);
    if (line.len > 0) {
        writer_put(w, line);
        return;
    }
    writer_put(w, STR("HTTP/1.1 "));
    writer_dec(w, status);
    writer_put(w, STR(" \r\n"));
}

// A connection that leaves still serves what the client has sent already.
static bool may_go_on(const struct h1_turn *t)
{
    const struct http_listener *l = t->c->conn.listener;
    if (http_leave_idle_ms(l) == INT64_MAX)
        return true;
    bool has_next = h1_server_body_is_done(t) && t->pos < t->end;
    return has_next && http_may_pipeline(l);
}

// Whether the connection may serve another request after this answer.
static bool may_keep_alive(const struct h1_turn *t)
{
    const struct h1_conn *c = t->c;
    uint32_t max = t->x.entry->requests_max;
    return t->keep_alive && !t->x.resp.must_close && may_go_on(t) && !c->is_stopped &&
           (max == 0 || c->n_requests < max) &&
           (h1_server_body_is_done(t) || h1_server_body_is_drainable(t));
}

// RFC 9110 6.4.1, RFC 9112 6.
static enum h1_coding choose_coding(const struct exchange *x)
{
    unsigned status = x->resp.status;
    const struct body *body = x->resp.body;
    if (x->req.method_id == METHOD_HEAD || status < 200 || status == 204 || status == 304)
        return H1_CODING_NONE;
    if (!body || body->length >= 0)
        return H1_CODING_LENGTH;
    return x->req.version >= HTTP_1_1 ? H1_CODING_CHUNKED : H1_CODING_CLOSE;
}

static void put_content_length(struct writer *w, uint64_t n)
{
    writer_put(w, STR("Content-Length: "));
    writer_dec(w, n);
    writer_put(w, STR("\r\n"));
}

// The length that goes with the answer, in our words: a Content-Length among its fields counts
// only where no body follows that could contradict it.
static void put_length(struct writer *w, const struct exchange *x, enum h1_coding coding,
                       uint64_t *skip)
{
    const struct body *body = x->resp.body;
    switch (coding) {
    case H1_CODING_LENGTH:
        *skip |= FIELD_BIT(FIELD_CONTENT_LENGTH);
        put_content_length(w, body ? (uint64_t)body->length : 0);
        return;
    case H1_CODING_CHUNKED:
        *skip |= FIELD_BIT(FIELD_CONTENT_LENGTH);
        writer_put(w, STR("Transfer-Encoding: chunked\r\n"));
        return;
    case H1_CODING_CLOSE:
        *skip |= FIELD_BIT(FIELD_CONTENT_LENGTH);
        return;
    case H1_CODING_NONE:
        break;
    }
    if (x->resp.status < 200 || x->resp.status == 204) { // RFC 9110 8.6
        *skip |= FIELD_BIT(FIELD_CONTENT_LENGTH);
    } else if (body && body->length >= 0 && x->resp.status != 304) {
        *skip |= FIELD_BIT(FIELD_CONTENT_LENGTH);
        put_content_length(w, (uint64_t)body->length);
    }
}

static void put_connection(struct writer *w, const struct h1_turn *t)
{
    const struct exchange *x = &t->x;
    if (x->resp.status == 101) {
        struct str upgrade = headers_get(&x->resp.headers, FIELD_UPGRADE);
        put_line(w, STR("Connection: Upgrade\r\nUpgrade: "),
                 upgrade.len > 0 ? upgrade : x->req.upgrade);
    } else if (!t->keep_alive) {
        writer_put(w, STR("Connection: close\r\n"));
    } else if (x->req.version == HTTP_1_0) {
        writer_put(w, STR("Connection: keep-alive\r\n"));
    }
}

// ptr is NULL: the arena is full.
static struct str build_head(struct h1_turn *t, enum h1_coding coding)
{
    struct exchange *x = &t->x;
    const struct http_entry *e = x->entry;
    const struct headers *h = &x->resp.headers;
    size_t cap =
        HEAD_FIXED_BYTES + headers_bytes(h) + e->via.len + x->request_id.len + x->req.upgrade.len;
    char *buf = ARENA_ARRAY(x->mem, char, cap);
    if (!buf)
        return STR_NONE;
    struct writer w;
    writer_init(&w, buf, cap);
    uint64_t skip = FIELDS_OF_HOP;
    if (e->request_id_to_client)
        skip |= FIELD_BIT(FIELD_X_REQUEST_ID);
    put_status_line(&w, x->resp.status);
    put_length(&w, x, coding, &skip);
    headers_write(&w, h, skip);
    if (!headers_find(h, FIELD_DATE) && x->resp.status >= 200)
        put_line(&w, STR("Date: "), http_date(x->env));
    if (e->request_id_to_client && x->request_id.len > 0)
        put_line(&w, STR("X-Request-Id: "), x->request_id);
    if (e->via.len > 0 && !x->resp.is_internal)
        put_line(&w, STR("Via: 1.1 "), e->via);
    put_connection(&w, t);
    writer_put(&w, STR("\r\n"));
    ASSERT(!w.overflowed);
    return writer_str(&w);
}

// An answer that no handler may give is a bug or a broken server: never passed on.
static bool is_sound(const struct response *r)
{
    return r->status == 101 ? r->tunnel != NULL : r->status >= 200 && r->status <= 999;
}

static bool answer_once(struct h1_turn *t)
{
    struct exchange *x = &t->x;
    enum h1_coding coding = choose_coding(x);
    t->keep_alive = may_keep_alive(t) && coding != H1_CODING_CLOSE;
    struct str head = build_head(t, coding);
    if (!head.ptr) {
        x->end = EXCHANGE_END_RESOURCES;
        return false;
    }
    bool is_whole = h1_server_pump(t, head, coding);
    // To a client that has nothing but the connection's end to tell by, an ordinary close would
    // make a whole body of what was cut.
    if (!is_whole && t->is_answered && coding == H1_CODING_CLOSE)
        stream_reset(&t->c->stream);
    return is_whole;
}

bool h1_server_answer(struct h1_turn *t)
{
    struct exchange *x = &t->x;
    if (!is_sound(&x->resp))
        exchange_fail(x, 502, EXCHANGE_END_SERVER_PROTOCOL, "the status %u is no answer",
                      x->resp.status);
    if (answer_once(t))
        return true;
    // Nothing was sent yet: then the client can still be told the truth.
    if (t->is_answered || x->end == EXCHANGE_END_CLIENT_GONE || fiber_is_cancelled(t->c->fiber))
        return false;
    struct str why = x->end_detail.len > 0 ? x->end_detail : str_of(exchange_end_text(x->end));
    exchange_fail(x, exchange_end_status(x->end), x->end, STR_FMT, STR_ARG(why));
    x->resp.must_close = true;
    return answer_once(t);
}

// RFC 9110 15.2: interim answers are passed on, but not to HTTP/1.0.
static enum err inform(struct exchange *x, unsigned status, const struct headers *headers)
{
    struct h1_turn *t = x->driver;
    if (x->req.version < HTTP_1_1 || t->is_answered || status < 100 || status > 199 ||
        status == 101 || (status == 100 && t->sent_continue))
        return ERR_OK;
    t->sent_continue |= status == 100;
    size_t cap = HEAD_FIXED_BYTES + (headers ? headers_bytes(headers) : 0);
    char *buf = ARENA_ARRAY(x->mem, char, cap);
    if (!buf)
        return ERR_LIMIT;
    struct writer w;
    writer_init(&w, buf, cap);
    put_status_line(&w, status);
    if (headers)
        headers_write(&w, headers, FIELDS_OF_HOP | FIELD_BIT(FIELD_CONTENT_LENGTH));
    writer_put(&w, STR("\r\n"));
    ASSERT(!w.overflowed);
    http_count(x->env, HTTP_COUNTER_STATUS_1XX, 1);
    struct iovec iov = {buf, w.len};
    return h1_server_send(t, &iov, 1) ? ERR_OK : ERR_CLOSED;
}

static void watch(struct exchange *x)
{
    struct h1_turn *t = x->driver;
    sock_watch(&t->c->stream.sock);
}

static enum err confirm(struct exchange *x)
{
    struct h1_turn *t = x->driver;
    struct stream *s = &t->c->stream;
    if (tls_conn_confirm(s, deadline_in(x->entry->head_ms)) == IO_DONE)
        return ERR_OK;
    x->end = s->sock.error == ETIMEDOUT ? EXCHANGE_END_CLIENT_TIMEOUT : EXCHANGE_END_CLIENT_GONE;
    return ERR_CLOSED;
}

const struct exchange_ops h1_server_ops = {.inform = inform, .watch = watch, .confirm = confirm};
