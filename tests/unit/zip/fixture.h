// SPDX-License-Identifier: Apache-2.0
// Bytes to pack, and packing and unpacking them in pieces.
#pragma once

#include "base/attr.h"
#include "base/mem.h"
#include "unit/test.h"
#include "zip/decoder.h"
#include "zip/encoder.h"

#define NO_LIMIT SIZE_MAX

// Text of few words, or noise that nobody can pack. Owned by the caller: mem_free.
static inline char *made_up(size_t n, bool is_noise)
{
    static const char *const words[] = {"gate ", "keeper ", "worker ", "fiber ", "trail\n"};
    char *bytes = mem_alloc_raw(n + 8);
    uint64_t x = 88172645463325252u;
    for (size_t i = 0; i < n;) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        if (is_noise) {
            bytes[i++] = (char)(x >> 32);
            continue;
        }
        const char *word = words[(x >> 32) % ARRAY_LEN(words)];
        for (; *word && i < n; word++)
            bytes[i++] = *word;
    }
    return bytes;
}

// Packs in pieces of in_max bytes into rooms of out_max, and flushes after each flush_every-th (0:
// never). Owned by the caller; ptr NULL: it failed.
static inline struct str packed(struct zip_encoder *e, struct str in, size_t in_max, size_t out_max,
                                unsigned flush_every)
{
    size_t cap = in.len * 2 + 65536, n = 0;
    char *to = mem_alloc_raw(cap);
    for (unsigned i = 1;; i++) {
        struct str piece = str_first(in, in_max);
        in = str_skip(in, piece.len);
        enum zip_step step = in.len == 0                               ? ZIP_FINISH
                             : flush_every > 0 && i % flush_every == 0 ? ZIP_FLUSH
                                                                       : ZIP_RUN;
        enum io io = IO_AGAIN;
        while (io == IO_AGAIN) {
            struct writer w;
            writer_init(&w, to + n, MIN(out_max, cap - n));
            io = zip_encoder_run(e, &piece, &w, step);
            n += w.len;
        }
        if (io == IO_FAIL) {
            mem_free(to);
            return STR_NONE;
        }
        CHECK(piece.len == 0);
        if (step == ZIP_FINISH)
            return str_from(to, n);
    }
}

// Unpacks in pieces of in_max bytes into rooms of out_max. IO_EOF: it was whole; IO_DONE: more
// ought to come; IO_FAIL. At most cap bytes of it are kept in to.
static inline enum io unpacked(struct zip_decoder *d, struct str in, size_t in_max, size_t out_max,
                               char *to, size_t cap, size_t *ret_n)
{
    size_t n = 0;
    enum io io = IO_DONE;
    while (in.len > 0 && io == IO_DONE) {
        struct str piece = str_first(in, in_max);
        in = str_skip(in, piece.len);
        do {
            struct writer w;
            writer_init(&w, to + n, MIN(out_max, cap - n));
            if (w.cap == 0)
                io = IO_FAIL;
            else
                io = zip_decoder_run(d, &piece, &w);
            n += w.len;
        } while (io == IO_AGAIN);
    }
    *ret_n = n;
    return io == IO_DONE && zip_decoder_is_whole(d) ? IO_EOF : io;
}
