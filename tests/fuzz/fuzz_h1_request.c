// SPDX-License-Identifier: Apache-2.0
// Request heads. Properties: a prefix gives IO_AGAIN or the same verdict; vectors and scalar code
// agree; what is accepted is clean, and is the same when it is written and read again.
#include "fuzz/fuzz_h1.h"

static enum io parse(struct str in, const struct h1_limits *limits, struct fuzz_head *ret,
                     bool use_vector)
{
    struct h1_request r = {0};
    enum io io = (use_vector ? h1_request_parse : h1_request_parse_scalar)(
        in, limits, ret->fields, &r, &ret->used, &ret->error);
    ret->n_fields = r.n_fields;
    ret->minor = r.minor;
    ret->first = r.method;
    ret->second = r.target;
    return io;
}

static void write_line(struct writer *w, const struct fuzz_head *h)
{
    writer_put(w, h->first);
    writer_byte(w, ' ');
    writer_put(w, h->second);
    writer_printf(w, " HTTP/1.%u", h->minor);
}

static void check_line(const struct fuzz_head *h)
{
    ASSERT(h->first.len > 0 && h->second.len > 0);
    for (size_t i = 0; i < h->first.len; i++)
        ASSERT(ascii_is(h->first.ptr[i], ASCII_TOKEN));
    for (size_t i = 0; i < h->second.len; i++)
        ASSERT(ascii_is(h->second.ptr[i], ASCII_TARGET));
}

static void check_framing(const struct fuzz_head *h)
{
    struct h1_request r = {.minor = h->minor,
                           .n_fields = (uint16_t)h->n_fields,
                           .fields = (struct field *)(uintptr_t)h->fields};
    struct h1_framing f;
    if (h1_request_framing(&r, &f) != H1_ERROR_NONE)
        return;
    ASSERT(f.body != H1_BODY_UNTIL_CLOSE);
    ASSERT((f.body == H1_BODY_LENGTH) == (f.length > 0));
    ASSERT(f.body != H1_BODY_CHUNKED || r.minor > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fuzz_kind kind = {parse, write_line, check_line, check_framing};
    fuzz_head(&kind, data, size);
    return 0;
}
