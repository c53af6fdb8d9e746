// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

size_t utf8_decode(struct str s, uint32_t *ret)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    uint8_t first = (uint8_t)s.ptr[0];
    size_t len = first < 0x80 ? 1 : first < 0xc0 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (len == 0 || first > 0xf4 || s.len < len)
        return 0;
    uint32_t code = len == 1 ? first : first & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        uint8_t next = (uint8_t)s.ptr[i];
        if ((next & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (next & 0x3f);
    }
    bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
    if (code < smallest[len] || is_surrogate || code > 0x10ffff)
        return 0;
    *ret = code;
    return len;
}

bool utf8_is_valid(struct str s)
{
    uint32_t code;
    for (size_t len; s.len > 0; s = str_skip(s, len)) {
        len = utf8_decode(s, &code);
        if (len == 0)
            return false;
    }
    return true;
}

size_t utf8_encode(uint32_t code, char ret[static UTF8_MAX_BYTES])
{
    if (code < 0x80) {
        ret[0] = (char)code;
        return 1;
    }
    size_t len = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--) {
        ret[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    ret[0] = (char)((0xf00u >> len & 0xff) | code);
    return len;
}
