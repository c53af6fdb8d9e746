// SPDX-License-Identifier: Apache-2.0
#include "codec/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// The six bits behind a character, or -1.
static int value_of(char c, bool is_url)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == (is_url ? '-' : '+'))
        return 62;
    return c == (is_url ? '_' : '/') ? 63 : -1;
}

// Without padding; it is allowed only where it completes a group of four.
static struct str strip_padding(struct str s)
{
    if (s.len % 4 == 0) {
        for (int i = 0; i < 2 && str_ends(s, STR("=")); i++)
            s.len--;
    }
    return s;
}

enum err base64_decode(struct str s, bool is_url, char *buf, size_t *ret_len)
{
    s = strip_padding(s);
    if (s.len % 4 == 1) // six bits are no byte
        return ERR_SYNTAX;
    uint32_t bits = 0;
    unsigned n_bits = 0;
    size_t len = 0;
    for (size_t i = 0; i < s.len; i++) {
        int value = value_of(s.ptr[i], is_url);
        if (value < 0)
            return ERR_SYNTAX;
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            buf[len++] = (char)(uint8_t)(bits >> n_bits);
            bits &= BIT(n_bits) - 1;
        }
    }
    // Else two texts would mean the same bytes (RFC 4648 3.5).
    if (bits != 0)
        return ERR_SYNTAX;
    *ret_len = len;
    return ERR_OK;
}

size_t base64_encode(struct str s, bool is_url, char *buf)
{
    const char *digits = is_url ? url_alphabet : alphabet;
    size_t len = 0;
    for (size_t i = 0; i < s.len; i += 3) {
        struct str group = str_first(str_skip(s, i), 3);
        uint32_t bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (k < group.len ? (uint8_t)group.ptr[k] : 0u);
        for (size_t k = 0; k < 4; k++) {
            if (k <= group.len)
                buf[len++] = digits[bits >> (18 - 6 * k) & 63];
            else if (!is_url)
                buf[len++] = '=';
        }
    }
    return len;
}
