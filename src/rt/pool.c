// SPDX-License-Identifier: Apache-2.0
#include "rt/pool.h"

#include "base/mem.h"

#define ITEM_ALIGN 64

void pool_init(struct rt_pool *p, size_t item_bytes, uint32_t keep_max, uint32_t out_max)
{
    ASSERT(item_bytes >= sizeof(void *));
    *p = (struct rt_pool){.item_bytes = item_bytes, .keep_max = keep_max, .out_max = out_max};
}

void pool_fini(struct rt_pool *p)
{
    ASSERT(p->n_out == 0);
    while (p->free) {
        void *item = p->free;
        notes_show(item, p->item_bytes);
        p->free = *(void **)item;
        mem_free(item);
    }
    p->n_free = 0;
}

void *pool_grow(struct rt_pool *p)
{
    if (p->n_out >= p->out_max)
        return NULL;
    p->n_out++;
    return mem_alloc_aligned(ITEM_ALIGN, p->item_bytes);
}

void pool_shrink(void *item)
{
    mem_free(item);
}
