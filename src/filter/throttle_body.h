// SPDX-License-Identifier: Apache-2.0
// A body that goes through no faster than a rate, alone or together with others of one key.
#pragma once

#include "filter/rate_table.h"
#include "http/exchange.h"

struct throttle {
    struct rate_table *table; // borrows; NULL: each body by itself
    uint64_t hash;            // of the key in the table
    uint64_t bytes_per_s;     // above 0
    uint64_t burst_bytes;     // at once, after a pause
    // Reads end by their deadlines while they wait for their turn, too. Not so with what a client
    // sends, whose deadline is about its silence.
    bool ends_in_time;
};

// Puts such a body around *at, one of x's. False: the exchange's memory is used up.
bool throttle_body_wrap(struct exchange *x, struct body **at, const struct throttle *t);
