// SPDX-License-Identifier: Apache-2.0
#include "filter/whole_body.h"

#include <string.h>

#include "base/attr.h"
#include "rt/fiber.h"

#define FIRST_BYTES ((size_t)4096) // of room, where no length is told

struct whole {
    struct body body;
    struct body *inner; // owns
    struct str bytes;   // in the exchange's memory
    bool is_given;
};

static enum io whole_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    (void)until;
    struct whole *w = CONTAINER_OF(b, struct whole, body);
    if (w->is_given || w->bytes.len == 0) {
        b->trailers = w->inner->trailers;
        return IO_EOF;
    }
    w->is_given = true;
    *ret_piece = w->bytes;
    return IO_DONE;
}

static void whole_fini(struct body *b)
{
    body_fini(CONTAINER_OF(b, struct whole, body)->inner);
}

static const struct body_ops whole_ops = {.name = "whole", .read = whole_read, .fini = whole_fini};

struct room {
    char *bytes;
    size_t used, cap;
};

static bool put(struct room *r, struct str piece, size_t max_bytes, struct arena *mem)
{
    size_t need = r->used + piece.len;
    if (need > r->cap) {
        size_t cap = MAX(need, MIN(max_bytes, MAX(FIRST_BYTES, r->cap * 2)));
        char *bytes = ARENA_ARRAY(mem, char, cap);
        if (!bytes)
            return false;
        if (r->used > 0)
            memcpy(bytes, r->bytes, r->used);
        r->bytes = bytes;
        r->cap = cap;
    }
    memcpy(r->bytes + r->used, piece.ptr, piece.len);
    r->used = need;
    return true;
}

static enum whole_body read_all(struct body *b, size_t max_bytes, struct arena *mem,
                                struct str *ret)
{
    struct room room = {.cap = 0};
    if (b->length > 0) {
        if ((uint64_t)b->length > max_bytes)
            return WHOLE_BODY_TOO_LARGE;
        room.cap = (size_t)b->length;
        room.bytes = ARENA_ARRAY(mem, char, room.cap);
        if (!room.bytes)
            return WHOLE_BODY_EXHAUSTED;
    }
    for (;;) {
        struct str piece = STR_NONE;
        enum io io = body_read(b, &piece, deadline_at(INT64_MAX));
        if (io == IO_EOF)
            break;
        if (io != IO_DONE)
            return WHOLE_BODY_BROKEN;
        if (piece.len > max_bytes - room.used)
            return WHOLE_BODY_TOO_LARGE;
        if (!put(&room, piece, max_bytes, mem))
            return WHOLE_BODY_EXHAUSTED;
        fiber_give_way(BODY_PIECE_COST + (uint32_t)piece.len);
    }
    *ret = str_from(room.bytes, room.used);
    return WHOLE_BODY_READ;
}

enum whole_body whole_body_read(struct exchange *x, size_t max_bytes, struct str *ret)
{
    struct body *inner = x->req.body;
    struct whole *w = ARENA_NEW(x->mem, struct whole);
    if (!w)
        return WHOLE_BODY_EXHAUSTED;
    enum whole_body read = read_all(inner, max_bytes, x->mem, ret);
    if (read != WHOLE_BODY_READ)
        return read;
    // What has come as a whole has a length, which servers like better than chunks; but behind
    // that no trailers are sent.
    *w = (struct whole){
        .body = {.ops = &whole_ops, .length = inner->trailers ? inner->length : (int64_t)ret->len},
        .inner = inner,
        .bytes = *ret,
    };
    x->req.body = &w->body;
    return WHOLE_BODY_READ;
}
