// SPDX-License-Identifier: Apache-2.0
// Memory that is given back all at once: one arena per snapshot, connection or exchange.
// Not thread safe. Every arena has a limit in bytes; at the limit arena_alloc returns NULL.
#pragma once

#include <stdalign.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/str.h"

#if defined(__SANITIZE_ADDRESS__)
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif

struct arena_block;

struct arena {
    struct arena_block *blocks; // owns: newest first
    char *next;                 // borrows: the free rest of the newest block
    char *end;                  // borrows
    size_t used_bytes;          // of all blocks from the heap
    size_t limit_bytes;
    char *home; // borrows: first memory, given by the owner, or NULL
    char *home_end;
};

// home is memory of the owner's that is used first and never freed here; NULL: none.
void arena_init(struct arena *a, size_t limit_bytes, void *home, size_t home_bytes);

// Gives everything back but the home memory; ready for use again.
void arena_reset(struct arena *a);

// Accepts a zeroed arena.
void arena_fini(struct arena *a);

// The same, and what was in it is overwritten first: for arenas that held a secret.
void arena_wipe(struct arena *a);

// n * size bytes, not zeroed. NULL at the limit.
static inline void *arena_alloc(struct arena *a, size_t n, size_t size, size_t align) MUST_CHECK;
#define ARENA_ARRAY(a, T, n) ((T *)arena_alloc((a), (n), sizeof(T), alignof(T)))
#define ARENA_NEW(a, T) ((T *)arena_zalloc((a), 1, sizeof(T), alignof(T)))

// Zeroed.
void *arena_zalloc(struct arena *a, size_t n, size_t size, size_t align) MUST_CHECK;

// Room for one more behind the n items at ptr (NULL when *cap is 0): ptr itself, or a larger copy.
// NULL at the limit.
void *arena_grow(struct arena *a, void *ptr, size_t n, size_t *cap, size_t size, size_t align)
    MUST_CHECK;
#define ARENA_GROW(a, T, ptr, n, cap)                                                              \
    ((T *)arena_grow((a), (ptr), (n), (cap), sizeof(T), alignof(T)))

// A copy of s, with a NUL behind it that isn't counted. ptr is NULL at the limit.
struct str arena_dup(struct arena *a, struct str s) MUST_CHECK;

// Formatted text, NUL-terminated. ptr is NULL at the limit.
struct str arena_printf(struct arena *a, const char *fmt, ...) PRINTF(2, 3) MUST_CHECK;
struct str arena_vprintf(struct arena *a, const char *fmt, va_list args) PRINTF(2, 0) MUST_CHECK;

// a, b and c one behind the other. ptr is NULL at the limit.
struct str arena_concat(struct arena *a, struct str x, struct str y, struct str z) MUST_CHECK;

// True when ptr points into memory of this arena: for assertions.
bool arena_owns(const struct arena *a, const void *ptr);

// Where the newest block isn't enough, and where ASan is to know about every allocation.
void *arena_alloc_more(struct arena *a, size_t n, size_t size, size_t align) MUST_CHECK;

static inline void *arena_alloc(struct arena *a, size_t n, size_t size, size_t align)
{
    ASSERT(align > 0 && (align & (align - 1)) == 0);
#ifndef ARENA_ASAN
    size_t bytes, room = (size_t)(a->end - a->next);
    size_t pad = (size_t)(-(uintptr_t)a->next & (align - 1));
    if (LIKELY(!__builtin_mul_overflow(n, size, &bytes) && bytes < room && pad <= room - bytes)) {
        char *ptr = a->next + pad;
        a->next = ptr + bytes;
        return ptr;
    }
#endif
    return arena_alloc_more(a, n, size, align);
}
