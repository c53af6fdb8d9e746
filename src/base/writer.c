// SPDX-License-Identifier: Apache-2.0
#include "base/writer.h"

#include <stdarg.h>
#include <stdio.h>

void writer_dec(struct writer *w, uint64_t value)
{
    char digits[20];
    size_t at = sizeof digits;
    do {
        digits[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    writer_put(w, (struct str){digits + at, sizeof digits - at});
}

void writer_hex(struct writer *w, uint64_t value)
{
    char digits[16];
    size_t at = sizeof digits;
    do {
        digits[--at] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value > 0);
    writer_put(w, (struct str){digits + at, sizeof digits - at});
}

void writer_printf(struct writer *w, const char *fmt, ...)
{
    char text[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof text) {
        w->overflowed = true;
        return;
    }
    writer_put(w, (struct str){text, (size_t)n});
}
