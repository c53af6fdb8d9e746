// SPDX-License-Identifier: Apache-2.0
#include "http/replay.h"

struct kept {
    struct kept *next;
    struct str bytes; // in the exchange's memory, or the inner body's only piece
};

struct replay {
    struct body body;
    struct body *inner; // borrows: the driver's
    struct arena *mem;  // borrows: the exchange's
    struct kept *first; // what was read
    struct kept **last; // where the next one goes
    struct kept **at;   // what is read next; last: nothing is left, the inner body goes on
    uint64_t n_left;    // bytes that may still be kept
    bool is_lost;       // more was read than could be kept: there is no way back
    bool is_at_end;     // the inner body is read to its end
};

// Up to here of what the exchange uses: the exchange itself and its answer need the rest.
static size_t mem_max(const struct arena *mem)
{
    return mem->limit_bytes / 2;
}

static void keep(struct replay *r, struct str piece)
{
    size_t cost = piece.len + sizeof(struct kept) + alignof(struct kept);
    bool has_room = piece.len <= r->n_left && r->mem->used_bytes + cost <= mem_max(r->mem);
    struct kept *k = has_room ? ARENA_NEW(r->mem, struct kept) : NULL;
    struct str bytes = k ? arena_dup(r->mem, piece) : STR_NONE;
    if (!bytes.ptr) {
        r->is_lost = true;
        return;
    }
    r->n_left -= piece.len;
    k->bytes = bytes;
    *r->last = k;
    r->last = r->at = &k->next;
}

static enum io replay_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct replay *r = CONTAINER_OF(b, struct replay, body);
    if (*r->at) {
        *ret_piece = (*r->at)->bytes;
        r->at = &(*r->at)->next;
        return IO_DONE;
    }
    if (r->is_at_end)
        return IO_EOF;
    enum io io = body_read(r->inner, ret_piece, until);
    if (io == IO_DONE && !r->is_lost)
        keep(r, *ret_piece);
    r->is_at_end = io == IO_EOF;
    body_follow(b, r->inner);
    return io;
}

// As long as something is kept, nothing may pass by.
static bool replay_raw(struct body *b, struct rt_sock **ret_sock, uint64_t *ret_left)
{
    struct replay *r = CONTAINER_OF(b, struct replay, body);
    return r->is_lost && r->inner->ops->raw && r->inner->ops->raw(r->inner, ret_sock, ret_left);
}

static bool replay_raw_wait(struct body *b)
{
    return body_raw_wait(CONTAINER_OF(b, struct replay, body)->inner);
}

static void replay_raw_moved(struct body *b, uint64_t n)
{
    struct replay *r = CONTAINER_OF(b, struct replay, body);
    ASSERT(r->is_lost);
    r->inner->ops->raw_moved(r->inner, n);
}

static void replay_fini(struct body *b)
{
    body_fini(CONTAINER_OF(b, struct replay, body)->inner);
}

static const struct body_ops replay_ops = {
    .name = "replay",
    .read = replay_read,
    .raw = replay_raw,
    .raw_wait = replay_raw_wait,
    .raw_moved = replay_raw_moved,
    .fini = replay_fini,
};

static struct replay *replay_of(struct body *b)
{
    return b && b->ops == &replay_ops ? CONTAINER_OF(b, struct replay, body) : NULL;
}

static struct replay *wrap(struct exchange *x)
{
    struct replay *r = ARENA_NEW(x->mem, struct replay);
    if (!r)
        return NULL;
    r->body = (struct body){.ops = &replay_ops, .length = x->req.body->length};
    body_follow(&r->body, x->req.body);
    r->inner = x->req.body;
    r->mem = x->mem;
    r->last = r->at = &r->first;
    x->req.body = &r->body;
    return r;
}

void replay_record(struct exchange *x, uint64_t max_bytes)
{
    struct body *b = x->req.body;
    if (!b || replay_of(b) ||
        b->length > (int64_t)MIN(MIN(max_bytes, mem_max(x->mem)), (uint64_t)INT64_MAX))
        return;
    struct replay *r = wrap(x);
    if (r)
        r->n_left = max_bytes;
}

// Whoever reads on behind piece takes it away.
static bool keep_before_tail(struct exchange *x, struct str piece)
{
    struct replay *r = wrap(x);
    if (!r)
        return false;
    r->n_left = piece.len;
    keep(r, piece);
    return !r->is_lost;
}

bool replay_keep(struct exchange *x, struct str piece)
{
    bool has_tail = x->req.body->has_tail;
    if (replay_of(x->req.body))
        return has_tail ? replay_is_whole(x) : replay_restart(x);
    if (has_tail)
        return keep_before_tail(x, piece);
    struct kept *k = ARENA_NEW(x->mem, struct kept);
    struct replay *r = k ? wrap(x) : NULL;
    if (!r)
        return false;
    k->bytes = piece;
    r->first = k;
    r->last = &k->next;
    r->is_at_end = true;
    return true;
}

bool replay_is_whole(const struct exchange *x)
{
    const struct replay *r = replay_of(x->req.body);
    return r && !r->is_lost;
}

bool replay_restart(struct exchange *x)
{
    struct replay *r = replay_of(x->req.body);
    if (r && !r->is_lost)
        r->at = &r->first;
    return !r || !r->is_lost;
}
