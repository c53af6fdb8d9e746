// SPDX-License-Identifier: Apache-2.0
// Fixed-size buffers of one loop, kept in a LIFO when free, with a limit. Not thread safe.
#pragma once

#include <stddef.h>
#include <stdint.h>

struct rt_pool {
    void *free; // owns: a chain through the first word of each
    size_t item_bytes;
    uint32_t n_free, n_out;
    uint32_t keep_max; // more free ones than this go back to the system
    uint32_t out_max;  // more than this are refused
};

void pool_init(struct rt_pool *p, size_t item_bytes, uint32_t keep_max, uint32_t out_max);
void pool_fini(struct rt_pool *p);
// item_bytes bytes, aligned to 64, not zeroed. NULL at the limit.
void *pool_take(struct rt_pool *p) __attribute__((warn_unused_result));
void pool_give(struct rt_pool *p, void *item);
