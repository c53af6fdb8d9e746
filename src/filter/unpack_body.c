// SPDX-License-Identifier: Apache-2.0
#include "filter/unpack_body.h"

#include "base/attr.h"
#include "http/env.h"
#include "rt/fiber.h"

#define COST_OF_UNPACKING 2 // times that of moving the bytes that come out

struct unpack_body {
    struct body body;
    struct body *inner;              // owns
    struct exchange *x;              // borrows
    const struct unpack_body *first; // borrows: of several layers the one that takes what came
    struct zip_decoder *decoder;     // owns
    struct unpack_limits limits;
    char *room;    // owns: of env->buffers, HTTP_BUFFER_BYTES
    struct str in; // borrows: what is left of the inner body's piece
    uint64_t n_in, n_out;
    bool has_more; // the decoder had no room for all that it could say
    bool has_ended, has_failed;
};

static enum io fail(struct unpack_body *u, enum exchange_end end, const char *detail)
{
    u->has_failed = true;
    if (u->x->end == EXCHANGE_END_OK) {
        u->x->end = end;
        u->x->end_detail = str_of(detail);
    }
    return IO_FAIL;
}

static bool is_too_much(const struct unpack_body *u)
{
    uint64_t dense;
    if (__builtin_mul_overflow(u->first->n_in, u->limits.ratio_max, &dense) ||
        __builtin_add_overflow(dense, UNPACK_SPARE_BYTES, &dense))
        dense = UINT64_MAX;
    return u->n_out > u->limits.out_max_bytes || u->n_out > dense;
}

static enum io end(struct unpack_body *u)
{
    // Nothing, packed by clients that say so of every body, is nothing.
    if (!zip_decoder_is_whole(u->decoder) && u->first->n_in > 0)
        return fail(u, EXCHANGE_END_CLIENT_PROTOCOL, "the packed body of the request is cut");
    u->has_ended = true;
    u->body.trailers = u->inner->trailers;
    return IO_EOF;
}

// IO_DONE: there is something to unpack.
static enum io take_more(struct unpack_body *u, struct deadline until)
{
    enum io io = body_read(u->inner, &u->in, until);
    if (io == IO_EOF)
        return end(u);
    if (io == IO_FAIL)
        u->has_failed = true;
    if (io == IO_DONE) {
        u->n_in += u->in.len;
        // Many streams with nothing in them are work, too.
        fiber_give_way(BODY_PIECE_COST + COST_OF_UNPACKING * (uint32_t)u->in.len);
    }
    return io;
}

static enum io unpack_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct unpack_body *u = CONTAINER_OF(b, struct unpack_body, body);
    struct writer w;
    writer_init(&w, u->room, HTTP_BUFFER_BYTES);
    while (!u->has_failed && !u->has_ended) {
        if (u->in.len == 0 && !u->has_more) {
            enum io io = take_more(u, until);
            if (io != IO_DONE)
                return io;
        }
        enum io io = zip_decoder_run(u->decoder, &u->in, &w);
        if (io == IO_FAIL)
            return fail(u, EXCHANGE_END_CLIENT_PROTOCOL,
                        "the packed body of the request is malformed");
        u->has_more = io == IO_AGAIN;
        u->n_out += w.len;
        if (is_too_much(u))
            return fail(u, EXCHANGE_END_CLIENT_LIMIT,
                        "the body of the request unpacks to more than is allowed");
        if (w.len == 0)
            continue;
        fiber_give_way(COST_OF_UNPACKING * (uint32_t)w.len);
        *ret_piece = writer_str(&w);
        return IO_DONE;
    }
    return u->has_failed ? IO_FAIL : IO_EOF;
}

static void unpack_fini(struct body *b)
{
    struct unpack_body *u = CONTAINER_OF(b, struct unpack_body, body);
    zip_decoder_free(u->decoder);
    pool_give(&u->x->env->buffers, u->room);
    body_fini(u->inner);
}

static const struct body_ops unpack_ops = {
    .name = "unpacked", .read = unpack_read, .fini = unpack_fini};

// Layers together are no denser than one may be.
static const struct unpack_body *first_of(const struct unpack_body *u, struct body *inner)
{
    return inner->ops == &unpack_ops ? CONTAINER_OF(inner, struct unpack_body, body)->first : u;
}

enum unpack_begun unpack_body_wrap(struct exchange *x, enum coding coding,
                                   const struct unpack_limits *limits, size_t limit_bytes)
{
    struct unpack_body *u = ARENA_NEW(x->mem, struct unpack_body);
    if (!u)
        return UNPACK_EXHAUSTED;
    char *room = pool_take(&x->env->buffers);
    if (!room)
        return UNPACK_NO_MEMORY;
    struct zip_decoder *decoder = zip_decoder_new(&x->env->zip, coding, limit_bytes);
    if (!decoder) {
        pool_give(&x->env->buffers, room);
        return UNPACK_NO_MEMORY;
    }
    *u = (struct unpack_body){
        .body = {.ops = &unpack_ops, .length = -1},
        .inner = x->req.body,
        .x = x,
        .first = first_of(u, x->req.body),
        .decoder = decoder,
        .limits = *limits,
        .room = room,
    };
    x->req.body = &u->body;
    return UNPACK_BEGUN;
}
