// SPDX-License-Identifier: Apache-2.0
#include "rt/pool.h"

#include "base/assert.h"
#include "base/mem.h"
#include "rt/notes.h"

#define ITEM_ALIGN 64

void pool_init(struct rt_pool *p, size_t item_bytes, uint32_t keep_max, uint32_t out_max)
{
    ASSERT(item_bytes >= sizeof(void *));
    *p = (struct rt_pool){.item_bytes = item_bytes, .keep_max = keep_max, .out_max = out_max};
}

static void *pop_free(struct rt_pool *p)
{
    void *item = p->free;
    notes_show(item, p->item_bytes);
    p->free = *(void **)item;
    p->n_free--;
    return item;
}

void pool_fini(struct rt_pool *p)
{
    ASSERT(p->n_out == 0);
    while (p->free)
        mem_free(pop_free(p));
}

void *pool_take(struct rt_pool *p)
{
    if (p->n_out >= p->out_max)
        return NULL;
    p->n_out++;
    return p->free ? pop_free(p) : mem_alloc_aligned(ITEM_ALIGN, p->item_bytes);
}

void pool_give(struct rt_pool *p, void *item)
{
    ASSERT(p->n_out > 0);
    p->n_out--;
    if (p->n_free >= p->keep_max) {
        mem_free(item);
        return;
    }
    *(void **)item = p->free;
    p->free = item;
    p->n_free++;
    notes_hide(item, p->item_bytes);
}
