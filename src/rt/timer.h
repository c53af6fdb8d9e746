// SPDX-License-Identifier: Apache-2.0
// Timers of one loop, embedded in what they time. Start, stop and expiry are O(1): a hierarchy of
// wheels, 1 ms apart at the lowest level. Not thread safe: a timer belongs to its loop's thread.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct rt_timer;
typedef void rt_timer_fn(struct rt_timer *t);

struct rt_timer {
    struct list_node node; // linked while it runs
    int64_t at_ms;
    rt_timer_fn *fn; // runs in the loop, not on a fiber: bounded work, no waits
};

// (Re)starts t on this thread's loop. A time in the past expires in the next turn.
void timer_start(struct rt_timer *t, int64_t at_ms, rt_timer_fn *fn);

// Accepts a timer that doesn't run. Afterwards fn is not called.
void timer_stop(struct rt_timer *t);

static inline bool timer_is_running(const struct rt_timer *t)
{
    return list_node_is_linked(&t->node);
}
