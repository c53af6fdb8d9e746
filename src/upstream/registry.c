// SPDX-License-Identifier: Apache-2.0
#include "upstream/registry.h"

#include "base/hash.h"
#include "base/mem.h"
#include "base/text.h"
#include "rt/clock.h"
#include "upstream/service_priv.h"

#define BUCKETS_MIN 64

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

// A server that somebody wants to get no more requests, whether it is there or not.
struct drained {
    struct list_node node;
    struct str service, name; // own
};

static void mem_free_str(struct str s)
{
    union {
        const char *read_only;
        void *ptr;
    } owned = {.read_only = s.ptr};
    mem_free(owned.ptr);
}

static void free_drained(struct drained *d)
{
    mem_free_str(d->service);
    mem_free_str(d->name);
    mem_free(d);
}

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
    struct list_node *n;
    while ((n = list_pop_front(&r->drained)) != NULL)
        free_drained(CONTAINER_OF(n, struct drained, node));
    pthread_mutex_destroy(&r->lock);
    room_fini(&r->room);
    tls_clients_free(r->tls);
    mem_free(r->buckets);
    mem_free(r->by_index);
    explicit_bzero(r->cookie_key, sizeof r->cookie_key);
    mem_free(r);
}

static void lock(struct upstream_registry *r)
{
    int failed = pthread_mutex_lock(&r->lock);
    ASSERT(failed == 0);
}

static void unlock(struct upstream_registry *r)
{
    int failed = pthread_mutex_unlock(&r->lock);
    ASSERT(failed == 0);
}

static struct server_state *server_of(struct shared *s)
{
    ASSERT(s->kind == SHARED_SERVER);
    return CONTAINER_OF(s, struct server_state, shared);
}

static struct health_state *health_of(struct shared *s)
{
    ASSERT(s->kind == SHARED_HEALTH);
    return CONTAINER_OF(s, struct health_state, shared);
}

// --- the table, under the lock ---

static struct shared **bucket_of(struct upstream_registry *r, uint64_t hash)
{
    return &r->buckets[hash & (r->n_buckets - 1)];
}

static struct shared *find(struct upstream_registry *r, enum shared_kind kind, struct str key,
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

static void enter(struct upstream_registry *r, struct shared *s, enum shared_kind kind,
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

struct room_queue *registry_queue(struct shared *service)
{
    ASSERT(service->kind == SHARED_SERVICE);
    return &CONTAINER_OF(service, struct service_state, shared)->queue;
}

struct room *registry_room(struct upstream_registry *r)
{
    return &r->room;
}

static void free_health(struct health_state *h)
{
    ASSERT(!h->plan && !h->is_watched);
    mem_free_str(h->service);
    mem_free_str(h->name);
    mem_free(h);
}

static void free_if_unused(struct upstream_registry *r, struct shared *s)
{
    if (s->n_refs > 0 || s->n_holds > 0)
        return;
    r->by_index[s->index] = NULL;
    r->free_hint = MIN(r->free_hint, s->index);
    mem_free_str(s->key);
    switch (s->kind) {
    case SHARED_SERVICE:
        ASSERT(registry_queue(s)->n == 0);
        mem_free(CONTAINER_OF(s, struct service_state, shared));
        return;
    case SHARED_HEALTH:
        free_health(health_of(s));
        return;
    case SHARED_SERVER:
        break;
    }
    struct server_state *server = server_of(s);
    for (size_t i = 0; i < server->n_slots; i++)
        ASSERT(slot_n_active(&server->slots[i]) == 0);
    ASSERT(list_is_empty(&server->healths));
    list_remove(&server->unwatched);
    mem_free_str(server->host);
    mem_free_str(server->peer.name);
    mem_free_str(server->learns_as);
    tls_client_unref(server->tls);
    mem_free(server->answer);
    mem_free(server);
}

// --- messages, under the lock ---

static void post(struct inbox *box)
{
    if (!box || box->is_posted)
        return;
    box->is_posted = true;
    loop_post(box->loop, &box->mail);
}

static void tell_workers(struct upstream_registry *r, struct shared *s,
                         const struct server_answer *answer)
{
    for (unsigned i = 0; i < r->n_workers; i++) {
        struct inbox *box = r->workers[i];
        if (!box)
            continue;
        struct message *m = MEM_NEW(struct message);
        m->about = s;
        s->n_holds++;
        if (answer) {
            m->answer = MEM_NEW(struct server_answer);
            *m->answer = *answer;
        }
        *box->last = m;
        box->last = &m->next;
        post(box);
    }
}

// --- refs and holds ---

static struct str own(struct str s)
{
    return str_from(s.len > 0 ? mem_copy(s.ptr, s.len) : NULL, s.len);
}

static struct server_state *new_server(struct upstream_registry *r, const struct server_url *url,
                                       struct tls_client *tls, uint64_t hash)
{
    size_t n_slots = url->kind == SERVER_NAME ? DNS_ADDRS_MAX : 1;
    struct server_state *s =
        mem_alloc(1, sizeof(struct server_state) + n_slots * sizeof(struct server_slot));
    enter(r, &s->shared, SHARED_SERVER, url->key, hash);
    s->kind = url->kind;
    s->http = url->http;
    s->n_slots = n_slots;
    s->tls = tls ? tls_client_ref(tls) : NULL;
    s->peer = (struct tls_peer){.name = own(url->peer.name), .ip = url->peer.ip};
    s->learns_as = own(url->learns_as);
    list_init(&s->healths);
    if (url->kind != SERVER_NAME) {
        s->addr = url->addr;
        slot_rise(&s->slots[0], clock_now_ms());
        return s;
    }
    s->host = own(url->host);
    s->port = url->port;
    s->answer = MEM_NEW(struct server_answer);
    list_push_back(&r->unwatched, &s->unwatched);
    post(r->resolver);
    return s;
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
    lock(r);
    memcpy(r->cookie_key, key, sizeof r->cookie_key);
    atomic_fetch_add_explicit(&r->cookie_version, 1, memory_order_relaxed);
    unlock(r);
}

uint32_t registry_cookie_version(const struct upstream_registry *r)
{
    return atomic_load_explicit(&r->cookie_version, memory_order_relaxed);
}

uint32_t registry_cookie_key(struct upstream_registry *r, uint8_t ret[static COOKIE_KEY_BYTES])
{
    lock(r);
    memcpy(ret, r->cookie_key, sizeof r->cookie_key);
    uint32_t version = registry_cookie_version(r);
    unlock(r);
    return version;
}

struct server_state *registry_take_server(struct upstream_registry *r, const struct server_url *url,
                                          struct tls_client *tls)
{
    uint64_t hash = hash_str(url->key);
    lock(r);
    struct shared *found = find(r, SHARED_SERVER, url->key, hash);
    struct server_state *s = found ? server_of(found) : new_server(r, url, tls, hash);
    s->shared.n_refs++;
    unlock(r);
    return s;
}

struct shared *registry_take_service(struct upstream_registry *r, struct str key)
{
    uint64_t hash = hash_str(key);
    lock(r);
    struct shared *s = find(r, SHARED_SERVICE, key, hash);
    if (!s) {
        struct service_state *service = MEM_NEW(struct service_state);
        s = &service->shared;
        enter(r, s, SHARED_SERVICE, key, hash);
        room_queue_init(&service->queue);
    }
    s->n_refs++;
    unlock(r);
    return s;
}

// --- the health of servers ---

static void reset_slot(struct health_state *h, size_t slot)
{
    health_slot_reset(&h->slots[slot], h->plan && h->plan->conf.start == HEALTH_START_DOWN);
}

// Another address has the slot now.
static void reset_healths(struct server_state *s, size_t slot)
{
    LIST_FOR (n, &s->healths) {
        struct health_state *h = CONTAINER_OF(n, struct health_state, sibling);
        if (slot < h->n_slots)
            reset_slot(h, slot);
    }
}

// What was found stays when it is checked in another way.
static void set_plan(struct upstream_registry *r, struct health_state *h, struct health_plan *plan)
{
    bool is_new = (plan == NULL) != (h->plan == NULL);
    health_plan_unref(h->plan);
    h->plan = plan;
    for (size_t i = 0; is_new && i < h->n_slots; i++)
        reset_slot(h, i);
    if (plan && !h->is_watched && !list_node_is_linked(&h->unwatched))
        list_push_back(&r->unchecked, &h->unwatched);
    if (!plan)
        list_remove(&h->unwatched);
    if (plan || h->is_watched)
        post(r->checker);
}

static struct drained *find_drained(const struct upstream_registry *r, struct str service,
                                    struct str name)
{
    LIST_FOR (n, &r->drained) {
        struct drained *d = CONTAINER_OF(n, struct drained, node);
        if (str_eq(d->service, service) && str_eq(d->name, name))
            return d;
    }
    return NULL;
}

static void set_drained(struct health_state *h, bool is_drained)
{
    h->is_drained = is_drained;
    for (size_t i = 0; i < h->n_slots; i++)
        atomic_store_explicit(&h->slots[i].is_drained, is_drained, memory_order_relaxed);
}

void upstream_registry_drain(struct upstream_registry *r, struct str service, struct str name,
                             bool is_drained)
{
    lock(r);
    struct drained *d = find_drained(r, service, name);
    if (d && !is_drained) {
        list_remove(&d->node);
        free_drained(d);
    } else if (!d && is_drained) {
        d = MEM_NEW(struct drained);
        d->service = own(service);
        d->name = own(name);
        list_push_back(&r->drained, &d->node);
    }
    for (uint32_t i = 0; i < r->n_indexes; i++) {
        struct shared *s = r->by_index[i];
        struct health_state *h = s && s->kind == SHARED_HEALTH ? health_of(s) : NULL;
        if (h && str_eq(h->service, service) && str_eq(h->name, name))
            set_drained(h, is_drained);
    }
    unlock(r);
}

static struct health_state *new_health(struct upstream_registry *r, const struct health_wish *w,
                                       struct str key, uint64_t hash)
{
    size_t n_slots = w->has_slots ? w->server->n_slots : 1;
    struct health_state *h =
        mem_alloc(1, sizeof(struct health_state) + n_slots * sizeof(struct health_slot));
    enter(r, &h->shared, SHARED_HEALTH, key, hash);
    h->server = w->server;
    h->service = own(w->service);
    h->name = own(w->name);
    h->n_slots = n_slots;
    list_push_back(&w->server->healths, &h->sibling);
    set_drained(h, find_drained(r, w->service, w->name) != NULL);
    return h;
}

// Without checks and ejections there is nothing to know of single addresses, of which a name may
// have many.
struct health_state *registry_take_health(struct upstream_registry *r, const struct health_wish *w)
{
    struct text key = {0};
    text_put(&key, w->service);
    text_put(&key, w->has_slots ? STR("\n") : STR("\n\n"));
    text_put(&key, w->server->shared.key);
    uint64_t hash = hash_str(text_str(&key));
    lock(r);
    struct shared *found = find(r, SHARED_HEALTH, text_str(&key), hash);
    struct health_state *h = found ? health_of(found) : new_health(r, w, text_str(&key), hash);
    h->shared.n_refs++;
    set_plan(r, h, w->plan);
    unlock(r);
    text_fini(&key);
    return h;
}

// No service names it any more.
static void leave_health(struct upstream_registry *r, struct health_state *h)
{
    list_remove(&h->sibling);
    set_plan(r, h, NULL);
}

struct health_state *registry_check_next(struct upstream_registry *r)
{
    struct health_state *h = NULL;
    lock(r);
    struct list_node *first = list_pop_front(&r->unchecked);
    if (first) {
        h = CONTAINER_OF(first, struct health_state, unwatched);
        h->is_watched = true;
        h->shared.n_holds++;
        h->server->shared.n_holds++;
    }
    unlock(r);
    return h;
}

void registry_uncheck(struct health_state *h)
{
    struct upstream_registry *r = h->shared.registry;
    struct server_state *server = h->server;
    lock(r);
    h->is_watched = false;
    if (h->plan) {
        list_push_back(&r->unchecked, &h->unwatched);
        post(r->checker);
    }
    unlock(r);
    registry_unhold(&h->shared);
    registry_unhold(&server->shared);
}

struct health_plan *registry_plan_of(struct health_state *h)
{
    lock(h->shared.registry);
    struct health_plan *p = h->plan ? health_plan_ref(h->plan) : NULL;
    unlock(h->shared.registry);
    return p;
}

void registry_drop(struct shared *s)
{
    struct upstream_registry *r = s->registry;
    lock(r);
    ASSERT(s->n_refs > 0);
    s->n_refs--;
    if (s->n_refs == 0) {
        leave(r, s);
        if (s->n_holds > 0) // else no worker has ever met it
            tell_workers(r, s, NULL);
        if (s->kind == SHARED_SERVER && server_of(s)->is_watched)
            post(r->resolver);
        if (s->kind == SHARED_HEALTH)
            leave_health(r, health_of(s));
        free_if_unused(r, s);
    }
    unlock(r);
}

void registry_hold(struct shared *s)
{
    lock(s->registry);
    s->n_holds++;
    unlock(s->registry);
}

void registry_hold_server(struct server_state *s, struct server_answer *ret)
{
    lock(s->shared.registry);
    s->shared.n_holds++;
    if (s->answer)
        *ret = *s->answer;
    unlock(s->shared.registry);
}

void registry_read_answer(struct server_state *s, struct server_answer *ret)
{
    lock(s->shared.registry);
    *ret = *s->answer;
    unlock(s->shared.registry);
}

void registry_unhold(struct shared *s)
{
    struct upstream_registry *r = s->registry;
    lock(r);
    ASSERT(s->n_holds > 0);
    s->n_holds--;
    free_if_unused(r, s);
    unlock(r);
}

// --- boxes ---

static void box_init(struct inbox *box)
{
    box->first = NULL;
    box->last = &box->first;
    box->is_posted = false;
}

void registry_join_worker(struct upstream_registry *r, unsigned index, struct inbox *box)
{
    ASSERT(index < UPSTREAM_WORKERS_MAX);
    lock(r);
    ASSERT(r->workers[index] == NULL);
    box_init(box);
    r->workers[index] = box;
    r->n_workers = MAX(r->n_workers, index + 1);
    unlock(r);
}

void registry_leave_worker(struct upstream_registry *r, unsigned index)
{
    lock(r);
    r->workers[index] = NULL;
    unlock(r);
}

void registry_join_resolver(struct upstream_registry *r, struct inbox *box)
{
    lock(r);
    ASSERT(r->resolver == NULL);
    box_init(box);
    r->resolver = box;
    unlock(r);
}

void registry_leave_resolver(struct upstream_registry *r)
{
    lock(r);
    r->resolver = NULL;
    unlock(r);
}

void registry_join_checker(struct upstream_registry *r, struct inbox *box)
{
    lock(r);
    ASSERT(r->checker == NULL);
    box_init(box);
    r->checker = box;
    unlock(r);
}

void registry_leave_checker(struct upstream_registry *r)
{
    lock(r);
    r->checker = NULL;
    unlock(r);
}

struct message *registry_open(struct upstream_registry *r, struct inbox *box, unsigned max)
{
    lock(r);
    struct message *first = box->first, **end = &box->first;
    while (*end && max-- > 0)
        end = &(*end)->next;
    struct message *rest = *end;
    struct message **last = box->last;
    *end = NULL;
    box_init(box);
    if (rest) {
        box->first = rest;
        box->last = last;
        post(box);
    }
    unlock(r);
    return first;
}

bool registry_is_posted(struct upstream_registry *r, const struct inbox *box)
{
    lock(r);
    bool is_posted = box->is_posted;
    unlock(r);
    return is_posted;
}

void message_free(struct message *m)
{
    registry_unhold(m->about);
    mem_free(m->answer);
    mem_free(m);
}

// --- names ---

struct server_state *registry_watch_next(struct upstream_registry *r)
{
    struct server_state *s = NULL;
    lock(r);
    struct list_node *first = list_pop_front(&r->unwatched);
    if (first) {
        s = CONTAINER_OF(first, struct server_state, unwatched);
        s->is_watched = true;
        s->shared.n_holds++;
    }
    unlock(r);
    return s;
}

void registry_unwatch(struct server_state *s)
{
    struct upstream_registry *r = s->shared.registry;
    lock(r);
    s->is_watched = false;
    if (s->shared.n_refs > 0)
        list_push_back(&r->unwatched, &s->unwatched);
    unlock(r);
    registry_unhold(&s->shared);
}

bool registry_is_wanted(struct server_state *s)
{
    lock(s->shared.registry);
    bool is_wanted = s->shared.n_refs > 0;
    unlock(s->shared.registry);
    return is_wanted;
}

static size_t find_addr(const struct server_answer *a, const struct ip *ip)
{
    size_t i = 0;
    while (i < a->n && !ip_eq(&a->addrs[i].ip, ip))
        i++;
    return i;
}

// What was known and stays keeps its slot; what is new gets a free one, with a clean record.
static void fill_answer(struct server_state *s, const struct server_answer *old,
                        const struct ip *addrs, size_t n, struct server_answer *ret)
{
    uint64_t taken = 0;
    for (size_t i = 0; i < old->n; i++)
        taken |= UINT64_C(1) << old->addrs[i].slot;
    for (size_t i = 0; i < n && ret->n < DNS_ADDRS_MAX; i++) {
        if (find_addr(ret, &addrs[i]) < ret->n)
            continue;
        ret->addrs[ret->n].ip = addrs[i];
        ret->addrs[ret->n].slot = UINT8_MAX;
        size_t was = find_addr(old, &addrs[i]);
        if (was < old->n)
            ret->addrs[ret->n].slot = old->addrs[was].slot;
        ret->n++;
    }
    for (size_t i = 0; i < old->n; i++)
        if (find_addr(ret, &old->addrs[i].ip) == ret->n)
            taken &= ~(UINT64_C(1) << old->addrs[i].slot);
    for (size_t i = 0; i < ret->n; i++) {
        if (ret->addrs[i].slot != UINT8_MAX)
            continue;
        uint8_t slot = 0;
        while (taken >> slot & 1)
            slot++;
        ASSERT(slot < DNS_ADDRS_MAX);
        taken |= UINT64_C(1) << slot;
        ret->addrs[i].slot = slot;
        reset_healths(s, slot);
        atomic_store_explicit(&s->slots[slot].skip_until_ms, 0, memory_order_relaxed);
        atomic_store_explicit(&s->slots[slot].latency, 0, memory_order_relaxed);
        slot_rise(&s->slots[slot], clock_now_ms());
        atomic_store_explicit(&s->slots[slot].http_1_until_ms, 0, memory_order_relaxed);
        atomic_store_explicit(&s->slots[slot].no_tunnel_until_ms, 0, memory_order_relaxed);
        uint64_t n_past =
            atomic_exchange_explicit(&s->slots[slot].n_failures, 0, memory_order_relaxed);
        atomic_fetch_add_explicit(&s->n_failures_past, n_past, memory_order_relaxed);
    }
}

static void keep_answer(const struct server_answer *old, struct server_answer *ret)
{
    memcpy(ret->addrs, old->addrs, sizeof ret->addrs);
    ret->n = old->n;
}

static bool has_same_addrs(const struct server_answer *a, const struct server_answer *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (find_addr(b, &a->addrs[i].ip) == b->n)
            return false;
    return true;
}

bool registry_put_answer(struct server_state *s, const struct ip *addrs, size_t n, const char *why)
{
    struct upstream_registry *r = s->shared.registry;
    lock(r);
    struct server_answer *old = s->answer;
    struct server_answer now = {.version = old->version + 1, .why = why};
    if (n > 0)
        fill_answer(s, old, addrs, n, &now);
    else
        keep_answer(old, &now);
    // A worker needs to know of a first answer, of other addresses, and of a reason to fail.
    bool is_news =
        old->version == 0 || !has_same_addrs(old, &now) || (now.n == 0 && old->why != why);
    if (is_news) {
        *old = now;
        tell_workers(r, &s->shared, &now);
    }
    unlock(r);
    return is_news;
}
