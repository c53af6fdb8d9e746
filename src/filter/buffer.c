// SPDX-License-Identifier: Apache-2.0
// buffer: reads requests before a server is asked, and answers as fast as it gives them, so that
// slow clients hold no server. What memory has no room for goes to the spool, a file.
#include "base/attr.h"
#include "base/num.h"
#include "filter/ahead_body.h"
#include "filter/common.h"
#include "http/env.h"
#include "http/grpc.h"

static const char *const beyond_names[] = {"stream", "refuse", NULL};
enum beyond {
    BEYOND_STREAM,
    BEYOND_REFUSE,
};

struct buffer_conf {
    uint64_t request_bytes, answer_bytes, memory_bytes, memory_max_bytes;
    unsigned beyond;
    struct place place;
};

struct buffer {
    struct filter_base base;
    const struct buffer_conf *conf; // borrows: the snapshot's
};

static enum err check(const void *value, struct diags *diags)
{
    const struct buffer_conf *c = value;
    if (c->request_bytes > 0 || c->answer_bytes > 0)
        return ERR_OK;
    return diag_fail(diags, ERR_RANGE, c->place,
                     "it reads nothing ahead: set `request`, `response`, or both");
}

static const struct conf_item items[] = {
    ITEM_SIZE(buffer_conf, request_bytes, "request", .def = "1GiB", .min = "4KiB", .max = "1TiB",
              .zero = "off", .since = "0.1", .apply = CONF_LIVE,
              .doc =
                  "So much of a request's body is read before a server is asked: it gets requests "
                  "at once, however slow their clients are."),
    ITEM_ENUM(buffer_conf, beyond, "beyond", .names = beyond_names, .def = "stream", .since = "0.1",
              .apply = CONF_LIVE,
              .doc = "What becomes of larger requests: the rest is passed on as it comes, or they "
                     "are refused with 413, before a server has heard of them. The same for those "
                     "that neither memory nor the spool has room for, but with 503."),
    ITEM_SIZE(buffer_conf, answer_bytes, "response", .def = "1GiB", .min = "64KiB", .max = "1TiB",
              .zero = "off", .since = "0.1", .apply = CONF_LIVE,
              .doc = "So much of an answer is read ahead of what its client has taken: what fits "
                     "frees its server at once. What has come goes out at once, events too."),
    ITEM_SIZE(buffer_conf, memory_bytes, "memory", .def = "1MiB", .min = "4KiB", .max = "1GiB",
              .since = "0.1", .apply = CONF_LIVE,
              .doc = "So much of a body is kept in memory; what is more goes to the spool, a file "
                     "(setting `spool`). Where that is `off` or can't be had, this is all that "
                     "is read ahead."),
    ITEM_SIZE(buffer_conf, memory_max_bytes, "memory-max", .def = "256MiB", .min = "1MiB",
              .max = "1TiB", .since = "0.1", .apply = CONF_LIVE,
              .doc = "So much memory may each worker use for all bodies that are read ahead. A "
                     "quarter of it is for what is on its way to the spool. When all is used "
                     "up, further bodies are passed on as they come (with `beyond: refuse`, "
                     "requests get 503)."),
};

static const struct conf_section section = {
    .name = "buffer",
    .doc = "Reads bodies ahead, into memory and then onto disk, so that slow clients hold no "
           "server. gRPC and tunnels (WebSockets) are left alone.",
    CONF_SECTION_OF(buffer_conf, items),
    .place_offset = CONF_PLACE_AT(buffer_conf, place),
    .check = check,
};

// Without a file, what is kept in memory is all that is kept.
static struct ahead_limits limits_of(const struct buffer *f, const struct exchange *x,
                                     uint64_t body_bytes)
{
    const struct buffer_conf *c = f->conf;
    return (struct ahead_limits){
        .body_bytes = x->env->slots ? body_bytes : MIN(body_bytes, c->memory_bytes),
        .memory_bytes = c->memory_bytes,
        .all_bytes = c->memory_max_bytes,
    };
}

static enum err refuse(const struct buffer *f, struct exchange *x, unsigned status,
                       enum exchange_end end, const char *why)
{
    filter_note(&f->base.handler, x, "denied", str_of(why));
    exchange_fail(x, status, end, STR_FMT ": %s", STR_ARG(f->base.who), why);
    x->resp.must_close = true; // the rest of the body isn't worth being read
    return ERR_OK;
}

// *ret_is_answered: the request goes no further. ERR_CANCELLED: nor does anything else.
static enum err read_request(const struct buffer *f, struct exchange *x, bool *ret_is_answered)
{
    const struct ahead_limits limits = limits_of(f, x, f->conf->request_bytes);
    bool may_refuse = f->conf->beyond == BEYOND_REFUSE;
    *ret_is_answered = true;
    if (may_refuse && x->req.body->length > 0 && (uint64_t)x->req.body->length > limits.body_bytes)
        return refuse(f, x, 413, EXCHANGE_END_FILTERED, "the request's body is too large");
    if (exchange_continue(x) != ERR_OK)
        return ERR_CANCELLED;
    switch (ahead_body_request(x, &limits)) {
    case AHEAD_WHOLE:
        filter_note(&f->base.handler, x, "read the request", STR_NONE);
        break;
    case AHEAD_PART:
        if (may_refuse)
            return refuse(f, x, 413, EXCHANGE_END_FILTERED, "the request's body is too large");
        filter_note(&f->base.handler, x, "read a part of the request", STR("it is too large"));
        break;
    case AHEAD_NO_ROOM:
        if (may_refuse)
            return refuse(f, x, 503, EXCHANGE_END_RESOURCES, "there is no room for its body");
        filter_note(&f->base.handler, x, "read a part of the request", STR("there is no room"));
        break;
    case AHEAD_BROKEN:
        return filter_body_failed(x);
    case AHEAD_EXHAUSTED:
        return filter_exhausted(x);
    }
    *ret_is_answered = false;
    return ERR_OK;
}

static bool is_for_us(const struct exchange *x)
{
    return !grpc_is(x) && !x->req.is_upgrade && !x->req.is_raw;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct buffer *f = (const struct buffer *)(const void *)h;
    const struct buffer_conf *c = f->conf;
    if (!is_for_us(x)) {
        filter_note(h, x, "passed", STR_NONE);
        return handler_serve(h->next, x);
    }
    if (x->req.body && c->request_bytes > 0) {
        bool is_answered;
        enum err err = read_request(f, x, &is_answered);
        if (err != ERR_OK || is_answered)
            return err;
    } else {
        filter_note(h, x, "reads ahead", STR_NONE);
    }
    enum err err = handler_serve(h->next, x);
    if (err != ERR_OK || c->answer_bytes == 0 || !x->resp.body || x->resp.is_internal)
        return err;
    const struct ahead_limits limits = limits_of(f, x, c->answer_bytes);
    return ahead_body_answer(x, &limits) ? ERR_OK : filter_exhausted(x);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct buffer *f = (const struct buffer *)(const void *)h;
    char request[24], answer[24], memory[24];
    num_size_text(f->conf->request_bytes, request);
    num_size_text(f->conf->answer_bytes, answer);
    num_size_text(f->conf->memory_bytes, memory);
    if (!is_for_us(x))
        return STR("leaves it alone");
    return arena_printf(x->mem,
                        "reads ahead up to %s of the request, %s of the answer, %s of it in memory",
                        request, answer, memory);
}

static const struct handler_type type = {.name = "buffer", .serve = serve, .explain = explain};

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    struct buffer *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->conf = settings;
    return &f->base.handler;
}

const struct filter_type filter_buffer = {
    .choice = {.key = "buffer", .section = &section},
    .build = build,
};
