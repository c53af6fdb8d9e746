// SPDX-License-Identifier: Apache-2.0
// Heads of answers, with the properties of fuzz_h1_request.
#include "fuzz/fuzz_h1.h"

static enum io parse(struct str in, const struct h1_limits *limits, struct fuzz_head *ret,
                     bool use_vector)
{
    struct h1_response r = {0};
    enum io io = (use_vector ? h1_response_parse : h1_response_parse_scalar)(
        in, limits, ret->fields, &r, &ret->used, &ret->error);
    ret->n_fields = r.n_fields;
    ret->minor = r.minor;
    ret->status = r.status;
    ret->first = r.reason;
    return io;
}

static void write_line(struct writer *w, const struct fuzz_head *h)
{
    writer_printf(w, "HTTP/1.%u %u ", h->minor, h->status);
    writer_put(w, h->first);
}

static void check_line(const struct fuzz_head *h)
{
    ASSERT(h->status >= 100 && h->status < 600);
    for (size_t i = 0; i < h->first.len; i++)
        ASSERT(ascii_is(h->first.ptr[i], ASCII_VALUE));
}

static void check_framing(const struct fuzz_head *h)
{
    struct h1_response r = {.minor = h->minor,
                            .status = h->status,
                            .n_fields = (uint16_t)h->n_fields,
                            .fields = (struct field *)(uintptr_t)h->fields};
    struct h1_framing get, head;
    enum h1_error e = h1_response_framing(&r, METHOD_GET, &get);
    ASSERT(h1_response_framing(&r, METHOD_HEAD, &head) == e);
    if (e != H1_ERROR_NONE)
        return;
    ASSERT(head.body == H1_BODY_NONE);
    ASSERT(get.body != H1_BODY_UNTIL_CLOSE || !get.keep_alive);
    ASSERT(get.body == H1_BODY_NONE || (r.status >= 200 && r.status != 204 && r.status != 304));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fuzz_kind kind = {parse, write_line, check_line, check_framing};
    fuzz_head(&kind, data, size);
    return 0;
}
