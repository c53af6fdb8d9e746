// SPDX-License-Identifier: Apache-2.0
// Sets of a few keys each, like a processor's cache: no lists to keep in order, and whose time lies
// in the past needn't be remembered at all, since it has everything again.
#include "filter/rate_table.h"

#include <pthread.h>
#include <stdalign.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"

#define WAYS 8    // keys of a set: two lines of cache
#define SHARDS 64 // locks; two threads rarely want the same

struct entry {
    uint64_t hash;   // 0: free
    int64_t idle_ns; // when it would be idle: the "theoretical arrival time"
};

struct shard {
    alignas(64) pthread_mutex_t lock;
};

struct rate_table {
    struct entry (*sets)[WAYS];
    size_t n_sets; // a power of two
    struct shard shards[SHARDS];
};

struct rate_table *rate_table_new(size_t keys_max)
{
    struct rate_table *t = mem_alloc_aligned(alignof(struct rate_table), sizeof *t);
    // Keys spread unevenly: with twice the room hardly one in a thousand is forgotten too early.
    t->n_sets = 1;
    while (t->n_sets * WAYS < 2 * keys_max)
        t->n_sets *= 2;
    t->sets = mem_alloc(t->n_sets, sizeof *t->sets);
    for (size_t i = 0; i < SHARDS; i++)
        ASSERT(pthread_mutex_init(&t->shards[i].lock, NULL) == 0);
    return t;
}

void rate_table_free(struct rate_table *t)
{
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&t->shards[i].lock);
    mem_free(t->sets);
    mem_free(t);
}

// Its entry, or the one that is given up for it.
static struct entry *find(struct entry set[static WAYS], uint64_t hash)
{
    struct entry *oldest = &set[0];
    for (size_t i = 0; i < WAYS; i++) {
        if (set[i].hash == hash)
            return &set[i];
        if (set[i].idle_ns < oldest->idle_ns)
            oldest = &set[i];
    }
    *oldest = (struct entry){.hash = hash};
    return oldest;
}

static struct rate_verdict take(struct entry *e, const struct rate *rate, int64_t wait_max_ns,
                                int64_t now_ns)
{
    int64_t room_ns = rate->interval_ns * rate->burst;
    int64_t idle_ns = MAX(e->idle_ns, now_ns) + rate->interval_ns;
    int64_t early_ns = MAX(idle_ns - room_ns - now_ns, 0);
    struct rate_verdict v = {.is_within = early_ns <= wait_max_ns, .wait_ns = early_ns};
    if (v.is_within)
        e->idle_ns = idle_ns;
    v.reset_ns = MAX(e->idle_ns - now_ns, 0);
    v.left = MAX(room_ns - v.reset_ns, 0) / rate->interval_ns;
    return v;
}

// The set of a hash, locked.
static struct entry *lock_set(struct rate_table *t, uint64_t hash, pthread_mutex_t **ret_lock)
{
    size_t set = hash & (t->n_sets - 1);
    *ret_lock = &t->shards[set % SHARDS].lock;
    pthread_mutex_lock(*ret_lock);
    return t->sets[set];
}

struct rate_verdict rate_table_take(struct rate_table *t, uint64_t hash, const struct rate *rate,
                                    int64_t wait_max_ns, int64_t now_ns)
{
    pthread_mutex_t *lock;
    hash = hash == 0 ? 1 : hash;
    struct entry *set = lock_set(t, hash, &lock);
    struct rate_verdict v = take(find(set, hash), rate, wait_max_ns, now_ns);
    pthread_mutex_unlock(lock);
    return v;
}

void rate_table_give(struct rate_table *t, uint64_t hash, const struct rate *rate)
{
    pthread_mutex_t *lock;
    hash = hash == 0 ? 1 : hash;
    struct entry *set = lock_set(t, hash, &lock);
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].hash == hash)
            set[i].idle_ns -= rate->interval_ns;
    pthread_mutex_unlock(lock);
}

int64_t rate_spend(int64_t *idle_ns, int64_t cost_ns, int64_t room_ns, int64_t now_ns)
{
    *idle_ns = MAX(*idle_ns, now_ns) + cost_ns;
    return MAX(*idle_ns - room_ns - now_ns, 0);
}

int64_t rate_table_spend(struct rate_table *t, uint64_t hash, int64_t cost_ns, int64_t room_ns,
                         int64_t now_ns)
{
    pthread_mutex_t *lock;
    hash = hash == 0 ? 1 : hash;
    struct entry *set = lock_set(t, hash, &lock);
    int64_t wait_ns = rate_spend(&find(set, hash)->idle_ns, cost_ns, room_ns, now_ns);
    pthread_mutex_unlock(lock);
    return wait_ns;
}
