// SPDX-License-Identifier: Apache-2.0
// The head of a request as a server gets it.
#include "base/writer.h"
#include "http/h1_client_priv.h"

#define HEAD_MAX_BYTES ((size_t)512 * 1024)

// Fields that describe this connection or the message's framing: the head has its own.
static bool is_ours(unsigned id)
{
    switch (id) {
    case FIELD_HOST:
    case FIELD_CONNECTION:
    case FIELD_CONTENT_LENGTH:
    case FIELD_EXPECT:
    case FIELD_TE:
    case FIELD_TRANSFER_ENCODING:
    case FIELD_UPGRADE:
        return true;
    default:
        return false;
    }
}

static void put_field(struct writer *w, struct str name, struct str value)
{
    writer_put(w, name);
    writer_put(w, STR(": "));
    writer_put(w, value);
    writer_put(w, STR("\r\n"));
}

static void put_start(struct writer *w, const struct request *r,
                      const struct h1_client_options *options)
{
    writer_put(w, r->method);
    writer_byte(w, ' ');
    if (r->is_asterisk) {
        writer_byte(w, '*');
    } else {
        writer_put(w, options->path.len > 0 ? options->path : r->path);
        if (r->has_query) {
            writer_byte(w, '?');
            writer_put(w, r->query);
        }
    }
    writer_put(w, STR(" HTTP/1.1\r\n"));
    put_field(w, STR("Host"), options->host.len > 0 ? options->host : r->authority);
}

static void put_framing(struct writer *w, const struct request *r)
{
    if (r->body && r->body->length < 0) {
        writer_put(w, STR("Transfer-Encoding: chunked\r\n"));
    } else if (r->body || headers_find(&r->headers, FIELD_CONTENT_LENGTH)) {
        writer_put(w, STR("Content-Length: "));
        writer_dec(w, r->body ? (uint64_t)r->body->length : 0);
        writer_put(w, STR("\r\n"));
    }
    if (r->body && r->expects_continue)
        writer_put(w, STR("Expect: 100-continue\r\n"));
    if (r->is_upgrade) {
        put_field(w, STR("Connection"), r->takes_trailers ? STR("Upgrade, TE") : STR("Upgrade"));
        put_field(w, STR("Upgrade"), r->upgrade);
    } else if (r->takes_trailers) {
        writer_put(w, STR("Connection: TE\r\n"));
    }
    if (r->takes_trailers)
        writer_put(w, STR("TE: trailers\r\n"));
}

void h1_put_fields(struct writer *w, const struct headers *h)
{
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f)) {
        if (!is_ours(f->id))
            put_field(w, f->name, f->value);
    }
    writer_put(w, STR("\r\n"));
}

bool h1_call_build_head(struct h1_call *call, const struct h1_client_options *options,
                        struct str *ret_head)
{
    const struct request *r = &call->x->req;
    for (;;) {
        struct writer w;
        writer_init(&w, call->buf, call->buf_bytes);
        put_start(&w, r, options);
        put_framing(&w, r);
        h1_put_fields(&w, &r->headers);
        if (!w.overflowed) {
            *ret_head = writer_str(&w);
            return true;
        }
        call->end = call->buf_bytes; // full: the next buffer is larger
        bool has_room = h1_call_make_room(call, HEAD_MAX_BYTES);
        call->end = 0;
        if (!has_room)
            return false;
    }
}
