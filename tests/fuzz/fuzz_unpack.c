// SPDX-License-Identifier: Apache-2.0
// The first byte chooses the coding, the second the sizes of pieces and rooms, the rest is packed,
// or not. Properties: output never exceeds its room, memory never its share; an end is reached;
// how the input is cut changes nothing of what comes out.
#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"
#include "zip/decoder.h"

#define OUT_MAX_BYTES ((size_t)1024 * 1024)

struct result {
    enum io io;
    bool is_whole;
    uint64_t hash, n;
};

// FNV-1a: to tell outputs apart is all that it is for.
static void add(struct result *r, struct str s)
{
    for (size_t i = 0; i < s.len; i++)
        r->hash = (r->hash ^ (unsigned char)s.ptr[i]) * UINT64_C(1099511628211);
    r->n += s.len;
}

static struct result unpack(enum coding coding, struct str in, size_t in_max, size_t out_max)
{
    struct result r = {.io = IO_DONE};
    struct zip_heap heap = {.n_kept = 0};
    struct zip_decoder *d = zip_decoder_new(&heap, coding, zip_decoder_bytes(coding));
    ASSERT(d != NULL && heap.promised_bytes == zip_decoder_bytes(coding));
    char *room = mem_alloc_raw(out_max); // exactly, so that ASan sees a byte too many
    while (in.len > 0 && r.io == IO_DONE && r.n < OUT_MAX_BYTES) {
        struct str piece = str_first(in, in_max);
        in = str_skip(in, piece.len);
        do {
            struct writer w;
            size_t left = piece.len;
            writer_init(&w, room, out_max);
            r.io = zip_decoder_run(d, &piece, &w);
            ASSERT(w.len <= out_max && piece.len <= left);
            ASSERT(r.io != IO_AGAIN || w.len == out_max);
            ASSERT(r.io != IO_DONE || piece.len == 0);
            add(&r, writer_str(&w));
        } while (r.io == IO_AGAIN && r.n < OUT_MAX_BYTES);
    }
    r.is_whole = zip_decoder_is_whole(d);
    zip_decoder_free(d);
    ASSERT(heap.promised_bytes == 0);
    zip_heap_fini(&heap);
    mem_free(room);
    return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum coding codings[] = {CODING_GZIP, CODING_DEFLATE, CODING_BR, CODING_ZSTD};
    if (size < 2)
        return 0;
    enum coding coding = codings[data[0] % ARRAY_LEN(codings)];
    struct str in = str_from((const char *)data + 2, size - 2);
    struct result a = unpack(coding, in, SIZE_MAX, 16384);
    struct result b = unpack(coding, in, 1 + data[1] % 16, 1 + data[1] / 16);
    // Of what breaks, more or less may have come out before that is seen.
    if (a.io == IO_DONE && a.n < OUT_MAX_BYTES)
        ASSERT(b.io == IO_DONE && a.n == b.n && a.hash == b.hash && a.is_whole == b.is_whole);
    else if (a.io == IO_FAIL)
        ASSERT(b.io == IO_FAIL || b.n >= OUT_MAX_BYTES);
    return 0;
}
