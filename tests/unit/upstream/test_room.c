// SPDX-License-Identifier: Apache-2.0
// Queues for places, on one loop and over threads. To be run under ThreadSanitizer, too.
#include "upstream/room.h"

#include "rt/clock.h"
#include "rt/fiber.h"
#include "unit/rt/rt_test.h"

#define N_MAX 3u

// --- on one loop ---

struct yard {
    struct rt_loop *loop;
    struct room room;
    struct room_queue queue;
    struct server_slot slots[2];
    char order[32];
    size_t n_order;
};

static void yard_init(struct yard *y)
{
    memset(y, 0, sizeof *y);
    y->loop = test_loop(0);
    room_init(&y->room);
    room_queue_init(&y->queue);
}

static void yard_fini(struct yard *y)
{
    CHECK(test_run_all(y->loop));
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(y->slots[i].n_active, 0);
        CHECK_INT(y->slots[i].n_waiting, 0);
    }
    room_fini(&y->room);
    loop_free(y->loop);
}

struct guest {
    struct yard *y;
    struct fiber *fiber;
    char name;
    bool takes_any;     // else the first slot alone
    uint32_t queue_max; // 0: 10
    uint32_t max;       // of the places, as its service says; 0: 1
    int64_t wait_ms;
    enum room_got got;
    bool is_refused, is_done;
    struct server_slot *slot;
};

static void guest_run(void *arg)
{
    struct guest *g = arg;
    struct yard *y = g->y;
    uint32_t max = g->max > 0 ? g->max : 1;
    const struct room_seat seats[] = {{&y->slots[0], max}, {&y->slots[1], max}};
    struct room_waiter *w = room_enter(&y->room, &y->queue, seats, g->takes_any ? 2 : 1,
                                       g->queue_max > 0 ? g->queue_max : 10);
    g->is_refused = !w;
    if (w)
        g->got = room_wait(w, deadline_in(g->wait_ms), &g->slot);
    if (w && g->got != ROOM_GRANTED)
        g->slot = room_exit(w);
    if (g->slot)
        y->order[y->n_order++] = g->name;
    g->is_done = true;
}

static void guest_start(struct guest *g, struct yard *y, char name)
{
    g->y = y;
    g->name = name;
    g->wait_ms = g->wait_ms > 0 ? g->wait_ms : SOON_MS;
    g->fiber = fiber_start(guest_run, g);
    loop_turn(y->loop, 0);
}

static void turn(struct yard *y)
{
    loop_turn(y->loop, 0);
    loop_turn(y->loop, 0);
}

static void places_go_to_those_who_wait_in_their_order(void)
{
    struct yard y;
    struct guest g[4] = {{.y = NULL}};
    yard_init(&y);
    const struct room_seat seat = {&y.slots[0], 1};
    CHECK(room_take(&seat));
    CHECK(!room_take(&seat));
    for (size_t i = 0; i < 4; i++)
        guest_start(&g[i], &y, (char)('a' + i));
    CHECK_INT(y.slots[0].n_waiting, 4);
    for (size_t i = 0; i < 4; i++) {
        room_leave(&y.room, &y.slots[0]);
        CHECK_INT(y.slots[0].n_active, 1); // never free in between
        CHECK(!room_take(&seat));
        turn(&y);
        CHECK(g[i].is_done && g[i].got == ROOM_GRANTED);
    }
    room_leave(&y.room, &y.slots[0]);
    CHECK_STR(str_of(y.order), STR("abcd"));
    CHECK(room_take(&seat));
    room_leave(&y.room, &y.slots[0]);
    yard_fini(&y);
}

static void who_can_do_with_any_server_does_not_hold_up_others_nor_is_held_up(void)
{
    struct yard y;
    struct guest one = {.takes_any = false}, any = {.takes_any = true};
    yard_init(&y);
    slot_take(&y.slots[0]);
    slot_take(&y.slots[1]);
    guest_start(&one, &y, 'a');
    guest_start(&any, &y, 'b');
    room_leave(&y.room, &y.slots[1]); // nothing for the first of the queue
    turn(&y);
    CHECK(any.is_done && any.slot == &y.slots[1]);
    CHECK(!one.is_done);
    room_leave(&y.room, &y.slots[0]);
    turn(&y);
    CHECK(one.is_done && one.slot == &y.slots[0]);
    room_leave(&y.room, &y.slots[0]);
    room_leave(&y.room, &y.slots[1]);
    yard_fini(&y);
}

// Two services share a server, and one allows it more: who is behind the other's waits for its turn
// no longer than that one does, whether that has given up or got a place elsewhere.
static void who_is_allowed_more_gets_a_place_when_those_before_it_have_left(void)
{
    for (int is_granted = 0; is_granted <= 1; is_granted++) {
        struct yard y;
        struct guest first = {.takes_any = true, .wait_ms = is_granted ? SOON_MS : 20};
        struct guest second = {.max = 2};
        yard_init(&y);
        for (size_t i = 0; i < 2; i++)
            slot_take(&y.slots[i]);
        guest_start(&first, &y, 'a');
        guest_start(&second, &y, 'b');
        CHECK(!second.is_done);
        if (is_granted)
            room_leave(&y.room, &y.slots[1]);
        while (!first.is_done)
            loop_turn(y.loop, 20);
        CHECK_INT(first.got, is_granted ? ROOM_GRANTED : ROOM_EXPIRED);
        turn(&y);
        CHECK(second.is_done && second.got == ROOM_GRANTED && second.slot == &y.slots[0]);
        for (int n = 0; n < 2; n++)
            room_leave(&y.room, &y.slots[0]);
        room_leave(&y.room, &y.slots[1]);
        yard_fini(&y);
    }
}

static void a_place_that_is_free_when_the_wait_begins_is_given_at_once(void)
{
    struct yard y;
    struct guest g = {.takes_any = true};
    yard_init(&y);
    slot_take(&y.slots[0]);
    guest_start(&g, &y, 'a');
    turn(&y);
    CHECK(g.is_done && g.slot == &y.slots[1]);
    room_leave(&y.room, &y.slots[0]);
    room_leave(&y.room, &y.slots[1]);
    yard_fini(&y);
}

static void a_full_queue_refuses(void)
{
    struct yard y;
    struct guest a = {.queue_max = 1}, b = {.queue_max = 1};
    yard_init(&y);
    slot_take(&y.slots[0]);
    guest_start(&a, &y, 'a');
    guest_start(&b, &y, 'b');
    CHECK(b.is_done && b.is_refused);
    room_leave(&y.room, &y.slots[0]);
    turn(&y);
    CHECK(a.is_done && a.got == ROOM_GRANTED);
    room_leave(&y.room, &y.slots[0]);
    yard_fini(&y);
}

static void who_gives_up_leaves_its_turn_to_the_next(void)
{
    struct yard y;
    struct guest late = {.wait_ms = 1}, gone = {.wait_ms = SOON_MS}, next = {.wait_ms = SOON_MS};
    yard_init(&y);
    slot_take(&y.slots[0]);
    guest_start(&late, &y, 'a');
    guest_start(&gone, &y, 'b');
    guest_start(&next, &y, 'c');
    while (!late.is_done)
        loop_turn(y.loop, 10);
    CHECK_INT(late.got, ROOM_EXPIRED);
    fiber_cancel(gone.fiber);
    turn(&y);
    CHECK_INT(gone.got, ROOM_CANCELLED);
    CHECK_INT(y.slots[0].n_waiting, 1);
    room_leave(&y.room, &y.slots[0]);
    turn(&y);
    CHECK(next.is_done && next.got == ROOM_GRANTED);
    room_leave(&y.room, &y.slots[0]);
    CHECK_STR(str_of(y.order), STR("c"));
    yard_fini(&y);
}

static void a_place_that_comes_as_one_leaves_is_not_lost(void)
{
    struct yard y;
    struct guest g = {.wait_ms = SOON_MS};
    yard_init(&y);
    slot_take(&y.slots[0]);
    guest_start(&g, &y, 'a');
    room_leave(&y.room, &y.slots[0]); // it has it
    fiber_cancel(g.fiber);
    turn(&y);
    CHECK(g.is_done && g.slot == &y.slots[0]);
    CHECK_INT(y.slots[0].n_active, 1);
    room_leave(&y.room, &y.slots[0]);
    yard_fini(&y);
}

// --- over threads ---

#define N_THREADS 4
#define N_FIBERS 25
#define N_ROUNDS 60

struct world {
    struct room room;
    struct room_queue queues[2];
    struct server_slot slots[2];
    _Atomic uint32_t inside[2];
    _Atomic uint32_t most[2];
    atomic_uint n_served, n_expired;
    pthread_barrier_t barrier;
};

struct thread {
    struct world *world;
    struct rt_loop *loop;
    unsigned index, n_running;
};

static void be_inside(struct world *w, const struct server_slot *slot)
{
    size_t i = (size_t)(slot - w->slots);
    uint32_t n = atomic_fetch_add(&w->inside[i], 1) + 1, most = atomic_load(&w->most[i]);
    while (n > most && !atomic_compare_exchange_weak(&w->most[i], &most, n))
        ;
    fiber_yield();
    atomic_fetch_sub(&w->inside[i], 1);
}

static void one_round(struct world *w, unsigned n)
{
    const struct room_seat seats[] = {{&w->slots[0], N_MAX}, {&w->slots[1], N_MAX}};
    // Those that can do with any, and those that want this one or that.
    const struct room_seat *from = &seats[n % 3 == 2];
    size_t n_seats = n % 3 == 0 ? 2 : 1;
    struct server_slot *slot = NULL;
    if (room_take(from)) {
        slot = from->slot;
    } else {
        struct room_waiter *waiter = room_enter(&w->room, &w->queues[n % 2], from, n_seats, 1000);
        CHECK(waiter != NULL);
        // Some lose patience: never a place with them.
        enum room_got got = room_wait(waiter, deadline_in(n % 7 == 0 ? 1 : SOON_MS), &slot);
        if (got != ROOM_GRANTED) {
            slot = room_exit(waiter);
            atomic_fetch_add(&w->n_expired, 1);
            CHECK(n % 7 == 0);
        }
    }
    if (slot) {
        be_inside(w, slot);
        room_leave(&w->room, slot);
    }
    atomic_fetch_add(&w->n_served, 1);
}

static void run_fiber(void *arg)
{
    struct thread *t = arg;
    unsigned from = t->n_running++;
    for (unsigned i = 0; i < N_ROUNDS; i++)
        one_round(t->world, from + i);
    if (--t->n_running == 0)
        loop_stop(t->loop);
}

static void *run_thread(void *arg)
{
    struct thread *t = arg;
    t->loop = test_loop(0);
    pthread_barrier_wait(&t->world->barrier);
    for (unsigned i = 0; i < N_FIBERS; i++)
        CHECK(fiber_start(run_fiber, t) != NULL);
    loop_run(t->loop);
    pthread_barrier_wait(&t->world->barrier); // no mail is on its way to a loop that is freed
    CHECK(test_run_all(t->loop));
    loop_free(t->loop);
    return NULL;
}

static void no_place_is_lost_or_given_twice_over_threads(void)
{
    static struct world w;
    pthread_t threads[N_THREADS];
    struct thread args[N_THREADS] = {{.world = NULL}};
    room_init(&w.room);
    room_queue_init(&w.queues[0]);
    room_queue_init(&w.queues[1]);
    pthread_barrier_init(&w.barrier, NULL, N_THREADS);
    for (unsigned i = 0; i < N_THREADS; i++) {
        args[i] = (struct thread){.world = &w, .index = i};
        CHECK_INT(pthread_create(&threads[i], NULL, run_thread, &args[i]), 0);
    }
    for (unsigned i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    CHECK_INT(w.n_served, N_THREADS * N_FIBERS * N_ROUNDS);
    for (size_t i = 0; i < 2; i++) {
        CHECK(w.most[i] <= N_MAX);
        CHECK(w.most[i] > 1);
        CHECK_INT(w.slots[i].n_active, 0);
        CHECK_INT(w.slots[i].n_waiting, 0);
    }
    room_fini(&w.room);
    pthread_barrier_destroy(&w.barrier);
}

TEST_MAIN(TEST(places_go_to_those_who_wait_in_their_order),
          TEST(who_can_do_with_any_server_does_not_hold_up_others_nor_is_held_up),
          TEST(who_is_allowed_more_gets_a_place_when_those_before_it_have_left),
          TEST(a_place_that_is_free_when_the_wait_begins_is_given_at_once),
          TEST(a_full_queue_refuses), TEST(who_gives_up_leaves_its_turn_to_the_next),
          TEST(a_place_that_comes_as_one_leaves_is_not_lost),
          TEST(no_place_is_lost_or_given_twice_over_threads))
