// SPDX-License-Identifier: Apache-2.0
// The registry, as registry*.c see it.
#pragma once

#include "base/mem.h"
#include "upstream/registry.h"
#include "upstream/service_priv.h"

struct upstream_registry {
    pthread_mutex_t lock;
    struct room room;
    struct shared **buckets; // owns
    size_t n_buckets, n_keyed;
    struct shared **by_index; // owns; NULL: free
    uint32_t n_indexes, free_hint;
    struct list unwatched;                       // names for the resolver
    struct list unchecked;                       // struct health_state for the checker
    struct list drained;                         // struct drained
    struct inbox *workers[UPSTREAM_WORKERS_MAX]; // borrow; NULL: none has this index
    unsigned n_workers;                          // one more than the highest index ever used
    struct inbox *resolver, *checker;            // borrow
    struct tls_clients *tls;                     // owns
    struct upstream_pinning pinning;             // ask is NULL: there is none
    uint8_t cookie_key[COOKIE_KEY_BYTES];        // under the lock
    _Atomic uint32_t cookie_version;
};

static inline void registry_lock(struct upstream_registry *r)
{
    int failed = pthread_mutex_lock(&r->lock);
    ASSERT(failed == 0);
}

static inline void registry_unlock(struct upstream_registry *r)
{
    int failed = pthread_mutex_unlock(&r->lock);
    ASSERT(failed == 0);
}

static inline struct server_state *server_state_of(struct shared *s)
{
    ASSERT(s->kind == SHARED_SERVER);
    return CONTAINER_OF(s, struct server_state, shared);
}

static inline struct health_state *health_state_of(struct shared *s)
{
    ASSERT(s->kind == SHARED_HEALTH);
    return CONTAINER_OF(s, struct health_state, shared);
}

// A copy of s, and its end.
static inline struct str registry_own(struct str s)
{
    return str_from(s.len > 0 ? mem_copy(s.ptr, s.len) : NULL, s.len);
}

static inline void registry_disown(struct str s)
{
    union {
        const char *read_only;
        void *ptr;
    } owned = {.read_only = s.ptr};
    mem_free(owned.ptr);
}

// --- registry.c; all of these under the lock ---

struct shared *registry_find(struct upstream_registry *r, enum shared_kind kind, struct str key,
                             uint64_t hash);
// Gives s, which is new, its place in the table.
void registry_enter(struct upstream_registry *r, struct shared *s, enum shared_kind kind,
                    struct str key, uint64_t hash);
void registry_free_if_unused(struct upstream_registry *r, struct shared *s);

// --- registry_mail.c; under the lock ---

// box may be NULL: nobody is there.
void registry_post(struct inbox *box);
// answer: NULL when s goes.
void registry_tell_workers(struct upstream_registry *r, struct shared *s,
                           const struct server_answer *answer);

// --- registry_health.c; under the lock ---

// Another address has the slot now.
void registry_reset_healths(struct server_state *s, size_t slot);
// No service names it any more.
void registry_leave_health(struct upstream_registry *r, struct health_state *h);
void registry_free_health(struct health_state *h);
// Who is drained is forgotten.
void registry_forget_drained(struct upstream_registry *r);
