// SPDX-License-Identifier: Apache-2.0
#include "http/h2_heap.h"

#include <stdalign.h>
#include <string.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"
#include "rt/pool.h"

#define STEP_BYTES 64 // a cache line: what differs by less shares a pool
#define N_POOLS 5     // the largest one has what a stream is (about 250 bytes)
#define KEEP_MAX 1024 // free pieces of one size: less than 1 MiB for a worker

// Stands before each piece; as large as malloc's alignment.
struct piece {
    size_t n_lines; // of STEP_BYTES; more than N_POOLS: of malloc's own
    alignas(max_align_t) char bytes[];
};

_Static_assert(offsetof(struct piece, bytes) == alignof(max_align_t),
               "pieces are aligned as malloc's");

struct h2_heap {
    nghttp2_mem mem;
    struct rt_pool pools[N_POOLS];
};

static size_t lines_for(size_t n)
{
    size_t bytes;
    if (__builtin_add_overflow(n, sizeof(struct piece) + STEP_BYTES - 1, &bytes))
        panic("a piece of %zu bytes", n);
    return bytes / STEP_BYTES;
}

static size_t room_of(const struct piece *p)
{
    return p->n_lines * STEP_BYTES - sizeof *p;
}

static struct piece *piece_of(void *ptr)
{
    return (struct piece *)(void *)((char *)ptr - offsetof(struct piece, bytes));
}

static void *get(size_t n, void *arg)
{
    struct h2_heap *h = arg;
    size_t n_lines = lines_for(n);
    struct piece *p = n_lines <= N_POOLS ? pool_take(&h->pools[n_lines - 1])
                                         : mem_alloc_raw(n_lines * STEP_BYTES);
    ASSERT(p != NULL);
    p->n_lines = n_lines;
    return p->bytes;
}

static void *get_zeroed(size_t n, size_t size, void *arg)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        panic("%zu pieces of %zu bytes", n, size);
    return memset(get(bytes, arg), 0, bytes);
}

static void give(void *ptr, void *arg)
{
    struct h2_heap *h = arg;
    if (!ptr)
        return;
    struct piece *p = piece_of(ptr);
    if (p->n_lines <= N_POOLS)
        pool_give(&h->pools[p->n_lines - 1], p);
    else
        mem_free(p);
}

static void *resize(void *ptr, size_t n, void *arg)
{
    if (ptr && n <= room_of(piece_of(ptr)))
        return ptr;
    void *larger = get(n, arg);
    if (ptr)
        memcpy(larger, ptr, room_of(piece_of(ptr)));
    give(ptr, arg);
    return larger;
}

struct h2_heap *h2_heap_new(void)
{
    struct h2_heap *h = MEM_NEW(struct h2_heap);
    h->mem = (nghttp2_mem){
        .mem_user_data = h, .malloc = get, .free = give, .calloc = get_zeroed, .realloc = resize};
    for (size_t i = 0; i < N_POOLS; i++)
        pool_init(&h->pools[i], (i + 1) * STEP_BYTES, KEEP_MAX, UINT32_MAX);
    return h;
}

void h2_heap_free(struct h2_heap **h)
{
    if (!*h)
        return;
    for (size_t i = 0; i < N_POOLS; i++)
        pool_fini(&(*h)->pools[i]);
    mem_free(*h);
    *h = NULL;
}

nghttp2_mem *h2_heap_mem(struct h2_heap *h)
{
    return &h->mem;
}

uint32_t h2_heap_pieces(const struct h2_heap *h)
{
    uint32_t n = 0;
    for (size_t i = 0; i < N_POOLS; i++)
        n += h->pools[i].n_out;
    return n;
}
