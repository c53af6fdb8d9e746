// SPDX-License-Identifier: Apache-2.0
#include "upstream/kept_answer.h"

#include <string.h>

#include "base/num.h"
#include "rt/clock.h"

static bool keep_headers(struct kept_answer *k, struct exchange *x)
{
    const struct headers *from = &x->resp.headers;
    headers_init(&k->headers, x->mem);
    for (const struct field *f = headers_next(from, NULL); f; f = headers_next(from, f)) {
        struct str name = arena_dup(x->mem, f->name), value = arena_dup(x->mem, f->value);
        if (name.len != f->name.len || value.len != f->value.len ||
            headers_add_named(&k->headers, name, value) != ERR_OK)
            return false;
    }
    return true;
}

static bool keep_body(struct kept_answer *k, struct exchange *x)
{
    struct body *b = x->resp.body;
    struct deadline until = deadline_in(KEPT_ANSWER_WAIT_MS);
    size_t max = b->length >= 0 ? (size_t)b->length : KEPT_ANSWER_MAX_BYTES, n = 0;
    char *bytes = max <= KEPT_ANSWER_MAX_BYTES ? arena_zalloc(x->mem, 1, max + 1, 1) : NULL;
    if (!bytes)
        return false;
    for (;;) {
        struct str piece;
        enum io io = body_read(b, &piece, until);
        if (io != IO_DONE || piece.len > max - n) {
            body_bytes_init(&k->body, str_from(bytes, n));
            return io == IO_EOF;
        }
        memcpy(bytes + n, piece.ptr, piece.len);
        n += piece.len;
    }
}

struct kept_answer *kept_answer_take(struct exchange *x)
{
    struct kept_answer *k = ARENA_NEW(x->mem, struct kept_answer);
    if (!k || x->resp.tunnel || !keep_headers(k, x))
        return NULL;
    k->status = x->resp.status;
    k->server_name = x->server_name;
    k->has_body = x->resp.body != NULL;
    return !k->has_body || keep_body(k, x) ? k : NULL;
}

void kept_answer_give(struct kept_answer *k, struct exchange *x)
{
    ASSERT(x->resp.status == 0 && !x->resp.body);
    x->resp.status = k->status;
    x->resp.headers = k->headers;
    x->resp.body = k->has_body ? &k->body.body : NULL;
    x->server_name = k->server_name;
    x->end = EXCHANGE_END_OK;
    x->end_detail = STR_NONE;
}
