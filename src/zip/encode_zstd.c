// SPDX-License-Identifier: Apache-2.0
// zstd (RFC 8878) by libzstd.
#define ZSTD_STATIC_LINKING_ONLY // for ZSTD_customMem: there since 1.0, in the shared library, too
#include <zstd.h>

#include "base/attr.h"
#include "zip/encoder_priv.h"

#define WINDOW_LOG 18 // 256 KiB; clients take 8 MiB (RFC 9659)

struct zstd_encoder {
    struct zip_encoder encoder;
    ZSTD_CCtx *context; // owns
};

static struct zstd_encoder *self(struct zip_encoder *e)
{
    return CONTAINER_OF(e, struct zstd_encoder, encoder);
}

static void *take(void *arg, size_t n)
{
    return zip_share_alloc(arg, n);
}

static void give(void *arg, void *ptr)
{
    zip_share_free(arg, ptr);
}

// Measured, and a quarter more; it depends on nothing but these two.
static size_t need(const struct zip_options *o)
{
    static const uint16_t kib[][ZIP_ZSTD_LEVEL_MAX + 1] = {
        {0, 1536, 1792, 2304, 4096, 5376, 5376},
        {0, 704, 832, 1152, 1664, 1664, 1664}, // of what is short
    };
    return (size_t)kib[zip_is_short(o)][o->level] * 1024;
}

static bool start(struct zip_encoder *e, const struct zip_options *o)
{
    const ZSTD_customMem memory = {take, give, &e->share};
    ZSTD_CCtx *c = ZSTD_createCCtx_advanced(memory);
    self(e)->context = c;
    if (!c)
        return false;
    ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, (int)o->level);
    ZSTD_CCtx_setParameter(c, ZSTD_c_windowLog, WINDOW_LOG);
    if (o->length >= 0) // a short one needs smaller tables
        ZSTD_CCtx_setPledgedSrcSize(c, (unsigned long long)o->length);
    return true;
}

static enum io run(struct zip_encoder *e, struct str *in, struct writer *out, enum zip_step step)
{
    static const ZSTD_EndDirective ops[] = {
        [ZIP_RUN] = ZSTD_e_continue, [ZIP_FLUSH] = ZSTD_e_flush, [ZIP_FINISH] = ZSTD_e_end};
    size_t n_room;
    char *room = zip_room(out, &n_room);
    ZSTD_inBuffer from = {in->ptr, in->len, 0};
    ZSTD_outBuffer to = {room, n_room, 0};
    size_t left = ZSTD_compressStream2(self(e)->context, &to, &from, ops[step]);
    *in = str_skip(*in, from.pos);
    out->len += to.pos;
    if (ZSTD_isError(left))
        return IO_FAIL;
    bool is_full = to.pos == to.size;
    return in->len > 0 || (step == ZIP_RUN ? is_full : left > 0) ? IO_AGAIN : IO_DONE;
}

static void end(struct zip_encoder *e)
{
    ZSTD_freeCCtx(self(e)->context);
}

const struct zip_engine zip_engine_zstd = {
    .name = "zstd",
    .own_bytes = sizeof(struct zstd_encoder),
    .need = need,
    .start = start,
    .run = run,
    .end = end,
};
