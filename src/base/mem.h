// SPDX-License-Identifier: Apache-2.0
// The heap. Budgets are enforced before memory can run out, so failing to get it is a panic and
// callers never see NULL. Only this layer calls malloc.
#pragma once

#include <stddef.h>

#include "base/attr.h"

// n * size bytes, zeroed. Owned by the caller: mem_free.
void *mem_alloc(size_t n, size_t size);
#define MEM_NEW(T) ((T *)mem_alloc(1, sizeof(T)))
#define MEM_ARRAY(T, n) ((T *)mem_alloc((n), sizeof(T)))

// n bytes, not zeroed.
void *mem_alloc_raw(size_t n);

// The same at a multiple of align, a power of two.
void *mem_alloc_aligned(size_t align, size_t n);

// Grows or shrinks ptr (may be NULL) to n * size bytes; what is new is not zeroed.
void *mem_resize(void *ptr, size_t n, size_t size) MUST_CHECK;

// NULL is allowed.
void mem_free(void *ptr);

// A copy of n bytes with a NUL behind them.
char *mem_copy(const char *ptr, size_t n) MUST_CHECK;

// Overwrites a secret with zeros in a way that compilers keep.
void mem_wipe(void *ptr, size_t n);
