// SPDX-License-Identifier: Apache-2.0
#include "upstream/room_priv.h"

#include <string.h>

#include "base/mem.h"
#include "rt/fiber.h"

static void lock(struct room *r)
{
    int failed = pthread_mutex_lock(&r->lock);
    ASSERT(failed == 0);
}

static void unlock(struct room *r)
{
    int failed = pthread_mutex_unlock(&r->lock);
    ASSERT(failed == 0);
}

void room_init(struct room *r)
{
    int failed = pthread_mutex_init(&r->lock, NULL);
    ASSERT(failed == 0);
    list_init(&r->queues);
    r->last_number = 0;
}

void room_fini(struct room *r)
{
    ASSERT(list_is_empty(&r->queues));
    pthread_mutex_destroy(&r->lock);
}

void room_queue_init(struct room_queue *q)
{
    list_init(&q->waiters);
    q->n = 0;
}

static struct room_waiter *waiter_of(struct list_node *n)
{
    return CONTAINER_OF(n, struct room_waiter, node);
}

// --- under the lock ---

static void take_out(struct room_waiter *w)
{
    list_remove(&w->node);
    if (--w->queue->n == 0)
        list_remove(&w->queue->node);
    for (size_t i = 0; i < w->n_seats; i++)
        atomic_fetch_sub(&w->seats[i].slot->n_waiting, 1);
}

static const struct room_seat *seat_at(const struct room_waiter *w, const struct server_slot *slot)
{
    for (size_t i = 0; i < w->n_seats; i++)
        if (w->seats[i].slot == slot)
            return &w->seats[i];
    return NULL;
}

static struct room_waiter *first_in(struct room_queue *q, const struct server_slot *slot)
{
    LIST_FOR (n, &q->waiters) {
        if (seat_at(waiter_of(n), slot))
            return waiter_of(n);
    }
    return NULL;
}

// Who has waited for a place at slot the longest, in whichever queue.
static struct room_waiter *first_for(struct room *r, const struct server_slot *slot)
{
    struct room_waiter *first = NULL;
    LIST_FOR (n, &r->queues) {
        struct room_waiter *w = first_in(CONTAINER_OF(n, struct room_queue, node), slot);
        if (w && (!first || w->number < first->number))
            first = w;
    }
    return first;
}

// At once on this thread, else by mail.
static void tell(struct room_waiter *w)
{
    if (w->loop != loop_self()) {
        loop_post(w->loop, &w->mail);
        return;
    }
    w->is_told = true;
    fiber_wake(w->fiber);
}

// Those who get a place at slot leave their queues for `granted`.
static void grant_at(struct room *r, struct server_slot *slot, struct list *granted)
{
    struct room_waiter *w;
    while (atomic_load(&slot->n_waiting) > 0 && (w = first_for(r, slot)) != NULL &&
           slot_try_take(slot, seat_at(w, slot)->max)) {
        take_out(w);
        w->granted = slot;
        list_push_back(granted, &w->node);
    }
}

static void grant_at_seats(struct room *r, const struct room_waiter *w, struct list *granted)
{
    for (size_t i = 0; i < w->n_seats; i++)
        grant_at(r, w->seats[i].slot, granted);
}

// Who isn't there any more was perhaps the first at other servers, too, and whoever is now may be
// allowed more there: services have limits of their own for a server that they share.
static void tell_all(struct room *r, struct list *granted)
{
    LIST_FOR (n, granted) // grows meanwhile
        grant_at_seats(r, waiter_of(n), granted);
    struct list_node *n;
    while ((n = list_pop_front(granted)) != NULL)
        tell(waiter_of(n)); // under the lock: who sees `granted` knows that the mail is posted
}

// --- public ---

static void on_mail(struct rt_mail *mail)
{
    struct room_waiter *w = CONTAINER_OF(mail, struct room_waiter, mail);
    w->is_told = true;
    if (w->fiber)
        fiber_wake(w->fiber);
    else
        mem_free(w);
}

struct room_waiter *room_enter(struct room *r, struct room_queue *q, const struct room_seat *seats,
                               size_t n_seats, uint32_t queue_max)
{
    struct room_waiter *w = mem_alloc(1, sizeof *w + n_seats * sizeof *seats);
    w->mail.fn = on_mail;
    w->loop = loop_self();
    w->room = r;
    w->queue = q;
    w->fiber = fiber_self();
    w->n_seats = n_seats;
    memcpy(w->seats, seats, n_seats * sizeof *seats);
    lock(r);
    if (q->n >= queue_max) {
        unlock(r);
        mem_free(w);
        return NULL;
    }
    w->number = ++r->last_number;
    if (q->n++ == 0)
        list_push_back(&r->queues, &q->node);
    list_push_back(&q->waiters, &w->node);
    // Who gives back a place sees that somebody waits, or its place is seen here.
    for (size_t i = 0; i < n_seats; i++)
        atomic_fetch_add(&seats[i].slot->n_waiting, 1);
    struct list granted;
    list_init(&granted);
    grant_at_seats(r, w, &granted);
    tell_all(r, &granted);
    unlock(r);
    return w;
}

enum room_got room_wait(struct room_waiter *w, struct deadline until, struct server_slot **ret)
{
    enum fiber_wake wake = FIBER_READY;
    while (!w->is_told && wake == FIBER_READY)
        wake = fiber_wait(until);
    if (!w->is_told)
        return wake == FIBER_CANCELLED ? ROOM_CANCELLED : ROOM_EXPIRED;
    *ret = w->granted;
    mem_free(w);
    return ROOM_GRANTED;
}

struct server_slot *room_exit(struct room_waiter *w)
{
    struct room *r = w->room;
    lock(r);
    struct server_slot *slot = w->granted;
    if (!slot) {
        struct list granted;
        list_init(&granted);
        take_out(w);
        grant_at_seats(r, w, &granted);
        tell_all(r, &granted);
    }
    unlock(r);
    w->fiber = NULL;
    if (!slot || w->is_told)
        mem_free(w);
    return slot;
}

uint32_t room_queue_length(struct room *r, const struct room_queue *q)
{
    lock(r);
    uint32_t n = q->n;
    unlock(r);
    return n;
}

void room_pass_on(struct room *r, struct server_slot *slot)
{
    struct list granted;
    list_init(&granted);
    lock(r);
    grant_at(r, slot, &granted);
    tell_all(r, &granted);
    unlock(r);
}
