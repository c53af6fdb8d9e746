// SPDX-License-Identifier: Apache-2.0
// WebSocket to servers that speak HTTP/2 (RFC 8441): an upgrade becomes an extended CONNECT, and a
// stream that the server opens is one side of a tunnel. To everyone above it looks as if the server
// had answered 101 by HTTP/1.1.
#include <errno.h>
#include <string.h>

#include "http/h2_client_priv.h"
#include "http/tunnel.h"
#include "http/websocket.h"

struct h2_pipe {
    struct tunnel_side side;
    struct stream stream; // has no socket
    struct h2_call *call; // borrows
    struct str lent;      // of what has come, what wasn't taken yet
};

static struct h2_pipe *pipe_of(struct stream *s)
{
    return CONTAINER_OF(s, struct h2_pipe, stream);
}

static enum io fail(struct h2_pipe *p, int error)
{
    p->stream.sock.error = error;
    return IO_FAIL;
}

static enum io try_read(struct stream *stream, void *buf, size_t n, size_t *ret_n)
{
    struct h2_pipe *p = pipe_of(stream);
    if (p->lent.len == 0) {
        enum io io = h2_call_lend(p->call, &p->lent);
        stream->sock.is_readable = io != IO_AGAIN;
        if (io != IO_DONE)
            return io == IO_FAIL ? fail(p, ECONNRESET) : io;
    }
    *ret_n = MIN(n, p->lent.len);
    memcpy(buf, p->lent.ptr, *ret_n);
    p->lent = str_skip(p->lent, *ret_n);
    return IO_DONE;
}

// How long the server may take nothing is the service's business.
static enum io put(struct stream *stream, struct iovec *iov, int n_iov, int64_t each_ms,
                   struct deadline until)
{
    (void)each_ms, (void)until;
    struct h2_pipe *p = pipe_of(stream);
    for (int i = 0; i < n_iov; i++) {
        if (!h2_call_put(p->call, str_from(iov[i].iov_base, iov[i].iov_len)))
            return fail(p, p->call->sending == H2_SENDING_STUCK ? ETIMEDOUT : ECONNRESET);
    }
    return IO_DONE;
}

static bool has_pending(const struct stream *stream)
{
    return stream->sock.is_readable; // there is nothing behind that
}

static void shut(struct stream *stream)
{
    h2_call_put_end(pipe_of(stream)->call);
}

static void finish(struct stream *stream)
{
    struct h2_call *call = pipe_of(stream)->call;
    if (call->c && call->is_complete && call->sending == H2_SENDING_LAST)
        h2_client_flush(call->c); // both sides have ended: then there is nothing to be reset
    h2_call_finish(call);
}

static const struct stream_ops pipe_ops = {
    .name = "HTTP/2 of a server",
    .try_read = try_read,
    .writev = put,
    .has_pending = has_pending,
    .shut_write = shut,
    .close = finish,
    .reset = finish,
};

static void release(struct tunnel_side *side)
{
    stream_close(side->stream);
}

void h2_call_tell(struct h2_call *call)
{
    struct rt_sock *sock = &call->pipe->stream.sock;
    sock->is_readable = true;
    sock->has_error |= call->failure != H2_FAILURE_NONE;
    if (sock->on_event)
        sock->on_event(sock);
}

// The answer's fields become those of HTTP/1.1. False: no memory.
static bool translate(struct exchange *x)
{
    struct headers *h = &x->resp.headers;
    struct str accept = websocket_accept(&x->req, x->mem);
    x->resp.status = 101;
    headers_remove(h, FIELD_CONTENT_LENGTH);
    if (accept.ptr && headers_set_named(h, STR("Sec-WebSocket-Accept"), accept) != ERR_OK)
        return false;
    return headers_set(h, FIELD_UPGRADE, STR("websocket")) == ERR_OK;
}

bool h2_call_open_tunnel(struct h2_call *call)
{
    struct exchange *x = call->x;
    struct h2_pipe *p = ARENA_NEW(x->mem, struct h2_pipe);
    if (!p || !translate(x))
        return false;
    p->call = call;
    p->side = (struct tunnel_side){.stream = &p->stream, .release = release};
    stream_init_virtual(&p->stream, &pipe_ops);
    p->stream.sock.is_readable = call->held > 0 || call->is_complete || !call->c;
    call->pipe = p;
    x->resp.tunnel = &p->side;
    return true;
}
