// SPDX-License-Identifier: Apache-2.0
#include "upstream/health_check.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "http/exchange.h"
#include "http/h1_client.h"
#include "http/h2_client.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/loop.h"

#define CHECK_MEM_MAX_BYTES ((size_t)512 * 1024)
#define ANSWER_LINE_MAX_BYTES (8 * 1024)
#define ANSWER_HEAD_MAX_BYTES (32 * 1024)
#define ANSWER_FIELDS_MAX 128
#define GRPC_PATH "/grpc.health.v1.Health/Check"
#define GRPC_PREFIX_BYTES 5 // compressed or not, and four bytes of length
#define GRPC_NAME_MAX_BYTES 4096
#define GRPC_ANSWER_MAX_BYTES 256
#define GRPC_SERVING 1

struct check {
    const struct health_plan *plan; // borrows
    struct http_env *env;           // borrows
    char *why;                      // borrows: HEALTH_WHY_BYTES
    struct deadline until;          // of each wait
    struct arena mem;
    struct exchange x;
    struct body_bytes request_body;
};

// What is said of a server may hold its own bytes.
static bool PRINTF(2, 3) fail(struct check *c, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(c->why, HEALTH_WHY_BYTES, fmt, args);
    va_end(args);
    for (char *at = c->why; *at != '\0'; at++)
        if (*at < ' ' || *at > '~')
            *at = '?';
    return false;
}

static bool fail_late(struct check *c)
{
    return fail(c, "no connection in time");
}

// --- connections: they free themselves when they are done with ---

struct h1_conn {
    struct h1_client client;
};

struct h2_conn {
    struct h2_client client;
};

static void free_later(void *arg)
{
    mem_free(arg);
}

static void on_h1_done(struct h1_client *client, bool is_reusable)
{
    (void)is_reusable;
    h1_client_fini(client);
    loop_defer(free_later, CONTAINER_OF(client, struct h1_conn, client));
}

static void on_h2_changed(struct h2_client *client)
{
    (void)client; // the check itself notices, and ends it
}

static void end_h2(void *arg)
{
    struct h2_conn *c = arg;
    h2_client_fini(&c->client);
    loop_defer(free_later, c); // the turn's end may still look at it
}

// --- the request ---

static enum err add_fields(struct check *c)
{
    struct headers *h = &c->x.req.headers;
    enum err err = headers_add(h, FIELD_USER_AGENT, STR("sallyport health check"));
    const struct conf_map *fields = &c->plan->conf.fields;
    for (size_t i = 0; i < fields->n && !err; i++) {
        const struct health_field_conf *f = fields->items[i].value;
        err = headers_set_named(h, fields->items[i].name, f->value.text);
    }
    return err;
}

static enum err inform(struct exchange *x, unsigned status, const struct headers *headers)
{
    (void)x, (void)status, (void)headers;
    return ERR_OK; // interim answers tell nothing of health
}

static bool ask_http(struct check *c)
{
    struct request *r = &c->x.req;
    struct str path = c->plan->conf.path.text;
    size_t query = str_find(path, '?');
    r->method = c->plan->conf.method.text;
    r->path = query == STR_NPOS ? path : str_first(path, query);
    r->has_query = query != STR_NPOS;
    r->query = r->has_query ? str_skip(path, query + 1) : STR_NONE;
    return add_fields(c) == ERR_OK;
}

// HealthCheckRequest { string service = 1; }, with gRPC's prefix.
static bool ask_grpc(struct check *c)
{
    struct request *r = &c->x.req;
    struct str name = c->plan->conf.grpc_service.text;
    if (name.len > GRPC_NAME_MAX_BYTES)
        return false;
    char *bytes = arena_zalloc(&c->mem, 1, GRPC_PREFIX_BYTES + 3 + name.len, 1);
    if (!bytes)
        return false;
    size_t n = 0;
    char *message = bytes + GRPC_PREFIX_BYTES;
    if (name.len > 0) {
        message[n++] = 1 << 3 | 2;
        if (name.len >= 0x80)
            message[n++] = (char)(0x80 | (name.len & 0x7f));
        message[n++] = (char)(name.len >= 0x80 ? name.len >> 7 : name.len);
        memcpy(message + n, name.ptr, name.len);
        n += name.len;
    }
    bytes[3] = (char)(n >> 8);
    bytes[4] = (char)n;
    r->method = STR("POST");
    r->path = STR(GRPC_PATH);
    r->takes_trailers = true;
    r->body = body_bytes_init(&c->request_body, str_from(bytes, GRPC_PREFIX_BYTES + n));
    return add_fields(c) == ERR_OK &&
           headers_set(&r->headers, FIELD_CONTENT_TYPE, STR("application/grpc")) == ERR_OK;
}

static bool prepare(struct check *c)
{
    static const struct exchange_ops ops = {.inform = inform};
    struct exchange *x = &c->x;
    x->mem = &c->mem;
    x->env = c->env;
    x->ops = &ops;
    headers_init(&x->req.headers, &c->mem);
    headers_init(&x->resp.headers, &c->mem);
    x->req.version = HTTP_1_1;
    x->req.authority = x->req.host = c->plan->host;
    x->req.scheme = c->plan->tls ? STR("https") : STR("http");
    bool is_ready = c->plan->kind == HEALTH_GRPC ? ask_grpc(c) : ask_http(c);
    x->req.method_id = method_of(x->req.method);
    return is_ready || fail(c, "the check doesn't fit into its memory");
}

// --- the answer ---

// The answer's body, at most max bytes of it.
static bool read_body(struct check *c, char *to, size_t max, size_t *ret_n)
{
    struct body *b = c->x.resp.body;
    struct str piece;
    enum io io = b ? IO_DONE : IO_EOF;
    *ret_n = 0;
    while (*ret_n < max && io == IO_DONE) {
        io = body_read(b, &piece, c->until);
        if (io != IO_DONE)
            break;
        size_t n = MIN(piece.len, max - *ret_n);
        memcpy(to + *ret_n, piece.ptr, n);
        *ret_n += n;
    }
    return io == IO_DONE || io == IO_EOF || fail(c, "the answer's body is cut");
}

static bool matches_body(struct check *c)
{
    const struct health_conf *conf = &c->plan->conf;
    if (conf->body.text.len == 0 && !c->plan->body_regex)
        return true;
    char *bytes = mem_alloc(1, HEALTH_BODY_MAX_BYTES);
    size_t n = 0;
    bool is_good = read_body(c, bytes, HEALTH_BODY_MAX_BYTES, &n);
    struct str body = str_from(bytes, n);
    if (is_good && str_search(body, conf->body.text) == STR_NPOS)
        is_good = fail(c, "the answer's body hasn't the wanted text");
    if (is_good && c->plan->body_regex &&
        regex_match(c->plan->body_regex, str_first(body, HEALTH_REGEX_MAX_BYTES)) != REGEX_YES)
        is_good = fail(c, "the answer's body doesn't match the expression");
    mem_free(bytes);
    return is_good;
}

static bool is_http_good(struct check *c)
{
    unsigned status = c->x.resp.status;
    if (!health_plan_wants_status(c->plan, status))
        return fail(c, "status %u", status);
    return matches_body(c);
}

// HealthCheckResponse { ServingStatus status = 1; }: a message without a field says UNKNOWN.
static unsigned serving_status(struct str message)
{
    bool has_status = message.len == 2 && message.ptr[0] == 1 << 3;
    return has_status ? (unsigned char)message.ptr[1] : 0;
}

static bool is_grpc_good(struct check *c)
{
    static const char *const names[] = {"UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"};
    struct response *r = &c->x.resp;
    char bytes[GRPC_ANSWER_MAX_BYTES];
    size_t n = 0;
    if (r->status != 200)
        return fail(c, "status %u", r->status);
    if (!read_body(c, bytes, sizeof bytes, &n))
        return false;
    const struct headers *end =
        r->body && r->body->trailers && n < sizeof bytes ? r->body->trailers : &r->headers;
    const struct field *code = headers_find_named(end, STR("grpc-status"));
    if (!code || !str_eq(code->value, STR("0")))
        return fail(c, "grpc-status " STR_FMT,
                    STR_ARG(code ? str_first(code->value, 16) : STR("is missing")));
    if (n < GRPC_PREFIX_BYTES || bytes[0] != 0)
        return fail(c, "the answer is no message of gRPC");
    unsigned status = serving_status(str_from(bytes + GRPC_PREFIX_BYTES, n - GRPC_PREFIX_BYTES));
    return status == GRPC_SERVING ||
           fail(c, "it says %s", status < ARRAY_LEN(names) ? names[status] : "something unknown");
}

static bool judge(struct check *c, enum http_client_end end)
{
    struct str told = str_skip(c->x.end_detail, strlen("server : "));
    switch (end) {
    case HTTP_CLIENT_OK:
        break;
    case HTTP_CLIENT_CANCELLED:
    case HTTP_CLIENT_TIMEOUT:
        return fail(c, "no answer in time");
    case HTTP_CLIENT_STALE:
    case HTTP_CLIENT_CLOSED:
    case HTTP_CLIENT_REFUSED:
    case HTTP_CLIENT_HTTP_1:
    case HTTP_CLIENT_PROTOCOL:
    case HTTP_CLIENT_BODY:
    case HTTP_CLIENT_RESOURCES:
        return fail(c, STR_FMT, STR_ARG(told.len > 0 ? told : STR("the connection broke")));
    }
    bool is_good = c->plan->kind == HEALTH_GRPC ? is_grpc_good(c) : is_http_good(c);
    body_fini(c->x.resp.body);
    return is_good;
}

// --- the exchange, on a connection that stands ---

static struct http_client_options options_of(const struct check *c)
{
    int64_t left_ms = MAX(c->until.at_ms - clock_now_ms(), 1);
    return (struct http_client_options){
        .limits = {.line_max_bytes = ANSWER_LINE_MAX_BYTES,
                   .head_max_bytes = ANSWER_HEAD_MAX_BYTES,
                   .fields_max = ANSWER_FIELDS_MAX},
        .head_ms = left_ms,
        .body_idle_ms = left_ms,
        .tunnel_idle_ms = left_ms,
        .until = c->until,
    };
}

static bool speak_h1(struct check *c, struct stream *s)
{
    struct h1_conn *conn = MEM_NEW(struct h1_conn);
    conn->client.done = on_h1_done;
    stream_move(s, &conn->client.stream);
    const struct http_client_options options = options_of(c);
    bool sent_body;
    return judge(c, h1_client_serve(&conn->client, &c->x, &options, &sent_body));
}

static bool speak_h2(struct check *c, struct stream *s)
{
    struct h2_conn *conn = MEM_NEW(struct h2_conn);
    conn->client.changed = on_h2_changed;
    stream_move(s, &conn->client.stream);
    h2_client_start(&conn->client, c->env);
    const struct http_client_options options = options_of(c);
    bool sent_body;
    bool is_good = conn->client.is_over
                       ? fail(c, "the connection broke")
                       : judge(c, h2_client_serve(&conn->client, &c->x, &options, &sent_body));
    loop_defer(end_h2, conn);
    return is_good;
}

static bool speak(struct check *c, struct stream *s)
{
    bool is_h2 = c->plan->http == SERVER_HTTP_2;
    if (!stream_is_plain(s))
        is_h2 = str_eq(tls_conn_info(s)->protocol, STR("h2"));
    if (!prepare(c)) {
        stream_close(s);
        return false;
    }
    return is_h2 ? speak_h2(c, s) : speak_h1(c, s);
}

// --- connecting ---

static bool secure(struct check *c, struct stream *s, struct tls_session *session)
{
    const struct health_plan *p = c->plan;
    enum tls_offer offer = p->kind == HEALTH_GRPC || p->http == SERVER_HTTP_2 ? TLS_OFFER_HTTP_2
                           : p->http == SERVER_HTTP_1                         ? TLS_OFFER_HTTP_1
                                                                              : TLS_OFFER_BOTH;
    struct tls_failure failure;
    if (tls_connect(s, p->tls, &p->peer, session, offer, c->until, &failure) == IO_DONE)
        return true;
    bool is_late = failure.kind == TLS_FAILURE_CANCELLED || failure.kind == TLS_FAILURE_TIMEOUT;
    return is_late ? fail(c, "no TLS handshake in time") : fail(c, "%s", failure.text);
}

static bool check_on(struct check *c, struct stream *s, const struct rt_addr *addr,
                     struct tls_session *session)
{
    enum err err = sock_connect(&s->sock, addr, c->until);
    if (err)
        return err == ERR_SYSTEM ? fail(c, "%s", strerrordesc_np(s->sock.error)) : fail_late(c);
    bool is_good = !c->plan->tls || secure(c, s, session);
    bool is_enough = c->plan->kind == HEALTH_TCP || c->plan->kind == HEALTH_TLS;
    if (!is_good || is_enough) {
        stream_close(s);
        return is_good;
    }
    return speak(c, s);
}

bool health_check(const struct health_plan *p, const struct rt_addr *addr,
                  struct tls_session *session, struct http_env *env, struct deadline until,
                  char why[static HEALTH_WHY_BYTES])
{
    struct check c = {.plan = p, .env = env, .why = why, .until = until};
    // TLS may look at the stream until the end of the turn.
    struct stream *s = MEM_NEW(struct stream);
    arena_init(&c.mem, CHECK_MEM_MAX_BYTES, NULL, 0);
    bool is_good = check_on(&c, s, addr, session);
    arena_fini(&c.mem);
    loop_defer(free_later, s);
    return is_good;
}
