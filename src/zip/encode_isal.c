// SPDX-License-Identifier: Apache-2.0
// gzip (RFC 1952) by ISA-L, with its level 1. Only where it is known to be right: x86-64.
#include <isa-l/igzip_lib.h>

#include "base/attr.h"
#include "zip/encoder_priv.h"

struct isal_encoder {
    struct zip_encoder encoder;
    uint8_t *level_buf; // owns: of the share
    struct isal_zstream stream;
};

static struct isal_encoder *self(struct zip_encoder *e)
{
    return CONTAINER_OF(e, struct isal_encoder, encoder);
}

static uint32_t level_buf_bytes(const struct zip_options *o)
{
    return zip_is_short(o) ? ISAL_DEF_LVL1_SMALL : ISAL_DEF_LVL1_MEDIUM;
}

static size_t need(const struct zip_options *o)
{
    return level_buf_bytes(o);
}

static bool start(struct zip_encoder *e, const struct zip_options *o)
{
    struct isal_encoder *i = self(e);
    struct isal_zstream *z = &i->stream;
    isal_deflate_init(z);
    z->gzip_flag = IGZIP_GZIP;
    z->level = 1;
    z->level_buf_size = level_buf_bytes(o);
    z->level_buf = i->level_buf = zip_share_alloc(&e->share, z->level_buf_size);
    return z->level_buf != NULL;
}

static enum io run(struct zip_encoder *e, struct str *in, struct writer *out, enum zip_step step)
{
    struct isal_zstream *z = &self(e)->stream;
    size_t n_room;
    char *room = zip_room(out, &n_room);
    uint32_t n_in = (uint32_t)MIN(in->len, (size_t)INT32_MAX);
    uint32_t n_out = (uint32_t)MIN(n_room, (size_t)INT32_MAX);
    bool is_all = n_in == in->len;
    // WHY: next_in isn't const; it is only read.
    z->next_in = (uint8_t *)(uintptr_t)in->ptr;
    z->avail_in = n_in;
    z->next_out = (uint8_t *)room;
    z->avail_out = n_out;
    z->flush = is_all && step == ZIP_FLUSH ? SYNC_FLUSH : NO_FLUSH;
    z->end_of_stream = is_all && step == ZIP_FINISH;
    int rv = isal_deflate(z);
    *in = str_skip(*in, n_in - z->avail_in);
    out->len += n_out - z->avail_out;
    if (rv != COMP_OK)
        return IO_FAIL;
    if (z->internal_state.state == ZSTATE_END)
        return IO_DONE;
    return in->len > 0 || z->avail_out == 0 || step == ZIP_FINISH ? IO_AGAIN : IO_DONE;
}

static void end(struct zip_encoder *e)
{
    zip_share_free(&e->share, self(e)->level_buf);
}

const struct zip_engine zip_engine_isal = {
    .name = "ISA-L",
    .own_bytes = sizeof(struct isal_encoder),
    .need = need,
    .start = start,
    .run = run,
    .end = end,
};
