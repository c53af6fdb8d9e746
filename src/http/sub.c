// SPDX-License-Identifier: Apache-2.0
#include "http/sub.h"

#include "base/writer.h"
#include "http/env.h"
#include "http/handler.h"
#include "http/tunnel.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/timer.h"

struct sub {
    struct http_sub node; // of one that was sent: in env->subs
    struct exchange *of;  // borrows: who asks; NULL: it was sent
    struct fiber *asker;  // borrows: waits for the end
    struct fiber *fiber;  // borrows; NULL: it has ended
    struct rt_timer timer;
    bool is_expired;
    bool keeps_answer;
    const struct handler *handler; // borrows: of the snapshot
    int64_t timeout_ms;
    size_t answer_max_bytes;
    struct body_bytes upload;
    enum sub_end end;
    struct sub_answer answer;
    sub_done_fn *done; // of one that was sent
    void *arg;
    struct arena mem;  // of one that was sent
    struct str host;   // the same
    struct exchange x; // last: the unused steps of its trail are never touched
};
_Static_assert(sizeof(struct sub) <= HTTP_BLOCK_BYTES / 2, "half a block is for the arena");

// --- what the exchange needs of its client's side ---

static struct sub *sub_of(const struct exchange *x)
{
    return x->driver;
}

// Nobody waits for interim answers.
static enum err inform(struct exchange *x, unsigned status, const struct headers *headers)
{
    (void)x;
    (void)status;
    (void)headers;
    return ERR_OK;
}

static void watch(struct exchange *x)
{
    struct exchange *of = sub_of(x)->of;
    if (of && of->ops)
        exchange_watch(of);
}

static const struct exchange_ops ops = {.inform = inform, .watch = watch};

// --- the answer ---

static void fail(struct sub *s, const char *why)
{
    s->end = SUB_FAILED;
    s->answer.why = str_of(why);
}

// Why the answer is none of a server's, or broke off.
static void fail_as_exchange(struct sub *s)
{
    const struct exchange *x = &s->x;
    s->end = SUB_FAILED;
    s->answer.why = x->end_detail.len > 0 ? x->end_detail : str_of(exchange_end_text(x->end));
}

// Room for n more bytes behind those that are there. *cap grows.
static char *grow(struct sub *s, size_t n, size_t *cap)
{
    const struct str *have = &s->answer.body;
    const struct body *b = s->x.resp.body;
    char *bytes = (char *)(uintptr_t)have->ptr; // the arena's own
    if (n <= *cap - have->len)
        return bytes;
    size_t announced = b->length > 0 ? (size_t)MIN((uint64_t)b->length, s->answer_max_bytes) : 0;
    size_t more = MAX(have->len + n, MAX(announced, MIN(*cap * 2, s->answer_max_bytes)));
    bytes = ARENA_ARRAY(s->x.mem, char, more);
    if (!bytes)
        return NULL;
    if (have->len > 0)
        memcpy(bytes, have->ptr, have->len);
    *cap = more;
    return bytes;
}

static bool keep_piece(struct sub *s, struct str piece, size_t *cap)
{
    struct str *to = &s->answer.body;
    if (piece.len == 0)
        return true;
    char *bytes = grow(s, piece.len, cap);
    if (!bytes)
        return false;
    memcpy(bytes + to->len, piece.ptr, piece.len);
    *to = str_from(bytes, to->len + piece.len);
    return true;
}

static void read_body(struct sub *s)
{
    struct body *b = s->x.resp.body;
    size_t left = s->answer_max_bytes, cap = 0;
    enum io io = IO_EOF;
    struct str piece;
    while (b && !s->answer.is_cut &&
           (io = body_read(b, &piece, deadline_at(INT64_MAX))) == IO_DONE) {
        s->answer.is_cut = piece.len > left;
        piece = str_first(piece, left);
        left -= piece.len;
        if (s->keeps_answer && !keep_piece(s, piece, &cap)) {
            fail(s, "the memory of the exchange is used up");
            return;
        }
        fiber_give_way(BODY_PIECE_COST + (uint32_t)piece.len);
    }
    if (io == IO_FAIL)
        fail_as_exchange(s);
}

static void take_answer(struct sub *s)
{
    struct exchange *x = &s->x;
    struct response *r = &x->resp;
    s->answer.status = r->status;
    s->answer.server_name = x->server_name;
    s->answer.headers = r->headers;
    if (r->status == 0 || r->tunnel || (r->is_internal && x->end != EXCHANGE_END_OK))
        fail_as_exchange(s);
    else
        read_body(s);
}

static void end_answer(struct sub *s)
{
    struct response *r = &s->x.resp;
    body_fini(r->body);
    r->body = NULL;
    if (r->tunnel)
        r->tunnel->release(r->tunnel);
    r->tunnel = NULL;
}

// --- the fiber ---

static void end_sent(struct sub *s)
{
    struct http_env *env = s->x.env;
    if (s->done)
        s->done(s->arg, s->end, &s->answer);
    list_remove(&s->node.node);
    env->n_subs--;
    if (s->x.snapshot)
        env->app->release(env, s->x.snapshot);
    arena_fini(&s->mem);
    pool_give(&env->blocks, s);
}

static void finish(struct sub *s)
{
    struct http_env *env = s->x.env;
    timer_stop(&s->timer);
    http_count(env, HTTP_COUNTER_SUBS_OPEN, -1);
    if (s->end == SUB_FAILED)
        http_count(env, HTTP_COUNTER_SUBS_FAILED, 1);
    s->fiber = NULL;
    if (s->of)
        fiber_wake(s->asker);
    else
        end_sent(s);
}

static void run(void *arg)
{
    struct sub *s = arg;
    s->end = SUB_ANSWERED;
    enum err err = handler_serve(s->handler, &s->x);
    if (err == ERR_OK)
        take_answer(s);
    else
        fail_as_exchange(s);
    end_answer(s);
    if (s->is_expired)
        fail(s, "no answer in time");
    else if (fiber_is_cancelled(fiber_self()))
        s->end = SUB_CANCELLED;
    finish(s);
}

static void on_time(struct rt_timer *t)
{
    struct sub *s = CONTAINER_OF(t, struct sub, timer);
    s->is_expired = true;
    fiber_cancel(s->fiber);
}

// False: too many fibers.
static bool start(struct sub *s)
{
    struct http_env *env = s->x.env;
    s->fiber = fiber_start(run, s);
    if (!s->fiber)
        return false;
    http_count(env, HTTP_COUNTER_SUBS, 1);
    http_count(env, HTTP_COUNTER_SUBS_OPEN, 1);
    timer_start(&s->timer, clock_now_ms() + s->timeout_ms, on_time);
    return true;
}

// --- the exchange ---

// Texts of r are borrowed.
static void init(struct sub *s, const struct exchange *of, const struct sub_request *r)
{
    struct exchange *x = &s->x;
    s->handler = r->handler;
    s->timeout_ms = r->timeout_ms;
    s->answer_max_bytes = r->answer_max_bytes;
    s->keeps_answer = s->of || r->keeps_answer;
    x->env = of->env;
    x->entry = of->entry;
    x->ops = &ops;
    x->driver = s;
    x->peer = of->peer;
    x->peer_port = of->peer_port;
    x->client = of->client;
    x->times.accepted = x->times.head_read = clock_now_ns();
    x->req = (struct request){
        .method = r->method,
        .method_id = method_of(r->method),
        .version = HTTP_1_1,
        .scheme = of->req.scheme,
        .authority = r->authority,
        .host = s->of ? of->req.host : s->host,
        .target = r->path,
        .path = r->path,
        .query = r->query,
        .has_query = r->has_query,
        .headers = r->headers,
        .body = r->body.len > 0 ? body_bytes_init(&s->upload, r->body) : NULL,
    };
    headers_init(&x->resp.headers, x->mem);
}

struct sub_request sub_request_to(struct exchange *x, const struct handler *handler)
{
    struct sub_request r = {
        .handler = handler,
        .method = STR("GET"),
        .authority = x->req.authority,
        .path = x->req.path,
        .query = x->req.query,
        .has_query = x->req.has_query,
        .timeout_ms = SUB_TIMEOUT_MS,
        .answer_max_bytes = SUB_ANSWER_MAX_BYTES,
    };
    headers_init(&r.headers, x->mem);
    return r;
}

enum err sub_copy_fields(struct sub_request *r, const struct exchange *x, bool with_content)
{
    const uint64_t never = FIELD_BIT(FIELD_HOST) | FIELD_BIT(FIELD_EXPECT) | FIELD_BIT(FIELD_TE) |
                           FIELD_BIT(FIELD_TRAILER);
    const uint64_t content = FIELD_BIT(FIELD_CONTENT_DISPOSITION) |
                             FIELD_BIT(FIELD_CONTENT_ENCODING) | FIELD_BIT(FIELD_CONTENT_LENGTH) |
                             FIELD_BIT(FIELD_CONTENT_LOCATION) | FIELD_BIT(FIELD_CONTENT_RANGE) |
                             FIELD_BIT(FIELD_CONTENT_TYPE);
    const uint64_t skip = with_content ? never : never | content;
    const struct headers *h = &x->req.headers;
    for (const struct field *f = headers_next(h, NULL); f; f = headers_next(h, f)) {
        if (f->id != FIELD_OTHER && (skip & FIELD_BIT(f->id)) != 0)
            continue;
        enum err err = f->id != FIELD_OTHER ? headers_add(&r->headers, f->id, f->value)
                                            : headers_add_named(&r->headers, f->name, f->value);
        if (err != ERR_OK)
            return err;
    }
    return ERR_OK;
}

// --- asking ---

// The original's fiber waits; its end is the sub-exchange's, which is waited for nevertheless: it
// uses the original's memory.
static void wait_for(struct sub *s)
{
    while (s->fiber) {
        if (fiber_wait(deadline_at(INT64_MAX)) != FIBER_CANCELLED)
            continue;
        if (s->fiber)
            fiber_cancel(s->fiber);
        while (s->fiber)
            fiber_yield();
    }
}

enum sub_end sub_ask(struct exchange *x, const struct sub_request *r, struct sub_answer *ret)
{
    *ret = (struct sub_answer){.status = 0};
    struct sub *s = ARENA_NEW(x->mem, struct sub);
    if (!s) {
        ret->why = STR("the memory of the exchange is used up");
        return SUB_FAILED;
    }
    s->of = x;
    s->asker = fiber_self();
    s->x.mem = x->mem;
    s->x.snapshot = x->snapshot;
    s->x.request_id = x->request_id;
    init(s, x, r);
    if (!start(s)) {
        ret->why = STR("too much is going on at a time");
        return SUB_FAILED;
    }
    wait_for(s);
    *ret = s->answer;
    return fiber_is_cancelled(s->asker) ? SUB_CANCELLED : s->end;
}

// --- sending ---

static bool copy(struct arena *mem, struct str *s)
{
    *s = arena_dup(mem, *s);
    return s->ptr != NULL;
}

static bool copy_fields(struct arena *mem, const struct headers *from, struct headers *to)
{
    headers_init(to, mem);
    for (const struct field *f = headers_next(from, NULL); f; f = headers_next(from, f)) {
        struct str name = f->name, value = f->value;
        if (!copy(mem, &name) || !copy(mem, &value) || headers_add_named(to, name, value) != ERR_OK)
            return false;
    }
    return true;
}

static bool copy_request(struct sub *s, const struct sub_request *from, struct sub_request *to)
{
    *to = *from;
    return copy(&s->mem, &to->method) && copy(&s->mem, &to->authority) &&
           copy(&s->mem, &to->path) && copy(&s->mem, &to->query) && copy(&s->mem, &to->body) &&
           copy_fields(&s->mem, &from->headers, &to->headers);
}

static void stop(struct http_sub *node)
{
    fiber_cancel(CONTAINER_OF(node, struct sub, node)->fiber);
}

static bool start_sent(struct sub *s, struct exchange *of, const struct sub_request *r)
{
    struct sub_request own;
    s->x.request_id = of->request_id;
    s->host = of->req.host;
    if (!copy_request(s, r, &own) || !copy(&s->mem, &s->x.request_id) || !copy(&s->mem, &s->host))
        return false;
    init(s, of, &own);
    if (!start(s))
        return false;
    s->x.snapshot = of->snapshot;
    if (of->snapshot)
        of->env->app->hold(of->env, of->snapshot);
    s->node.stop = stop;
    list_push_back(&of->env->subs, &s->node.node);
    of->env->n_subs++;
    return true;
}

// Copies for a slow mirror must not keep keys from being fetched.
static bool has_room(const struct http_env *env, const struct sub_request *r)
{
    return env->n_subs < (r->keeps_answer ? HTTP_SUBS_MAX : HTTP_SUBS_MAX - HTTP_SUBS_FOR_ANSWERS);
}

bool sub_send(struct exchange *x, const struct sub_request *r, sub_done_fn *done, void *arg)
{
    struct http_env *env = x->env;
    struct sub *s = has_room(env, r) ? pool_take(&env->blocks) : NULL;
    if (!s)
        return false;
    memset(s, 0,
           offsetof(struct sub, x) + offsetof(struct exchange, trail) +
               offsetof(struct trail, steps));
    arena_init(&s->mem, (size_t)x->entry->exchange_mem_bytes, s + 1, HTTP_BLOCK_BYTES - sizeof *s);
    s->x.mem = &s->mem;
    s->done = done;
    s->arg = arg;
    if (start_sent(s, x, r))
        return true;
    arena_fini(&s->mem);
    pool_give(&env->blocks, s);
    return false;
}
