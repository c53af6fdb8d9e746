// SPDX-License-Identifier: Apache-2.0
#include "gate/slices.h"

#include "rt/fiber.h"

#define SLICE_BYTES (8 * 1024)
// In the unit of fiber_give_way: formatting takes longer than copying, and pieces may be empty.
#define COST_PER_BYTE 16
#define COST_PER_PIECE 64

struct slices {
    struct body body;
    struct slices_source source;
    struct text text; // owns: the slice that is lent
    bool is_written;  // to its end
};

static enum io read(struct body *b, struct str *ret_piece, struct deadline until)
{
    struct slices *s = CONTAINER_OF(b, struct slices, body);
    (void)until;
    s->text.len = 0;
    while (!s->is_written && s->text.len < SLICE_BYTES) {
        s->is_written = !s->source.write(s->source.arg, &s->text);
        fiber_give_way(COST_PER_PIECE);
    }
    *ret_piece = text_str(&s->text);
    fiber_give_way((uint32_t)s->text.len * COST_PER_BYTE);
    return s->text.len > 0 ? IO_DONE : IO_EOF;
}

static void fini(struct body *b)
{
    struct slices *s = CONTAINER_OF(b, struct slices, body);
    s->source.fini(s->source.arg);
    text_fini(&s->text);
}

static const struct body_ops ops = {.name = "slices", .read = read, .fini = fini};

enum err slices_respond(struct exchange *x, struct str content_type,
                        const struct slices_source *source)
{
    struct slices *s = ARENA_NEW(x->mem, struct slices);
    if (!s || exchange_respond(x, 200, STR_NONE, STR_NONE) != ERR_OK ||
        headers_add(&x->resp.headers, FIELD_CONTENT_TYPE, content_type) != ERR_OK ||
        headers_add(&x->resp.headers, FIELD_CACHE_CONTROL, STR("no-store")) != ERR_OK) {
        source->fini(source->arg);
        return ERR_LIMIT;
    }
    s->body = (struct body){.ops = &ops, .length = -1};
    s->source = *source;
    x->resp.body = &s->body;
    return ERR_OK;
}
