// SPDX-License-Identifier: Apache-2.0
// body-limit: how large requests' bodies may be.
#include "filter/common.h"

struct body_limit_conf {
    uint64_t max_bytes;
    struct place place;
};

struct body_limit {
    struct filter_base base;
    uint64_t max_bytes;
};

static const struct conf_item items[] = {
    ITEM_SIZE(body_limit_conf, max_bytes, "max", .is_required = true, .min = "0", .max = "1024TiB",
              .since = "0.1", .apply = CONF_LIVE, .example = "10MiB",
              .doc = "The largest body. The entrypoint's `body-max` holds besides."),
};

static const struct conf_section section = {
    .name = "body-limit",
    .doc =
        "Answers requests with a larger body with 413: at once where its length is told, else as "
        "soon as more has come.",
    CONF_SECTION_OF(body_limit_conf, items),
    .shorthand = "max",
    .place_offset = CONF_PLACE_AT(body_limit_conf, place),
};

// A body of unknown length that is counted while it is read.
struct counted {
    struct body body;
    struct body *inner;         // borrows: the request's
    struct exchange *x;         // borrows
    const struct body_limit *f; // borrows: the snapshot's
    uint64_t got;
    bool is_over;
};

static enum io read_counted(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct counted *c = CONTAINER_OF(b, struct counted, body);
    if (c->is_over)
        return IO_FAIL;
    enum io io = body_read(c->inner, ret_piece, until);
    body_follow(b, c->inner);
    if (io != IO_DONE)
        return io;
    c->got += ret_piece->len;
    c->is_over = c->got > c->f->max_bytes;
    if (!c->is_over)
        return IO_DONE;
    if (c->x->end == EXCHANGE_END_OK) {
        c->x->end = EXCHANGE_END_CLIENT_LIMIT;
        c->x->end_detail =
            arena_printf(c->x->mem, STR_FMT ": the request's body has more than %llu bytes",
                         STR_ARG(c->f->base.who), (unsigned long long)c->f->max_bytes);
    }
    return IO_FAIL;
}

static void end_counted(struct body *b)
{
    body_fini(CONTAINER_OF(b, struct counted, body)->inner);
}

static const struct body_ops counted_ops = {
    .name = "body-limit", .read = read_counted, .fini = end_counted};

static bool is_too_large(const struct body_limit *f, const struct exchange *x)
{
    const struct body *b = x->req.body;
    return b && b->length > 0 && (uint64_t)b->length > f->max_bytes;
}

static enum err serve(const struct handler *h, struct exchange *x)
{
    const struct body_limit *f = (const struct body_limit *)(const void *)h;
    if (is_too_large(f, x)) {
        filter_note(h, x, "refused", STR("the body is too large"));
        exchange_fail(x, 413, EXCHANGE_END_CLIENT_LIMIT,
                      STR_FMT ": the request's body has %lld bytes, and %llu are allowed",
                      STR_ARG(f->base.who), (long long)x->req.body->length,
                      (unsigned long long)f->max_bytes);
        return ERR_OK;
    }
    // A length that is told and fits can't be exceeded: that body passes as it is.
    if (x->req.body && x->req.body->length < 0) {
        struct counted *c = ARENA_NEW(x->mem, struct counted);
        if (!c)
            return filter_exhausted(x);
        *c = (struct counted){
            .body = {.ops = &counted_ops, .length = -1}, .inner = x->req.body, .x = x, .f = f};
        x->req.body = &c->body;
        filter_note(h, x, "counting", STR_NONE);
    } else {
        filter_note(h, x, "passed", STR_NONE);
    }
    return handler_serve(h->next, x);
}

static struct str explain(const struct handler *h, struct exchange *x)
{
    const struct body_limit *f = (const struct body_limit *)(const void *)h;
    return arena_printf(x->mem, "answers bodies of more than %llu bytes with 413",
                        (unsigned long long)f->max_bytes);
}

static const struct handler_type type = {.name = "body-limit", .serve = serve, .explain = explain};

static struct handler *build(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env)
{
    const struct body_limit_conf *c = settings;
    struct body_limit *f = filter_new(env, sizeof *f, &type, name, next);
    if (!f)
        return NULL;
    f->max_bytes = c->max_bytes;
    return &f->base.handler;
}

const struct filter_type filter_body_limit = {
    .choice = {.key = "body-limit", .section = &section},
    .build = build,
};
