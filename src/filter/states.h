// SPDX-License-Identifier: Apache-2.0
// What filters remember from one exchange to another, such as who has asked how often. It outlives
// snapshots: the filter of the same name in the next one takes it over, so that a reload forgets
// nothing. One registry for the process, on the thread that builds and ends snapshots.
#pragma once

#include <stdint.h>

#include "base/list.h"
#include "base/str.h"
#include "http/exchange.h"

struct filter_states;

struct filter_state;

struct filter_state_type {
    struct filter_state *(*make)(uint32_t room); // the base is filled in by its caller
    void (*end)(struct filter_state *s);         // frees it
};

// The start of every state.
struct filter_state {
    const struct filter_state_type *type;
    struct list_node node; // in the registry
    struct str name;       // owns
    uint32_t room;
    unsigned refs;
};

struct filter_states *filter_states_new(void);
// No state may be left.
void filter_states_free(struct filter_states *states);

// The state of this type for filters of this name, with one more ref; made where there is none.
// room: for how many keys, or whatever else must be equal for a state to go on.
struct filter_state *filter_states_take(struct filter_states *states,
                                        const struct filter_state_type *type, struct str name,
                                        uint32_t room);

// With the last ref it ends.
void filter_state_unref(struct filter_state *s);

// That an exchange is counted in a state under a key, until it ends: an exchange that comes by the
// same filter twice (an entrypoint's and a route's) counts once.
struct filter_count {
    struct exchange_guard guard;
    struct filter_state *state; // borrows: the snapshot's filter's
    uint64_t hash;              // of the key
};

// Whether a filter whose counts end by `end` has counted x so.
bool filter_is_counted(const struct exchange *x, void (*end)(struct exchange_guard *g),
                       const struct filter_state *state, uint64_t hash);
// Says so from now on. c lives in x's memory.
void filter_count_add(struct exchange *x, struct filter_count *c,
                      void (*end)(struct exchange_guard *g), struct filter_state *state,
                      uint64_t hash);
