// SPDX-License-Identifier: Apache-2.0
#include "http/replay.h"

// A body that was in memory as a whole when it was first asked for.
struct replay {
    struct body body;
    struct body *inner; // borrows: the driver's, read to its end
    struct str bytes;   // borrows: the inner's piece
    bool is_read;
};

static enum io replay_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    (void)until;
    struct replay *r = CONTAINER_OF(b, struct replay, body);
    if (r->is_read)
        return IO_EOF;
    r->is_read = true;
    *ret_piece = r->bytes;
    return IO_DONE;
}

static void replay_fini(struct body *b)
{
    body_fini(CONTAINER_OF(b, struct replay, body)->inner);
}

static const struct body_ops replay_ops = {
    .name = "replay",
    .read = replay_read,
    .fini = replay_fini,
};

bool replay_keep(struct exchange *x, struct str piece)
{
    struct body *b = x->req.body;
    if (b->ops == &replay_ops) {
        CONTAINER_OF(b, struct replay, body)->is_read = false;
        return true;
    }
    struct replay *r = ARENA_NEW(x->mem, struct replay);
    if (!r)
        return false;
    *r = (struct replay){.body = {&replay_ops, b->length, NULL}, .inner = b, .bytes = piece};
    x->req.body = &r->body;
    return true;
}
