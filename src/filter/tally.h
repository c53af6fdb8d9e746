// SPDX-License-Identifier: Apache-2.0
// How many of each key there are right now, exactly, shared by all threads. A key without any takes
// no memory, so that their number is bounded by that of exchanges, and by a limit.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tally;

// Room for so many keys at a time; 24 bytes for each that is in use, and 8 more for each of
// keys_max.
struct tally *tally_new(size_t keys_max);
// Nothing may be counted any more.
void tally_free(struct tally *t);

enum tally_entered {
    TALLY_ENTERED,
    TALLY_FULL,    // there are `max` of this key
    TALLY_NO_ROOM, // there are keys_max keys
};

// One more of the key whose keyed hash this is, unless there are max already. Any thread.
enum tally_entered tally_enter(struct tally *t, uint64_t hash, uint32_t max, uint32_t *ret_n);
// One less, which has entered. Any thread. *ret_n of tally_enter: how many there are now, with
// this.
void tally_leave(struct tally *t, uint64_t hash);

// For tests and the status: keys in use.
size_t tally_keys(struct tally *t);
