// SPDX-License-Identifier: Apache-2.0
#include "base/map.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/mem.h"

void map_fini(struct map *m)
{
    mem_free(m->entries);
    mem_free(m->slots);
    *m = (struct map){.n = 0};
}

// The slot that holds key, or the free one where it belongs.
static size_t find_slot(const struct map *m, struct str key, uint64_t hash)
{
    size_t mask = m->n_slots - 1;
    size_t at = (size_t)hash & mask;
    while (m->slots[at] != 0) {
        const struct map_entry *e = &m->entries[m->slots[at] - 1];
        if (e->hash == hash && str_eq(e->key, key))
            break;
        at = (at + 1) & mask;
    }
    return at;
}

void *map_get(const struct map *m, struct str key)
{
    if (m->n == 0)
        return NULL;
    uint32_t slot = m->slots[find_slot(m, key, hash_str(key))];
    return slot > 0 ? m->entries[slot - 1].value : NULL;
}

static void grow(struct map *m)
{
    m->cap = m->cap > 0 ? m->cap * 2 : 8;
    ASSERT(m->cap < UINT32_MAX / 4);
    m->entries = mem_resize(m->entries, m->cap, sizeof *m->entries);
    m->n_slots = m->cap * 2;
    mem_free(m->slots);
    m->slots = MEM_ARRAY(uint32_t, m->n_slots);
    for (size_t i = 0; i < m->n; i++)
        m->slots[find_slot(m, m->entries[i].key, m->entries[i].hash)] = (uint32_t)i + 1;
}

void *map_set(struct map *m, struct str key, void *value)
{
    ASSERT(value != NULL);
    if (m->n == m->cap)
        grow(m);
    uint64_t hash = hash_str(key);
    size_t at = find_slot(m, key, hash);
    if (m->slots[at] != 0) {
        struct map_entry *e = &m->entries[m->slots[at] - 1];
        void *old = e->value;
        e->value = value;
        return old;
    }
    m->entries[m->n] = (struct map_entry){.key = key, .value = value, .hash = hash};
    m->slots[at] = (uint32_t)++m->n;
    return NULL;
}

// Closes the gap that a freed slot leaves among those that were probed past it.
static void free_slot(struct map *m, size_t at)
{
    size_t mask = m->n_slots - 1;
    for (size_t next = (at + 1) & mask; m->slots[next] != 0; next = (next + 1) & mask) {
        size_t home = (size_t)m->entries[m->slots[next] - 1].hash & mask;
        if (((next - home) & mask) < ((next - at) & mask))
            continue; // it belongs behind the gap
        m->slots[at] = m->slots[next];
        at = next;
    }
    m->slots[at] = 0;
}

void *map_remove(struct map *m, struct str key)
{
    if (m->n == 0)
        return NULL;
    size_t at = find_slot(m, key, hash_str(key));
    if (m->slots[at] == 0)
        return NULL;
    size_t i = m->slots[at] - 1, last = m->n - 1;
    void *value = m->entries[i].value;
    free_slot(m, at);
    if (i != last) {
        m->slots[find_slot(m, m->entries[last].key, m->entries[last].hash)] = (uint32_t)i + 1;
        m->entries[i] = m->entries[last];
    }
    m->n--;
    return value;
}
