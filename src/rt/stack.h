// SPDX-License-Identifier: Apache-2.0
// The stacks of one loop's fibers: each with a guard page below, kept in a LIFO when free, and
// given back to the system when they stay free for long. Not thread safe.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "rt/timer.h"

// Stands at the top of its own memory, as the first member of what its user keeps there.
struct stack {
    struct list_node node; // free: in the pool
    char *bottom;          // lowest byte; the guard page is below
    unsigned valgrind_id;
    struct rt_timer timer; // the user's; may run on while the stack is free, to no effect
};

// Bytes at the top that belong to struct stack and its user's data; the stack grows down below.
#define STACK_HEAD_BYTES 256

struct stacks {
    struct list free; // newest first
    uint32_t n_free;
    uint32_t n_free_low;  // the fewest since the last look
    struct rt_timer look; // now and then gives back what wasn't needed since the last look
};

void stacks_init(struct stacks *p);
void stacks_fini(struct stacks *p);
// NULL when the system has no memory or no mapping left.
struct stack *stacks_take(struct stacks *p);
void stacks_give(struct stacks *p, struct stack *s);
// How many free ones have a timer that runs on. Looks at each.
uint32_t stacks_timers(const struct stacks *p);
