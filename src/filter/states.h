// SPDX-License-Identifier: Apache-2.0
// What filters remember from one exchange to another, such as who has asked how often. It outlives
// snapshots: the filter of the same name in the next one takes it over, so that a reload forgets
// nothing. One registry for the process, on the thread that builds and ends snapshots.
#pragma once

#include "base/list.h"
#include "base/str.h"

struct filter_states;

// The start of every state.
struct filter_state {
    struct list_node node; // in the registry
    struct str key;        // owns: which filter of which kind, and what must be equal to go on
    unsigned refs;
    void (*end)(struct filter_state *s); // frees it
};

struct filter_states *filter_states_new(void);
// No state may be left.
void filter_states_free(struct filter_states *states);

// The state of this key, which gets one more ref; NULL: there is none.
struct filter_state *filter_states_find(struct filter_states *states, struct str key);

// Takes over a new one, with one ref. `end` is called when the last is given back.
void filter_states_add(struct filter_states *states, struct filter_state *s, struct str key,
                       void (*end)(struct filter_state *s));
void filter_state_unref(struct filter_state *s);
