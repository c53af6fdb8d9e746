// SPDX-License-Identifier: Apache-2.0
// Fixed-size buffers of one loop, kept in a LIFO when free, with a limit. Not thread safe.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "rt/notes.h"

struct rt_pool {
    void *free; // owns: a chain through the first word of each
    size_t item_bytes;
    uint32_t n_free, n_out;
    uint32_t keep_max; // more free ones than this go back to the system
    uint32_t out_max;  // more than this are refused
};

void pool_init(struct rt_pool *p, size_t item_bytes, uint32_t keep_max, uint32_t out_max);
void pool_fini(struct rt_pool *p);
// pool.c: a new item, and the end of one.
void *pool_grow(struct rt_pool *p);
void pool_shrink(void *item);

// item_bytes bytes, aligned to 64, not zeroed. NULL at the limit.
MUST_CHECK static inline void *pool_take(struct rt_pool *p)
{
    void *item = p->free;
    if (UNLIKELY(!item || p->n_out >= p->out_max))
        return pool_grow(p);
    notes_show(item, p->item_bytes);
    p->free = *(void **)item;
    p->n_free--;
    p->n_out++;
    return item;
}

static inline void pool_give(struct rt_pool *p, void *item)
{
    ASSERT(p->n_out > 0);
    p->n_out--;
    if (UNLIKELY(p->n_free >= p->keep_max)) {
        pool_shrink(item);
        return;
    }
    *(void **)item = p->free;
    p->free = item;
    p->n_free++;
    notes_hide(item, p->item_bytes);
}
