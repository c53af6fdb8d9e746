// SPDX-License-Identifier: Apache-2.0
// The table: what is in it, who refers to it, and what is one for all of it.
#include "base/hash.h"
#include "rt/clock.h"
#include "upstream/registry_priv.h"

#define BUCKETS_MIN 64

struct upstream_registry *upstream_registry_new(void)
{
    struct upstream_registry *r = MEM_NEW(struct upstream_registry);
    int failed = pthread_mutex_init(&r->lock, NULL);
    ASSERT(failed == 0);
    r->n_buckets = BUCKETS_MIN;
    r->buckets = MEM_ARRAY(struct shared *, r->n_buckets);
    list_init(&r->unwatched);
    list_init(&r->unchecked);
    list_init(&r->drained);
    room_init(&r->room);
    r->tls = tls_clients_new();
    return r;
}

void upstream_registry_free(struct upstream_registry *r)
{
    if (!r)
        return;
    ASSERT(r->n_keyed == 0);
    for (uint32_t i = 0; i < r->n_indexes; i++)
        ASSERT(r->by_index[i] == NULL);
    registry_forget_drained(r);
    pthread_mutex_destroy(&r->lock);
    room_fini(&r->room);
    tls_clients_free(r->tls);
    mem_free(r->buckets);
    mem_free(r->by_index);
    explicit_bzero(r->cookie_key, sizeof r->cookie_key);
    mem_free(r);
}

// --- the table, under the lock ---

static struct shared **bucket_of(struct upstream_registry *r, uint64_t hash)
{
    return &r->buckets[hash & (r->n_buckets - 1)];
}

struct shared *registry_find(struct upstream_registry *r, enum shared_kind kind, struct str key,
                             uint64_t hash)
{
    for (struct shared *s = *bucket_of(r, hash); s; s = s->next)
        if (s->hash == hash && s->kind == kind && str_eq(s->key, key))
            return s;
    return NULL;
}

static void grow(struct upstream_registry *r)
{
    struct shared **old = r->buckets;
    size_t n_old = r->n_buckets;
    r->n_buckets *= 2;
    r->buckets = MEM_ARRAY(struct shared *, r->n_buckets);
    for (size_t i = 0; i < n_old; i++)
        for (struct shared *s = old[i], *next; s; s = next) {
            next = s->next;
            struct shared **bucket = bucket_of(r, s->hash);
            s->next = *bucket;
            *bucket = s;
        }
    mem_free(old);
}

static uint32_t index_for(struct upstream_registry *r, struct shared *s)
{
    uint32_t i = r->free_hint;
    while (i < r->n_indexes && r->by_index[i])
        i++;
    if (i == r->n_indexes) {
        uint32_t n = MAX(BUCKETS_MIN, r->n_indexes * 2);
        r->by_index = mem_resize(r->by_index, n, sizeof *r->by_index);
        memset(r->by_index + r->n_indexes, 0, (n - r->n_indexes) * sizeof *r->by_index);
        r->n_indexes = n;
    }
    r->by_index[i] = s;
    r->free_hint = i + 1;
    return i;
}

void registry_enter(struct upstream_registry *r, struct shared *s, enum shared_kind kind,
                    struct str key, uint64_t hash)
{
    if (r->n_keyed == r->n_buckets)
        grow(r);
    struct shared **bucket = bucket_of(r, hash);
    *s = (struct shared){
        .registry = r,
        .kind = kind,
        .key = str_from(mem_copy(key.ptr, key.len), key.len),
        .hash = hash,
        .next = *bucket,
    };
    *bucket = s;
    r->n_keyed++;
    s->index = index_for(r, s);
}

static void leave(struct upstream_registry *r, struct shared *s)
{
    struct shared **at = bucket_of(r, s->hash);
    while (*at != s)
        at = &(*at)->next;
    *at = s->next;
    r->n_keyed--;
}

void registry_free_if_unused(struct upstream_registry *r, struct shared *s)
{
    if (s->n_refs > 0 || s->n_holds > 0)
        return;
    r->by_index[s->index] = NULL;
    r->free_hint = MIN(r->free_hint, s->index);
    registry_disown(s->key);
    switch (s->kind) {
    case SHARED_SERVICE:
        ASSERT(registry_queue(s)->n == 0);
        mem_free(CONTAINER_OF(s, struct service_state, shared));
        return;
    case SHARED_HEALTH:
        registry_free_health(health_state_of(s));
        return;
    case SHARED_SERVER:
        break;
    }
    struct server_state *server = server_state_of(s);
    for (size_t i = 0; i < server->n_slots; i++)
        ASSERT(slot_n_active(&server->slots[i]) == 0);
    ASSERT(list_is_empty(&server->healths));
    list_remove(&server->unwatched);
    registry_disown(server->host);
    registry_disown(server->peer.name);
    registry_disown(server->learns_as);
    tls_client_unref(server->tls);
    mem_free(server->answer);
    mem_free(server);
}

// --- servers and services ---

static struct server_state *new_server(struct upstream_registry *r, const struct server_url *url,
                                       struct tls_client *tls, uint64_t hash)
{
    size_t n_slots = url->kind == SERVER_NAME ? DNS_ADDRS_MAX : 1;
    struct server_state *s =
        mem_alloc(1, sizeof(struct server_state) + n_slots * sizeof(struct server_slot));
    registry_enter(r, &s->shared, SHARED_SERVER, url->key, hash);
    s->kind = url->kind;
    s->http = url->http;
    s->n_slots = n_slots;
    s->tls = tls ? tls_client_ref(tls) : NULL;
    s->peer = (struct tls_peer){.name = registry_own(url->peer.name), .ip = url->peer.ip};
    s->learns_as = registry_own(url->learns_as);
    list_init(&s->healths);
    if (url->kind != SERVER_NAME) {
        s->addr = url->addr;
        slot_rise(&s->slots[0], clock_now_ms());
        return s;
    }
    s->host = registry_own(url->host);
    s->port = url->port;
    s->answer = MEM_NEW(struct server_answer);
    list_push_back(&r->unwatched, &s->unwatched);
    registry_post(r->resolver);
    return s;
}

struct server_state *registry_take_server(struct upstream_registry *r, const struct server_url *url,
                                          struct tls_client *tls)
{
    uint64_t hash = hash_str(url->key);
    registry_lock(r);
    struct shared *found = registry_find(r, SHARED_SERVER, url->key, hash);
    struct server_state *s = found ? server_state_of(found) : new_server(r, url, tls, hash);
    s->shared.n_refs++;
    registry_unlock(r);
    return s;
}

struct shared *registry_take_service(struct upstream_registry *r, struct str key)
{
    uint64_t hash = hash_str(key);
    registry_lock(r);
    struct shared *s = registry_find(r, SHARED_SERVICE, key, hash);
    if (!s) {
        struct service_state *service = MEM_NEW(struct service_state);
        s = &service->shared;
        registry_enter(r, s, SHARED_SERVICE, key, hash);
        room_queue_init(&service->queue);
    }
    s->n_refs++;
    registry_unlock(r);
    return s;
}

struct room_queue *registry_queue(struct shared *service)
{
    ASSERT(service->kind == SHARED_SERVICE);
    return &CONTAINER_OF(service, struct service_state, shared)->queue;
}

void registry_drop(struct shared *s)
{
    struct upstream_registry *r = s->registry;
    registry_lock(r);
    ASSERT(s->n_refs > 0);
    s->n_refs--;
    if (s->n_refs == 0) {
        leave(r, s);
        if (s->n_holds > 0) // else no worker has ever met it
            registry_tell_workers(r, s, NULL);
        if (s->kind == SHARED_SERVER && server_state_of(s)->is_watched)
            registry_post(r->resolver);
        if (s->kind == SHARED_HEALTH)
            registry_leave_health(r, health_state_of(s));
        registry_free_if_unused(r, s);
    }
    registry_unlock(r);
}

void registry_hold(struct shared *s)
{
    registry_lock(s->registry);
    s->n_holds++;
    registry_unlock(s->registry);
}

void registry_unhold(struct shared *s)
{
    struct upstream_registry *r = s->registry;
    registry_lock(r);
    ASSERT(s->n_holds > 0);
    s->n_holds--;
    registry_free_if_unused(r, s);
    registry_unlock(r);
}

// --- one for all ---

struct room *registry_room(struct upstream_registry *r)
{
    return &r->room;
}

struct tls_clients *registry_tls(struct upstream_registry *r)
{
    return r->tls;
}

void upstream_registry_set_pinning(struct upstream_registry *r, const struct upstream_pinning *p)
{
    r->pinning = *p;
}

const struct upstream_pinning *registry_pinning(const struct upstream_registry *r)
{
    return r->pinning.ask ? &r->pinning : NULL;
}

void upstream_registry_set_cookie_key(struct upstream_registry *r,
                                      const uint8_t key[static COOKIE_KEY_BYTES])
{
    registry_lock(r);
    memcpy(r->cookie_key, key, sizeof r->cookie_key);
    atomic_fetch_add_explicit(&r->cookie_version, 1, memory_order_relaxed);
    registry_unlock(r);
}

uint32_t registry_cookie_version(const struct upstream_registry *r)
{
    return atomic_load_explicit(&r->cookie_version, memory_order_relaxed);
}

uint32_t registry_cookie_key(struct upstream_registry *r, uint8_t ret[static COOKIE_KEY_BYTES])
{
    registry_lock(r);
    memcpy(ret, r->cookie_key, sizeof r->cookie_key);
    uint32_t version = registry_cookie_version(r);
    registry_unlock(r);
    return version;
}
