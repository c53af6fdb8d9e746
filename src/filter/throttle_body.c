// SPDX-License-Identifier: Apache-2.0
// Whoever has a piece to pass on reserves its time behind those that came before, and waits for
// it. Pieces are small beside the rate, so that all of a key get on by turns.
#include "filter/throttle_body.h"

#include "base/attr.h"
#include "rt/clock.h"
#include "rt/fiber.h"

#define NS_PER_S UINT64_C(1000000000)
#define NS_PER_MS 1000000
#define TURNS_PER_S 20 // of one body that has the rate for itself
#define PIECE_MIN_BYTES 512
#define PIECE_MAX_BYTES ((uint64_t)16 * 1024)

struct throttle_body {
    struct body body;
    struct body *inner; // owns
    struct throttle throttle;
    int64_t own_idle_ns; // without a table: when it would be idle
    int64_t due_ns;      // when what is reserved may pass; 0: nothing is
    struct str in;       // borrows: what is left of the inner body's piece
    struct str reserved; // borrows: the part of it that waits for due_ns
};

static size_t piece_bytes(const struct throttle *t)
{
    uint64_t n = t->bytes_per_s / TURNS_PER_S;
    return (size_t)MIN(MAX(n, PIECE_MIN_BYTES), PIECE_MAX_BYTES);
}

// At most a GiB as the time that it takes at the rate, rounded up: no rounding makes it faster.
static int64_t time_of(uint64_t bytes, uint64_t bytes_per_s)
{
    return (int64_t)((bytes * NS_PER_S + bytes_per_s - 1) / bytes_per_s);
}

static void reserve(struct throttle_body *b)
{
    const struct throttle *t = &b->throttle;
    b->reserved = str_first(b->in, piece_bytes(t));
    b->in = str_skip(b->in, b->reserved.len);
    int64_t cost_ns = time_of(b->reserved.len, t->bytes_per_s);
    int64_t burst_ns = time_of(t->burst_bytes, t->bytes_per_s);
    int64_t now_ns = clock_now_ns();
    int64_t wait_ns = t->table ? rate_table_spend(t->table, t->hash, cost_ns, burst_ns, now_ns)
                               : rate_spend(&b->own_idle_ns, cost_ns, burst_ns, now_ns);
    b->due_ns = now_ns + wait_ns;
}

// Until what is reserved may pass. IO_DONE, IO_AGAIN (only with BODY_NO_WAIT), IO_FAIL.
static enum io wait_for_turn(const struct throttle_body *b, struct deadline until)
{
    int64_t left_ns;
    while ((left_ns = b->due_ns - clock_now_ns()) > 0) {
        if (until.at_ms == BODY_NO_WAIT.at_ms)
            return IO_AGAIN;
        struct deadline turn = deadline_in((left_ns + NS_PER_MS - 1) / NS_PER_MS);
        bool is_late = b->throttle.ends_in_time && until.at_ms < turn.at_ms;
        if (fiber_wait(is_late ? until : turn) == FIBER_CANCELLED || is_late)
            return IO_FAIL;
    }
    return IO_DONE;
}

static enum io throttle_read(struct body *body, struct str *ret_piece, struct deadline until)
{
    struct throttle_body *b = CONTAINER_OF(body, struct throttle_body, body);
    if (b->reserved.len == 0 && b->in.len == 0) {
        enum io io = body_read(b->inner, &b->in, until);
        body_follow(&b->body, b->inner);
        if (io != IO_DONE)
            return io;
    }
    if (b->reserved.len == 0)
        reserve(b);
    enum io io = wait_for_turn(b, until);
    if (io != IO_DONE)
        return io;
    *ret_piece = b->reserved;
    b->reserved = STR_NONE;
    return IO_DONE;
}

static void throttle_fini(struct body *body)
{
    body_fini(CONTAINER_OF(body, struct throttle_body, body)->inner);
}

static const struct body_ops throttle_ops = {
    .name = "throttled", .read = throttle_read, .fini = throttle_fini};

bool throttle_body_wrap(struct exchange *x, struct body **at, const struct throttle *t)
{
    struct throttle_body *b = ARENA_NEW(x->mem, struct throttle_body);
    if (!b)
        return false;
    *b = (struct throttle_body){
        .body = {.ops = &throttle_ops, .length = (*at)->length},
        .inner = *at,
        .throttle = *t,
    };
    *at = &b->body;
    return true;
}
