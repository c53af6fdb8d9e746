// SPDX-License-Identifier: Apache-2.0
#include "http/exchange.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/attr.h"
#include "http/grpc.h"
#include "http/page.h"
#include "http/tunnel.h"
#include "tls/info.h"

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

void exchange_drop_answer(struct exchange *x)
{
    struct response *r = &x->resp;
    body_fini(r->body);
    if (r->tunnel)
        r->tunnel->release(r->tunnel);
    *r = (struct response){.must_close = r->must_close};
    headers_init(&r->headers, x->mem);
}

// --- early data (RFC 8470) ---

#define EARLY_DATA STR("Early-Data")

// What it does when it is done again, it did the first time.
static bool may_be_replayed(const struct request *r)
{
    return (r->method_id == METHOD_GET || r->method_id == METHOD_HEAD ||
            r->method_id == METHOD_OPTIONS) &&
           !r->body && !r->is_upgrade;
}

enum err exchange_meet_early(struct exchange *x, bool *ret_is_answered)
{
    *ret_is_answered = false;
    if (LIKELY(!x->tls || !x->tls->is_early))
        return ERR_OK;
    if (!may_be_replayed(&x->req)) {
        trail_add(&x->trail, STR("tls"), x->ops->confirm ? "waited for the handshake" : "too early",
                  STR_NONE);
        if (x->ops->confirm)
            return x->ops->confirm(x);
        exchange_fail(x, 425, EXCHANGE_END_EARLY, "the handshake isn't over");
        *ret_is_answered = true;
        return ERR_OK;
    }
    trail_add(&x->trail, STR("tls"), "early data", STR_NONE);
    // A client that says so itself is a proxy: only it can ask again (RFC 8470 5.2).
    x->is_early = !headers_find_named(&x->req.headers, EARLY_DATA);
    if (headers_set_named(&x->req.headers, EARLY_DATA, STR("1")) == ERR_OK)
        return ERR_OK;
    exchange_fail(x, 503, EXCHANGE_END_RESOURCES, "the memory of the exchange is used up");
    *ret_is_answered = true;
    return ERR_OK;
}

void exchange_forget_answer(struct exchange *x)
{
    exchange_drop_answer(x);
    x->end = EXCHANGE_END_OK;
    x->end_detail = STR_NONE;
}

bool exchange_retry_early(struct exchange *x)
{
    if (!x->is_early || !x->ops->confirm || x->ops->confirm(x) != ERR_OK)
        return false;
    x->is_early = false;
    headers_remove_named(&x->req.headers, EARLY_DATA);
    exchange_drop_answer(x);
    return true;
}

enum err exchange_respond(struct exchange *x, unsigned status, struct str content_type,
                          struct str body)
{
    exchange_drop_answer(x);
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
    x->ended_at = (uint8_t)MIN(x->trail.n, (unsigned)UINT8_MAX);
    x->end_detail = arena_dup(x->mem, str_from(detail, MIN((size_t)MAX(n, 0), sizeof detail - 1)));

    if (grpc_is(x)) {
        exchange_drop_answer(x);
        x->resp.is_internal = true;
        x->resp.status = 200;
        if (!grpc_fail(x, status)) {
            headers_init(&x->resp.headers, x->mem);
            x->resp.status = (uint16_t)status;
        }
        return;
    }
    // A full arena costs the page, never the answer.
    struct page page = page_neutral(x, status, STR_NONE, 0);
    if (exchange_respond(x, status, page.content_type, page.body) != ERR_OK)
        exchange_drop_answer(x);
    x->resp.status = (uint16_t)status;
    x->resp.is_internal = true;
    if (headers_add(&x->resp.headers, FIELD_CACHE_CONTROL, STR("no-store")) != ERR_OK)
        headers_init(&x->resp.headers, x->mem);
}
