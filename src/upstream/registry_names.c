// SPDX-License-Identifier: Apache-2.0
// Servers with names: who looks them up, and what addresses they have.
#include "rt/clock.h"
#include "upstream/registry_priv.h"

void registry_hold_server(struct server_state *s, struct server_answer *ret)
{
    registry_lock(s->shared.registry);
    s->shared.n_holds++;
    if (s->answer)
        *ret = *s->answer;
    registry_unlock(s->shared.registry);
}

void registry_read_answer(struct server_state *s, struct server_answer *ret)
{
    registry_lock(s->shared.registry);
    *ret = *s->answer;
    registry_unlock(s->shared.registry);
}

struct server_state *registry_watch_next(struct upstream_registry *r)
{
    struct server_state *s = NULL;
    registry_lock(r);
    struct list_node *first = list_pop_front(&r->unwatched);
    if (first) {
        s = CONTAINER_OF(first, struct server_state, unwatched);
        s->is_watched = true;
        s->shared.n_holds++;
    }
    registry_unlock(r);
    return s;
}

void registry_unwatch(struct server_state *s)
{
    struct upstream_registry *r = s->shared.registry;
    registry_lock(r);
    s->is_watched = false;
    if (s->shared.n_refs > 0)
        list_push_back(&r->unwatched, &s->unwatched);
    registry_unlock(r);
    registry_unhold(&s->shared);
}

bool registry_is_wanted(struct server_state *s)
{
    registry_lock(s->shared.registry);
    bool is_wanted = s->shared.n_refs > 0;
    registry_unlock(s->shared.registry);
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
        registry_reset_healths(s, slot);
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
    registry_lock(r);
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
        registry_tell_workers(r, &s->shared, &now);
    }
    registry_unlock(r);
    return is_news;
}
