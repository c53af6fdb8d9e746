// SPDX-License-Identifier: Apache-2.0
#include "upstream/balance.h"

#include "base/mem.h"

struct ring_entry *ring_next(struct ring *ring, ring_fit_fn *is_fit, const void *arg)
{
    struct ring_entry *best = NULL;
    int64_t total = 0;
    for (size_t i = 0; i < ring->n; i++) {
        struct ring_entry *e = &ring->entries[i];
        if (!is_fit(arg, e))
            continue;
        e->current += e->weight;
        total += e->weight;
        if (!best || e->current > best->current)
            best = e;
    }
    if (best)
        best->current -= total;
    return best;
}

static bool fits_always(const void *arg, const struct ring_entry *e)
{
    (void)arg;
    (void)e;
    return true;
}

// Workers don't all begin with the same server.
static void turn_to_start(struct ring *ring, unsigned worker_index)
{
    for (unsigned i = 0; i < worker_index; i++)
        (void)ring_next(ring, fits_always, NULL);
}

// What was known keeps its place in the round.
static int64_t current_of(const struct ring_entry *old, size_t n_old, uint32_t key)
{
    for (size_t i = 0; i < n_old; i++)
        if (old[i].key == key)
            return old[i].current;
    return 0;
}

static void build(struct ring *ring, struct upstream_worker *w, const struct service *s)
{
    struct ring_entry *old = ring->entries;
    size_t n_old = ring->n, cap = 0;
    for (size_t i = 0; i < s->n_servers; i++)
        cap += worker_server_of(w, s->servers[i].state)->n_targets;
    ring->entries = MEM_ARRAY(struct ring_entry, MAX(cap, 1));
    ring->n = 0;
    for (size_t i = 0; i < s->n_servers; i++) {
        const struct worker_server *server = worker_server_of(w, s->servers[i].state);
        for (uint32_t j = 0; s->servers[i].weight > 0 && j < server->n_targets; j++) {
            uint32_t key = (uint32_t)i * DNS_ADDRS_MAX + server->targets[j]->slot_index;
            ring->entries[ring->n++] = (struct ring_entry){
                .target = server->targets[j],
                .key = key,
                .weight = s->servers[i].weight,
                .current = current_of(old, n_old, key),
            };
        }
    }
    mem_free(old);
    ring->generation = w->generation;
    if (n_old == 0)
        turn_to_start(ring, w->index);
}

struct ring *ring_of(struct upstream_worker *w, const struct service *s)
{
    struct worker_item *item = worker_item_get(w, s->shared);
    if (LIKELY(item != NULL)) {
        struct ring *ring = CONTAINER_OF(item, struct ring, item);
        if (UNLIKELY(ring->generation != w->generation))
            build(ring, w, s);
        return ring;
    }
    struct ring *ring = MEM_NEW(struct ring);
    registry_hold(s->shared);
    worker_item_set(w, s->shared, &ring->item);
    build(ring, w, s);
    return ring;
}

void ring_free(struct worker_item *item)
{
    struct ring *ring = CONTAINER_OF(item, struct ring, item);
    mem_free(ring->entries);
    mem_free(ring);
}
