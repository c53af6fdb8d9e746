// SPDX-License-Identifier: Apache-2.0
// Which server is tried: the choice, the wait for a first address where no name has one, and the
// wait for a place at a server that has its max-connections.
#include <inttypes.h>

#include "http/exchange.h"
#include "rt/clock.h"
#include "upstream/serve_priv.h"

#define SEATS_MAX 64      // servers that one exchange waits for at a time
#define QUEUE_LOOK_MS 250 // then it looks whether anything else has changed

// A name that has no answer yet, or NULL; *ret_why of one that has none at all.
static struct worker_server *find_unresolved(struct attempt *a, const char **ret_why)
{
    for (size_t i = 0; i < a->s->n_servers; i++) {
        struct worker_server *server = worker_server_of(a->w, a->s->servers[i].state);
        if (a->s->servers[i].weight == 0)
            continue;
        if (server->version == 0)
            return server;
        if (server->n_targets == 0)
            *ret_why = server->why;
    }
    return NULL;
}

// Nothing is there to choose from: waits for a name's first answer where one is awaited.
COLD static enum step wait_for_names(struct attempt *a)
{
    const char *why = NULL;
    if (a->s->n_servers == 0) {
        a->is_crowded = true;
        attempt_note(a, EXCHANGE_END_NO_SERVER, "the service has no servers now");
        return STEP_GIVE_UP;
    }
    struct worker_server *unresolved = find_unresolved(a, &why);
    if (!unresolved) {
        attempt_note(a, EXCHANGE_END_NO_SERVER, "%s",
                     why ? why : "no server of the service takes requests (weight 0)");
        return STEP_GIVE_UP;
    }
    exchange_watch(a->x);
    int64_t began_ms = clock_now_ms();
    int64_t wait_ms = MIN(a->s->conf->connect_ms, a->connect_left_ms);
    enum fiber_wake wake = worker_server_wait(unresolved, deadline_at(began_ms + wait_ms));
    a->connect_left_ms -= clock_now_ms() - began_ms;
    if (wake == FIBER_CANCELLED)
        return STEP_CANCELLED;
    if (wake == FIBER_READY)
        return STEP_AGAIN;
    attempt_note(a, EXCHANGE_END_NO_SERVER, "the server's name is not resolved yet");
    return STEP_GIVE_UP;
}

// All that could be asked were asked, or there is none.
COLD static enum step none_left(struct attempt *a)
{
    if (a->end == EXCHANGE_END_OK)
        attempt_note(a, EXCHANGE_END_NO_SERVER,
                     "no server of the service is up, as checks say, or all are drained");
    return STEP_GIVE_UP;
}

static enum step choose(struct attempt *a, struct roster_entry **ret)
{
    for (;;) {
        struct roster *r = roster_of(a->w, a->s);
        *ret = LIKELY(r->n > 0) ? pick_next(&a->pick, r) : NULL;
        if (LIKELY(*ret || r->n_taking > 0)) {
            return *ret ? STEP_DONE : none_left(a);
        }
        enum step step = wait_for_names(a);
        if (step != STEP_AGAIN)
            return step;
    }
}

// --- a place ---

void attempt_leave_place(struct attempt *a)
{
    if (a->place)
        room_leave(registry_room(a->w->registry), a->place);
    a->place = NULL;
}

// Counts the try that begins. False: there are as many as may be.
static bool take_place(struct attempt *a, const struct roster_entry *e)
{
    const struct room_seat seat = pick_seat(&a->pick, e);
    if (seat.max > 0 && !room_take(&seat))
        return false;
    bool is_counted =
        atomic_load_explicit(&e->target->server->state->is_counted, memory_order_relaxed);
    if (seat.max == 0 && is_counted)
        slot_take(e->slot);
    a->place = seat.max > 0 || is_counted ? e->slot : NULL;
    return true;
}

// The place at slot is ours: who is there? The roster may be another one since the wait began, and
// the server down or drained.
static enum step sit_down(struct attempt *a, struct server_slot *slot, struct roster_entry **ret)
{
    struct roster *r = roster_of(a->w, a->s);
    a->place = slot;
    for (size_t i = 0; i < r->n; i++) {
        if (r->entries[i].slot == slot && pick_is_still_well(&a->pick, r, &r->entries[i])) {
            *ret = &r->entries[i];
            return STEP_DONE;
        }
    }
    attempt_leave_place(a);
    return STEP_AGAIN;
}

COLD static enum step turn_away(struct attempt *a, const char *why)
{
    a->is_crowded = true;
    attempt_note(a, EXCHANGE_END_RESOURCES, "every server has its max-connections, and %s", why);
    return STEP_GIVE_UP;
}

// *e and all that would do as well have no place left: waits for one. Waits.
COLD static enum step queue_up(struct attempt *a, struct roster_entry **e)
{
    struct room_seat seats[SEATS_MAX];
    size_t n = pick_seats(&a->pick, roster_of(a->w, a->s), *e, seats, SEATS_MAX);
    struct room_waiter *w = room_enter(registry_room(a->w->registry), registry_queue(a->s->shared),
                                       seats, n, a->s->conf->queue_max);
    if (!w)
        return turn_away(a, "the queue is full");
    exchange_watch(a->x);
    trail_add(&a->x->trail, a->s->who, "queued", STR_NONE);
    if (a->queue_until.at_ms == 0)
        a->queue_until = deadline_min(deadline_in(a->s->conf->queue_ms), a->until);
    for (;;) {
        struct server_slot *slot = NULL;
        struct deadline look = deadline_min(a->queue_until, deadline_in(QUEUE_LOOK_MS));
        enum room_got got = room_wait(w, look, &slot);
        if (got == ROOM_GRANTED)
            return sit_down(a, slot, e);
        bool is_late = a->queue_until.at_ms <= clock_now_ms();
        // No place was given back, but a server may have come, or all of them be gone.
        if (got == ROOM_EXPIRED && !is_late && pick_must_wait(&a->pick, roster_of(a->w, a->s)))
            continue;
        slot = room_exit(w);
        if (slot)
            return sit_down(a, slot, e);
        if (got == ROOM_CANCELLED)
            return STEP_CANCELLED;
        return is_late ? turn_away(a, "no place became free in time") : STEP_AGAIN;
    }
}

enum step attempt_choose(struct attempt *a, struct roster_entry **ret)
{
    enum step step = choose(a, ret);
    return step == STEP_DONE && !take_place(a, *ret) ? queue_up(a, ret) : step;
}
