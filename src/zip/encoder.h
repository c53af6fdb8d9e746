// SPDX-License-Identifier: Apache-2.0
// Packs a stream of bytes by one of the content codings. Not thread safe. Pure: no clock, no
// sockets; memory is that of a share of a heap, and stated before. Needs up to 24 KiB of stack.
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/writer.h"
#include "codec/coding.h"
#include "zip/heap.h"

// Levels of each, from the fastest to the smallest: above these it is seconds and tens of MiB for a
// page, which nobody wants while a client waits.
#define ZIP_GZIP_LEVEL_MAX 9
#define ZIP_BR_LEVEL_MAX 6
#define ZIP_ZSTD_LEVEL_MAX 6

struct zip_options {
    enum coding coding; // CODING_GZIP, _BR or _ZSTD
    unsigned level;     // 1 to its maximum; of br 0, too
    int64_t length;     // of all that will come; -1: not known
};

enum zip_step {
    ZIP_RUN,    // more is to come
    ZIP_FLUSH,  // all that has come can be unpacked from what is written
    ZIP_FINISH, // nothing is to come
};

struct zip_encoder;

// The most that one needs.
size_t zip_encoder_bytes(const struct zip_options *o);

// NULL: the heap's shares would exceed limit_bytes.
struct zip_encoder *zip_encoder_new(struct zip_heap *heap, const struct zip_options *o,
                                    size_t limit_bytes);
void zip_encoder_free(struct zip_encoder *e);

// Takes from *in what it can, and writes what is ready. IO_DONE: all of it was taken and the step
// is done. IO_AGAIN: out is full: call again with room, and the same step. IO_FAIL: `length` was
// wrong, or memory is short: an answer that must be cut.
enum io zip_encoder_run(struct zip_encoder *e, struct str *in, struct writer *out,
                        enum zip_step step);

// What does the work, for people: "ISA-L", "zlib" …
const char *zip_encoder_engine(const struct zip_options *o);
