// SPDX-License-Identifier: Apache-2.0
#include "http/exchange.h"

#include <stdio.h>

#include "base/assert.h"
#include "http/grpc.h"
#include "http/tunnel.h"

static const struct {
    const char *name, *text;
    unsigned status;
} ends[] = {
#define X(id, name_, status_, text_) [EXCHANGE_END_##id] = {(name_), (text_), (status_)},
    EXCHANGE_END_LIST(X)
#undef X
};

const char *exchange_end_name(enum exchange_end e)
{
    ASSERT(e < ARRAY_LEN(ends));
    return ends[e].name;
}

const char *exchange_end_text(enum exchange_end e)
{
    ASSERT(e < ARRAY_LEN(ends));
    return ends[e].text;
}

unsigned exchange_end_status(enum exchange_end e)
{
    ASSERT(e < ARRAY_LEN(ends));
    return ends[e].status;
}

enum err exchange_continue(struct exchange *x)
{
    if (!x->req.expects_continue)
        return ERR_OK;
    enum err err = x->ops->inform(x, 100, NULL);
    x->req.expects_continue = false;
    headers_remove(&x->req.headers, FIELD_EXPECT);
    return err;
}

static void drop_answer(struct exchange *x)
{
    struct response *r = &x->resp;
    body_fini(r->body);
    if (r->tunnel)
        r->tunnel->release(r->tunnel);
    *r = (struct response){.must_close = r->must_close};
    headers_init(&r->headers, x->mem);
}

static const char html_page[] =
    "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>%u %s</title>\n"
    "<style>body{font:16px/1.5 sans-serif;margin:15vh auto;max-width:36em;padding:0 1em;"
    "color:#333;background:#fff}p{color:#777}</style></head>\n"
    "<body><h1>%u %s</h1>\n<p>Request " STR_FMT "</p></body>\n</html>\n";

struct str exchange_page(struct exchange *x, unsigned status, struct str *ret_content_type)
{
    const char *reason = http_reason(status);
    bool is_html =
        str_search(headers_get(&x->req.headers, FIELD_ACCEPT), STR("text/html")) != STR_NPOS;
    struct str id = x->request_id.len > 0 ? x->request_id : STR("-");
    if (is_html) {
        *ret_content_type = STR("text/html; charset=utf-8");
        return arena_printf(x->mem, html_page, status, reason, status, reason, STR_ARG(id));
    }
    *ret_content_type = STR("text/plain; charset=utf-8");
    return arena_printf(x->mem, "%u %s\nrequest " STR_FMT "\n", status, reason, STR_ARG(id));
}

enum err exchange_respond(struct exchange *x, unsigned status, struct str content_type,
                          struct str body)
{
    drop_answer(x);
    struct response *r = &x->resp;
    r->status = (uint16_t)status;
    r->is_internal = true;
    if (body.len == 0)
        return ERR_OK;
    struct body_bytes *b = ARENA_NEW(x->mem, struct body_bytes);
    if (!b || (content_type.len > 0 &&
               headers_add(&r->headers, FIELD_CONTENT_TYPE, content_type) != ERR_OK))
        return ERR_LIMIT;
    r->body = body_bytes_init(b, body);
    return ERR_OK;
}

void exchange_fail(struct exchange *x, unsigned status, enum exchange_end end, const char *fmt, ...)
{
    char detail[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    x->end = end;
    x->end_detail = arena_dup(x->mem, str_from(detail, MIN((size_t)MAX(n, 0), sizeof detail - 1)));

    if (grpc_is(x)) {
        drop_answer(x);
        x->resp.is_internal = true;
        x->resp.status = 200;
        if (!grpc_fail(x, status)) {
            headers_init(&x->resp.headers, x->mem);
            x->resp.status = (uint16_t)status;
        }
        return;
    }
    // A full arena costs the page, never the answer.
    struct str type = STR_NONE;
    struct str page = exchange_page(x, status, &type);
    if (exchange_respond(x, status, type, page) != ERR_OK)
        drop_answer(x);
    x->resp.status = (uint16_t)status;
    x->resp.is_internal = true;
    if (headers_add(&x->resp.headers, FIELD_CACHE_CONTROL, STR("no-store")) != ERR_OK)
        headers_init(&x->resp.headers, x->mem);
}
