// SPDX-License-Identifier: Apache-2.0
// Classes of bytes, by one table. ASCII only: no locale ever.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

enum ascii_class {
    ASCII_TOKEN = 1,   // RFC 9110 5.6.2 tchar
    ASCII_DIGIT = 2,   // 0-9
    ASCII_HEX = 4,     // 0-9 a-f A-F
    ASCII_ALPHA = 8,   // a-z A-Z
    ASCII_VALUE = 16,  // RFC 9110 5.5 field-content: HTAB SP VCHAR obs-text
    ASCII_TARGET = 32, // a byte that a request target may hold: VCHAR (RFC 9112 3.2)
    ASCII_PCHAR = 64,  // RFC 3986 3.3 pchar without the escape, and '/'
    ASCII_UPPER = 128, // A-Z
};

extern const uint8_t ascii_table[256];

static inline bool ascii_is(char c, unsigned classes)
{
    return (ascii_table[(uint8_t)c] & classes) != 0;
}

// Whether all bytes are of these classes; true for an empty text.
bool ascii_all(struct str s, unsigned classes);

// A token (RFC 9110 5.6.2): a method, a field's name.
static inline bool ascii_is_token(struct str s)
{
    return s.len > 0 && ascii_all(s, ASCII_TOKEN);
}

static inline char ascii_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

// The value of a hexadecimal digit, or -1.
static inline int ascii_hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    char l = (char)(c | 0x20);
    return l >= 'a' && l <= 'f' ? l - 'a' + 10 : -1;
}
