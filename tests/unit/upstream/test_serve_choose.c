// SPDX-License-Identifier: Apache-2.0
#include "unit/upstream/upstream_rig.h"

// Two servers with one place each, which answer when they are told to.
static void start_crowded(struct rig *r, struct origin *a, struct origin *b)
{
    rig_init(r);
    rig_server(r, origin_start(a, "a", ORIGIN_WAITS)->url, 1);
    rig_server(r, origin_start(b, "b", ORIGIN_WAITS)->url, 1);
    r->servers[0].active_max = r->servers[1].active_max = 1;
}

static void requests_beyond_max_connections_wait_for_the_next_place(void)
{
    struct rig r;
    struct origin a, b;
    struct call calls[5];
    start_crowded(&r, &a, &b);
    rig_build(&r);
    for (size_t i = 0; i < 5; i++) {
        calls[i] = (struct call){.r = &r, .method = METHOD_GET};
        call_start(&calls[i]);
    }
    TURN_UNTIL(&r, a.n_requests + b.n_requests == 2);
    for (int i = 0; i < 20; i++)
        loop_turn(r.loop, 0);
    CHECK_INT(a.n_requests, 1);
    CHECK_INT(b.n_requests, 1);
    a.may_answer = true; // all that wait go there
    TURN_UNTIL(&r, a.n_requests == 4);
    CHECK_INT(b.n_requests, 1);
    b.may_answer = true;
    for (size_t i = 0; i < 5; i++) {
        call_wait(&calls[i]);
        CHECK_INT(calls[i].status, 200);
        CHECK_INT(calls[i].n_tries, 1);
        CHECK_INT(strstr(calls[i].trail, "queued") != NULL, i >= 2);
    }
    CHECK_INT(a.n_conns, 1);
    CHECK_INT(b.n_conns, 1);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void a_full_queue_and_a_late_place_are_503_with_retry_after(void)
{
    struct rig r;
    struct origin a, b;
    start_crowded(&r, &a, &b);
    r.conf.queue_max = 1;
    r.conf.queue_ms = 1500;
    rig_build(&r);
    struct call held[2], late = {.r = &r, .method = METHOD_GET};
    for (size_t i = 0; i < 2; i++) {
        held[i] = (struct call){.r = &r, .method = METHOD_GET};
        call_start(&held[i]);
    }
    TURN_UNTIL(&r, a.n_requests + b.n_requests == 2);
    call_start(&late);
    loop_turn(r.loop, 0);
    struct call refused = call(&r, METHOD_GET);
    call_wait(&late);
    const struct call *both[] = {&refused, &late};
    for (size_t i = 0; i < 2; i++) {
        CHECK_INT(both[i]->status, 503);
        CHECK_INT(both[i]->end, EXCHANGE_END_RESOURCES);
        CHECK_STR(str_of(both[i]->retry_after), STR("2"));
        CHECK_INT(both[i]->n_tries, 0);
    }
    CHECK(strstr(refused.detail, "full") != NULL);
    CHECK(strstr(late.detail, "in time") != NULL);
    a.may_answer = b.may_answer = true;
    for (size_t i = 0; i < 2; i++)
        call_wait(&held[i]);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void who_waits_for_a_place_and_goes_away_takes_none(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_WAITS)->url, 1);
    r.servers[0].active_max = 1;
    rig_build(&r);
    struct call held = {.r = &r, .method = METHOD_GET}, gone = held, next = held;
    call_start(&held);
    TURN_UNTIL(&r, a.n_requests == 1);
    call_start(&gone);
    loop_turn(r.loop, 0);
    call_start(&next);
    loop_turn(r.loop, 0);
    fiber_cancel(gone.fiber);
    call_wait(&gone);
    CHECK_INT(gone.err, ERR_CANCELLED);
    a.may_answer = true;
    call_wait(&held);
    call_wait(&next);
    CHECK_INT(next.status, 200);
    CHECK_INT(a.n_requests, 2);
    origin_stop(&a);
    rig_fini(&r);
}

static void a_server_that_comes_while_all_are_full_is_found(void)
{
    struct rig r;
    struct origin a, b;
    start_crowded(&r, &a, &b);
    rig_build(&r);
    struct server_slot *slot = &service_of(r.service)->servers[1].state->slots[0];
    atomic_store(&slot->skip_until_ms, INT64_MAX);
    struct call held = {.r = &r, .method = METHOD_GET}, waits = held;
    call_start(&held);
    TURN_UNTIL(&r, a.n_requests == 1);
    call_start(&waits);
    loop_turn(r.loop, 0);
    atomic_store(&slot->skip_until_ms, 0);
    b.may_answer = true;
    call_wait(&waits);
    CHECK_STR(str_of(waits.body), STR("b"));
    a.may_answer = true;
    call_wait(&held);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void drain(struct rig *r, struct origin *o)
{
    upstream_registry_drain(r->registry, service_of(r->service)->handler.name,
                            str_skip(str_of(o->url), strlen("http://")), true);
}

// By whichever of the two queues: for a place at the server, or for a connection to it.
static void who_waits_for_a_server_that_is_drained_meanwhile_goes_to_another(void)
{
    for (int has_places = 0; has_places <= 1; has_places++) {
        struct rig r;
        struct origin a, b;
        start_crowded(&r, &a, &b);
        r.conf.conns_max = has_places ? 0 : 1;
        r.servers[0].active_max = r.servers[1].active_max = (uint32_t)has_places;
        rig_build(&r);
        struct call held[2], waits[2];
        for (size_t i = 0; i < 4; i++) {
            struct call *c = i < 2 ? &held[i] : &waits[i - 2];
            *c = (struct call){.r = &r, .method = METHOD_GET};
            call_start(c);
            loop_turn(r.loop, 0);
        }
        TURN_UNTIL(&r, a.n_requests + b.n_requests == 2);
        drain(&r, &a);
        a.may_answer = true;
        call_wait(&held[0]);
        for (int i = 0; i < 20; i++)
            loop_turn(r.loop, 0);
        CHECK_INT(a.n_requests, 1);
        b.may_answer = true;
        for (size_t i = 0; i < 2; i++) {
            call_wait(&waits[i]);
            CHECK_INT(waits[i].status, 200);
            CHECK_STR(str_of(waits[i].body), STR("b"));
        }
        call_wait(&held[1]);
        origin_stop(&a);
        origin_stop(&b);
        rig_fini(&r);
    }
}

static void a_place_is_free_again_after_every_kind_of_failure(void)
{
    static const enum origin_does does[] = {ORIGIN_CLOSES_UNHEARD, ORIGIN_TALKS_NONSENSE,
                                            ORIGIN_CLOSES_IDLE};
    for (size_t i = 0; i < ARRAY_LEN(does); i++) {
        struct rig r;
        struct origin a;
        rig_init(&r);
        rig_server(&r, origin_start(&a, "a", does[i])->url, 1);
        r.servers[0].active_max = 1;
        r.conf.queue_max = 0;
        rig_build(&r);
        for (int n = 0; n < 3; n++) {
            CHECK(strstr(call(&r, METHOD_POST).detail, "max-connections") == NULL);
            loop_turn(r.loop, 0);
        }
        origin_stop(&a);
        rig_fini(&r);
    }
}

TEST_MAIN(TEST(requests_beyond_max_connections_wait_for_the_next_place),
          TEST(a_full_queue_and_a_late_place_are_503_with_retry_after),
          TEST(who_waits_for_a_place_and_goes_away_takes_none),
          TEST(a_server_that_comes_while_all_are_full_is_found),
          TEST(who_waits_for_a_server_that_is_drained_meanwhile_goes_to_another),
          TEST(a_place_is_free_again_after_every_kind_of_failure))
