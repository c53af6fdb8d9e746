// SPDX-License-Identifier: Apache-2.0
#include "cli/plain.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>

void plain_put(struct text *to, struct str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        bool is_c1 = c == 0xc2 && i + 1 < s.len && ((unsigned char)s.ptr[i + 1] & 0xe0) == 0x80;
        if (is_c1)
            i++;
        text_byte(to, c < 0x20 || c == 0x7f || is_c1 ? '?' : (char)c);
    }
}

void plain_put_span(struct text *to, int64_t seconds)
{
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    int n_put = 0;
    seconds = MAX(seconds, (int64_t)0);
    for (size_t i = 0; i < ARRAY_LEN(units) && n_put < 2; i++) {
        int64_t n = seconds / units[i].seconds;
        seconds %= units[i].seconds;
        if (n == 0 && n_put == 0 && i + 1 < ARRAY_LEN(units))
            continue;
        if (n > 0 || n_put == 0)
            text_printf(to, "%s%" PRId64 " %s", n_put > 0 ? " " : "", n, units[i].name);
        n_put++;
    }
}

void plain_put_ms(struct text *to, int64_t ms)
{
    if (ms < 1000)
        text_printf(to, "%" PRId64 " ms", ms);
    else if (ms < 60000)
        text_printf(to, "%" PRId64 ".%" PRId64 " s", ms / 1000, ms % 1000 / 100);
    else
        plain_put_span(to, ms / 1000);
}

void plain_put_count(struct text *to, int64_t n)
{
    char digits[32];
    int len = snprintf(digits, sizeof digits, "%" PRId64, n);
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0 && digits[i - 1] != '-')
            text_byte(to, ' ');
        text_byte(to, digits[i]);
    }
}

void plain_put_kib(struct text *to, int64_t kib)
{
    if (kib < 10 * 1024)
        text_printf(to, "%" PRId64 " KiB", kib);
    else
        text_printf(to, "%" PRId64 " MiB", kib / 1024);
}
