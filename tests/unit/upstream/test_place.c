// SPDX-License-Identifier: Apache-2.0
#include "upstream/place.h"

#include "unit/upstream/upstream_rig.h"
#include "upstream/conn.h"

#define WAITERS_MAX 5

struct waiter {
    struct stand *s;
    struct queued q;
    struct conn_failure failure;
    int64_t wait_ms;
    struct fiber *fiber;
    bool is_done;
    enum conn_got got;
};

// A target with one connection, whose other side the test is, and who waits for it.
struct stand {
    struct rig r;
    struct target t;
    struct mux *m;
    int fd; // the server's
    size_t n;
    struct waiter waiters[WAITERS_MAX];
};

static void put(struct stand *s, const char *frame, size_t n)
{
    CHECK_INT(send(s->fd, frame, n, MSG_NOSIGNAL), n);
    TURN_UNTIL(&s->r, s->m->client.is_over || !stream_is_readable(&s->m->client.stream));
    for (int i = 0; i < 10; i++)
        loop_turn(s->r.loop, 1);
}
#define PUT(s, literal) put((s), (literal), sizeof(literal) - 1)

static struct stand *stand_new(void)
{
    struct stand *s = calloc(1, sizeof *s);
    struct stream stream = {.ops = NULL};
    int fds[2];
    rig_init(&s->r);
    list_init(&s->t.queue);
    list_init(&s->t.muxes);
    list_init(&s->t.idle);
    test_socketpair(fds);
    sock_init(&stream.sock, fds[0]);
    s->fd = fds[1];
    s->t.n_conns = 1;
    s->m = mux_new(&s->t);
    s->m->idle_ms = SOON_MS;
    mux_open(s->m, &stream, &s->r.env);
    return s;
}

static void wait_for_place(void *arg)
{
    struct waiter *w = arg;
    struct target *t = &w->s->t;
    w->q.failure = &w->failure;
    w->got = queue_wait(&t->queue, &t->n_queued, &w->q, deadline_in(w->wait_ms));
    w->is_done = true;
}

enum can {
    SHARE = 1,
    BE_ALONE = 2,
};

static struct waiter *enqueue(struct stand *s, unsigned can)
{
    struct waiter *w = &s->waiters[s->n++];
    *w = (struct waiter){
        .s = s,
        .q = {.may_share = (can & SHARE) != 0, .may_be_alone = (can & BE_ALONE) != 0},
        .wait_ms = SOON_MS,
    };
    w->fiber = fiber_start(wait_for_place, w);
    loop_turn(s->r.loop, 1);
    return w;
}

static void grant(struct stand *s)
{
    place_grant_mux(&s->t, s->m);
    loop_turn(s->r.loop, 1);
}

static bool has_mux(const struct waiter *w)
{
    return w->is_done && w->got == CONN_OK && w->q.mux == w->s->m;
}

static void stand_free(struct stand *s)
{
    target_send_away(&s->t);
    CHECK(test_run_all(s->r.loop));
    CHECK_INT(s->t.n_queued, 0);
    while (s->m->n_promised > 1)
        mux_renounce(s->m);
    s->m->idle_ms = 0;
    mux_renounce(s->m); // with the last promise, it is closed
    loop_turn(s->r.loop, 1);
    CHECK_INT(s->t.n_conns, 0);
    close(s->fd);
    upstream_worker_free(s->r.worker);
    upstream_registry_free(s->r.registry);
    arena_fini(&s->r.mem);
    http_env_fini(&s->r.env);
    loop_free(s->r.loop);
    free(s);
}

// --- tests ---

static void room_goes_to_those_who_can_share_as_far_as_the_server_allows(void)
{
    struct stand *s = stand_new();
    struct waiter *alone = enqueue(s, BE_ALONE), *first = enqueue(s, SHARE),
                  *second = enqueue(s, SHARE | BE_ALONE), *third = enqueue(s, SHARE);
    grant(s);
    CHECK(!first->is_done); // before SETTINGS there is one place, and it is promised
    PUT(s, "\0\0\6\4\0\0\0\0\0\0\3\0\0\0\3");
    CHECK(has_mux(first) && has_mux(second));
    CHECK(!third->is_done && !alone->is_done);
    CHECK_INT(s->t.n_queued, 2);
    CHECK_INT(s->m->n_promised, 3);
    grant(s);
    CHECK(!third->is_done);
    mux_renounce(s->m);
    loop_turn(s->r.loop, 1);
    CHECK(has_mux(third) && !alone->is_done);
    stand_free(s);
}

static void nobody_gets_a_place_on_a_connection_that(const char *ends, size_t n)
{
    struct stand *s = stand_new();
    PUT(s, "\0\0\0\4\0\0\0\0\0");
    struct waiter *w = enqueue(s, SHARE);
    if (n > 0)
        put(s, ends, n);
    else
        shutdown(s->fd, SHUT_RDWR);
    TURN_UNTIL(&s->r, s->m->client.is_leaving || s->m->client.is_over);
    grant(s);
    CHECK(!w->is_done);
    CHECK_INT(s->m->n_promised, 1);
    stand_free(s);
}

static void nobody_gets_a_place_on_a_connection_that_leaves_or_has_ended(void)
{
    static const char goaway[] = "\0\0\10\7\0\0\0\0\0\0\0\0\0\0\0\0\0";
    nobody_gets_a_place_on_a_connection_that(goaway, sizeof goaway - 1);
    nobody_gets_a_place_on_a_connection_that(NULL, 0);
}

static void nobody_gets_a_place_on_a_silent_connection_before_it_answers(void)
{
    struct stand *s = stand_new();
    PUT(s, "\0\0\0\4\0\0\0\0\0");
    s->m->client.heard_ms -= 60000;
    h2_client_probe(&s->m->client, SOON_MS);
    s->m->client.doubt_ms = clock_now_ms(); // half of the time is over
    struct waiter *w = enqueue(s, SHARE);
    grant(s);
    CHECK(!w->is_done && !target_has_mux_room(&s->t) && !mux_take(&s->t));
    PUT(s, "\0\0\10\6\1\0\0\0\0\0\0\0\0\0\0\0\0");
    CHECK(has_mux(w)); // the sign of life itself grants it
    stand_free(s);
}

static void a_connection_for_one_goes_to_who_can_do_with_it(void)
{
    struct stand *s = stand_new();
    struct conn conn = {.idle_max = 1};
    CHECK(!place_grant_conn(&s->t, &conn));
    struct waiter *sharer = enqueue(s, SHARE);
    CHECK(!place_grant_conn(&s->t, &conn));
    struct waiter *first = enqueue(s, BE_ALONE), *second = enqueue(s, SHARE | BE_ALONE);
    CHECK(place_grant_conn(&s->t, &conn));
    loop_turn(s->r.loop, 1);
    CHECK(first->is_done && first->got == CONN_OK && first->q.conn == &conn);
    CHECK(!sharer->is_done && !second->is_done);
    stand_free(s);
}

static void a_place_that_is_given_up_goes_to_who_waits_longest(void)
{
    struct stand *s = stand_new();
    s->t.n_conns = 3;
    struct waiter *first = enqueue(s, SHARE), *second = enqueue(s, BE_ALONE);
    place_give_up(&s->t);
    loop_turn(s->r.loop, 1);
    CHECK(first->is_done && first->got == CONN_OK && !first->q.mux && !first->q.conn);
    CHECK(!second->is_done);
    CHECK_INT(s->t.n_conns, 3);
    place_give_up(&s->t);
    loop_turn(s->r.loop, 1);
    CHECK(second->is_done && second->got == CONN_OK);
    place_give_up(&s->t);
    place_give_up(&s->t);
    CHECK_INT(s->t.n_conns, 1); // nobody waits: there are fewer
    stand_free(s);
}

static void who_waits_hears_how_it_ends(void)
{
    struct stand *s = stand_new();
    struct waiter *one = enqueue(s, SHARE), *two = enqueue(s, BE_ALONE);
    const struct conn_failure refused = {.got = CONN_REFUSED, .error = ECONNREFUSED};
    queue_answer(&s->t.queue, &s->t.n_queued, QUEUE_FAILED, &refused);
    loop_turn(s->r.loop, 1);
    CHECK(one->got == CONN_REFUSED && two->got == CONN_REFUSED);
    CHECK_INT(two->failure.error, ECONNREFUSED);
    struct waiter *moved = enqueue(s, SHARE);
    target_send_away(&s->t);
    loop_turn(s->r.loop, 1);
    CHECK(moved->is_done && moved->got == CONN_MOVED);
    struct waiter *late = enqueue(s, SHARE);
    fiber_cancel(late->fiber);
    loop_turn(s->r.loop, 1);
    CHECK(late->is_done && late->got == CONN_CANCELLED && late->q.state == QUEUE_WAITING);
    CHECK_INT(s->t.n_queued, 0);
    struct waiter *both = enqueue(s, SHARE); // cancelled and granted in one turn
    fiber_cancel(both->fiber);
    place_give_up(&s->t);
    loop_turn(s->r.loop, 1);
    CHECK(both->is_done && both->got == CONN_CANCELLED && both->q.state == QUEUE_GRANTED);
    stand_free(s);
}

static void who_waits_too_long_leaves_the_queue(void)
{
    struct stand *s = stand_new();
    struct waiter *w = &s->waiters[0];
    *w = (struct waiter){.s = s, .q = {.may_share = true}, .wait_ms = 5};
    w->fiber = fiber_start(wait_for_place, w);
    TURN_UNTIL(&s->r, w->is_done);
    CHECK_INT(w->got, CONN_QUEUE_TIMEOUT);
    CHECK_INT(s->t.n_queued, 0);
    PUT(s, "\0\0\0\4\0\0\0\0\0");
    grant(s);
    CHECK_INT(s->m->n_promised, 1);
    stand_free(s);
}

TEST_MAIN(TEST(room_goes_to_those_who_can_share_as_far_as_the_server_allows),
          TEST(nobody_gets_a_place_on_a_connection_that_leaves_or_has_ended),
          TEST(nobody_gets_a_place_on_a_silent_connection_before_it_answers),
          TEST(a_connection_for_one_goes_to_who_can_do_with_it),
          TEST(a_place_that_is_given_up_goes_to_who_waits_longest),
          TEST(who_waits_hears_how_it_ends), TEST(who_waits_too_long_leaves_the_queue))
