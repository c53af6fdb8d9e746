// SPDX-License-Identifier: Apache-2.0
// WebSocket over HTTP/2 (RFC 8441): an extended CONNECT becomes an upgrade of HTTP/1.1 towards the
// server, and the stream is then joined with the server's connection: this fiber carries what comes
// from the server, a second one what comes from the client.
#include <errno.h>

#include "codec/base64.h"
#include "http/h2_server_priv.h"
#include "http/tunnel.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/sys.h"
#include "tls/digest.h"

#define NONCE_BYTES 16 // RFC 6455 4.1
#define BASE64_BYTES(n) (((n) + 2) / 3 * 4)
#define FOREVER deadline_at(INT64_MAX)

// --- the request ---

static struct str encode(struct arena *mem, struct str bytes)
{
    char *text = ARENA_ARRAY(mem, char, BASE64_BYTES(bytes.len));
    return str_from(text, text ? base64_encode(bytes, false, text) : 0);
}

// What HTTP/2 does without, and a server of HTTP/1.1 wants (RFC 8441 5).
static bool add_key(struct exchange *x)
{
    char nonce[NONCE_BYTES];
    sys_random(nonce, sizeof nonce);
    struct str key = encode(x->mem, str_from(nonce, sizeof nonce));
    return key.ptr && headers_set_named(&x->req.headers, STR("Sec-WebSocket-Key"), key) == ERR_OK;
}

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
    if (headers_set(&req->headers, FIELD_UPGRADE, STR("websocket")) != ERR_OK || !add_key(x))
        return H2_ERROR_MEMORY;
    return H2_ERROR_NONE;
}

// --- the answer ---

// RFC 6455 4.1: the server has understood that this is a WebSocket.
static bool is_accepted(const struct exchange *x)
{
    const struct field *key = headers_find_named(&x->req.headers, STR("Sec-WebSocket-Key"));
    const struct field *got = headers_find_named(&x->resp.headers, STR("Sec-WebSocket-Accept"));
    unsigned char hash[TLS_SHA1_BYTES];
    if (!key || !got)
        return false;
    struct str text =
        arena_concat(x->mem, key->value, STR("258EAFA5-E914-47DA-95CA-C5AB0DC85B11"), STR_NONE);
    if (!text.ptr)
        return false;
    tls_sha1(text, hash);
    return str_eq(got->value, encode(x->mem, str_from((char *)hash, sizeof hash)));
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

// --- moving bytes ---

struct join {
    struct h2_stream *s;
    struct tunnel_side *server; // borrows
    struct fiber *pump;         // borrows: carries what comes from the client; NULL: it has ended
    int64_t idle_ms;            // INT64_MAX: any
    int64_t moved_ms;           // the last progress in any direction
    const char *ended_by;       // static; NULL while it lives
    bool has_client_ended;
};

static void end(struct join *j, const char *by)
{
    if (!j->ended_by)
        j->ended_by = by;
}

static struct deadline idle_end(const struct join *j)
{
    return j->idle_ms == INT64_MAX ? FOREVER : deadline_at(j->moved_ms + j->idle_ms);
}

static bool is_idle(const struct join *j)
{
    return idle_end(j).at_ms <= clock_now_ms();
}

static void send_to_server(struct join *j, struct str piece)
{
    // WHY: iovec serves reading too and isn't const; writing leaves the bytes alone.
    struct iovec iov = {(void *)(uintptr_t)piece.ptr, piece.len};
    if (stream_writev(j->server->stream, &iov, 1, j->idle_ms, FOREVER) != IO_DONE)
        end(j, j->server->stream->sock.error == ETIMEDOUT ? "idle" : "error");
    j->moved_ms = clock_now_ms();
}

static void pump(void *arg)
{
    struct join *j = arg;
    struct body *body = &j->s->in.body;
    while (!j->ended_by && !j->has_client_ended) {
        struct str piece;
        switch (body_read(body, &piece, idle_end(j))) {
        case IO_DONE:
            send_to_server(j, piece);
            fiber_give_way(BODY_PIECE_COST + (uint32_t)piece.len);
            break;
        case IO_EOF:
            j->has_client_ended = true;
            j->moved_ms = clock_now_ms();
            stream_shut_write(j->server->stream);
            break;
        case IO_AGAIN:
            if (is_idle(j))
                end(j, "idle");
            break;
        case IO_FAIL:
            end(j, "client closed");
            break;
        }
    }
    // Who waits for the server's bytes would wait on.
    if (j->ended_by)
        sock_close(&j->server->stream->sock);
    j->pump = NULL;
}

static void stop_pump(struct join *j)
{
    if (!j->pump)
        return;
    fiber_cancel(j->pump);
    while (j->pump)
        fiber_yield();
}

// Carries what comes from the server, until its end.
static void carry(struct join *j, char *buf)
{
    struct stream *from = j->server->stream;
    while (!j->ended_by) {
        size_t n = 0;
        enum io io = stream_read(from, buf, HTTP_BUFFER_BYTES, idle_end(j), &n);
        if (io == IO_DONE) {
            j->moved_ms = clock_now_ms();
            if (!h2_stream_put(j->s, str_from(buf, n), false))
                end(j, "client closed");
            j->moved_ms = clock_now_ms();
            fiber_give_way((uint32_t)n);
        } else if (io == IO_EOF) {
            end(j, "server closed");
        } else if (from->sock.error != ETIMEDOUT || is_idle(j)) {
            end(j, from->sock.error == ETIMEDOUT ? "idle" : "error");
        }
    }
}

// True: the server has ended it in order.
static bool run_tunnel(struct join *j)
{
    struct http_env *env = j->s->x.env;
    char *buf = pool_take(&env->buffers);
    j->pump = buf ? fiber_start(pump, j) : NULL;
    if (!j->pump)
        end(j, "error");
    if (!j->ended_by && j->server->early.len > 0 && !h2_stream_put(j->s, j->server->early, false))
        end(j, "client closed");
    if (buf)
        carry(j, buf);
    stop_pump(j);
    bool is_over = str_eq(str_of(j->ended_by), STR("server closed"));
    bool is_told = is_over && h2_stream_put(j->s, STR_NONE, true);
    if (buf)
        pool_give(&env->buffers, buf);
    return is_told;
}

bool h2_tunnel_run(struct h2_stream *s)
{
    struct exchange *x = &s->x;
    int64_t idle_ms = x->entry->tunnel_idle_ms;
    struct join j = {
        .s = s,
        .server = x->resp.tunnel,
        .idle_ms = idle_ms > 0 ? idle_ms : INT64_MAX,
        .moved_ms = clock_now_ms(),
    };
    http_count(x->env, HTTP_COUNTER_TUNNELS_OPEN, 1);
    bool is_whole = run_tunnel(&j);
    http_count(x->env, HTTP_COUNTER_TUNNELS_OPEN, -1);
    x->end = EXCHANGE_END_OK;
    x->end_detail = str_of(j.ended_by);
    return is_whole;
}
