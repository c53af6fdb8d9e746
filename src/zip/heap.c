// SPDX-License-Identifier: Apache-2.0
#include "zip/heap.h"

#include <stdint.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"

#define ALIGN 64
#define KEEP_MIN_BYTES 4096 // smaller ones are malloc's business

// In front of what the user has.
struct block {
    size_t bytes; // with this head
};
_Static_assert(sizeof(struct block) <= ALIGN, "the head keeps the alignment");

void zip_heap_fini(struct zip_heap *h)
{
    ASSERT(h->promised_bytes == 0);
    for (unsigned i = 0; i < h->n_kept; i++)
        mem_free(h->kept[i].block);
    *h = (struct zip_heap){.n_kept = 0};
}

bool zip_share_take(struct zip_share *s, struct zip_heap *h, size_t max_bytes, size_t limit_bytes)
{
    *s = (struct zip_share){.heap = NULL};
    if (max_bytes > limit_bytes || h->promised_bytes > limit_bytes - max_bytes)
        return false;
    h->promised_bytes += max_bytes;
    *s = (struct zip_share){.heap = h, .max_bytes = max_bytes};
    return true;
}

void zip_share_end(struct zip_share *s)
{
    ASSERT(s->used_bytes == 0);
    s->heap->promised_bytes -= s->max_bytes;
    s->heap = NULL;
}

static struct block *take_kept(struct zip_heap *h, size_t bytes)
{
    for (unsigned i = h->n_kept; i-- > 0;) {
        if (h->kept[i].bytes != bytes)
            continue;
        struct block *b = h->kept[i].block;
        h->kept_bytes -= bytes;
        h->n_kept--;
        for (; i < h->n_kept; i++)
            h->kept[i] = h->kept[i + 1];
        return b;
    }
    return NULL;
}

static size_t block_bytes(size_t n)
{
    return n > SIZE_MAX - 2 * ALIGN ? SIZE_MAX : (n + 2 * ALIGN - 1) & ~(size_t)(ALIGN - 1);
}

void *zip_share_alloc(struct zip_share *s, size_t n)
{
    bool is_within =
        s->used_bytes <= s->max_bytes && block_bytes(n) <= s->max_bytes - s->used_bytes;
    return is_within ? zip_share_force(s, n) : NULL;
}

void *zip_share_force(struct zip_share *s, size_t n)
{
    size_t bytes = block_bytes(n);
    struct block *b = take_kept(s->heap, bytes);
    if (!b)
        b = mem_alloc_aligned(ALIGN, bytes);
    b->bytes = bytes;
    s->used_bytes += bytes;
    s->peak_bytes = MAX(s->peak_bytes, s->used_bytes);
    return (char *)b + ALIGN;
}

void zip_share_free(struct zip_share *s, void *ptr)
{
    if (!ptr)
        return;
    struct zip_heap *h = s->heap;
    struct block *b = (void *)((char *)ptr - ALIGN);
    ASSERT(b->bytes <= s->used_bytes);
    s->used_bytes -= b->bytes;
    if (b->bytes < KEEP_MIN_BYTES || h->n_kept == ZIP_KEPT_MAX ||
        b->bytes > ZIP_KEPT_MAX_BYTES - h->kept_bytes) {
        mem_free(b);
        return;
    }
    h->kept[h->n_kept].block = b;
    h->kept[h->n_kept++].bytes = b->bytes;
    h->kept_bytes += b->bytes;
}
