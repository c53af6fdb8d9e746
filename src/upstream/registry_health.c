// SPDX-License-Identifier: Apache-2.0
// Servers as those of services: what is known of them, by whom they are checked, and who is
// drained.
#include "base/hash.h"
#include "base/text.h"
#include "upstream/registry_priv.h"

// A server that somebody wants to get no more requests, whether it is there or not.
struct drained {
    struct list_node node;
    struct str service, name; // own
};

static void free_drained(struct drained *d)
{
    registry_disown(d->service);
    registry_disown(d->name);
    mem_free(d);
}

void registry_forget_drained(struct upstream_registry *r)
{
    struct list_node *n;
    while ((n = list_pop_front(&r->drained)) != NULL)
        free_drained(CONTAINER_OF(n, struct drained, node));
}

static void reset_slot(struct health_state *h, size_t slot)
{
    health_slot_reset(&h->slots[slot], h->plan && h->plan->conf.start == HEALTH_START_DOWN);
}

void registry_reset_healths(struct server_state *s, size_t slot)
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
        registry_post(r->checker);
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
    registry_lock(r);
    struct drained *d = find_drained(r, service, name);
    if (d && !is_drained) {
        list_remove(&d->node);
        free_drained(d);
    } else if (!d && is_drained) {
        d = MEM_NEW(struct drained);
        d->service = registry_own(service);
        d->name = registry_own(name);
        list_push_back(&r->drained, &d->node);
    }
    for (uint32_t i = 0; i < r->n_indexes; i++) {
        struct shared *s = r->by_index[i];
        struct health_state *h = s && s->kind == SHARED_HEALTH ? health_state_of(s) : NULL;
        if (h && str_eq(h->service, service) && str_eq(h->name, name))
            set_drained(h, is_drained);
    }
    registry_unlock(r);
}

static struct health_state *new_health(struct upstream_registry *r, const struct health_wish *w,
                                       struct str key, uint64_t hash)
{
    size_t n_slots = w->has_slots ? w->server->n_slots : 1;
    struct health_state *h =
        mem_alloc(1, sizeof(struct health_state) + n_slots * sizeof(struct health_slot));
    registry_enter(r, &h->shared, SHARED_HEALTH, key, hash);
    h->server = w->server;
    h->service = registry_own(w->service);
    h->name = registry_own(w->name);
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
    registry_lock(r);
    struct shared *found = registry_find(r, SHARED_HEALTH, text_str(&key), hash);
    struct health_state *h =
        found ? health_state_of(found) : new_health(r, w, text_str(&key), hash);
    h->shared.n_refs++;
    set_plan(r, h, w->plan);
    registry_unlock(r);
    text_fini(&key);
    return h;
}

void registry_leave_health(struct upstream_registry *r, struct health_state *h)
{
    list_remove(&h->sibling);
    set_plan(r, h, NULL);
}

void registry_free_health(struct health_state *h)
{
    ASSERT(!h->plan && !h->is_watched);
    registry_disown(h->service);
    registry_disown(h->name);
    mem_free(h);
}

struct health_state *registry_check_next(struct upstream_registry *r)
{
    struct health_state *h = NULL;
    registry_lock(r);
    struct list_node *first = list_pop_front(&r->unchecked);
    if (first) {
        h = CONTAINER_OF(first, struct health_state, unwatched);
        h->is_watched = true;
        h->shared.n_holds++;
        h->server->shared.n_holds++;
    }
    registry_unlock(r);
    return h;
}

void registry_uncheck(struct health_state *h)
{
    struct upstream_registry *r = h->shared.registry;
    struct server_state *server = h->server;
    registry_lock(r);
    h->is_watched = false;
    if (h->plan) {
        list_push_back(&r->unchecked, &h->unwatched);
        registry_post(r->checker);
    }
    registry_unlock(r);
    registry_unhold(&h->shared);
    registry_unhold(&server->shared);
}

struct health_plan *registry_plan_of(struct health_state *h)
{
    registry_lock(h->shared.registry);
    struct health_plan *p = h->plan ? health_plan_ref(h->plan) : NULL;
    registry_unlock(h->shared.registry);
    return p;
}
