// SPDX-License-Identifier: Apache-2.0
// Passive health: a server that fails requests, in a row or too large a share of them, gets none
// for a while, which grows each time. Of one address of a server of a service; atomics, counted by
// all workers.
#pragma once

#include "upstream/outcome.h"
#include "upstream/window.h"

struct eject_conf {
    bool is_on;
    uint32_t failures;     // in a row; 0: any number
    uint32_t percent;      // of the requests in the window; 0: any share
    uint32_t requests_min; // in the window, for percent to count
    int64_t window_ms;
    int64_t time_ms, time_max_ms; // ejected for so long: the first time, and at most
    uint32_t max_percent;         // of the servers at a time
    struct conf_texts on;         // of struct outcomes
    struct place place;
};

extern const struct conf_section eject_section;

struct eject {
    _Atomic int64_t until_ms; // monotonic: no requests before that; 0: never ejected
    _Atomic uint32_t n_row;   // failures one behind the other
    _Atomic uint32_t n_times; // that it was ejected, less those that are long ago
    _Atomic uint32_t reason;  // of the last time: percent << 16 | failures in a row
    struct window window;
};

static inline bool eject_is_out(const struct eject *e, int64_t now_ms)
{
    int64_t until = atomic_load_explicit(&e->until_ms, memory_order_relaxed);
    return until != 0 && until > now_ms;
}

// A request has ended so. True: it is to be ejected.
bool eject_count(struct eject *e, const struct eject_conf *conf, bool is_failure, int64_t now_ms);

// Ejects it, if nobody else has at the same time. Returns for how long, in ms; 0: somebody else.
int64_t eject_begin(struct eject *e, const struct eject_conf *conf, int64_t now_ms);

void eject_reset(struct eject *e);
