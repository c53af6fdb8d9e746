// SPDX-License-Identifier: Apache-2.0
// Unpacks a stream of bytes of one of the content codings. What comes is a stranger's: memory is
// bounded by a share of a heap, output by the room that is given. Not thread safe; pure.
#pragma once

#include "base/err.h"
#include "base/writer.h"
#include "codec/coding.h"
#include "zip/heap.h"

struct zip_decoder;

// The most that one for this coding needs. Streams that ask for larger windows (zstd: 2 MiB, br:
// 4 MiB) are refused.
size_t zip_decoder_bytes(enum coding coding);

// coding isn't identity. NULL: the heap's shares would exceed limit_bytes.
struct zip_decoder *zip_decoder_new(struct zip_heap *heap, enum coding coding, size_t limit_bytes);
void zip_decoder_free(struct zip_decoder *d);

// Takes from *in what it can, and writes what is ready. IO_DONE: all of it was taken, and all that
// could be said is written. IO_AGAIN: out is full: call again with room. IO_FAIL: it is malformed,
// or goes on behind its end.
enum io zip_decoder_run(struct zip_decoder *d, struct str *in, struct writer *out);

// What has come is whole: the input may end here.
bool zip_decoder_is_whole(const struct zip_decoder *d);
