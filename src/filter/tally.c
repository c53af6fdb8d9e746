// SPDX-License-Identifier: Apache-2.0
#include "filter/tally.h"

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>

#include "base/assert.h"
#include "base/attr.h"
#include "base/mem.h"

#define SHARDS 64 // locks; two threads rarely want the same

struct entry {
    struct entry *next;
    uint64_t hash;
    uint32_t n;
};

struct shard {
    alignas(64) pthread_mutex_t lock;
};

struct tally {
    struct shard shards[SHARDS];
    struct entry **buckets; // owns: chains; bucket i belongs to shard i % SHARDS
    size_t n_buckets;       // a power of two, at least SHARDS
    size_t keys_max;
    atomic_size_t n_keys;
};

struct tally *tally_new(size_t keys_max)
{
    struct tally *t = mem_alloc_aligned(alignof(struct tally), sizeof *t);
    t->keys_max = keys_max;
    t->n_buckets = SHARDS;
    while (t->n_buckets < keys_max)
        t->n_buckets *= 2;
    t->buckets = MEM_ARRAY(struct entry *, t->n_buckets);
    atomic_init(&t->n_keys, 0);
    for (size_t i = 0; i < SHARDS; i++)
        ASSERT(pthread_mutex_init(&t->shards[i].lock, NULL) == 0);
    return t;
}

void tally_free(struct tally *t)
{
    ASSERT(tally_keys(t) == 0);
    for (size_t i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&t->shards[i].lock);
    mem_free(t->buckets);
    mem_free(t);
}

size_t tally_keys(struct tally *t)
{
    return atomic_load_explicit(&t->n_keys, memory_order_relaxed);
}

static pthread_mutex_t *lock_of(struct tally *t, size_t bucket)
{
    return &t->shards[bucket % SHARDS].lock;
}

// Where the pointer to its entry is, or would be.
static struct entry **find(struct tally *t, size_t bucket, uint64_t hash)
{
    struct entry **at = &t->buckets[bucket];
    while (*at && (*at)->hash != hash)
        at = &(*at)->next;
    return at;
}

static enum tally_entered enter(struct tally *t, struct entry **at, uint64_t hash, uint32_t max,
                                uint32_t *ret_n)
{
    if (*at) {
        *ret_n = (*at)->n;
        if ((*at)->n >= max)
            return TALLY_FULL;
        *ret_n = ++(*at)->n;
        return TALLY_ENTERED;
    }
    *ret_n = 0;
    if (max == 0)
        return TALLY_FULL;
    if (atomic_fetch_add_explicit(&t->n_keys, 1, memory_order_relaxed) >= t->keys_max) {
        atomic_fetch_sub_explicit(&t->n_keys, 1, memory_order_relaxed);
        return TALLY_NO_ROOM;
    }
    *at = MEM_NEW(struct entry);
    **at = (struct entry){.hash = hash, .n = 1};
    *ret_n = 1;
    return TALLY_ENTERED;
}

enum tally_entered tally_enter(struct tally *t, uint64_t hash, uint32_t max, uint32_t *ret_n)
{
    size_t bucket = hash & (t->n_buckets - 1);
    pthread_mutex_lock(lock_of(t, bucket));
    enum tally_entered entered = enter(t, find(t, bucket, hash), hash, max, ret_n);
    pthread_mutex_unlock(lock_of(t, bucket));
    return entered;
}

void tally_leave(struct tally *t, uint64_t hash)
{
    size_t bucket = hash & (t->n_buckets - 1);
    pthread_mutex_lock(lock_of(t, bucket));
    struct entry **at = find(t, bucket, hash), *gone = NULL;
    ASSERT(*at != NULL && (*at)->n > 0);
    if (--(*at)->n == 0) {
        gone = *at;
        *at = gone->next;
    }
    pthread_mutex_unlock(lock_of(t, bucket));
    if (!gone)
        return;
    mem_free(gone);
    atomic_fetch_sub_explicit(&t->n_keys, 1, memory_order_relaxed);
}
