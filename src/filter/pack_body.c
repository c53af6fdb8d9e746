// SPDX-License-Identifier: Apache-2.0
#include "filter/pack_body.h"

#include "base/attr.h"
#include "http/env.h"
#include "rt/fiber.h"

// Packing takes about so many times the time of moving bytes; so much of it is done in one go.
#define COST_OF_PACKING 8
#define SLICE_BYTES ((size_t)16 * 1024)

struct pack_body {
    struct body body;
    struct body *inner;          // owns
    struct http_env *env;        // borrows: the worker's
    struct zip_encoder *encoder; // owns; NULL: all is packed
    char *room;                  // owns: of env->buffers, HTTP_BUFFER_BYTES
    struct str in;               // borrows: what is left of the inner body's piece
    enum zip_step step;
    bool has_unflushed; // bytes that were taken since the last flush
    bool has_failed;
};

static enum io fail(struct pack_body *p)
{
    p->has_failed = true;
    return IO_FAIL;
}

static enum io lend(const struct writer *w, struct str *ret_piece)
{
    *ret_piece = writer_str(w);
    return IO_DONE;
}

// One step's worth of packing. IO_DONE, IO_AGAIN: w is full, or the next slice's turn; IO_FAIL.
static enum io pack_some(struct pack_body *p, struct writer *w)
{
    struct str slice = str_first(p->in, SLICE_BYTES);
    size_t n = slice.len;
    bool is_last = n == p->in.len;
    enum io io = zip_encoder_run(p->encoder, &slice, w, is_last ? p->step : ZIP_RUN);
    p->in = str_skip(p->in, n - slice.len);
    if (n > 0)
        fiber_give_way(COST_OF_PACKING * (uint32_t)n);
    return is_last || io != IO_DONE ? io : IO_AGAIN;
}

// The other body's next piece. IO_DONE: there is something to do.
static enum io take_more(struct pack_body *p, struct deadline until)
{
    enum io io = body_read(p->inner, &p->in, until);
    switch (io) {
    case IO_DONE:
        p->has_unflushed = true;
        fiber_give_way(BODY_PIECE_COST);
        return IO_DONE;
    case IO_AGAIN:
        if (!p->has_unflushed)
            return IO_AGAIN;
        p->step = ZIP_FLUSH;
        return IO_DONE;
    case IO_EOF:
        p->step = ZIP_FINISH;
        return IO_DONE;
    case IO_FAIL:
        break;
    }
    return fail(p);
}

// A step has been done. True: what it wrote is to be lent.
static bool end_step(struct pack_body *p)
{
    switch (p->step) {
    case ZIP_RUN:
        return false;
    case ZIP_FLUSH:
        p->step = ZIP_RUN;
        p->has_unflushed = false;
        return true;
    case ZIP_FINISH:
        break;
    }
    p->body.trailers = p->inner->trailers;
    zip_encoder_free(p->encoder);
    p->encoder = NULL;
    return true;
}

static enum io pack_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct pack_body *p = CONTAINER_OF(b, struct pack_body, body);
    struct writer w;
    writer_init(&w, p->room, HTTP_BUFFER_BYTES);
    while (!p->has_failed && p->encoder) {
        if (p->in.len > 0 || p->step != ZIP_RUN) {
            enum io io = pack_some(p, &w);
            if (io == IO_FAIL)
                return fail(p);
            bool is_full = w.len == w.cap;
            if (is_full || (io == IO_DONE && end_step(p) && w.len > 0))
                return lend(&w, ret_piece);
            continue;
        }
        bool has_something = w.len > 0 || p->has_unflushed;
        enum io io = take_more(p, has_something ? BODY_NO_WAIT : until);
        if (io == IO_AGAIN && w.len > 0)
            return lend(&w, ret_piece);
        if (io != IO_DONE)
            return io;
    }
    return p->has_failed ? IO_FAIL : IO_EOF;
}

static void pack_fini(struct body *b)
{
    struct pack_body *p = CONTAINER_OF(b, struct pack_body, body);
    zip_encoder_free(p->encoder);
    pool_give(&p->env->buffers, p->room);
    body_fini(p->inner);
}

static const struct body_ops pack_ops = {.name = "packed", .read = pack_read, .fini = pack_fini};

enum pack_begun pack_body_wrap(struct exchange *x, enum coding coding, unsigned level,
                               size_t limit_bytes)
{
    struct body *inner = x->resp.body;
    const struct zip_options options = {.coding = coding, .level = level, .length = inner->length};
    struct pack_body *p = ARENA_NEW(x->mem, struct pack_body);
    if (!p)
        return PACK_EXHAUSTED;
    char *room = pool_take(&x->env->buffers);
    if (!room)
        return PACK_NO_MEMORY;
    struct zip_encoder *encoder = zip_encoder_new(&x->env->zip, &options, limit_bytes);
    if (!encoder) {
        pool_give(&x->env->buffers, room);
        return PACK_NO_MEMORY;
    }
    *p = (struct pack_body){
        .body = {.ops = &pack_ops, .length = -1},
        .inner = inner,
        .env = x->env,
        .encoder = encoder,
        .room = room,
    };
    x->resp.body = &p->body;
    return PACK_BEGUN;
}
