// SPDX-License-Identifier: Apache-2.0
#include "gate/tracer.h"

#include <string.h>

#include "admin/otlp.h"
#include "base/mem.h"
#include "base/num.h"
#include "gate/snapshot.h"
#include "http/sub.h"
#include "rt/clock.h"
#include "rt/sys.h"
#include "rt/timer.h"

#define BATCH_MAX_BYTES                                                                            \
    (32 * 1024)           // then it goes: what is sent is copied into an exchange's memory
#define BATCHES_MAX 32    // that wait, with the one that is being sent
#define BATCH_MAX_MS 2000 // a batch waits so long for more
#define TRIES_MAX 5
#define BACKOFF_MIN_MS 500   // doubled with each try
#define BACKOFF_MAX_MS 60000 // of what a collector asks for
#define SEND_MAX_MS 10000
#define LAST_SEND_MAX_MS 2000 // while the gate waits for it to end
#define SCRATCH_BYTES 4096

struct batch {
    struct list_node node; // in tracer.batches
    struct text text;      // owns: spans, without what is around them
    struct str name;       // owns: of the service that we are
    unsigned n_spans, n_tries;
};

struct tracer {
    struct http_env *env;             // borrows
    struct snapshot *const *in_force; // borrows
    struct list batches;              // oldest first; the last may take more
    unsigned n_batches;
    bool is_sending; // the first
    bool is_ending;
    struct rt_timer timer;
    uint64_t random;
    uint64_t counts[TRACER_COUNTS];
};

struct tracer *tracer_new(struct http_env *env, struct snapshot *const *in_force)
{
    struct tracer *t = MEM_NEW(struct tracer);
    t->env = env;
    t->in_force = in_force;
    list_init(&t->batches);
    sys_random(&t->random, sizeof t->random);
    return t;
}

static struct batch *first_of(struct tracer *t)
{
    struct list_node *n = list_first(&t->batches);
    return n ? CONTAINER_OF(n, struct batch, node) : NULL;
}

// The first one has come to its end.
static void drop_first(struct tracer *t, enum tracer_count why)
{
    struct batch *b = first_of(t);
    t->counts[why] += b->n_spans;
    t->n_batches--;
    list_remove(&b->node);
    text_fini(&b->text);
    mem_free((void *)(uintptr_t)b->name.ptr);
    mem_free(b);
}

void tracer_free(struct tracer *t)
{
    if (!t)
        return;
    ASSERT(!t->is_sending);
    timer_stop(&t->timer);
    while (t->n_batches > 0)
        drop_first(t, TRACER_DROPPED);
    mem_free(t);
}

const uint64_t *tracer_counts(const struct tracer *t)
{
    return t->counts;
}

bool tracer_is_idle(const struct tracer *t)
{
    return t->n_batches == 0;
}

// --- sending ---

static void send_when_due(struct tracer *t);

static void on_timer(struct rt_timer *timer)
{
    send_when_due(CONTAINER_OF(timer, struct tracer, timer));
}

// Worth another try: OTLP's list, and no answer at all.
static bool is_passing(enum sub_end end, unsigned status)
{
    return end == SUB_FAILED || status == 429 || status == 502 || status == 503 || status == 504;
}

// As long as the collector asks for, but not for ever: spans would be dropped meanwhile.
static int64_t backoff_ms(const struct batch *b, const struct sub_answer *answer)
{
    int64_t own_ms = (int64_t)BACKOFF_MIN_MS << b->n_tries;
    uint64_t asked_s = 0;
    struct str asked = headers_get(&answer->headers, FIELD_RETRY_AFTER);
    if (num_dec(asked, UINT32_MAX, &asked_s) != ERR_OK)
        return own_ms; // none, or a date
    return MAX(own_ms, MIN((int64_t)asked_s * 1000, (int64_t)BACKOFF_MAX_MS));
}

static void on_sent(void *arg, enum sub_end end, const struct sub_answer *answer)
{
    struct tracer *t = arg;
    struct batch *b = first_of(t);
    t->is_sending = false;
    if (end == SUB_ANSWERED && answer->status / 100 == 2) {
        drop_first(t, TRACER_SENT);
    } else if (!t->is_ending && is_passing(end, answer->status) && ++b->n_tries < TRIES_MAX) {
        timer_start(&t->timer, clock_now_ms() + backoff_ms(b, answer), on_timer);
        return;
    } else {
        drop_first(t, TRACER_FAILED);
    }
    // The gate doesn't stay for a collector that doesn't answer.
    while (t->is_ending && end != SUB_ANSWERED && t->n_batches > 0)
        drop_first(t, TRACER_DROPPED);
    timer_start(&t->timer, clock_now_ms(), on_timer); // not within this request's end
}

static bool add_fields(struct headers *h, const struct tracing *c)
{
    for (size_t i = 0; i < c->n_fields; i++)
        if (headers_add_named(h, c->fields[i].name, c->fields[i].value) != ERR_OK)
            return false;
    return true;
}

static bool send_first(struct tracer *t, const struct snapshot *s)
{
    struct batch *b = first_of(t);
    char scratch[SCRATCH_BYTES];
    struct arena mem;
    struct text body = {.ptr = NULL};
    arena_init(&mem, sizeof scratch, scratch, sizeof scratch);
    // Nobody's: it lends what a request of our own has from its original.
    struct exchange x = {.mem = &mem,
                         .env = t->env,
                         .entry = &s->entries[0],
                         .snapshot = (void *)(uintptr_t)s,
                         .request_id = STR("-"),
                         .req = {.scheme = STR("http"), .host = STR("localhost")}};
    struct sub_request r = sub_request_to(&x, s->tracing->service);
    otlp_put_head(b->name, STR(SALLYPORT_VERSION), &body);
    text_put(&body, text_str(&b->text));
    otlp_put_tail(&body);
    r.method = STR("POST");
    r.authority = s->tracing->authority;
    r.path = s->tracing->path;
    r.query = STR_NONE;
    r.has_query = false;
    r.body = text_str(&body);
    r.timeout_ms = t->is_ending ? LAST_SEND_MAX_MS : SEND_MAX_MS;
    t->is_sending =
        headers_add(&r.headers, FIELD_CONTENT_TYPE, STR("application/json")) == ERR_OK &&
        add_fields(&r.headers, s->tracing) && sub_send(&x, &r, on_sent, t);
    text_fini(&body);
    arena_fini(&mem);
    return t->is_sending;
}

static void send_when_due(struct tracer *t)
{
    const struct snapshot *s = *t->in_force;
    if (t->is_sending)
        return;
    while (t->n_batches > 0 && (!s || !s->tracing)) // it was turned off
        drop_first(t, TRACER_DROPPED);
    if (t->n_batches > 0 && !send_first(t, s)) {
        // Too much goes on here at the moment.
        if (t->is_ending)
            drop_first(t, TRACER_DROPPED);
        timer_start(&t->timer, clock_now_ms() + BACKOFF_MIN_MS, on_timer);
    }
}

void tracer_expect_end(struct tracer *t)
{
    t->is_ending = true;
    send_when_due(t);
}

// --- context ---

static uint64_t next_random(struct tracer *t)
{
    // SplitMix64: ids need be different, not secret.
    uint64_t z = t->random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return z ? z : 1;
}

static void begin_trace(struct tracer *t, const struct tracing *c, struct trace_parent *ret)
{
    uint64_t id[2] = {next_random(t), next_random(t)};
    memcpy(ret->trace, id, sizeof ret->trace);
    ret->is_sampled = next_random(t) % TRACING_SAMPLE_ALL < c->sample;
}

static bool believes(const struct tracing *c, const struct exchange *x)
{
    switch (c->parents) {
    case TRACING_PARENTS_TRUSTED:
        return x->peer_is_trusted;
    case TRACING_PARENTS_ALL:
        return true;
    case TRACING_PARENTS_NONE:
        return false;
    }
    return false;
}

// The only one; two could be taken differently by those behind us.
static bool read_parent(const struct exchange *x, struct trace_parent *ret)
{
    const struct field *found = NULL;
    for (const struct field *f = headers_next(&x->req.headers, NULL); f;
         f = headers_next(&x->req.headers, f)) {
        if (f->id != FIELD_OTHER || !str_ieq(f->name, STR("traceparent")))
            continue;
        if (found)
            return false;
        found = f;
    }
    return found && trace_parent_parse(found->value, ret);
}

// All of its fields together are within the limits, and each is well-formed.
static bool has_good_state(const struct exchange *x)
{
    size_t n_bytes = 0;
    for (const struct field *f = headers_next(&x->req.headers, NULL); f;
         f = headers_next(&x->req.headers, f)) {
        if (f->id != FIELD_OTHER || !str_ieq(f->name, STR("tracestate")))
            continue;
        n_bytes += f->value.len + (n_bytes > 0);
        if (!trace_state_is_valid(f->value))
            return false;
    }
    return n_bytes <= TRACE_STATE_MAX_BYTES;
}

void tracer_begin(struct tracer *t, const struct tracing *c, struct exchange *x)
{
    struct trace *trace = ARENA_NEW(x->mem, struct trace);
    struct trace_parent parent;
    if (!trace)
        return;
    trace->has_parent = believes(c, x) && read_parent(x, &parent);
    if (trace->has_parent) {
        trace->self = parent;
        memcpy(trace->parent, parent.span, sizeof trace->parent);
    } else {
        begin_trace(t, c, &trace->self);
    }
    uint64_t span = next_random(t);
    memcpy(trace->self.span, &span, sizeof trace->self.span);
    trace_parent_write(&trace->self, trace->told);
    trace_hex(trace->self.trace, sizeof trace->self.trace, trace->id);
    if (!trace->has_parent || !has_good_state(x))
        headers_remove_named(&x->req.headers, STR("tracestate"));
    if (headers_set_named(&x->req.headers, STR("traceparent"),
                          str_from(trace->told, sizeof trace->told)) == ERR_OK)
        x->trace = trace;
}

void tracer_try(struct tracer *t, struct exchange *x)
{
    uint64_t id = next_random(t);
    uint8_t span[TRACE_SPAN_BYTES];
    memcpy(span, &id, sizeof span);
    if (x->trace->self.is_sampled)
        trace_try_begin(x, span);
}

// --- spans ---

// Where the next span goes; NULL: too much waits.
static struct batch *open_batch(struct tracer *t, const struct tracing *c)
{
    struct list_node *last = list_last(&t->batches);
    struct batch *b = last ? CONTAINER_OF(last, struct batch, node) : NULL;
    bool is_open = b && !(t->is_sending && b == first_of(t)) && b->n_tries == 0 &&
                   b->text.len < BATCH_MAX_BYTES;
    if (is_open)
        return b;
    if (t->n_batches == BATCHES_MAX)
        return NULL;
    b = MEM_NEW(struct batch);
    b->name = str_from(mem_copy(c->name.ptr, c->name.len), c->name.len);
    list_push_back(&t->batches, &b->node);
    t->n_batches++;
    return b;
}

static void put_span(struct tracer *t, const struct tracing *c, const struct otlp_span *span)
{
    struct batch *b = open_batch(t, c);
    if (!b) {
        t->counts[TRACER_DROPPED]++;
        return;
    }
    if (b->n_spans++ > 0)
        text_byte(&b->text, ',');
    otlp_put_span(span, &b->text);
    bool is_first = b == first_of(t) && !t->is_sending;
    if (is_first && b->n_spans == 1)
        timer_start(&t->timer, clock_now_ms() + (t->is_ending ? 0 : BATCH_MAX_MS), on_timer);
    else if (is_first && b->n_tries == 0 && b->text.len >= BATCH_MAX_BYTES)
        timer_start(&t->timer, clock_now_ms(), on_timer);
}

void tracer_finish(struct tracer *t, const struct tracing *c, const struct exchange *x)
{
    const struct trace *trace = x->trace;
    struct trace_texts texts;
    unsigned n_before = 0;
    if (!trace || !trace->self.is_sampled)
        return;
    // Times are of the loop's clock.
    int64_t to_wall_ns = clock_wall_ns() - clock_now_ns();
    struct otlp_span span = trace_server_span(x, to_wall_ns, &texts);
    put_span(t, c, &span);
    for (const struct trace_try *try = trace->tries; try; try = try->next) {
        if (!trace_try_was_made(try))
            continue;
        span = trace_client_span(x, try, n_before++, to_wall_ns, &texts);
        put_span(t, c, &span);
    }
}
