// SPDX-License-Identifier: Apache-2.0
#include "zip/encoder.h"

#include "base/assert.h"
#include "zip/encoder_priv.h"

#define HEADS_BYTES 1024 // of blocks, and what rounding up to whole lines costs

// ISA-L packs five times as fast as zlib's lowest level, and as small; it has no higher ones.
static const struct zip_engine *gzip_engine(unsigned level)
{
#ifdef ZIP_HAS_ISAL
    if (level == 1)
        return &zip_engine_isal;
#endif
    (void)level;
    return &zip_engine_zlib;
}

static const struct zip_engine *engine_for(const struct zip_options *o)
{
    switch (o->coding) {
    case CODING_GZIP:
        return gzip_engine(o->level);
    case CODING_BR:
        return &zip_engine_br;
    case CODING_ZSTD:
        return &zip_engine_zstd;
    case CODING_IDENTITY:
    case CODING_DEFLATE:
        break;
    }
    panic("nothing packs by %.*s", STR_ARG(coding_name(o->coding)));
}

const char *zip_encoder_engine(const struct zip_options *o)
{
    return engine_for(o)->name;
}

size_t zip_encoder_bytes(const struct zip_options *o)
{
    const struct zip_engine *engine = engine_for(o);
    return engine->own_bytes + engine->need(o) + HEADS_BYTES;
}

struct zip_encoder *zip_encoder_new(struct zip_heap *heap, const struct zip_options *o,
                                    size_t limit_bytes)
{
    const struct zip_engine *engine = engine_for(o);
    struct zip_share share;
    if (!zip_share_take(&share, heap, zip_encoder_bytes(o), limit_bytes))
        return NULL;
    struct zip_encoder *e = zip_share_alloc(&share, engine->own_bytes);
    ASSERT(e != NULL); // it is part of the share
    e->engine = engine;
    e->share = share;
    if (engine->start(e, o))
        return e;
    zip_encoder_free(e);
    return NULL;
}

void zip_encoder_free(struct zip_encoder *e)
{
    if (!e)
        return;
    e->engine->end(e);
    struct zip_share share = e->share; // which e lies in
    zip_share_free(&share, e);
    zip_share_end(&share);
}

enum io zip_encoder_run(struct zip_encoder *e, struct str *in, struct writer *out,
                        enum zip_step step)
{
    return e->engine->run(e, in, out, step);
}
