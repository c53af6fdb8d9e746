// SPDX-License-Identifier: Apache-2.0
// A hash map from byte strings to pointers, in insertion order until something is removed. Keys are
// borrowed: they live at least as long as the map, or until they are removed.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct map_entry {
    struct str key; // borrows
    void *value;    // borrows
    uint64_t hash;
};

struct map {
    struct map_entry *entries; // owns: in insertion order
    uint32_t *slots;           // owns: index + 1 into entries, 0 is free
    size_t n, cap, n_slots;
};

// A zeroed map is empty and valid.
void map_fini(struct map *m);

// The value of key, or NULL. A lookup costs one hash and, as a rule, one comparison.
void *map_get(const struct map *m, struct str key);

// Sets key's value (not NULL) and returns the old one, or NULL when the key is new.
void *map_set(struct map *m, struct str key, void *value);

// Takes key out and returns its value, or NULL when it isn't there. The last entry takes its place.
void *map_remove(struct map *m, struct str key);

// An empty map has no entries to add 0 to.
#define MAP_FOR(e, m)                                                                              \
    for (const struct map_entry *e = (m)->entries, *e##_end = e ? e + (m)->n : e; e != e##_end; e++)
