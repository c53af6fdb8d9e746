// SPDX-License-Identifier: Apache-2.0
#include "http/body.h"

#include <stddef.h>

#include "base/attr.h"

static enum io bytes_read(struct body *b, struct str *ret_piece, struct deadline until)
{
    (void)until;
    struct body_bytes *bb = CONTAINER_OF(b, struct body_bytes, body);
    if (bb->is_read || bb->bytes.len == 0)
        return IO_EOF;
    bb->is_read = true;
    *ret_piece = bb->bytes;
    return IO_DONE;
}

static const struct body_ops bytes_ops = {.name = "bytes", .read = bytes_read};

struct body *body_bytes_init(struct body_bytes *b, struct str bytes)
{
    *b = (struct body_bytes){
        .body = {.ops = &bytes_ops, .length = (int64_t)bytes.len},
        .bytes = bytes,
    };
    return &b->body;
}
