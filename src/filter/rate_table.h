// SPDX-License-Identifier: Apache-2.0
// Who has done how much of something lately, for a bounded number of keys, shared by all threads.
// The generic cell rate algorithm (ITU-T I.371): one time for each key says when it would have been
// idle at the allowed rate.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct rate_table;

// One event each interval_ns, and up to `burst` at once after a pause. interval_ns * burst must
// fit.
struct rate {
    int64_t interval_ns;
    int64_t burst; // at least 1
};

struct rate_verdict {
    bool is_within;
    int64_t wait_ns;  // is_within: until its turn has come, 0: it has; else: until one is allowed
    int64_t left;     // how many more would be within now
    int64_t reset_ns; // until all of `burst` are
};

// Room for so many keys; when all are in use, the one that has been idle for longest is forgotten.
// 32 to 64 bytes for each, of memory that counts when it is used.
struct rate_table *rate_table_new(size_t keys_max);
void rate_table_free(struct rate_table *t);

// One event of the key whose keyed hash this is, if it is within the rate, or will be in
// wait_max_ns (0: only at once). An event that isn't within doesn't count. Any thread.
struct rate_verdict rate_table_take(struct rate_table *t, uint64_t hash, const struct rate *rate,
                                    int64_t wait_max_ns, int64_t now_ns);

// Takes one event back that was within: it turned out not to be one that counts.
void rate_table_give(struct rate_table *t, uint64_t hash, const struct rate *rate);

// --- what must wait, and is never refused ---

// Adds cost_ns of work at `*idle_ns`, when all that came before will be done. Returns how long to
// wait until it may be done, if room_ns of work may be done in advance after a pause.
int64_t rate_spend(int64_t *idle_ns, int64_t cost_ns, int64_t room_ns, int64_t now_ns);

// The same for a key of the table. Any thread.
int64_t rate_table_spend(struct rate_table *t, uint64_t hash, int64_t cost_ns, int64_t room_ns,
                         int64_t now_ns);
