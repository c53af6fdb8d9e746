// SPDX-License-Identifier: Apache-2.0
#include "upstream/roster.h"

#include <string.h>

#include "base/hash.h"
#include "base/mem.h"
#include "upstream/balance.h"

// What was known keeps its place in the round. The servers are the same in the same order, however
// many there are: *at is the first old entry of key's server, or of one behind it.
static int64_t current_of(const struct roster_entry *old, size_t n_old, uint32_t key, size_t *at)
{
    const uint32_t server = key / DNS_ADDRS_MAX;
    while (*at < n_old && roster_server(&old[*at]) < server)
        ++*at;
    for (size_t i = *at; i < n_old && roster_server(&old[i]) == server; i++)
        if (old[i].key == key)
            return old[i].current;
    return 0;
}

static uint64_t id_of(const struct target *t)
{
    return hash_sip13((struct hash_key){.k0 = 0}, t->name);
}

static void make_tokens(struct roster *r, struct upstream_worker *w, const struct service *s)
{
    uint8_t key[COOKIE_KEY_BYTES];
    r->cookie_version = registry_cookie_key(w->registry, key);
    for (size_t i = 0; r->cookie_version > 0 && i < r->n; i++)
        sticky_token(key, s->sticky.service, r->entries[i].target->name, r->entries[i].token);
    explicit_bzero(key, sizeof key);
}

static void build(struct roster *r, struct upstream_worker *w, const struct service *s)
{
    struct roster_entry *old = r->entries;
    size_t n_old = r->n, cap = 0, at_old = 0;
    for (size_t i = 0; i < s->n_servers; i++)
        cap += worker_server_of(w, s->servers[i].state)->n_targets;
    r->entries = MEM_ARRAY(struct roster_entry, MAX(cap, 1));
    r->n = r->n_taking = 0;
    r->n_tiers = 1;
    for (size_t i = 0; i < s->n_servers; i++) {
        const struct service_server *conf = &s->servers[i];
        const struct worker_server *server = worker_server_of(w, conf->state);
        for (uint32_t j = 0; j < server->n_targets; j++) {
            struct target *t = server->targets[j];
            uint32_t key = (uint32_t)i * DNS_ADDRS_MAX + t->slot_index;
            r->n_tiers = MAX(r->n_tiers, conf->tier + 1u);
            r->n_taking += conf->weight > 0;
            r->entries[r->n++] = (struct roster_entry){
                .target = t,
                .slot = t->slot,
                .health = health_slot_of(conf->health, t->slot_index),
                .key = key,
                .weight = conf->weight,
                .tier = conf->tier,
                .id = id_of(t),
                .current = current_of(old, n_old, key, &at_old),
            };
        }
    }
    mem_free(old);
    r->generation = w->generation;
    r->cookie_version = 0;
    if (s->sticky.is_on)
        make_tokens(r, w, s);
    if (n_old == 0)
        balance_turn_to_start(r, w, s);
}

static void free_roster(struct worker_item *item)
{
    struct roster *r = CONTAINER_OF(item, struct roster, item);
    mem_free(r->entries);
    mem_free(r);
}

struct roster *roster_of(struct upstream_worker *w, const struct service *s)
{
    struct worker_item *item = worker_item_get(w, s->shared);
    if (LIKELY(item != NULL)) {
        struct roster *r = CONTAINER_OF(item, struct roster, item);
        bool is_old = s->sticky.is_on && r->cookie_version != registry_cookie_version(w->registry);
        if (UNLIKELY(r->generation != w->generation || is_old))
            build(r, w, s);
        return r;
    }
    struct roster *r = MEM_NEW(struct roster);
    r->item.free = free_roster;
    registry_hold(s->shared);
    worker_item_set(w, s->shared, &r->item);
    build(r, w, s);
    return r;
}
