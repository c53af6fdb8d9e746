// SPDX-License-Identifier: Apache-2.0
#include "filter/ahead_body.h"

#include <errno.h>
#include <string.h>

#include "base/attr.h"
#include "filter/spool.h"
#include "http/env.h"
#include "rt/clock.h"
#include "rt/fiber.h"

#define FOREVER deadline_at(INT64_MAX)

static struct spool spool_of(struct exchange *x, const struct ahead_limits *limits)
{
    return (struct spool){
        .env = x->env, .memory_bytes = limits->memory_bytes, .all_bytes = limits->all_bytes};
}

// What the file has lost is nobody's fault but ours; a wait that was cancelled has its reason.
static void note_loss(struct exchange *x, const struct spool *s)
{
    if (s->error == 0 || s->error == ECANCELED || x->end != EXCHANGE_END_OK)
        return;
    x->end = EXCHANGE_END_RESOURCES;
    x->end_detail =
        arena_printf(x->mem, "the spool can't be read or written: %s", strerrordesc_np(s->error));
}

// --- requests ---

struct read_body {
    struct body body;
    struct exchange *x; // borrows
    struct body *inner; // owns
    struct spool spool;
    struct str rest; // borrows: the inner body's piece that didn't fit any more
    bool has_ended;  // the inner body has been read to its end
};

// until is the time of a client to send more: the disk has its own.
static enum io next_piece(struct read_body *r, struct str *ret_piece, struct deadline until)
{
    bool may_wait = until.at_ms != BODY_NO_WAIT.at_ms;
    enum io io = spool_take(&r->spool, ret_piece, may_wait ? FOREVER : until);
    if (io == IO_FAIL)
        note_loss(r->x, &r->spool);
    if (io != IO_EOF)
        return io;
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
        uint32_t cost = BODY_PIECE_COST + (uint32_t)piece.len;
        r->rest = piece;
        if (piece.len > limits->body_bytes - r->spool.n_bytes)
            return AHEAD_PART;
        switch (spool_put(&r->spool, &r->rest)) {
        case SPOOL_DONE:
            break;
        case SPOOL_FULL:
            return AHEAD_NO_ROOM;
        case SPOOL_LOST:
            note_loss(r->x, &r->spool);
            return AHEAD_BROKEN;
        }
        fiber_give_way(cost);
    }
}

enum ahead_read ahead_body_request(struct exchange *x, const struct ahead_limits *limits)
{
    struct read_body *r = ARENA_NEW(x->mem, struct read_body);
    if (!r)
        return AHEAD_EXHAUSTED;
    *r = (struct read_body){
        .body = {.ops = &read_ops, .length = x->req.body->length},
        .x = x,
        .inner = x->req.body,
        .spool = spool_of(x, limits),
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
    struct body *inner;      // owns
    struct exchange *x;      // borrows
    uint64_t body_max_bytes; // that wait at a time
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
           (f->spool.n_bytes < f->body_max_bytes && spool_has_room(&f->spool));
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

// False: bytes are lost, or nobody wants them any more.
static bool put(struct fill_body *f, struct str piece)
{
    uint32_t cost = BODY_PIECE_COST + (uint32_t)piece.len;
    for (;;) {
        enum spool_end end = spool_put(&f->spool, &piece);
        if (end == SPOOL_FULL && f->spool.n_bytes == 0)
            spool_force(&f->spool, &piece);
        wake_reader(f);
        if (piece.len == 0 || end == SPOOL_LOST)
            break;
        wait_for_room(f);
        if (f->is_stopped)
            return false;
    }
    fiber_give_way(cost);
    return piece.len == 0;
}

static void run_filler(void *arg)
{
    struct fill_body *f = arg;
    while (f->state == IO_AGAIN && !f->is_stopped) {
        struct str piece = STR_NONE;
        enum io io = body_read(f->inner, &piece, FOREVER);
        if (io == IO_DONE)
            f->state = put(f, piece) ? IO_AGAIN : IO_FAIL;
        else
            f->state = io == IO_EOF && spool_flush(&f->spool) != SPOOL_LOST ? IO_EOF : IO_FAIL;
        wake_reader(f);
        if (f->state == IO_AGAIN)
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
    if (!begin(f)) {
        enum io io = body_read(f->inner, ret_piece, until);
        body_follow(b, f->inner);
        return io;
    }
    for (;;) {
        enum io io = spool_take(&f->spool, ret_piece, until);
        if (io == IO_FAIL)
            note_loss(f->x, &f->spool);
        if (f->waits && has_room(f))
            fiber_wake(f->filler);
        if (io != IO_EOF)
            return io;
        if (f->state == IO_EOF)
            b->trailers = f->inner->trailers;
        if (f->state != IO_AGAIN || until.at_ms == BODY_NO_WAIT.at_ms)
            return f->state;
        if (wait_for_more(f, until) != IO_DONE)
            return IO_FAIL;
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
        .body_max_bytes = limits->body_bytes,
        .spool = spool_of(x, limits),
        .state = IO_AGAIN,
    };
    x->resp.body = &f->body;
    return true;
}

unsigned ahead_body_n_waiting(const struct body *b)
{
    if (!b || b->ops != &fill_ops)
        return 0;
    const struct fill_body *f = (const struct fill_body *)(const void *)b;
    return (f->reader ? 1u : 0u) + (f->waits ? 1u : 0u);
}
