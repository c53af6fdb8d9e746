// SPDX-License-Identifier: Apache-2.0
#include "sim/sim_message.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "base/num.h"
#include "codec/base64.h"
#include "sim/sim.h"
#include "tls/digest.h"

#define PLANS_MAX 4096
#define CHUNK_BYTES 3000
#define WS_ACCEPT_BYTES 28

enum step {
    STEP_HEAD,
    STEP_BODY,
    STEP_SIZE,
    STEP_CHUNK,
    STEP_CHUNK_END,
    STEP_TRAILERS,
    STEP_DONE,
};

static struct sim_plan *plans[PLANS_MAX];
static uint32_t n_plans;

void sim_plans_init(void)
{
    n_plans = 0;
}

struct sim_plan *sim_plan_new(const char *method, const char *host)
{
    ASSERT(n_plans < PLANS_MAX);
    struct sim_plan *p = sim_alloc(sizeof *p);
    *p = (struct sim_plan){
        .id = n_plans,
        .method = method,
        .host = host,
        .minor = 1,
        .status = 200,
        .answer = SIM_LENGTH,
        .answer_bytes = 100,
        .n_cuts = UINT32_MAX,
    };
    plans[n_plans++] = p;
    return p;
}

struct sim_plan *sim_plan_like(const struct sim_plan *model)
{
    struct sim_plan *p = sim_plan_new(model->method, model->host);
    uint32_t id = p->id;
    *p = *model;
    p->id = id;
    p->n_cuts = UINT32_MAX;
    return p;
}

struct sim_plan *sim_plan_find(uint32_t id)
{
    return id < n_plans ? plans[id] : NULL;
}

uint32_t sim_plan_count(void)
{
    return n_plans;
}

bool sim_plan_is_idempotent(const struct sim_plan *p)
{
    return strcmp(p->method, "POST") != 0 && strcmp(p->method, "PATCH") != 0;
}

// Any byte may come, CR and LF too.
char sim_byte(uint32_t id, enum sim_direction d, size_t i)
{
    return (char)(((uint32_t)i + id * 977 + (uint32_t)d * 331) * 2654435761u >> 24);
}

// --- writing ---

static void make_room(struct sim_text *t, size_t n)
{
    if (t->len + n <= t->cap)
        return;
    size_t cap = (t->len + n) * 2;
    char *larger = sim_alloc_raw(cap);
    if (t->len > 0)
        memcpy(larger, t->ptr, t->len);
    t->ptr = larger;
    t->cap = cap;
}

void sim_text_put(struct sim_text *t, const char *bytes, size_t n)
{
    make_room(t, n);
    memcpy(t->ptr + t->len, bytes, n);
    t->len += n;
}

static void PRINTF(2, 3) put(struct sim_text *t, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    ASSERT(n >= 0 && (size_t)n < sizeof text);
    sim_text_put(t, text, (size_t)n);
}

static void put_pattern(struct sim_text *t, uint32_t id, enum sim_direction d, size_t from,
                        size_t n)
{
    make_room(t, n);
    for (size_t i = 0; i < n; i++)
        t->ptr[t->len++] = sim_byte(id, d, from + i);
}

void sim_text_pattern(struct sim_text *t, uint32_t id, enum sim_direction d, size_t n)
{
    put_pattern(t, id, d, 0, n);
}

static void put_body(struct sim_text *t, const struct sim_plan *p, enum sim_direction d,
                     enum sim_framing framing, size_t n)
{
    if (framing != SIM_CHUNKED) {
        put_pattern(t, p->id, d, 0, framing == SIM_NO_BODY ? 0 : n);
        return;
    }
    for (size_t at = 0; at < n; at += CHUNK_BYTES) {
        size_t part = n - at < CHUNK_BYTES ? n - at : CHUNK_BYTES;
        put(t, "%zx%s\r\n", part, at == 0 ? ";a=\"b\"" : "");
        put_pattern(t, p->id, d, at, part);
        put(t, "\r\n");
    }
    put(t, "0\r\n%s\r\n", p->has_trailers ? "X-Sim-Sum: 1\r\n" : "");
}

static void put_framing(struct sim_text *t, enum sim_framing framing, size_t n)
{
    if (framing == SIM_LENGTH)
        put(t, "Content-Length: %zu\r\n", n);
    else if (framing == SIM_CHUNKED)
        put(t, "Transfer-Encoding: chunked\r\n");
}

const char *sim_websocket_key(const struct sim_plan *p)
{
    return sim_printf("%021uA==", p->id); // 16 bytes, whatever they are
}

size_t sim_put_request(struct sim_text *t, const struct sim_plan *p)
{
    if (p->raw_request) {
        sim_text_put(t, p->raw_request, strlen(p->raw_request));
        return t->len;
    }
    put(t, "%s ", p->method);
    if (p->target)
        put(t, "%s", p->target);
    else
        put(t, "/e/%u", p->id);
    put(t, " HTTP/1.%u\r\nHost: %s\r\n%s", p->minor, p->host, p->fields ? p->fields : "");
    put_framing(t, p->request, p->request_bytes);
    if (p->expects)
        put(t, "Expect: 100-continue\r\n");
    if (p->is_upgrade && p->is_websocket)
        put(t,
            "Connection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: %s\r\n",
            sim_websocket_key(p));
    else if (p->is_upgrade)
        put(t, "Connection: upgrade\r\nUpgrade: sim\r\n");
    else if (p->asks_close)
        put(t, "Connection: close\r\n");
    else if (p->minor == 0)
        put(t, "Connection: keep-alive\r\n");
    if (p->has_trailers)
        put(t, "TE: trailers\r\n");
    put(t, "\r\n");
    size_t body_start = t->len;
    put_body(t, p, SIM_UP, p->request, p->request_bytes);
    return body_start;
}

// RFC 6455 4.2.2.
const char *sim_websocket_accept(const char *key)
{
    const char *text = sim_printf("%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    unsigned char hash[TLS_SHA1_BYTES];
    char *accept = sim_alloc(WS_ACCEPT_BYTES + 1);
    tls_sha1(str_of(text), hash);
    accept[base64_encode(str_from((const char *)hash, sizeof hash), false, accept)] = '\0';
    return accept;
}

void sim_put_answer(struct sim_text *t, const struct sim_plan *p)
{
    if (p->raw) {
        sim_text_put(t, p->raw, strlen(p->raw));
        return;
    }
    for (unsigned i = 0; i < p->n_interim; i++)
        put(t, "HTTP/1.1 103 Early Hints\r\nLink: </%u.css>\r\n\r\n", i);
    if (p->ws_key) {
        put(t,
            "HTTP/1.1 101 Switching Protocols\r\nX-Sim: %u\r\nConnection: upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Accept: %s\r\n\r\n",
            p->id, sim_websocket_accept(p->ws_key));
        return;
    }
    if (p->is_upgrade) {
        put(t,
            "HTTP/1.1 101 Switching Protocols\r\nX-Sim: %u\r\nConnection: upgrade\r\n"
            "Upgrade: sim\r\n\r\n",
            p->id);
        return;
    }
    put(t, "HTTP/1.1 %u Fine\r\nX-Sim: %u\r\n", p->status, p->id);
    put_framing(t, p->answer, p->answer_bytes);
    put(t, "%s\r\n", p->closes ? "Connection: close\r\n" : "");
    if (strcmp(p->method, "HEAD") != 0)
        put_body(t, p, SIM_DOWN, p->answer, p->answer_bytes);
}

// --- reading ---

void sim_reader_start(struct sim_reader *r)
{
    char *head = r->head ? r->head : sim_alloc_raw(SIM_HEAD_MAX_BYTES);
    *r = (struct sim_reader){.step = STEP_HEAD, .head = head};
}

struct str sim_reader_head(const struct sim_reader *r)
{
    return str_from(r->head, r->n_head);
}

struct str sim_reader_field(const struct sim_reader *r, const char *name)
{
    struct str rest = sim_reader_head(r), wanted = str_of(name);
    size_t end;
    while ((end = str_find(rest, '\n')) != STR_NPOS) {
        struct str line = str_first(rest, end);
        rest = str_skip(rest, end + 1);
        size_t colon = str_find(line, ':');
        if (colon == wanted.len && strncasecmp(line.ptr, name, colon) == 0) {
            line = str_skip(line, colon + 1);
            while (line.len > 0 && line.ptr[0] == ' ')
                line = str_skip(line, 1);
            return line.len > 0 ? str_first(line, line.len - 1) : line; // without CR
        }
    }
    return STR_NONE;
}

enum sim_framing sim_reader_framing(const struct sim_reader *r, uint64_t *ret_length)
{
    *ret_length = 0;
    struct str length = sim_reader_field(r, "Content-Length");
    struct str coding = sim_reader_field(r, "Transfer-Encoding");
    if (coding.len > 0) {
        SIM_CHECK(str_eq(coding, STR("chunked")) && length.len == 0);
        return SIM_CHUNKED;
    }
    if (length.len == 0)
        return SIM_NO_BODY;
    SIM_CHECK(num_dec(length, UINT64_MAX, ret_length) == ERR_OK);
    return SIM_LENGTH;
}

static enum sim_read read_head(struct sim_reader *r, const char *bytes, size_t n, size_t *ret_used)
{
    for (size_t i = 0; i < n; i++) {
        if (r->n_head == SIM_HEAD_MAX_BYTES) {
            sim_fail("a head has no end");
            r->n_head = 0;
        }
        r->head[r->n_head++] = bytes[i];
        if (r->n_head >= 4 && memcmp(r->head + r->n_head - 4, "\r\n\r\n", 4) == 0) {
            *ret_used = i + 1;
            return SIM_READ_HEAD;
        }
    }
    *ret_used = n;
    return SIM_READ_MORE;
}

enum sim_read sim_reader_body(struct sim_reader *r, enum sim_framing framing, uint64_t length)
{
    r->framing = framing;
    r->left = framing == SIM_LENGTH ? length : UINT64_MAX;
    r->n_line = 0;
    bool is_empty = framing == SIM_NO_BODY || (framing == SIM_LENGTH && length == 0);
    r->step = is_empty ? STEP_DONE : framing == SIM_CHUNKED ? STEP_SIZE : STEP_BODY;
    return is_empty ? SIM_READ_END : SIM_READ_MORE;
}

static void check_bytes(struct sim_reader *r, const char *bytes, size_t n)
{
    for (size_t i = 0; r->has_pattern && i < n; i++) {
        if (bytes[i] != sim_byte(r->id, r->direction, r->n_body + i)) {
            sim_fail("exchange %u: byte %zu of the body is wrong", r->id, r->n_body + i);
            r->has_pattern = false;
        }
    }
    r->n_body += n;
}

// A line of the chunked coding; true when it is complete, without its end.
static bool read_line(struct sim_reader *r, char c)
{
    if (r->n_line == sizeof r->line) {
        sim_fail("a line of the chunked coding has no end");
        r->n_line = 0;
    }
    r->line[r->n_line++] = c;
    if (r->n_line < 2 || c != '\n' || r->line[r->n_line - 2] != '\r')
        return false;
    r->n_line -= 2;
    return true;
}

static void end_line(struct sim_reader *r)
{
    struct str line = str_from(r->line, r->n_line);
    r->n_line = 0;
    switch ((enum step)r->step) {
    case STEP_SIZE:
        SIM_CHECK(num_hex(line, UINT32_MAX, &r->left) == ERR_OK);
        r->step = r->left > 0 ? STEP_CHUNK : STEP_TRAILERS;
        break;
    case STEP_CHUNK_END:
        SIM_CHECK(line.len == 0);
        r->step = STEP_SIZE;
        break;
    case STEP_TRAILERS:
        r->n_trailers += line.len > 0;
        r->step = line.len > 0 ? STEP_TRAILERS : STEP_DONE;
        break;
    case STEP_HEAD:
    case STEP_BODY:
    case STEP_CHUNK:
    case STEP_DONE:
        panic("no line is read here");
    }
}

static size_t read_bytes(struct sim_reader *r, const char *bytes, size_t n)
{
    size_t part = n < r->left ? n : (size_t)r->left;
    check_bytes(r, bytes, part);
    if (r->framing != SIM_UNTIL_CLOSE)
        r->left -= part;
    if (r->left == 0)
        r->step = r->step == STEP_CHUNK ? STEP_CHUNK_END : STEP_DONE;
    return part;
}

enum sim_read sim_reader_feed(struct sim_reader *r, const char *bytes, size_t n, size_t *ret_used)
{
    if (r->step == STEP_HEAD)
        return read_head(r, bytes, n, ret_used);
    size_t at = 0;
    while (at < n && r->step != STEP_DONE) {
        if (r->step == STEP_BODY || r->step == STEP_CHUNK)
            at += read_bytes(r, bytes + at, n - at);
        else if (read_line(r, bytes[at++]))
            end_line(r);
    }
    *ret_used = at;
    return r->step == STEP_DONE ? SIM_READ_END : SIM_READ_MORE;
}
