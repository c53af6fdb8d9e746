// SPDX-License-Identifier: Apache-2.0
#include "admin/otlp.h"

#include <inttypes.h>

#include "codec/json.h"

#define TEXT_MAX_BYTES 1024 // of what clients say: batches have to fit into an exchange's memory
#define STATUS_ERROR 2

static void put_key(struct text *to, const char *key)
{
    if (to->ptr[to->len - 1] != '[')
        text_byte(to, ',');
    text_printf(to, "{\"key\":\"%s\",\"value\":{", key);
}

static void put_text(struct text *to, const char *key, struct str value)
{
    if (value.len == 0)
        return;
    put_key(to, key);
    text_put(to, STR("\"stringValue\":"));
    json_text_str(to, str_first(value, TEXT_MAX_BYTES));
    text_put(to, STR("}}"));
}

// 64-bit numbers are strings in this JSON.
static void put_number(struct text *to, const char *key, uint32_t value)
{
    if (value == 0)
        return;
    put_key(to, key);
    text_printf(to, "\"intValue\":\"%u\"}}", value);
}

static void put_hex(struct text *to, const char *key, const uint8_t *bytes, size_t n)
{
    char hex[2 * TRACE_ID_BYTES];
    trace_hex(bytes, n, hex);
    text_printf(to, "\"%s\":\"%.*s\",", key, (int)(2 * n), hex);
}

void otlp_put_span(const struct otlp_span *s, struct text *to)
{
    text_byte(to, '{');
    put_hex(to, "traceId", s->self.trace, sizeof s->self.trace);
    put_hex(to, "spanId", s->self.span, sizeof s->self.span);
    if (s->has_parent)
        put_hex(to, "parentSpanId", s->parent, sizeof s->parent);
    text_put(to, STR("\"name\":"));
    json_text_str(to, s->method);
    text_printf(to,
                ",\"kind\":%d,\"startTimeUnixNano\":\"%" PRId64 "\",\"endTimeUnixNano\":\"%" PRId64
                "\",\"attributes\":[",
                (int)s->kind, s->from_ns, s->until_ns);
    put_text(to, "http.request.method", s->method);
    put_text(to, "url.scheme", s->scheme);
    put_text(to, "url.path", s->path);
    put_text(to, "server.address", s->host);
    put_number(to, "server.port", s->port);
    put_text(to, "network.protocol.version", s->version);
    put_text(to, "client.address", s->client);
    put_text(to, "network.peer.address", s->peer);
    put_text(to, "user_agent.original", s->user_agent);
    put_number(to, "http.response.status_code", s->status);
    put_text(to, "error.type", s->error);
    put_text(to, "sallyport.route", s->route);
    put_text(to, "sallyport.service", s->service);
    put_text(to, "sallyport.server", s->server);
    put_number(to, "sallyport.tries", s->tries);
    put_number(to, "http.request.resend_count", s->n_before);
    text_put(to, STR("],\"status\":{"));
    if (s->is_failed)
        text_printf(to, "\"code\":%d", STATUS_ERROR);
    text_put(to, STR("}}"));
}

void otlp_put_head(struct str name, struct str version, struct text *to)
{
    text_put(to, STR("{\"resourceSpans\":[{\"resource\":{\"attributes\":["));
    put_text(to, "service.name", name);
    put_text(to, "service.version", version);
    text_put(to, STR("]},\"scopeSpans\":[{\"scope\":{\"name\":\"sallyport\",\"version\":"));
    json_text_str(to, version);
    text_put(to, STR("},\"spans\":["));
}

void otlp_put_tail(struct text *to)
{
    text_put(to, STR("]}]}]}"));
}
