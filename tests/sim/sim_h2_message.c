// SPDX-License-Identifier: Apache-2.0
// What the peers of HTTP/2 say: heads by plan, malformed ones, bodies, frames of their own.
#include <string.h>

#include "base/assert.h"
#include "base/num.h"
#include "sim/sim.h"
#include "sim/sim_h2.h"

#define FRAME_HEAD_BYTES 9
#define FLOOD_FRAMES 400

// --- fields: their texts live as long as the world ---

void sim_h2_add(struct sim_h2_fields *f, const char *name, const char *value)
{
    ASSERT(f->n < SIM_H2_FIELDS_MAX);
    f->items[f->n++] = (nghttp2_nv){
        .name = (uint8_t *)(uintptr_t)name,
        .value = (uint8_t *)(uintptr_t)value,
        .namelen = strlen(name),
        .valuelen = strlen(value),
        .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE,
    };
}

void sim_h2_add_number(struct sim_h2_fields *f, const char *name, uint64_t value)
{
    sim_h2_add(f, name, sim_printf("%llu", (unsigned long long)value));
}

static const char *path_of(const struct sim_plan *p)
{
    return p->target ? p->target : sim_printf("/e/%u", p->id);
}

static const char *some_priority(uint32_t id)
{
    static const char *const values[] = {"u=0", "u=7, i", "i", "u=9", ""};
    return values[id % ARRAY_LEN(values)];
}

void sim_h2_request(struct sim_h2_fields *f, const struct sim_plan *p, bool is_tls)
{
    f->n = 0;
    sim_h2_add(f, ":method", p->is_upgrade ? "CONNECT" : p->method);
    if (p->is_upgrade)
        sim_h2_add(f, ":protocol", "websocket");
    sim_h2_add(f, ":scheme", is_tls ? "https" : "http");
    sim_h2_add(f, ":authority", p->host);
    sim_h2_add(f, ":path", path_of(p));
    if (p->is_upgrade)
        sim_h2_add(f, "sec-websocket-version", "13");
    if (p->request == SIM_LENGTH)
        sim_h2_add_number(f, "content-length", p->request_bytes);
    if (p->expects)
        sim_h2_add(f, "expect", "100-continue");
    if (p->has_trailers)
        sim_h2_add(f, "te", "trailers");
    if (p->id % 3 == 0)
        sim_h2_add(f, "priority", some_priority(p->id / 3));
}

void sim_h2_answer(struct sim_h2_fields *f, const struct sim_plan *p)
{
    f->n = 0;
    sim_h2_add_number(f, ":status", p->status);
    sim_h2_add_number(f, "x-sim", p->id);
    if (p->answer == SIM_LENGTH)
        sim_h2_add_number(f, "content-length", p->answer_bytes);
}

// --- what must be refused ---

void sim_h2_malformed_request(struct sim_h2_fields *f, const struct sim_plan *p, uint32_t i)
{
    // The name NULL takes the pseudo-header field `value` away.
    static const struct {
        const char *name, *value;
    } cases[] = {
        {"X-Upper", "a"},
        {"connection", "close"},
        {NULL, ":path"},
        {NULL, ":method"},
        {NULL, ":scheme"},
        {":method", "POST"},
        {"x-split", "a\r\nGET /e/0 HTTP/1.1"},
        {"transfer-encoding", "chunked"},
        {"te", "gzip"},
        {"host", "other.example"},
        {":path", "http://other.example/"},
        {":unknown", "a"},
        {"content-length", "+4"},
        {"upgrade", "h2c"},
        {"x-spaced", " a"},
        {"x y", "a"},
        {":protocol", "websocket"}, // without CONNECT
    };
    struct sim_h2_fields all;
    sim_h2_request(&all, p, false);
    f->n = 0;
    i %= ARRAY_LEN(cases);
    for (size_t j = 0; j < all.n; j++) {
        if (cases[i].name || strcmp((const char *)all.items[j].name, cases[i].value) != 0)
            f->items[f->n++] = all.items[j];
    }
    if (cases[i].name)
        sim_h2_add(f, cases[i].name, cases[i].value);
}

void sim_h2_malformed_answer(struct sim_h2_fields *f, const struct sim_plan *p, uint32_t i)
{
    static const struct {
        const char *name, *value;
    } cases[] = {{"X-Upper", "a"},       {"connection", "close"}, {":status", "200"},
                 {"x-split", "a\r\nb"},  {":path", "/"},          {"transfer-encoding", "chunked"},
                 {"content-length", "-"}};
    sim_h2_answer(f, p);
    i %= ARRAY_LEN(cases);
    sim_h2_add(f, cases[i].name, cases[i].value);
}

// --- frames ---

static void put_frame(struct sim_h2 *h, unsigned type, unsigned flags, uint32_t id,
                      const char *bytes, size_t n)
{
    const char head[FRAME_HEAD_BYTES] = {(char)(n >> 16),  (char)(n >> 8),  (char)n,
                                         (char)type,       (char)flags,     (char)(id >> 24),
                                         (char)(id >> 16), (char)(id >> 8), (char)id};
    sim_h2_put_raw(h, head, sizeof head);
    sim_h2_put_raw(h, bytes, n);
}

void sim_h2_harmless(struct sim_h2 *h, uint32_t i)
{
    static const char zeros[8];
    switch (i % 5) {
    case 0:
        put_frame(h, 0xfa, 0xff, 0, zeros, i % 8); // RFC 9113 4.1: of a type that nobody knows
        break;
    case 1:
        put_frame(h, 0xfa, 0, 1, zeros, 1);
        break;
    case 2:
        (void)nghttp2_submit_ping(h->session, NGHTTP2_FLAG_NONE, NULL);
        break;
    case 3:
        (void)nghttp2_submit_settings(h->session, NGHTTP2_FLAG_NONE, NULL, 0);
        break;
    default:
        put_frame(h, NGHTTP2_PRIORITY, 0, 1, zeros, 5); // deprecated, and read over
    }
}

static void put_flood(struct sim_h2 *h, unsigned type, unsigned flags, uint32_t id,
                      const char *bytes, size_t n)
{
    for (int i = 0; i < FLOOD_FRAMES; i++)
        put_frame(h, type, flags, id, bytes, n);
}

#define BYTES(text) (text), sizeof(text) - 1

void sim_h2_hostile(struct sim_h2 *h, uint32_t i)
{
    static const struct {
        unsigned type, flags;
        uint32_t id;
        const char *bytes;
        size_t n;
    } cases[] = {
        {NGHTTP2_DATA, 0, 0, BYTES("x")},
        {NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 0, BYTES("\x82")},
        {NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 2, BYTES("\x82")},
        {NGHTTP2_HEADERS, NGHTTP2_FLAG_END_HEADERS, 0x7ffffff1, BYTES("\xff\xff\xff\xff\xff\xff")},
        {NGHTTP2_WINDOW_UPDATE, 0, 0, BYTES("\x7f\xff\xff\xff")},
        {NGHTTP2_WINDOW_UPDATE, 0, 0, BYTES("\0\0\0\0")},
        {NGHTTP2_SETTINGS, 0, 0, BYTES("\0\0\0\0\0")},
        {NGHTTP2_SETTINGS, 0, 0, BYTES("\0\5\0\0\0\0")}, // MAX_FRAME_SIZE of 0
        {NGHTTP2_PING, 0, 0, BYTES("1234567")},
        {NGHTTP2_PUSH_PROMISE, NGHTTP2_FLAG_END_HEADERS, 1, BYTES("\0\0\0\2\x82")},
        {NGHTTP2_CONTINUATION, NGHTTP2_FLAG_END_HEADERS, 1, BYTES("\x82")},
        {NGHTTP2_RST_STREAM, 0, 0x7ffffff1, BYTES("\0\0\0\0")},
        {NGHTTP2_GOAWAY, 0, 1, BYTES("\0\0\0\0\0\0\0\0")},
    };
    h->is_hostile = true;
    if (i % 16 < ARRAY_LEN(cases))
        put_frame(h, cases[i % 16].type, cases[i % 16].flags, cases[i % 16].id, cases[i % 16].bytes,
                  cases[i % 16].n);
    else if (i % 16 == 13)
        put_flood(h, NGHTTP2_PING, 0, 0, BYTES("12345678"));
    else if (i % 16 == 14)
        put_flood(h, NGHTTP2_SETTINGS, 0, 0, BYTES(""));
    else
        sim_h2_put_raw(h, BYTES("HTTP/1.1 400 Bad\r\n\r\n"));
}

void sim_h2_be_rude(struct sim_h2 *h, const char *text)
{
    h->is_hostile = true;
    sim_h2_put_raw(h, text, strlen(text));
}

// --- bodies ---

static void put_trailers(nghttp2_session *session, int32_t id)
{
    struct sim_h2_fields f = {.n = 0};
    sim_h2_add(&f, "x-sim-sum", "1");
    (void)nghttp2_submit_trailer(session, id, f.items, f.n);
}

ssize_t sim_h2_read(struct sim_h2_out *o, nghttp2_session *session, int32_t id, uint8_t *to,
                    size_t cap, uint32_t *flags, int64_t *ret_wait_ns)
{
    size_t n = MIN(cap, o->n - o->at);
    *ret_wait_ns = 0;
    if (o->is_pausing || o->is_cut)
        return NGHTTP2_ERR_DEFERRED;
    if (o->pace.piece_bytes > 0)
        n = MIN(n, (size_t)o->pace.piece_bytes);
    n = MIN(n, o->cut_at - o->at);
    for (size_t i = 0; i < n; i++)
        to[i] = (uint8_t)sim_byte(o->id, o->direction, o->at + i);
    o->at += n;
    if (o->at == o->cut_at) {
        o->is_cut = true;
        return n > 0 ? (ssize_t)n : NGHTTP2_ERR_DEFERRED;
    }
    if (o->at < o->n) {
        o->is_pausing = o->pace.gap_ns > 0;
        *ret_wait_ns = o->pace.gap_ns;
        return (ssize_t)n;
    }
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (o->has_trailers) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        put_trailers(session, id);
    }
    return (ssize_t)n;
}

void sim_h2_check(uint32_t id, enum sim_direction d, size_t at, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if ((char)bytes[i] != sim_byte(id, d, at + i)) {
            sim_fail("exchange %u: byte %zu of the body is wrong", id, at + i);
            return;
        }
    }
}
