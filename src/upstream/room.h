// SPDX-License-Identifier: Apache-2.0
// Exchanges that wait for a place at a server whose `max-connections` is reached: first come, first
// served, over all workers. A place that is given back goes to the next who waits for one there,
// without ever being free in between.
//
// Nobody takes the lock but those who wait, and those who give back a place that is waited for.
#pragma once

#include <pthread.h>

#include "base/deadline.h"
#include "base/list.h"
#include "rt/loop.h"
#include "upstream/slot.h"

// Of the registry.
struct room {
    pthread_mutex_t lock;
    struct list queues; // those in which somebody waits
    uint64_t last_number;
};

void room_init(struct room *r);
void room_fini(struct room *r);

// Those of one service; all under the room's lock.
struct room_queue {
    struct list_node node; // in room.queues
    struct list waiters;   // longest first
    uint32_t n;
};

void room_queue_init(struct room_queue *q);

// A server that would do, and how many exchanges it may have.
struct room_seat {
    struct server_slot *slot; // borrows: until the waiter has left
    uint32_t max;             // > 0
};

// There is a place that nobody waits for.
static inline bool room_has_place(const struct room_seat *seat)
{
    return atomic_load(&seat->slot->n_waiting) == 0 && slot_n_active(seat->slot) < seat->max;
}

// Takes a place if there is one and nobody waits for it.
static inline bool room_take(const struct room_seat *seat)
{
    return atomic_load(&seat->slot->n_waiting) == 0 && slot_try_take(seat->slot, seat->max);
}

struct room_waiter;

// A place in the queue of at most queue_max, on this thread's loop. seats are copied. NULL: the
// queue is full.
struct room_waiter *room_enter(struct room *r, struct room_queue *q, const struct room_seat *seats,
                               size_t n_seats, uint32_t queue_max);

enum room_got {
    ROOM_GRANTED, // w is gone, and the place is the caller's
    ROOM_EXPIRED, // it waits still
    ROOM_CANCELLED,
};

// On a fiber of the same thread; waits.
enum room_got room_wait(struct room_waiter *w, struct deadline until, struct server_slot **ret);

// Leaves the queue; w is gone. Returns where it has got a place meanwhile, which is the caller's,
// or NULL.
struct server_slot *room_exit(struct room_waiter *w);

// How many wait in q. Any thread.
uint32_t room_queue_length(struct room *r, const struct room_queue *q);

// Gives a place to the next who waits for one at slot.
void room_pass_on(struct room *r, struct server_slot *slot);

// Gives back a place.
static inline void room_leave(struct room *r, struct server_slot *slot)
{
    slot_give(slot);
    if (UNLIKELY(atomic_load(&slot->n_waiting) > 0))
        room_pass_on(r, slot);
}
