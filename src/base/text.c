// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"

void text_reserve(struct text *t, size_t n)
{
    size_t need = t->len + n + 1;
    if (need <= t->cap)
        return;
    t->cap = MAX(need, t->cap * 2);
    t->ptr = mem_resize(t->ptr, t->cap, 1);
}

void text_put(struct text *t, struct str s)
{
    text_reserve(t, s.len);
    if (s.len > 0)
        memcpy(t->ptr + t->len, s.ptr, s.len);
    t->len += s.len;
    t->ptr[t->len] = '\0';
}

void text_byte(struct text *t, char c)
{
    text_put(t, (struct str){&c, 1});
}

void text_printf(struct text *t, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    ASSERT(n >= 0);
    text_reserve(t, (size_t)n);
    va_start(args, fmt);
    vsnprintf(t->ptr + t->len, (size_t)n + 1, fmt, args);
    va_end(args);
    t->len += (size_t)n;
}

void text_fini(struct text *t)
{
    mem_free(t->ptr);
    *t = (struct text){.ptr = NULL};
}

void text_wipe(struct text *t)
{
    if (t->ptr)
        mem_wipe(t->ptr, t->cap);
    text_fini(t);
}
