// SPDX-License-Identifier: Apache-2.0
// What the files of the single encoders offer to encoder.c.
#pragma once

#include "zip/encoder.h"

// One way of packing. `start` and the others find their own struct at the encoder.
struct zip_engine {
    const char *name;
    size_t own_bytes; // of the struct, which begins with a zip_encoder
    // What it needs beside its struct.
    size_t (*need)(const struct zip_options *o);
    // Its memory is the share's. False: beyond it.
    bool (*start)(struct zip_encoder *e, const struct zip_options *o);
    enum io (*run)(struct zip_encoder *e, struct str *in, struct writer *out, enum zip_step step);
    // After a start that failed, too.
    void (*end)(struct zip_encoder *e);
};

struct zip_encoder {
    const struct zip_engine *engine;
    struct zip_share share;
};

extern const struct zip_engine zip_engine_zlib;
extern const struct zip_engine zip_engine_br;
extern const struct zip_engine zip_engine_zstd;
extern const struct zip_engine zip_engine_isal; // where ZIP_HAS_ISAL

// Most answers are: they need smaller tables.
static inline bool zip_is_short(const struct zip_options *o)
{
    return o->length >= 0 && o->length <= 64 * 1024;
}

// The logarithm of the window for so many bytes: at most max.
static inline int zip_window_log(int64_t length, int min, int max)
{
    int bits = min;
    while (bits < max && (length < 0 || length > INT64_C(1) << bits))
        bits++;
    return bits;
}

// The writer's free end.
static inline char *zip_room(const struct writer *w, size_t *ret_n)
{
    *ret_n = w->cap - w->len;
    return w->ptr + w->len;
}
