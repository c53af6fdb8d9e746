// SPDX-License-Identifier: Apache-2.0
#include "filter/ahead_body.h"

#include "base/attr.h"
#include "filter/spool.h"
#include "http/env.h"
#include "rt/clock.h"
#include "rt/fiber.h"

#define FOREVER deadline_at(INT64_MAX)

// --- requests ---

struct read_body {
    struct body body;
    struct body *inner; // owns
    struct spool spool;
    struct str rest; // borrows: the inner body's piece that didn't fit any more
    bool has_ended;  // the inner body has been read to its end
};

static enum io next_piece(struct read_body *r, struct str *ret_piece, struct deadline until)
{
    *ret_piece = spool_take(&r->spool);
    if (ret_piece->len > 0)
        return IO_DONE;
    if (r->rest.len > 0) {
        *ret_piece = r->rest;
        r->rest = STR_NONE;
        return IO_DONE;
    }
    return r->has_ended ? IO_EOF : body_read(r->inner, ret_piece, until);
}

static enum io read_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct read_body *r = CONTAINER_OF(b, struct read_body, body);
    enum io io = next_piece(r, ret_piece, until);
    body_follow(b, r->inner);
    return io;
}

static void read_fini(struct body *b)
{
    struct read_body *r = CONTAINER_OF(b, struct read_body, body);
    spool_drop(&r->spool);
    body_fini(r->inner);
}

static const struct body_ops read_ops = {
    .name = "read ahead", .read = read_read, .fini = read_fini};

static enum ahead_read read_on(struct read_body *r, const struct ahead_limits *limits)
{
    for (;;) {
        struct str piece = STR_NONE;
        switch (body_read(r->inner, &piece, FOREVER)) {
        case IO_DONE:
            break;
        case IO_EOF:
            r->has_ended = true;
            return AHEAD_WHOLE;
        case IO_AGAIN:
        case IO_FAIL:
            return AHEAD_BROKEN;
        }
        if (piece.len > limits->body_bytes - r->spool.n_bytes ||
            !spool_put(&r->spool, piece, limits->all_bytes)) {
            r->rest = piece;
            return AHEAD_PART;
        }
        fiber_give_way(BODY_PIECE_COST + (uint32_t)piece.len);
    }
}

enum ahead_read ahead_body_request(struct exchange *x, const struct ahead_limits *limits)
{
    struct read_body *r = ARENA_NEW(x->mem, struct read_body);
    if (!r)
        return AHEAD_EXHAUSTED;
    *r = (struct read_body){
        .body = {.ops = &read_ops, .length = x->req.body->length},
        .inner = x->req.body,
        .spool = {.env = x->env},
    };
    x->req.body = &r->body;
    enum ahead_read how = read_on(r, limits);
    // What has come as a whole has a length, which servers like better than chunks; but behind
    // that no trailers are sent.
    if (how == AHEAD_WHOLE && !r->inner->trailers)
        r->body.length = (int64_t)r->spool.n_bytes;
    return how;
}

// --- answers ---

struct fill_body {
    struct body body;
    struct body *inner; // owns
    struct exchange *x; // borrows
    struct ahead_limits limits;
    struct spool spool;
    struct fiber *filler;  // borrows: reads the inner body; NULL: none runs
    struct fiber *reader;  // borrows: waits for bytes; NULL: nobody does
    enum io state;         // IO_AGAIN: there is more to come; IO_EOF, IO_FAIL
    bool has_begun, waits; // the filler; for room
    bool is_stopped;
};

// An empty spool takes one piece whatever all of them have: every answer gets on.
static bool has_room(const struct fill_body *f)
{
    return f->spool.n_bytes == 0 ||
           (f->spool.n_bytes < f->limits.body_bytes &&
            f->x->env->spooled_bytes + HTTP_LARGE_BYTES <= f->limits.all_bytes);
}

static void wait_for_room(struct fill_body *f)
{
    while (!f->is_stopped && !has_room(f)) {
        f->waits = true;
        (void)fiber_wait(FOREVER);
        f->waits = false;
    }
}

static void wake_reader(struct fill_body *f)
{
    if (f->reader)
        fiber_wake(f->reader);
}

static void run_filler(void *arg)
{
    struct fill_body *f = arg;
    while (f->state == IO_AGAIN && !f->is_stopped) {
        struct str piece = STR_NONE;
        enum io io = body_read(f->inner, &piece, FOREVER);
        if (io == IO_DONE) {
            bool is_put = spool_put(&f->spool, piece, SIZE_MAX);
            ASSERT(is_put);
            fiber_give_way(BODY_PIECE_COST + (uint32_t)piece.len);
        } else {
            f->state = io == IO_EOF ? IO_EOF : IO_FAIL;
        }
        wake_reader(f);
        wait_for_room(f);
    }
    f->filler = NULL; // f may be gone from here on
}

static void stop_filler(struct fill_body *f)
{
    if (!f->filler)
        return;
    // That the body ends with a cancelled wait is our doing, not the server's.
    enum exchange_end end = f->x->end;
    struct str detail = f->x->end_detail;
    f->is_stopped = true;
    fiber_cancel(f->filler);
    while (f->filler)
        fiber_yield();
    f->x->end = end;
    f->x->end_detail = detail;
}

static bool begin(struct fill_body *f)
{
    if (f->has_begun)
        return f->state != IO_DONE;
    f->has_begun = true;
    f->filler = fiber_start(run_filler, f);
    if (!f->filler) // too many fibers: the reader reads by itself
        f->state = IO_DONE;
    return f->filler != NULL;
}

// IO_DONE: look again.
static enum io wait_for_more(struct fill_body *f, struct deadline until)
{
    f->reader = fiber_self();
    enum fiber_wake why = fiber_wait(until);
    f->reader = NULL;
    return why == FIBER_READY ? IO_DONE : IO_FAIL;
}

static enum io fill_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct fill_body *f = CONTAINER_OF(b, struct fill_body, body);
    if (!begin(f))
        return body_read(f->inner, ret_piece, until);
    for (;;) {
        *ret_piece = spool_take(&f->spool);
        if (f->waits && has_room(f))
            fiber_wake(f->filler);
        if (ret_piece->len > 0)
            return IO_DONE;
        if (f->state == IO_EOF)
            b->trailers = f->inner->trailers;
        if (f->state != IO_AGAIN || until.at_ms == BODY_NO_WAIT.at_ms)
            return f->state;
        enum io io = wait_for_more(f, until);
        if (io != IO_DONE)
            return io;
    }
}

static void fill_fini(struct body *b)
{
    struct fill_body *f = CONTAINER_OF(b, struct fill_body, body);
    stop_filler(f);
    spool_drop(&f->spool);
    body_fini(f->inner);
}

static const struct body_ops fill_ops = {
    .name = "filled ahead", .read = fill_read, .fini = fill_fini};

bool ahead_body_answer(struct exchange *x, const struct ahead_limits *limits)
{
    struct fill_body *f = ARENA_NEW(x->mem, struct fill_body);
    if (!f)
        return false;
    *f = (struct fill_body){
        .body = {.ops = &fill_ops, .length = x->resp.body->length},
        .inner = x->resp.body,
        .x = x,
        .limits = *limits,
        .spool = {.env = x->env},
        .state = IO_AGAIN,
    };
    x->resp.body = &f->body;
    return true;
}
