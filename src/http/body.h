// SPDX-License-Identifier: Apache-2.0
// Message bodies, pulled piece by piece. A filter that changes a body is a body around a body.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"
#include "base/err.h"
#include "base/str.h"

struct body;
struct headers;
struct rt_sock;

struct body_ops {
    const char *name;
    enum io (*read)(struct body *b, struct str *ret_piece, struct deadline until);
    // Optional: the rest of the body is raw bytes on a plain socket, none of them read yet: they
    // may be spliced. False: not (now).
    bool (*raw)(struct body *b, struct rt_sock **ret_sock, uint64_t *ret_left);
    // Waits until raw bytes are there, for as long as read would. False: read tells why. Optional.
    bool (*raw_wait)(struct body *b);
    // n raw bytes have been taken from the socket.
    void (*raw_moved)(struct body *b, uint64_t n);
    // Ends the body, read to its end or not. Called once.
    void (*fini)(struct body *b);
};

struct body {
    const struct body_ops *ops;
    int64_t length;           // bytes in all; -1: not known in advance
    struct headers *trailers; // borrows: after IO_EOF, or NULL
    // With the last byte of a known length: trailers may follow, which IO_EOF tells.
    bool has_tail;
};

// What a piece costs beside its bytes, in the unit of fiber_give_way: who sends bodies in pieces of
// one byte must not hold up the others of the worker.
#define BODY_PIECE_COST 256

// Don't wait: IO_AGAIN when nothing is at hand.
#define BODY_NO_WAIT ((struct deadline){0})

// Lends the next piece, not empty, valid until the next call on b. IO_DONE, IO_EOF (all read,
// trailers are there), IO_FAIL (cut, broken, timed out), IO_AGAIN (only with BODY_NO_WAIT). May
// wait.
static inline enum io body_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    return b->ops->read(b, ret_piece, until);
}

// For a body around inner, after it was read: what follows is the same.
static inline void body_follow(struct body *b, const struct body *inner)
{
    b->trailers = inner->trailers;
    b->has_tail = inner->has_tail;
}

// After a splice that found nothing. May wait.
static inline bool body_raw_wait(struct body *b)
{
    return b->ops->raw_wait && b->ops->raw_wait(b);
}

// Accepts NULL.
static inline void body_fini(struct body *b)
{
    if (b && b->ops->fini)
        b->ops->fini(b);
}

// A body of bytes that are in memory already.
struct body_bytes {
    struct body body;
    struct str bytes; // borrows
    bool is_read;
};
struct body *body_bytes_init(struct body_bytes *b, struct str bytes);
