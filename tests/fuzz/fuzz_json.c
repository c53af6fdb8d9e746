// SPDX-License-Identifier: Apache-2.0
// Whatever bytes go into a JSON string or a log line, what comes out is one: no control byte, valid
// UTF-8, quotes and backslashes escaped, and the two writers of JSON agree.
#include <stdint.h>

#include "base/assert.h"
#include "codec/json.h"

static size_t escape_bytes(const char *p, const char *end)
{
    ASSERT(p + 1 < end);
    if (p[1] != 'u')
        return 2;
    ASSERT(p + 6 <= end);
    return 6;
}

static size_t utf8_bytes(const char *p, const char *end)
{
    uint8_t lead = (uint8_t)*p;
    size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    ASSERT(lead < 0x80 || (lead >= 0xc2 && lead <= 0xf4));
    ASSERT(p + n <= end);
    for (size_t i = 1; i < n; i++)
        ASSERT(((uint8_t)p[i] & 0xc0) == 0x80);
    return n;
}

static void check_string(struct str s)
{
    ASSERT(s.len >= 2 && s.ptr[0] == '"' && s.ptr[s.len - 1] == '"');
    const char *end = s.ptr + s.len - 1;
    for (const char *p = s.ptr + 1; p < end;) {
        ASSERT((uint8_t)*p >= ' ' && *p != '"');
        p += *p == '\\' ? escape_bytes(p, end) : utf8_bytes(p, end);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char buf[8192];
    struct str in = {(const char *)data, MIN(size, sizeof buf / 8)};
    struct writer w;
    struct text t = {.ptr = NULL};
    writer_init(&w, buf, sizeof buf);
    json_put_str(&w, in);
    ASSERT(!w.overflowed);
    check_string(writer_str(&w));
    json_text_str(&t, in);
    ASSERT(str_eq(text_str(&t), writer_str(&w)));
    text_fini(&t);

    writer_init(&w, buf, sizeof buf);
    log_escape(&w, in);
    ASSERT(!w.overflowed && w.len >= in.len);
    for (size_t i = 0; i < w.len; i++)
        ASSERT(w.ptr[i] >= ' ' && w.ptr[i] < 0x7f && w.ptr[i] != '"');
    return 0;
}
