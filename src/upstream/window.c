// SPDX-License-Identifier: Apache-2.0
#include "upstream/window.h"

#include "base/assert.h"

// One thread turns the window; the others go on with it, be their clock a little behind. With
// windows of another length, as of new settings, all numbers are others, and larger or smaller.
static void turn_to(struct window *w, int64_t number)
{
    int64_t old = atomic_load_explicit(&w->number, memory_order_relaxed);
    if (old == number || old == number + 1 ||
        !atomic_compare_exchange_strong_explicit(&w->number, &old, number, memory_order_relaxed,
                                                 memory_order_relaxed))
        return;
    uint64_t last = atomic_exchange_explicit(&w->current, 0, memory_order_relaxed);
    atomic_store_explicit(&w->before, number == old + 1 ? last : 0, memory_order_relaxed);
}

struct window_sum window_add(struct window *w, bool is_bad, int64_t window_ms, int64_t now_ms)
{
    ASSERT(window_ms > 0);
    turn_to(w, now_ms / window_ms);
    uint64_t one = UINT64_C(1) << 32 | (is_bad ? 1 : 0);
    uint64_t now = atomic_fetch_add_explicit(&w->current, one, memory_order_relaxed) + one;
    uint64_t before = atomic_load_explicit(&w->before, memory_order_relaxed);
    return (struct window_sum){.n = (now >> 32) + (before >> 32),
                               .n_bad = (uint32_t)now + (uint64_t)(uint32_t)before};
}

void window_reset(struct window *w)
{
    atomic_store_explicit(&w->current, 0, memory_order_relaxed);
    atomic_store_explicit(&w->before, 0, memory_order_relaxed);
}
