// SPDX-License-Identifier: Apache-2.0
#include "rt/wheel.h"

#include "base/assert.h"
#include "base/attr.h"

#define DIGIT_BITS 6
_Static_assert(WHEEL_SLOTS == 1 << DIGIT_BITS, "a slot per value of a digit");
_Static_assert(WHEEL_LEVELS *DIGIT_BITS >= 63, "all of int64_t");

void wheel_init(struct wheel *w, int64_t now_ms)
{
    *w = (struct wheel){.now_ms = MAX(now_ms, 0)};
    list_init(&w->due);
    list_init(&w->expired);
    for (size_t i = 0; i < ARRAY_LEN(w->slots); i++)
        list_init(&w->slots[i]);
}

static void place(struct wheel *w, struct rt_timer *t)
{
    unsigned top_bit = 63 - (unsigned)__builtin_clzll((uint64_t)(t->at_ms ^ w->now_ms) | 1);
    unsigned level = top_bit / DIGIT_BITS;
    unsigned slot = (unsigned)(t->at_ms >> (level * DIGIT_BITS)) % WHEEL_SLOTS;
    w->levels_used |= BIT(level);
    w->slots_used[level] |= (uint64_t)1 << slot;
    list_push_back(&w->slots[level * WHEEL_SLOTS + slot], &t->node);
}

void wheel_add(struct wheel *w, struct rt_timer *t)
{
    w->n_timers++;
    if (t->at_ms <= w->now_ms)
        list_push_back(&w->due, &t->node);
    else
        place(w, t);
}

static void mark_empty(struct wheel *w, unsigned level, unsigned slot)
{
    w->slots_used[level] &= ~((uint64_t)1 << slot);
    if (w->slots_used[level] == 0)
        w->levels_used &= ~BIT(level);
}

void wheel_remove(struct wheel *w, struct rt_timer *t)
{
    const struct list_node *neighbour = t->node.next;
    bool was_alone = neighbour == t->node.prev;
    list_remove(&t->node);
    w->n_timers--;
    // The only node of a ring has the ring's head on both sides.
    uintptr_t offset = (uintptr_t)neighbour - (uintptr_t)w->slots;
    if (was_alone && offset < sizeof w->slots) {
        unsigned i = (unsigned)(offset / sizeof w->slots[0]);
        mark_empty(w, i / WHEEL_SLOTS, i % WHEEL_SLOTS);
    }
}

// The first used slot, and the time at which it begins. False without one.
static bool find_next(const struct wheel *w, unsigned *ret_level, unsigned *ret_slot,
                      int64_t *ret_at_ms)
{
    if (w->levels_used == 0)
        return false;
    unsigned level = (unsigned)__builtin_ctz(w->levels_used);
    unsigned slot = (unsigned)__builtin_ctzll(w->slots_used[level]);
    unsigned shift = level * DIGIT_BITS;
    // The digits above this level are the wheel's own; those below are 0.
    uint64_t above = (uint64_t)w->now_ms >> shift >> DIGIT_BITS << DIGIT_BITS << shift;
    *ret_level = level;
    *ret_slot = slot;
    *ret_at_ms = (int64_t)(above | (uint64_t)slot << shift);
    return true;
}

int64_t wheel_next_ms(const struct wheel *w)
{
    unsigned level, slot;
    int64_t at_ms;
    if (!list_is_empty(&w->due))
        return w->now_ms;
    return find_next(w, &level, &slot, &at_ms) ? at_ms : INT64_MAX;
}

void wheel_advance(struct wheel *w, int64_t now_ms)
{
    ASSERT(list_is_empty(&w->expired));
    for (struct list_node *n; (n = list_pop_front(&w->due));)
        list_push_back(&w->expired, n);

    unsigned level, slot;
    int64_t at_ms;
    while (find_next(w, &level, &slot, &at_ms) && at_ms <= now_ms) {
        w->now_ms = at_ms;
        mark_empty(w, level, slot);
        struct list *from = &w->slots[level * WHEEL_SLOTS + slot];
        for (struct list_node *n; (n = list_pop_front(from));) {
            struct rt_timer *t = CONTAINER_OF(n, struct rt_timer, node);
            if (t->at_ms <= at_ms)
                list_push_back(&w->expired, n);
            else
                place(w, t);
        }
    }
    w->now_ms = MAX(w->now_ms, now_ms);

    for (struct list_node *n; (n = list_pop_front(&w->expired));) {
        struct rt_timer *t = CONTAINER_OF(n, struct rt_timer, node);
        w->n_timers--;
        t->fn(t);
    }
}
