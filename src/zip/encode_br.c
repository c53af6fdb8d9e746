// SPDX-License-Identifier: Apache-2.0
// br (RFC 7932) by brotli.
#include <brotli/encode.h>

#include "base/attr.h"
#include "zip/encoder_priv.h"

#define WINDOW_LOG_MIN 12
#define WINDOW_LOG_MAX 18 // 256 KiB: four times less memory than with brotli's own, as small a page

struct br_encoder {
    struct zip_encoder encoder;
    BrotliEncoderState *state; // owns
};

static struct br_encoder *self(struct zip_encoder *e)
{
    return CONTAINER_OF(e, struct br_encoder, encoder);
}

// Debian's encoder was built so that it ends the process when it gets no memory.
static void *take(void *arg, size_t n)
{
    return zip_share_force(arg, n);
}

static void give(void *arg, void *ptr)
{
    zip_share_free(arg, ptr);
}

// Measured with texts and noise in pieces of all sizes, and a third more (tests/unit/zip).
static size_t need(const struct zip_options *o)
{
    static const uint16_t kib[][ZIP_BR_LEVEL_MAX + 1] = {
        {512, 1024, 2560, 2560, 4608, 5120, 6144},
        {512, 1024, 1280, 1280, 2304, 2304, 2304}, // of what is short
    };
    return (size_t)kib[zip_is_short(o)][o->level] * 1024;
}

static bool start(struct zip_encoder *e, const struct zip_options *o)
{
    BrotliEncoderState *s = BrotliEncoderCreateInstance(take, give, &e->share);
    self(e)->state = s;
    if (!s)
        return false;
    int window_log = zip_window_log(o->length, WINDOW_LOG_MIN, WINDOW_LOG_MAX);
    BrotliEncoderSetParameter(s, BROTLI_PARAM_QUALITY, o->level);
    BrotliEncoderSetParameter(s, BROTLI_PARAM_LGWIN, (uint32_t)window_log);
    return true;
}

static enum io run(struct zip_encoder *e, struct str *in, struct writer *out, enum zip_step step)
{
    static const BrotliEncoderOperation ops[] = {[ZIP_RUN] = BROTLI_OPERATION_PROCESS,
                                                 [ZIP_FLUSH] = BROTLI_OPERATION_FLUSH,
                                                 [ZIP_FINISH] = BROTLI_OPERATION_FINISH};
    BrotliEncoderState *s = self(e)->state;
    size_t n_room, n_in = in->len;
    char *room = zip_room(out, &n_room);
    size_t n_left = n_room;
    const uint8_t *from = (const uint8_t *)in->ptr;
    uint8_t *to = (uint8_t *)room;
    if (!BrotliEncoderCompressStream(s, ops[step], &n_in, &from, &n_left, &to, NULL))
        return IO_FAIL;
    *in = str_skip(*in, in->len - n_in);
    out->len += n_room - n_left;
    return in->len > 0 || BrotliEncoderHasMoreOutput(s) ? IO_AGAIN : IO_DONE;
}

static void end(struct zip_encoder *e)
{
    BrotliEncoderDestroyInstance(self(e)->state);
}

const struct zip_engine zip_engine_br = {
    .name = "brotli",
    .own_bytes = sizeof(struct br_encoder),
    .need = need,
    .start = start,
    .run = run,
    .end = end,
};
