// SPDX-License-Identifier: Apache-2.0
#include "filter/trailers.h"

struct cleaned {
    struct body body;
    struct body *inner; // borrows: the driver's
    filter_trailers_fn *clean;
    const void *arg; // borrows
};

static enum io cleaned_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct cleaned *c = CONTAINER_OF(b, struct cleaned, body);
    enum io io = body_read(c->inner, ret_piece, until);
    if (io == IO_EOF && c->inner->trailers)
        c->clean(c->arg, c->inner->trailers);
    body_follow(b, c->inner);
    return io;
}

static void cleaned_fini(struct body *b)
{
    body_fini(CONTAINER_OF(b, struct cleaned, body)->inner);
}

static const struct body_ops cleaned_ops = {
    .name = "cleaned", .read = cleaned_read, .fini = cleaned_fini};

enum err filter_clean_trailers(struct exchange *x, filter_trailers_fn *clean, const void *arg)
{
    struct body *inner = x->req.body;
    // Behind a body of known length HTTP/1 has none (RFC 9112 6.5), and HTTP/2 may have them.
    if (!inner || (inner->length >= 0 && x->req.version < HTTP_2))
        return ERR_OK;
    struct cleaned *c = ARENA_NEW(x->mem, struct cleaned);
    if (!c)
        return ERR_LIMIT;
    *c = (struct cleaned){.body = {.ops = &cleaned_ops, .length = inner->length},
                          .inner = inner,
                          .clean = clean,
                          .arg = arg};
    x->req.body = &c->body;
    return ERR_OK;
}
