// SPDX-License-Identifier: Apache-2.0
// The timers of one loop, by time: 11 levels of 64 slots, each level 64 times as coarse as the one
// below, which together span all of int64_t milliseconds. A timer stands in the level of the
// highest 6-bit digit in which its time differs from the wheel's, so that everything in a level
// comes before everything in a higher one, and the next slot is found by two bit scans.
#pragma once

#include <stdint.h>

#include "base/list.h"
#include "rt/timer.h"

#define WHEEL_LEVELS 11
#define WHEEL_SLOTS 64

struct wheel {
    int64_t now_ms;                    // everything up to here has expired
    uint32_t levels_used;              // bit per level
    uint32_t n_timers;                 // running ones
    uint64_t slots_used[WHEEL_LEVELS]; // bit per slot
    struct list due;                   // started with a time that had passed
    struct list expired;               // to be run by wheel_advance
    struct list slots[WHEEL_LEVELS * WHEEL_SLOTS];
};

void wheel_init(struct wheel *w, int64_t now_ms);
// Starts t, whose at_ms and fn are set and which doesn't run.
void wheel_add(struct wheel *w, struct rt_timer *t);
// Stops t, which runs.
void wheel_remove(struct wheel *w, struct rt_timer *t);
// When wheel_advance has something to do next: never later than the first timer's time, and exact
// for the nearest 64 ms. INT64_MAX: no timer.
int64_t wheel_next_ms(const struct wheel *w);
// Goes on to now_ms and runs what has expired, in order of time. What is started meanwhile with a
// time that has passed waits for the next call.
void wheel_advance(struct wheel *w, int64_t now_ms);
