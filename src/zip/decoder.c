// SPDX-License-Identifier: Apache-2.0
#include "zip/decoder.h"

#define ZSTD_STATIC_LINKING_ONLY // for ZSTD_customMem: there since 1.0, in the shared library, too
#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include "base/assert.h"
#include "base/attr.h"

#define GZIP_WRAPPER 16 // added to windowBits
#define WINDOW_LOG_DEFLATE 15
#define WINDOW_LOG_ZSTD 21 // what level 19 uses, and twice what any below does

enum state {
    STATE_EMPTY,  // nothing has come yet
    STATE_INSIDE, // of a stream
    STATE_WHOLE,  // one has ended
    STATE_BROKEN,
};

struct zip_decoder {
    struct zip_share share;
    enum coding coding;
    enum state state;
    union {
        z_stream zlib;
        BrotliDecoderState *br;
        ZSTD_DStream *zstd;
    };
};

static void *take(void *arg, size_t n)
{
    return zip_share_alloc(arg, n);
}

static void *take_many(void *arg, unsigned n, unsigned size)
{
    return zip_share_alloc(arg, (size_t)n * size);
}

static void give(void *arg, void *ptr)
{
    zip_share_free(arg, ptr);
}

size_t zip_decoder_bytes(enum coding coding)
{
    switch (coding) {
    case CODING_GZIP:
    case CODING_DEFLATE: // a window of 32 KiB and 7 KiB of state
        return (size_t)64 * 1024;
    case CODING_BR: // the window, as much again while it grows, and tables
        return (size_t)5 * 1024 * 1024;
    case CODING_ZSTD: // the window, two blocks, tables
        return (size_t)3 * 1024 * 1024;
    case CODING_IDENTITY:
        break;
    }
    panic("nothing to unpack");
}

// False: it needs more than its share.
static bool start(struct zip_decoder *d)
{
    switch (d->coding) {
    case CODING_GZIP:
    case CODING_DEFLATE: // the zlib format (RFC 9110 8.4.1.2)
        d->zlib = (z_stream){.zalloc = take_many, .zfree = give, .opaque = &d->share};
        return inflateInit2(&d->zlib, WINDOW_LOG_DEFLATE +
                                          (d->coding == CODING_GZIP ? GZIP_WRAPPER : 0)) == Z_OK;
    case CODING_BR:
        d->br = BrotliDecoderCreateInstance(take, give, &d->share);
        return d->br != NULL;
    case CODING_ZSTD:
        d->zstd = ZSTD_createDStream_advanced((ZSTD_customMem){take, give, &d->share});
        return d->zstd &&
               !ZSTD_isError(ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, WINDOW_LOG_ZSTD));
    case CODING_IDENTITY:
        break;
    }
    return false;
}

struct zip_decoder *zip_decoder_new(struct zip_heap *heap, enum coding coding, size_t limit_bytes)
{
    struct zip_share share;
    if (!zip_share_take(&share, heap, zip_decoder_bytes(coding), limit_bytes))
        return NULL;
    struct zip_decoder *d = zip_share_alloc(&share, sizeof *d);
    ASSERT(d != NULL); // it is part of the share
    *d = (struct zip_decoder){.share = share, .coding = coding};
    bool is_started = start(d);
    ASSERT(is_started);
    return d;
}

void zip_decoder_free(struct zip_decoder *d)
{
    if (!d)
        return;
    switch (d->coding) {
    case CODING_GZIP:
    case CODING_DEFLATE:
        inflateEnd(&d->zlib);
        break;
    case CODING_BR:
        BrotliDecoderDestroyInstance(d->br);
        break;
    case CODING_ZSTD:
        ZSTD_freeDStream(d->zstd);
        break;
    case CODING_IDENTITY:
        break;
    }
    struct zip_share share = d->share; // which d lies in
    zip_share_free(&share, d);
    zip_share_end(&share);
}

// Each returns what became of the stream: inside, whole or broken.
static enum state run_zlib(struct zip_decoder *d, struct str *in, struct writer *out)
{
    z_stream *z = &d->zlib;
    unsigned n_in = (unsigned)MIN(in->len, (size_t)INT32_MAX);
    unsigned n_out = (unsigned)MIN(out->cap - out->len, (size_t)INT32_MAX);
    // WHY: zlib's next_in isn't const unless ZLIB_CONST is set; it is only read.
    z->next_in = (unsigned char *)(uintptr_t)in->ptr;
    z->avail_in = n_in;
    z->next_out = (unsigned char *)out->ptr + out->len;
    z->avail_out = n_out;
    int rv = inflate(z, Z_NO_FLUSH);
    *in = str_skip(*in, n_in - z->avail_in);
    out->len += n_out - z->avail_out;
    if (rv == Z_STREAM_END)
        return STATE_WHOLE;
    return rv == Z_OK || rv == Z_BUF_ERROR ? STATE_INSIDE : STATE_BROKEN;
}

static enum state run_br(struct zip_decoder *d, struct str *in, struct writer *out)
{
    size_t n_in = in->len, n_out = out->cap - out->len, before = n_out;
    const uint8_t *from = (const uint8_t *)in->ptr;
    uint8_t *to = (uint8_t *)out->ptr + out->len;
    BrotliDecoderResult rv = BrotliDecoderDecompressStream(d->br, &n_in, &from, &n_out, &to, NULL);
    *in = str_skip(*in, in->len - n_in);
    out->len += before - n_out;
    if (rv == BROTLI_DECODER_RESULT_ERROR)
        return STATE_BROKEN;
    return rv == BROTLI_DECODER_RESULT_SUCCESS ? STATE_WHOLE : STATE_INSIDE;
}

static enum state run_zstd(struct zip_decoder *d, struct str *in, struct writer *out)
{
    ZSTD_inBuffer from = {in->ptr, in->len, 0};
    ZSTD_outBuffer to = {out->ptr + out->len, out->cap - out->len, 0};
    size_t rv = ZSTD_decompressStream(d->zstd, &to, &from);
    *in = str_skip(*in, from.pos);
    out->len += to.pos;
    if (ZSTD_isError(rv))
        return STATE_BROKEN;
    return rv == 0 ? STATE_WHOLE : STATE_INSIDE;
}

static enum state run_once(struct zip_decoder *d, struct str *in, struct writer *out)
{
    switch (d->coding) {
    case CODING_GZIP:
    case CODING_DEFLATE:
        return run_zlib(d, in, out);
    case CODING_BR:
        return run_br(d, in, out);
    case CODING_ZSTD:
        return run_zstd(d, in, out);
    case CODING_IDENTITY:
        break;
    }
    return STATE_BROKEN;
}

// A file of gzip may be several (RFC 1952 2.2), and so may one of zstd (RFC 8878 3.1), which begins
// the next one by itself.
static bool begin_next(struct zip_decoder *d)
{
    return d->coding == CODING_ZSTD || (d->coding == CODING_GZIP && inflateReset(&d->zlib) == Z_OK);
}

enum io zip_decoder_run(struct zip_decoder *d, struct str *in, struct writer *out)
{
    while (d->state != STATE_BROKEN) {
        bool has_pending = d->state == STATE_INSIDE; // what didn't fit the last time
        if (in->len == 0 && !has_pending)
            return IO_DONE;
        if (out->len == out->cap)
            return IO_AGAIN;
        size_t in_before = in->len, out_before = out->len;
        if (d->state == STATE_WHOLE && !begin_next(d))
            break;
        d->state = run_once(d, in, out);
        bool has_moved = in->len < in_before || out->len > out_before;
        if (d->state == STATE_INSIDE && !has_moved)
            return in->len == 0 ? IO_DONE : IO_FAIL;
    }
    d->state = STATE_BROKEN;
    return IO_FAIL;
}

bool zip_decoder_is_whole(const struct zip_decoder *d)
{
    return d->state == STATE_WHOLE;
}
