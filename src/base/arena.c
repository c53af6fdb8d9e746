// SPDX-License-Identifier: Apache-2.0
#include "base/arena.h"

#include <stdint.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/mem.h"

#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(ptr, n) ASAN_POISON_MEMORY_REGION((ptr), (n))
#define UNPOISON(ptr, n) ASAN_UNPOISON_MEMORY_REGION((ptr), (n))
#define GAP 16 // poisoned bytes between two allocations
#else
#define POISON(ptr, n) ((void)0)
#define UNPOISON(ptr, n) ((void)0)
#define GAP 0
#endif

#define BLOCK_MIN_BYTES 4096
#define SMALL_TEXT_BYTES 256

struct arena_block {
    struct arena_block *older;
    size_t bytes;
    alignas(max_align_t) char data[];
};

void arena_init(struct arena *a, size_t limit_bytes, void *home, size_t home_bytes)
{
    *a = (struct arena){.limit_bytes = limit_bytes, .home = home};
    if (home) {
        a->home_end = a->home + home_bytes;
        a->next = a->home;
        a->end = a->home_end;
        POISON(home, home_bytes);
    }
}

static void free_blocks(struct arena *a)
{
    while (a->blocks) {
        struct arena_block *block = a->blocks;
        a->blocks = block->older;
        UNPOISON(block->data, block->bytes);
        mem_free(block);
    }
    a->used_bytes = 0;
}

void arena_reset(struct arena *a)
{
    free_blocks(a);
    a->next = a->home;
    a->end = a->home_end;
    if (a->home)
        POISON(a->home, (size_t)(a->home_end - a->home));
}

void arena_fini(struct arena *a)
{
    free_blocks(a);
    if (a->home)
        UNPOISON(a->home, (size_t)(a->home_end - a->home));
    *a = (struct arena){.limit_bytes = 0};
}

void arena_wipe(struct arena *a)
{
    for (struct arena_block *block = a->blocks; block; block = block->older) {
        UNPOISON(block->data, block->bytes);
        mem_wipe(block->data, block->bytes);
    }
    if (a->home) {
        UNPOISON(a->home, (size_t)(a->home_end - a->home));
        mem_wipe(a->home, (size_t)(a->home_end - a->home));
    }
    arena_fini(a);
}

static bool add_block(struct arena *a, size_t need)
{
    size_t bytes = MAX(need, MIN((size_t)BLOCK_MIN_BYTES + a->used_bytes, (size_t)1 << 20));
    if (need > a->limit_bytes || a->used_bytes > a->limit_bytes - need)
        return false;
    bytes = MIN(bytes, a->limit_bytes - a->used_bytes);
    struct arena_block *block = mem_alloc_raw(sizeof *block + bytes);
    *block = (struct arena_block){.older = a->blocks, .bytes = bytes};
    a->blocks = block;
    a->used_bytes += bytes;
    a->next = block->data;
    a->end = block->data + bytes;
    POISON(block->data, bytes);
    return true;
}

void *arena_alloc_more(struct arena *a, size_t n, size_t size, size_t align)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    size_t pad = (size_t)(-(uintptr_t)a->next & (align - 1));
    if ((size_t)(a->end - a->next) < pad + bytes + GAP || !a->next) {
        if (!add_block(a, bytes + align + GAP))
            return NULL;
        pad = (size_t)(-(uintptr_t)a->next & (align - 1));
    }
    char *ptr = a->next + pad;
    a->next = ptr + bytes + GAP;
    UNPOISON(ptr, bytes);
    return ptr;
}

void *arena_zalloc(struct arena *a, size_t n, size_t size, size_t align)
{
    void *ptr = arena_alloc(a, n, size, align);
    if (ptr)
        memset(ptr, 0, n * size);
    return ptr;
}

void *arena_grow(struct arena *a, void *ptr, size_t n, size_t *cap, size_t size, size_t align)
{
    if (n < *cap)
        return ptr;
    size_t more = *cap * 2 + 8;
    void *copy = arena_alloc(a, more, size, align);
    if (!copy)
        return NULL;
    if (n > 0)
        memcpy(copy, ptr, n * size);
    *cap = more;
    return copy;
}

struct str arena_dup(struct arena *a, struct str s)
{
    return arena_concat(a, s, STR_NONE, STR_NONE);
}

struct str arena_vprintf(struct arena *a, const char *fmt, va_list args)
{
    char small[SMALL_TEXT_BYTES]; // most are, and needn't be formatted again to be stored
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(small, sizeof small, fmt, args);
    ASSERT(n >= 0);
    struct str s = STR_NONE;
    if ((size_t)n < sizeof small) {
        s = arena_dup(a, str_from(small, (size_t)n));
    } else {
        char *text = ARENA_ARRAY(a, char, (size_t)n + 1);
        if (text) {
            vsnprintf(text, (size_t)n + 1, fmt, again);
            s = str_from(text, (size_t)n);
        }
    }
    va_end(again);
    return s;
}

struct str arena_printf(struct arena *a, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    struct str s = arena_vprintf(a, fmt, args);
    va_end(args);
    return s;
}

struct str arena_concat(struct arena *a, struct str x, struct str y, struct str z)
{
    size_t len = x.len + y.len + z.len;
    char *copy = ARENA_ARRAY(a, char, len + 1);
    if (!copy)
        return STR_NONE;
    char *at = copy;
    if (x.len > 0)
        at = mempcpy(at, x.ptr, x.len);
    if (y.len > 0)
        at = mempcpy(at, y.ptr, y.len);
    if (z.len > 0)
        at = mempcpy(at, z.ptr, z.len);
    *at = '\0';
    return (struct str){copy, len};
}

bool arena_owns(const struct arena *a, const void *ptr)
{
    const char *p = ptr;
    if (a->home && p >= a->home && p < a->home_end)
        return true;
    for (const struct arena_block *b = a->blocks; b; b = b->older) {
        if (p >= b->data && p < b->data + b->bytes)
            return true;
    }
    return false;
}
