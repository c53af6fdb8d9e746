// SPDX-License-Identifier: Apache-2.0
#include "base/writer.h"

#include <stdarg.h>
#include <stdio.h>

#define TENS(t) t "0" t "1" t "2" t "3" t "4" t "5" t "6" t "7" t "8" t "9"

void writer_dec(struct writer *w, uint64_t value)
{
    static const char pairs[] = TENS("0") TENS("1") TENS("2") TENS("3") TENS("4") TENS("5")
        TENS("6") TENS("7") TENS("8") TENS("9");
    UNINITIALIZED char digits[20];
    char *at = digits + sizeof digits;
    for (; value >= 10; value /= 100)
        memcpy(at -= 2, pairs + value % 100 * 2, 2);
    // What is left is one digit, or nothing behind a pair.
    if (value > 0 || at == digits + sizeof digits)
        *--at = (char)('0' + value);
    writer_put(w, str_from(at, (size_t)(digits + sizeof digits - at)));
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
