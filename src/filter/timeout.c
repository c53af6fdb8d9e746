// SPDX-License-Identifier: Apache-2.0
// timeout: how long an answer may take, whatever is waited for: other filters, a place in a queue,
// connecting, the server. When the time is over the fiber's waits are interrupted, and what is
// behind unwinds as it does for a client that has gone.
#include "filter/common.h"
#include "rt/clock.h"
#include "rt/fiber.h"
#include "rt/timer.h"

struct timeout_conf {
    int64_t answer_ms, exchange_ms;
    struct place place;
};

struct timeout {
    struct filter_base base;
    const struct timeout_conf *conf; // borrows: the snapshot's
};

static const struct conf_item items[] = {
    ITEM_DURATION(timeout_conf, answer_ms, "answer", .def = "0", .min = "0", .max = "1d",
                  .since = "0.1", .apply = CONF_LIVE, .example = "30s",
                  .doc = "The time until the answer's head is there; then 504. 0: no limit."),
    ITEM_DURATION(timeout_conf, exchange_ms, "exchange", .def = "0", .min = "0", .max = "1d",
                  .since = "0.1", .apply = CONF_LIVE, .example = "5m",
                  .doc =
                      "The time until the last byte of the answer has come from the server. When "
                      "it is over in the midst of a body, the body is cut. 0: no limit."),
};

static enum err check(const void *value, struct diags *diags)
{
    const struct timeout_conf *c = value;
    if (c->answer_ms == 0 && c->exchange_ms == 0)
        return diag_fail(diags, ERR_SYNTAX, c->place, "name `answer`, `exchange`, or both");
    return ERR_OK;
}

static const struct conf_section section = {
    .name = "timeout",
    .doc = "Answers 504 when an answer takes too long, over all that is waited for behind this "
           "filter. Time-outs of the service hold besides. WebSockets and other tunnels are only "
           "bound until they stand.",
    CONF_SECTION_OF(timeout_conf, items),
    .shorthand = "answer",
    .place_offset = CONF_PLACE_AT(timeout_conf, place),
    .check = check,
};

// --- the head ---

struct watch {
    struct rt_timer timer;
    struct fiber *fiber; // borrows: waits for the answer
    bool is_over;
};

static void on_time(struct rt_timer *t)
{
    struct watch *w = CONTAINER_OF(t, struct watch, timer);
    w->is_over = true;
    fiber_interrupt(w->fiber);
}

// --- the body ---

struct bounded {
    struct body body;
    struct body *inner; // owns
    struct exchange *x; // borrows
    struct deadline due;
    const struct timeout *f; // borrows: the snapshot's
};

static enum io read_bounded(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct bounded *l = CONTAINER_OF(b, struct bounded, body);
    bool is_over = l->due.at_ms <= clock_now_ms();
    enum io io = is_over ? IO_FAIL : body_read(l->inner, ret_piece, deadline_min(until, l->due));
    if (io == IO_EOF)
        b->trailers = l->inner->trailers;
    if (io == IO_FAIL && l->due.at_ms <= clock_now_ms()) {
        l->x->end = EXCHANGE_END_SERVER_TIMEOUT;
        l->x->end_detail =
            arena_printf(l->x->mem, STR_FMT ": the body has taken longer than %lld ms",
                         STR_ARG(l->f->base.who), (long long)l->f->conf->exchange_ms);
    }
    return io;
}

static void end_bounded(struct body *b)
{
    body_fini(CONTAINER_OF(b, struct bounded, body)->inner);
}

static const struct body_ops bounded_ops = {
    .name = "timeout", .read = read_bounded, .fini = end_bounded};

static enum err bound_body(const struct timeout *f, struct exchange *x, struct deadline due)
{
    if (!x->resp.body || x->resp.is_internal)
        return ERR_OK;
    struct bounded *l = ARENA_NEW(x->mem, struct bounded);
    if (!l)
        return filter_exhausted(x);
    *l = (struct bounded){.body = {.ops = &bounded_ops, .length = x->resp.body->length},
                          .inner = x->resp.body,
                          .x = x,
                          .due = due,
                          .f = f};
    x->resp.body = &l->body;
    return ERR_OK;
}

// --- the filter ---

static int64_t head_ms(const struct timeout_conf *c)
{
    if (c->answer_ms == 0 || c->exchange_ms == 0)
        return MAX(c->answer_ms, c->exchange_ms);
    return MIN(c->answer_ms, c->exchange_ms);
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct timeout *f = (const struct timeout *)(const void *)h;
    const struct timeout_conf *c = f->conf;
    struct watch w = {.fiber = fiber_self()};
    struct deadline due = deadline_in(c->exchange_ms);
    timer_start(&w.timer, clock_now_ms() + head_ms(c), on_time);
    enum err err = handler_serve(h->next, x);
    timer_stop(&w.timer);
    if (!w.is_over)
        return err == ERR_OK && c->exchange_ms > 0 ? bound_body(f, x, due) : err;
    fiber_resume(w.fiber);
    if (fiber_is_cancelled(w.fiber)) // the client has gone meanwhile
        return ERR_CANCELLED;
    filter_note(h, x, "too late", STR_NONE);
    exchange_fail(x, 504, EXCHANGE_END_SERVER_TIMEOUT, STR_FMT ": no answer within %lld ms",
                  STR_ARG(f->base.who), (long long)head_ms(c));
    return ERR_OK;
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct timeout_conf *c = ((const struct timeout *)(const void *)h)->conf;
    if (c->exchange_ms == 0)
        return arena_printf(x->mem, "answers 504 after %lld ms", (long long)c->answer_ms);
    return arena_printf(x->mem, "answers 504 after %lld ms, cuts the body after %lld ms",
                        (long long)head_ms(c), (long long)c->exchange_ms);
}

static const struct handler_type type = {.name = "timeout", .serve = serve, .explain = explain};

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    struct timeout *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = settings;
    return &f->base.handler;
}

const struct filter_type filter_timeout = {
    .choice = {.key = "timeout", .section = &section},
    .build = build,
};
