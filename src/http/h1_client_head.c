// SPDX-License-Identifier: Apache-2.0
// The head of a request as a server gets it.
#include "base/writer.h"
#include "http/h1_client_priv.h"

#define HEAD_MAX_BYTES ((size_t)512 * 1024)

// Fields that describe this connection or the message's framing: the head has its own.
#define FIELDS_OURS                                                                                \
    (FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_CONNECTION) | FIELD_BIT(FIELD_CONTENT_LENGTH) |       \
     FIELD_BIT(FIELD_EXPECT) | FIELD_BIT(FIELD_TE) | FIELD_BIT(FIELD_TRANSFER_ENCODING) |          \
     FIELD_BIT(FIELD_UPGRADE))

static void put_start(struct writer *w, const struct request *r,
                      const struct http_client_options *options)
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
    headers_write_one(w, STR("Host"), options->host.len > 0 ? options->host : r->authority);
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
        headers_write_one(w, STR("Connection"),
                          r->takes_trailers ? STR("Upgrade, TE") : STR("Upgrade"));
        headers_write_one(w, STR("Upgrade"), r->upgrade);
    } else if (r->takes_trailers) {
        writer_put(w, STR("Connection: TE\r\n"));
    }
    if (r->takes_trailers)
        writer_put(w, STR("TE: trailers\r\n"));
}

void h1_put_fields(struct writer *w, const struct headers *h)
{
    headers_write(w, h, FIELDS_OURS);
    writer_put(w, STR("\r\n"));
}

bool h1_call_build_head(struct h1_call *call, const struct http_client_options *options,
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
