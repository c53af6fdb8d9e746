// SPDX-License-Identifier: Apache-2.0
// gzip (RFC 1952) by zlib.
#include <zlib.h>

#include "base/attr.h"
#include "zip/encoder_priv.h"

#define WINDOW_LOG_MIN 9
#define WINDOW_LOG_MAX 15
#define MEMORY_LEVEL_MAX 8
#define GZIP_WRAPPER 16 // added to windowBits
#define STATE_BYTES ((size_t)40 * 1024)

struct zlib_encoder {
    struct zip_encoder encoder;
    z_stream stream;
    bool is_started;
};

static struct zlib_encoder *self(struct zip_encoder *e)
{
    return CONTAINER_OF(e, struct zlib_encoder, encoder);
}

static void *take(void *arg, unsigned n, unsigned size)
{
    return zip_share_alloc(arg, (size_t)n * size);
}

static void give(void *arg, void *ptr)
{
    zip_share_free(arg, ptr);
}

static int window_log(const struct zip_options *o)
{
    return zip_window_log(o->length, WINDOW_LOG_MIN, WINDOW_LOG_MAX);
}

// What is short needs no large tables, which cost time to be cleared.
static int memory_level(const struct zip_options *o)
{
    return MAX(MEMORY_LEVEL_MAX - (WINDOW_LOG_MAX - window_log(o)), 1);
}

// <zconf.h>: (1 << (windowBits + 2)) + (1 << (memLevel + 9)), and a few KiB.
static size_t need(const struct zip_options *o)
{
    return ((size_t)1 << (window_log(o) + 2)) + ((size_t)1 << (memory_level(o) + 9)) + STATE_BYTES;
}

static bool start(struct zip_encoder *e, const struct zip_options *o)
{
    struct zlib_encoder *z = self(e);
    z->stream = (z_stream){.zalloc = take, .zfree = give, .opaque = &e->share};
    z->is_started =
        deflateInit2(&z->stream, (int)o->level, Z_DEFLATED, window_log(o) + GZIP_WRAPPER,
                     memory_level(o), Z_DEFAULT_STRATEGY) == Z_OK;
    return z->is_started;
}

static enum io run(struct zip_encoder *e, struct str *in, struct writer *out, enum zip_step step)
{
    static const int flushes[] = {
        [ZIP_RUN] = Z_NO_FLUSH, [ZIP_FLUSH] = Z_SYNC_FLUSH, [ZIP_FINISH] = Z_FINISH};
    z_stream *z = &self(e)->stream;
    size_t n_room;
    char *room = zip_room(out, &n_room);
    unsigned n_in = (unsigned)MIN(in->len, (size_t)INT32_MAX);
    unsigned n_out = (unsigned)MIN(n_room, (size_t)INT32_MAX);
    // WHY: zlib's next_in isn't const unless ZLIB_CONST is set; it is only read.
    z->next_in = (unsigned char *)(uintptr_t)in->ptr;
    z->avail_in = n_in;
    z->next_out = (unsigned char *)room;
    z->avail_out = n_out;
    int rv = deflate(z, n_in < in->len ? Z_NO_FLUSH : flushes[step]);
    *in = str_skip(*in, n_in - z->avail_in);
    out->len += n_out - z->avail_out;
    if (rv == Z_STREAM_END)
        return IO_DONE;
    // Z_BUF_ERROR: there was nothing to do any more.
    if (rv != Z_OK && rv != Z_BUF_ERROR)
        return IO_FAIL;
    return in->len > 0 || z->avail_out == 0 || step == ZIP_FINISH ? IO_AGAIN : IO_DONE;
}

static void end(struct zip_encoder *e)
{
    if (self(e)->is_started)
        deflateEnd(&self(e)->stream);
}

const struct zip_engine zip_engine_zlib = {
    .name = "zlib",
    .own_bytes = sizeof(struct zlib_encoder),
    .need = need,
    .start = start,
    .run = run,
    .end = end,
};
