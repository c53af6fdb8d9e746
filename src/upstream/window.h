// SPDX-License-Identifier: Apache-2.0
// A share of failures over a time, counted by all workers without a lock: of the window that runs
// and the one before it. What two threads do in the moment of a change may count in either.
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct window {
    _Atomic int64_t number;   // of the window that runs: time / its length
    _Atomic uint64_t current; // n << 32 | n_bad
    _Atomic uint64_t before;
};

struct window_sum {
    uint64_t n, n_bad;
};

// Adds one, and returns what is there.
struct window_sum window_add(struct window *w, bool is_bad, int64_t window_ms, int64_t now_ms);
void window_reset(struct window *w);

// Enough of them, and too many of those bad.
static inline bool window_sum_is_bad(struct window_sum s, uint32_t n_min, uint32_t percent)
{
    return s.n >= n_min && s.n_bad * 100 >= s.n * percent && s.n_bad > 0;
}
