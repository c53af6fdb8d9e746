// SPDX-License-Identifier: Apache-2.0
// Bodies of answers on their way to the client: pulled piece by piece, with the client's speed.
#include <errno.h>

#include "http/h1_server_priv.h"
#include "rt/clock.h"
#include "rt/fiber.h"

#define SPLICE_MIN_BYTES (64 * 1024)
#define SPLICE_MAX_BYTES (1024 * 1024) // per call
#define GATHER_MIN_BYTES 2048          // room worth gathering small chunks in
#define CHUNK_LINE_BYTES 18            // 16 digits and CRLF
#define RATE_GRACE_MS 10000
#define FOREVER deadline_at(INT64_MAX)

struct pump {
    struct h1_turn *t;
    enum h1_coding coding;
    uint64_t left;        // LENGTH
    struct str head;      // not sent yet
    struct writer gather; // encoded chunks not sent yet: a writer over the buffer's free end
    char line[CHUNK_LINE_BYTES];
};

static bool fail(struct h1_turn *t, enum exchange_end end, const char *detail)
{
    if (t->x.end == EXCHANGE_END_OK) {
        t->x.end = end;
        t->x.end_detail = str_of(detail);
    }
    return false;
}

static struct deadline write_deadline(const struct http_entry *e, size_t n)
{
    if (e->body_min_rate == 0)
        return FOREVER;
    return deadline_in(RATE_GRACE_MS + (int64_t)(n / e->body_min_rate) * 1000);
}

bool h1_server_send(struct h1_turn *t, struct iovec *iov, int n_iov)
{
    struct exchange *x = &t->x;
    size_t n = 0;
    for (int i = 0; i < n_iov; i++)
        n += iov[i].iov_len;
    struct stream *s = &t->c->stream;
    if (stream_writev(s, iov, n_iov, x->entry->body_idle_ms, write_deadline(x->entry, n)) !=
        IO_DONE) {
        t->is_broken = true;
        if (s->sock.error == ETIMEDOUT)
            return fail(t, EXCHANGE_END_CLIENT_TIMEOUT, "the client took no byte of the answer");
        return fail(t, EXCHANGE_END_CLIENT_GONE, "the client's connection broke");
    }
    x->wire_out += n;
    http_count(x->env, HTTP_COUNTER_BYTES_OUT, (int64_t)n);
    return true;
}

static void add(struct iovec *iov, int *n, struct str s)
{
    union {
        const char *in;
        void *out;
    } base = {.in = s.ptr}; // writev doesn't write to it
    if (s.len > 0)
        iov[(*n)++] = (struct iovec){base.out, s.len};
}

// Sends what waits, and a piece of the body with what belongs around it, in one call.
static bool flush(struct pump *p, struct str piece, struct str after)
{
    UNINITIALIZED struct iovec iov[5];
    int n = 0;
    add(iov, &n, p->head);
    add(iov, &n, writer_str(&p->gather));
    if (piece.len > 0 && p->coding == H1_CODING_CHUNKED) {
        struct writer w;
        writer_init(&w, p->line, sizeof p->line);
        writer_hex(&w, piece.len);
        writer_put(&w, STR("\r\n"));
        add(iov, &n, writer_str(&w));
    }
    add(iov, &n, piece);
    add(iov, &n, after);
    p->head = STR_NONE;
    p->gather.len = 0;
    p->t->is_answered = true;
    if (n > 0 && !h1_server_send(p->t, iov, n))
        return false;
    p->t->x.response_bytes += piece.len;
    return true;
}

static bool send_piece(struct pump *p, struct str piece)
{
    switch (p->coding) {
    case H1_CODING_NONE:
        return true;
    case H1_CODING_LENGTH:
        if (piece.len > p->left)
            return fail(p->t, EXCHANGE_END_SERVER_PROTOCOL, "the body is longer than announced");
        p->left -= piece.len;
        return flush(p, piece, STR_NONE);
    case H1_CODING_CLOSE:
        return flush(p, piece, STR_NONE);
    case H1_CODING_CHUNKED:
        break;
    }
    // Small pieces go together with what follows at once: the last chunk, as a rule.
    if (p->gather.cap - p->gather.len < piece.len + CHUNK_LINE_BYTES + 2)
        return flush(p, piece, STR("\r\n"));
    writer_hex(&p->gather, piece.len);
    writer_put(&p->gather, STR("\r\n"));
    writer_put(&p->gather, piece);
    writer_put(&p->gather, STR("\r\n"));
    p->t->x.response_bytes += piece.len;
    return true;
}

// Trailers go to those who said that they take them, and where the server announced them (RFC
// 9110 6.5.1); fields that mustn't be trailers were refused when they were read.
static bool finish_chunked(struct pump *p)
{
    struct exchange *x = &p->t->x;
    const struct headers *trailers = x->resp.body->trailers;
    if (!trailers || !(x->req.takes_trailers || headers_find(&x->resp.headers, FIELD_TRAILER)))
        return flush(p, STR_NONE, STR("0\r\n\r\n"));
    size_t cap = headers_bytes(trailers) + 8;
    char *buf = ARENA_ARRAY(x->mem, char, cap);
    if (!buf)
        return fail(p->t, EXCHANGE_END_RESOURCES, "no memory for trailers");
    struct writer w;
    writer_init(&w, buf, cap);
    writer_put(&w, STR("0\r\n"));
    headers_write(&w, trailers, 0);
    writer_put(&w, STR("\r\n"));
    return flush(p, STR_NONE, writer_str(&w));
}

static bool finish(struct pump *p)
{
    if (p->coding == H1_CODING_CHUNKED)
        return finish_chunked(p);
    if (p->coding == H1_CODING_LENGTH && p->left > 0)
        return fail(p->t, EXCHANGE_END_SERVER_GONE, "the body is shorter than announced");
    return flush(p, STR_NONE, STR_NONE);
}

// Moves raw bytes inside the kernel for as long as the body offers them. False: broken.
static bool splice_raw(struct pump *p)
{
    struct exchange *x = &p->t->x;
    struct body *body = x->resp.body;
    struct stream *s = &p->t->c->stream;
    struct rt_sock *from;
    uint64_t left;
    bool is_large = (p->coding == H1_CODING_LENGTH && p->left >= SPLICE_MIN_BYTES) ||
                    p->coding == H1_CODING_CLOSE;
    if (!is_large || !body->ops->raw || !stream_is_plain(s))
        return true;
    while (body->ops->raw(body, &from, &left)) {
        if (p->coding == H1_CODING_LENGTH)
            left = MIN(left, p->left);
        if (left < SPLICE_MIN_BYTES)
            return true;
        size_t n = 0;
        bool from_failed = false;
        enum io io = sock_splice(from, &s->sock, MIN(left, (uint64_t)SPLICE_MAX_BYTES),
                                 x->entry->body_idle_ms, FOREVER, &n, &from_failed);
        if (io == IO_AGAIN && body_raw_wait(body))
            continue;
        if (io == IO_FAIL && from_failed)
            return fail(p->t, EXCHANGE_END_SERVER_GONE, "the server's connection broke");
        if (io == IO_FAIL && s->sock.error == ETIMEDOUT)
            return fail(p->t, EXCHANGE_END_CLIENT_TIMEOUT, "the client took no byte of the answer");
        if (io == IO_FAIL)
            return fail(p->t, EXCHANGE_END_CLIENT_GONE, "the client's connection broke");
        if (io != IO_DONE)
            return true; // the body's next read sees the end, and judges it
        body->ops->raw_moved(body, n);
        if (p->coding == H1_CODING_LENGTH)
            p->left -= n;
        x->response_bytes += n;
        x->wire_out += n;
        http_count(x->env, HTTP_COUNTER_BYTES_OUT, (int64_t)n);
        fiber_give_way((uint32_t)n);
    }
    return true;
}

static bool pump_body(struct pump *p)
{
    struct body *body = p->t->x.resp.body;
    struct deadline until = BODY_NO_WAIT;
    for (;;) {
        struct str piece;
        switch (body_read(body, &piece, until)) {
        case IO_DONE:
            if (!send_piece(p, piece))
                return false;
            fiber_give_way(BODY_PIECE_COST + (uint32_t)MIN(piece.len, (size_t)INT32_MAX));
            // Gathered chunks wait for what is at hand, never for what isn't.
            until = p->gather.len > 0 ? BODY_NO_WAIT : FOREVER;
            if (p->gather.len == 0 && !splice_raw(p))
                return false;
            break;
        case IO_AGAIN:
            if (!flush(p, STR_NONE, STR_NONE) || !splice_raw(p))
                return false;
            until = FOREVER;
            break;
        case IO_EOF:
            return finish(p);
        case IO_FAIL:
            return fail(p->t, EXCHANGE_END_SERVER_GONE, "the body of the answer was cut");
        }
    }
}

bool h1_server_pump(struct h1_turn *t, struct str head, enum h1_coding coding)
{
    struct body *body = t->x.resp.body;
    struct pump p = {.t = t, .coding = coding, .head = head};
    if (!body || coding == H1_CODING_NONE)
        return flush(&p, STR_NONE, STR_NONE);
    p.left = body->length >= 0 ? (uint64_t)body->length : 0;
    // While the request's body is still being read, the buffer's end is not free.
    if (h1_server_body_is_done(t) && t->cap - t->end >= GATHER_MIN_BYTES)
        writer_init(&p.gather, t->buf + t->end, t->cap - t->end);
    return pump_body(&p);
}
