// SPDX-License-Identifier: Apache-2.0
// WebSocket over HTTP/2 (RFC 8441): an extended CONNECT becomes an upgrade of HTTP/1.1 towards
// filters and servers, and the stream is then one side of a tunnel. While nothing moves it holds no
// fiber, as with HTTP/1.1.
#include <errno.h>
#include <string.h>

#include "http/h2_server_priv.h"
#include "http/tunnel.h"
#include "http/websocket.h"

// --- the request ---

enum h2_error h2_tunnel_prepare(struct h2_stream *s)
{
    struct exchange *x = &s->x;
    struct request *req = &x->req;
    if (!str_ieq(s->protocol, STR("websocket")))
        return H2_ERROR_PROTOCOL;
    req->method = STR("GET");
    req->method_id = METHOD_GET;
    req->is_upgrade = true;
    req->body = NULL; // its DATA is the tunnel's
    if (headers_set(&req->headers, FIELD_UPGRADE, STR("websocket")) != ERR_OK ||
        !websocket_add_key(req, x->mem))
        return H2_ERROR_MEMORY;
    return H2_ERROR_NONE;
}

// --- the answer ---

// RFC 6455 4.1: the server has understood that this is a WebSocket.
static bool is_accepted(const struct exchange *x)
{
    const struct field *got = headers_find_named(&x->resp.headers, STR("Sec-WebSocket-Accept"));
    struct str wanted = websocket_accept(&x->req, x->mem);
    return got && wanted.ptr && str_eq(got->value, wanted);
}

bool h2_tunnel_accept(struct h2_stream *s)
{
    struct exchange *x = &s->x;
    struct response *r = &x->resp;
    bool is_upgraded = r->status == 101 && r->tunnel;
    if (!is_upgraded && (r->status < 200 || r->status > 299))
        return false; // refused, with reasons that pass through
    if (!is_upgraded || !is_accepted(x)) {
        exchange_fail(x, 502, EXCHANGE_END_SERVER_PROTOCOL,
                      "the server didn't accept the WebSocket (RFC 6455 4.1)");
        return false;
    }
    r->status = 200;
    headers_remove(&r->headers, FIELD_UPGRADE);
    headers_remove_named(&r->headers, STR("Sec-WebSocket-Accept"));
    return true;
}

// --- the stream as a side of a tunnel ---

struct h2_side {
    struct tunnel_side side;
    struct stream stream; // has no socket
    struct h2_stream *s;  // borrows
    struct str lent;      // of the body, what wasn't taken yet
    bool is_shut;         // our END_STREAM was given to the session
};

static struct h2_side *side_of(struct stream *s)
{
    return CONTAINER_OF(s, struct h2_side, stream);
}

static enum io fail(struct h2_side *side, int error)
{
    side->stream.sock.error = error;
    return IO_FAIL;
}

static enum io try_read(struct stream *stream, void *buf, size_t n, size_t *ret_n)
{
    struct h2_side *side = side_of(stream);
    if (side->s->is_reset)
        return fail(side, ECONNRESET);
    if (side->lent.len == 0) {
        enum io io = body_read(&side->s->in.body, &side->lent, BODY_NO_WAIT);
        stream->sock.is_readable = io != IO_AGAIN;
        if (io != IO_DONE)
            return io == IO_FAIL ? fail(side, ECONNRESET) : io;
    }
    *ret_n = MIN(n, side->lent.len);
    memcpy(buf, side->lent.ptr, *ret_n);
    side->lent = str_skip(side->lent, *ret_n);
    return IO_DONE;
}

// How long a client may take nothing is the stream's business.
static enum io put(struct stream *stream, struct iovec *iov, int n_iov, int64_t each_ms,
                   struct deadline until)
{
    (void)each_ms, (void)until;
    struct h2_side *side = side_of(stream);
    for (int i = 0; i < n_iov; i++) {
        if (!h2_stream_put(side->s, str_from(iov[i].iov_base, iov[i].iov_len), false))
            return fail(side, ECONNRESET);
    }
    return IO_DONE;
}

static bool has_pending(const struct stream *stream)
{
    return stream->sock.is_readable; // there is nothing behind that
}

static void shut(struct stream *stream)
{
    struct h2_side *side = side_of(stream);
    side->is_shut = h2_stream_put_end(side->s);
}

static void close_nothing(struct stream *stream)
{
    (void)stream; // it ends with its exchange
}

static const struct stream_ops side_ops = {
    .name = "HTTP/2 of a client",
    .try_read = try_read,
    .writev = put,
    .has_pending = has_pending,
    .shut_write = shut,
    .close = close_nothing,
    .reset = close_nothing,
};

static void release(struct tunnel_side *side)
{
    (void)side; // h2_stream_end_tunnel comes next
}

static void on_done(void *arg, const struct tunnel_totals *totals)
{
    struct h2_side *side = arg;
    h2_stream_end_tunnel(side->s, side->is_shut, totals->ended_by);
}

bool h2_tunnel_start(struct h2_stream *s)
{
    struct exchange *x = &s->x;
    struct h2_side *side = ARENA_NEW(x->mem, struct h2_side);
    if (!side)
        return false;
    struct tunnel_side *server = x->resp.tunnel;
    x->resp.tunnel = NULL;
    side->s = s;
    side->side = (struct tunnel_side){
        .stream = &side->stream,
        .release = release,
        .counts_bytes = true,
    };
    stream_init_virtual(&side->stream, &side_ops);
    s->side = side;
    tunnel_start(x->env, &side->side, server, x->entry->tunnel_idle_ms, on_done, side);
    return true;
}

void h2_tunnel_tell(struct h2_stream *s)
{
    struct rt_sock *sock = &s->side->stream.sock;
    sock->is_readable = true;
    sock->has_error |= s->is_reset;
    if (sock->on_event)
        sock->on_event(sock);
}
