// SPDX-License-Identifier: Apache-2.0
#include "gate/trace.h"

#include <stdio.h>
#include <string.h>

#include "codec/ip.h"
#include "codec/url.h"

// --- tries ---

// What servers are told: that we ask them by that span.
static void tell(struct trace *t, const uint8_t span[static TRACE_SPAN_BYTES])
{
    struct trace_parent p = t->self;
    memcpy(p.span, span, sizeof p.span);
    trace_parent_write(&p, t->told);
}

void trace_try_begin(struct exchange *x, const uint8_t id[static TRACE_SPAN_BYTES])
{
    struct trace *t = x->trace;
    struct trace_try *try = ARENA_NEW(x->mem, struct trace_try);
    if (!try)
        return;
    *try = (struct trace_try){
        .from_ns = x->times.chosen, .service = x->service_name, .server = x->server_name};
    memcpy(try->span, id, sizeof try->span);
    if (t->last)
        t->last->next = try;
    else
        t->tries = try;
    t->last = try;
    tell(t, id);
}

void trace_try_end(struct exchange *x, unsigned status, enum exchange_end end, int64_t now_ns)
{
    struct trace *t = x->trace;
    struct trace_try *try = t->last;
    if (!try || try->until_ns != 0)
        return; // it had no memory
    try->until_ns = now_ns;
    try->status = (uint16_t)status;
    try->end = end;
    tell(t, t->self.span); // to whom a filter turns next
}

// --- spans ---

static struct str method_told(const struct exchange *x)
{
    return x->req.method_id == METHOD_OTHER ? STR("_OTHER") : x->req.method;
}

static struct str version_of(const struct exchange *x)
{
    return x->req.version == HTTP_2     ? STR("2")
           : x->req.version == HTTP_1_0 ? STR("1.0")
                                        : STR("1.1");
}

struct otlp_span trace_server_span(const struct exchange *x, int64_t to_wall_ns,
                                   struct trace_texts *texts)
{
    const struct trace *t = x->trace;
    bool is_failed = x->resp.status == 0 || x->resp.status >= 500;
    struct otlp_span span = {
        .self = t->self,
        .kind = OTLP_SERVER,
        .has_parent = t->has_parent,
        .is_failed = is_failed,
        .from_ns = x->times.accepted + to_wall_ns,
        .until_ns = MAX(x->times.finished, x->times.accepted) + to_wall_ns,
        .method = method_told(x),
        .scheme = x->req.scheme,
        .host = x->req.host,
        .port = x->req.port,
        .path = x->req.path,
        .version = version_of(x),
        .user_agent = headers_get(&x->req.headers, FIELD_USER_AGENT),
        .client = x->client.family != 0 ? ip_text(&x->client, texts->client) : STR_NONE,
        .peer = x->peer.family != 0 ? ip_text(&x->peer, texts->peer) : STR_NONE,
        .status = x->resp.status,
        .error = is_failed ? str_of(exchange_end_name(x->end)) : STR_NONE,
        .route = x->route_name,
        .service = x->service_name,
        .server = x->server_name,
        .tries = x->n_tries,
    };
    memcpy(span.parent, t->parent, sizeof span.parent);
    return span;
}

// Whether an answer's body broke off, by what the exchange says that came to its end with it.
static bool is_servers(enum exchange_end end)
{
    return end == EXCHANGE_END_SERVER_GONE || end == EXCHANGE_END_SERVER_PROTOCOL ||
           end == EXCHANGE_END_SERVER_TIMEOUT;
}

// Why a try is a failed one; empty: it isn't.
static struct str error_of(const struct exchange *x, const struct trace_try *try, bool is_last,
                           struct trace_texts *texts)
{
    if (try->status == 0)
        return str_of(exchange_end_name(try->end));
    if (try->status >= 400) {
        snprintf(texts->status, sizeof texts->status, "%u", (unsigned)try->status);
        return str_of(texts->status);
    }
    return is_last && is_servers(x->end) ? str_of(exchange_end_name(x->end)) : STR_NONE;
}

struct otlp_span trace_client_span(const struct exchange *x, const struct trace_try *try,
                                   unsigned n_before, int64_t to_wall_ns, struct trace_texts *texts)
{
    const struct trace *t = x->trace;
    bool is_last = try->next == NULL;
    struct str error = error_of(x, try, is_last, texts);
    struct url_authority at;
    bool has_port = url_authority_parse(try->server, &at) == ERR_OK; // else it is a socket's path
    // The answer's body belongs to the last one; a dropped answer's ended with its head.
    int64_t until_ns =
        is_last && try->status != 0 ? MAX(x->times.finished, try->until_ns) : try->until_ns;
    struct otlp_span span = {
        .self = t->self,
        .kind = OTLP_CLIENT,
        .has_parent = true,
        .is_failed = error.len > 0,
        .from_ns = try->from_ns + to_wall_ns,
        .until_ns = until_ns + to_wall_ns,
        .method = method_told(x),
        .host = has_port ? at.host : try->server,
        .port = has_port ? at.port : 0,
        .status = try->status,
        .error = error,
        .service = try->service,
        .n_before = n_before,
    };
    memcpy(span.self.span, try->span, sizeof span.self.span);
    memcpy(span.parent, t->self.span, sizeof span.parent);
    return span;
}
