// SPDX-License-Identifier: Apache-2.0
// Property: a header is the same however much stands behind it, is not seen before its last byte is
// there, and what is written of it reads back as the same.
#include "base/assert.h"
#include "codec/proxy_header.h"

static bool is_same(const struct proxy_header *a, const struct proxy_header *b)
{
    return ip_eq(&a->source, &b->source) && ip_eq(&a->destination, &b->destination) &&
           a->source_port == b->source_port && a->destination_port == b->destination_port;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str in = {(const char *)data, size};
    struct proxy_header h, again;
    size_t used = 0, ignored = 0;
    enum proxy_header_error error = PROXY_HEADER_ERROR_NONE;
    enum io io = proxy_header_parse(in, &h, &used, &error);
    ASSERT((io == IO_FAIL) == (error != PROXY_HEADER_ERROR_NONE));
    if (io != IO_DONE)
        return 0;
    ASSERT(used > 0 && used <= size && used <= PROXY_HEADER_V2_BYTES);
    for (size_t n = 0; n < used; n++)
        ASSERT(proxy_header_parse(str_first(in, n), &again, &ignored, &error) == IO_AGAIN);
    ASSERT(proxy_header_parse(str_first(in, used), &again, &ignored, &error) == IO_DONE);
    ASSERT(is_same(&h, &again) && ignored == used);
    for (int v = PROXY_HEADER_V1; v <= PROXY_HEADER_V2; v++) {
        char buf[PROXY_HEADER_WRITE_BYTES];
        struct str text = proxy_header_write((enum proxy_header_version)v, &h, buf);
        ASSERT(proxy_header_parse(text, &again, &ignored, &error) == IO_DONE);
        ASSERT(is_same(&h, &again) && ignored == text.len);
    }
    return 0;
}
