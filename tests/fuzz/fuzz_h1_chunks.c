// SPDX-License-Identifier: Apache-2.0
// Chunked bodies and their trailers. Properties: the pieces that the input comes in change
// nothing; what is decoded, written as one chunk and decoded again is the same; trailers are clean.
#include "fuzz/fuzz_h1.h"

#define DATA_MAX (1 << 16)

struct body {
    enum io io;
    enum h1_error error;
    size_t used;
    size_t len;
    char data[DATA_MAX];
};

static void decode(struct str in, size_t piece_bytes, struct body *ret)
{
    struct h1_chunks c = {0};
    size_t at = 0;
    ret->io = IO_AGAIN;
    ret->error = H1_ERROR_NONE;
    ret->len = 0;
    for (size_t end = 0; end < in.len && ret->io == IO_AGAIN;) {
        end = MIN(end + piece_bytes, in.len);
        do {
            struct str data = STR_NONE;
            size_t used = 0;
            ret->io =
                h1_chunks_next(&c, str_skip(str_first(in, end), at), &used, &data, &ret->error);
            ASSERT(used <= end - at);
            at += used;
            ASSERT(ret->io != IO_DONE || (data.len > 0 && data.ptr + data.len == in.ptr + at));
            if (data.len > 0)
                memcpy(ret->data + ret->len, data.ptr, data.len);
            ret->len += data.len;
        } while (ret->io == IO_DONE);
        ASSERT(ret->io != IO_AGAIN || at == end);
    }
    ret->used = at;
}

static void check_trailers(struct str in)
{
    static struct fuzz_head whole, part;
    const struct h1_limits limits = {256, 200, 4};
    enum io io =
        h1_trailers_parse(in, &limits, whole.fields, &whole.n_fields, &whole.used, &whole.error);
    for (size_t len = 0; len < MIN(in.len, 250); len++) {
        enum io part_io = h1_trailers_parse(str_first(in, len), &limits, part.fields,
                                            &part.n_fields, &part.used, &part.error);
        if (part_io == IO_FAIL)
            ASSERT(io == IO_FAIL && part.error == whole.error);
        else if (part_io == IO_DONE)
            ASSERT(io == IO_DONE && part.used == whole.used);
    }
    if (io != IO_DONE)
        return;
    fuzz_check_fields(whole.fields, whole.n_fields);
    for (size_t i = 0; i < whole.n_fields; i++)
        ASSERT(whole.fields[i].id != FIELD_CONTENT_LENGTH && whole.fields[i].id != FIELD_HOST &&
               whole.fields[i].id != FIELD_TRANSFER_ENCODING);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct body whole, other;
    static char again[DATA_MAX + 64];
    if (size > DATA_MAX)
        return 0;
    struct str in = str_from((const char *)data, size);
    decode(in, size + 1, &whole);
    for (size_t piece_bytes = 1; piece_bytes < 8; piece_bytes++) {
        decode(in, piece_bytes, &other);
        ASSERT(other.io == whole.io && other.error == whole.error && other.len == whole.len);
        ASSERT(whole.io != IO_EOF || other.used == whole.used);
        ASSERT(memcmp(other.data, whole.data, whole.len) == 0);
    }
    if (whole.io != IO_EOF)
        return 0;
    check_trailers(str_skip(in, whole.used));

    struct writer w;
    writer_init(&w, again, sizeof again);
    if (whole.len > 0) {
        writer_hex(&w, whole.len);
        writer_put(&w, STR("\r\n"));
        writer_put(&w, str_from(whole.data, whole.len));
        writer_put(&w, STR("\r\n"));
    }
    writer_put(&w, STR("0\r\n"));
    decode(writer_str(&w), w.len, &other);
    ASSERT(other.io == IO_EOF && other.used == w.len && other.len == whole.len);
    ASSERT(memcmp(other.data, whole.data, whole.len) == 0);
    return 0;
}
