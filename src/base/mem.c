// SPDX-License-Identifier: Apache-2.0
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

void *mem_alloc(size_t n, size_t size)
{
    void *ptr = calloc(n, size);
    if (!ptr && n > 0 && size > 0)
        panic("out of memory: %zu * %zu bytes", n, size);
    return ptr;
}

void *mem_alloc_raw(size_t n)
{
    void *ptr = malloc(n > 0 ? n : 1);
    if (!ptr)
        panic("out of memory: %zu bytes", n);
    return ptr;
}

void *mem_alloc_aligned(size_t align, size_t n)
{
    void *ptr;
    if (posix_memalign(&ptr, align, n > 0 ? n : 1) != 0)
        panic("out of memory: %zu bytes", n);
    return ptr;
}

void *mem_resize(void *ptr, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        panic("out of memory: %zu * %zu bytes", n, size);
    ptr = realloc(ptr, bytes > 0 ? bytes : 1);
    if (!ptr)
        panic("out of memory: %zu bytes", bytes);
    return ptr;
}

void mem_free(void *ptr)
{
    free(ptr);
}

char *mem_copy(const char *ptr, size_t n)
{
    char *copy = mem_alloc_raw(n + 1);
    if (n > 0)
        memcpy(copy, ptr, n);
    copy[n] = '\0';
    return copy;
}

void mem_wipe(void *ptr, size_t n)
{
    explicit_bzero(ptr, n);
}
