// SPDX-License-Identifier: Apache-2.0
#include "unit/upstream/upstream_rig.h"

// --- servers that can't be reached ---

static void a_server_that_refuses_is_passed_over_and_then_skipped(void)
{
    struct rig r;
    struct origin dead, b;
    rig_init(&r);
    rig_server(&r, origin_refuse(&dead)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    struct call first = call(&r, METHOD_POST);
    CHECK_INT(first.status, 200);
    CHECK_INT(first.n_tries, 2);
    CHECK(strstr(first.trail, "retried") != NULL);
    for (int i = 0; i < 5; i++) {
        struct call next = call(&r, METHOD_GET);
        CHECK_INT(next.status, 200);
        CHECK_INT(next.n_tries, 1);
    }
    CHECK(str_search(service_describe(r.service, &r.mem), STR("skipped")) != STR_NPOS);
    close(dead.fd);
    origin_stop(&b);
    rig_fini(&r);
}

static void when_all_refuse_the_client_gets_502_and_learns_nothing(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    rig_server(&r, origin_refuse(&a)->url, 1);
    rig_server(&r, origin_refuse(&b)->url, 1);
    rig_build(&r);
    for (int i = 0; i < 3; i++) {
        struct call c = call(&r, METHOD_GET);
        CHECK_INT(c.err, ERR_OK);
        CHECK_INT(c.status, 502);
        CHECK_INT(c.end, EXCHANGE_END_SERVER_CONNECT);
        CHECK_INT(c.n_tries, 2);
        CHECK(strstr(c.body, "127.0.0.1") == NULL);
        CHECK(strstr(c.detail, "127.0.0.1") != NULL);
        CHECK(strstr(c.detail, "refused") != NULL);
    }
    close(a.fd);
    close(b.fd);
    rig_fini(&r);
}

static void a_server_that_came_back_is_found_by_one_request(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    r.conf.skip_ms = 1;
    rig_server(&r, origin_refuse(&a)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    CHECK_INT(call(&r, METHOD_GET).n_tries, 2);
    CHECK(listen(a.fd, 16) == 0);
    a.name = "a";
    a.does = ORIGIN_ANSWERS;
    origin_listen(&a);
    struct call c = call(&r, METHOD_GET);
    for (int i = 0; i < 1000 && c.body[0] != 'a'; i++)
        c = call(&r, METHOD_GET);
    CHECK_STR(str_of(c.body), STR("a"));
    CHECK_INT(c.n_tries, 1);
    struct str described = service_describe(r.service, &r.mem);
    CHECK(str_search(described, STR("skipped")) == STR_NPOS);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

// A listening socket whose backlog is full: connecting to it takes for ever.
static void black_hole(struct origin *o, int ret_fillers[4])
{
    origin_refuse(o);
    CHECK(listen(o->fd, 0) == 0);
    for (int i = 0; i < 4; i++) {
        ret_fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        (void)connect(ret_fillers[i], &o->addr.u.any, o->addr.len);
    }
}

static void a_server_that_does_not_answer_at_all_is_passed_over_in_time(void)
{
    struct rig r;
    struct origin hole, b;
    int fillers[4];
    rig_init(&r);
    r.conf.connect_ms = 300;
    black_hole(&hole, fillers);
    rig_server(&r, hole.url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    struct call c = call(&r, METHOD_POST);
    CHECK_INT(c.status, 200);
    CHECK_INT(c.n_tries, 2);
    CHECK_INT(call(&r, METHOD_GET).n_tries, 1);
    for (int i = 0; i < 4; i++)
        close(fillers[i]);
    close(hole.fd);
    origin_stop(&b);
    rig_fini(&r);
}

static void all_tries_to_connect_share_one_and_a_half_times_the_limit(void)
{
    struct rig r;
    struct origin holes[3];
    int fillers[3][4];
    rig_init(&r);
    r.conf.connect_ms = 300;
    for (int i = 0; i < 3; i++) {
        black_hole(&holes[i], fillers[i]);
        rig_server(&r, holes[i].url, 1);
    }
    rig_build(&r);
    struct call c = call(&r, METHOD_GET);
    CHECK_INT(c.status, 502);
    CHECK_INT(c.end, EXCHANGE_END_SERVER_CONNECT_TIMEOUT);
    CHECK_INT(c.n_tries, 2);
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j < 4; j++)
            close(fillers[i][j]);
        close(holes[i].fd);
    }
    rig_fini(&r);
}

// --- what may be repeated ---

static void repeats(enum origin_does does, enum method method, unsigned n_before,
                    unsigned wanted_status, unsigned wanted_b)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", does)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    for (unsigned i = 0; i < n_before; i++)
        CHECK_INT(call(&r, METHOD_GET).status, 200);
    unsigned n_before_b = b.n_requests;
    struct call c = call(&r, method);
    CHECK_INT(c.status, wanted_status);
    CHECK_INT(b.n_requests - n_before_b, wanted_b);
    CHECK_INT(a.n_requests + b.n_requests, n_before + 1 + wanted_b);
    if (wanted_status != 200)
        CHECK_INT(c.end, EXCHANGE_END_SERVER_GONE);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void a_get_is_repeated_when_the_server_closes_unheard(void)
{
    repeats(ORIGIN_CLOSES_UNHEARD, METHOD_GET, 0, 200, 1);
    repeats(ORIGIN_CLOSES_UNHEARD, METHOD_DELETE, 0, 200, 1);
}

static void a_post_that_was_sent_is_never_repeated(void)
{
    repeats(ORIGIN_CLOSES_UNHEARD, METHOD_POST, 0, 502, 0);
    repeats(ORIGIN_CLOSES_UNHEARD, METHOD_PATCH, 0, 502, 0);
    repeats(ORIGIN_ANSWERS_ONCE, METHOD_POST, 2, 502, 0);
}

static void a_get_on_a_stale_connection_is_repeated(void)
{
    repeats(ORIGIN_ANSWERS_ONCE, METHOD_GET, 2, 200, 1);
}

static void a_stale_connection_does_not_count_as_a_try(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    r.conf.tries = 1;
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS_ONCE)->url, 1);
    rig_build(&r);
    for (int i = 0; i < 4; i++) {
        struct call c = call(&r, METHOD_GET);
        CHECK_INT(c.status, 200);
        CHECK(!c.is_reused);
    }
    CHECK_INT(a.n_conns, 4);
    origin_stop(&a);
    rig_fini(&r);
}

static void a_post_finds_a_live_connection_after_the_server_closed_an_idle_one(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_CLOSES_IDLE)->url, 1);
    rig_build(&r);
    for (int i = 0; i < 20; i++) {
        struct call c = {.r = &r, .method = METHOD_POST, .upload = "data"};
        call_start(&c);
        call_wait(&c);
        CHECK_INT(c.status, 200);
        CHECK_INT(c.n_tries, 1);
        TURN_UNTIL(&r, a.n_open == 0);
    }
    origin_stop(&a);
    rig_fini(&r);
}

static void bytes_out_of_turn_are_never_taken_for_the_next_answer(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_TALKS_OUT_OF_TURN)->url, 1);
    rig_build(&r);
    CHECK_INT(call(&r, METHOD_GET).status, 200);
    TURN_UNTIL(&r, a.n_open == 0);
    struct call c = call(&r, METHOD_GET);
    CHECK_INT(c.status, 200);
    CHECK(!c.is_reused);
    CHECK_INT(a.n_conns, 2);
    TURN_UNTIL(&r, a.n_open == 0);
    origin_stop(&a);
    rig_fini(&r);
}

static void failed_answers_are_told_by_their_status_and_not_repeated(void)
{
    static const struct {
        enum origin_does does;
        unsigned status;
        enum exchange_end end;
    } cases[] = {
        {ORIGIN_HANGS, 504, EXCHANGE_END_SERVER_TIMEOUT},
        {ORIGIN_TALKS_NONSENSE, 502, EXCHANGE_END_SERVER_PROTOCOL},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        struct origin a, b;
        rig_init(&r);
        r.conf.head_ms = 30;
        rig_server(&r, origin_start(&a, "a", cases[i].does)->url, 1);
        rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
        rig_build(&r);
        struct call c = call(&r, METHOD_GET);
        CHECK_INT(c.status, cases[i].status);
        CHECK_INT(c.end, cases[i].end);
        CHECK_INT(b.n_requests, 0);
        CHECK(strstr(c.detail, "127.0.0.1") != NULL);
        CHECK(strstr(c.body, "127.0.0.1") == NULL);
        TURN_UNTIL(&r, a.n_open == 0);
        origin_stop(&a);
        origin_stop(&b);
        rig_fini(&r);
    }
}

// --- addresses and hosts ---

static void servers_listen_on_unix_sockets_too(void)
{
    struct rig r;
    struct origin a = {.name = "a", .does = ORIGIN_ANSWERS};
    rig_init(&r);
    char path[64];
    snprintf(path, sizeof path, "@sallyport-test-%d", getpid());
    CHECK(addr_from_path(str_of(path), &a.addr));
    a.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    CHECK(bind(a.fd, &a.addr.u.any, a.addr.len) == 0 && listen(a.fd, 16) == 0);
    rig_server(&r, origin_listen(&a)->url, 1);
    rig_build(&r);
    CHECK_INT(call(&r, METHOD_GET).status, 200);
    struct call c = call(&r, METHOD_GET);
    CHECK_INT(c.status, 200);
    CHECK(c.is_reused);
    CHECK(str_starts(str_of(c.server), STR("unix:@sallyport-test-")));
    origin_stop(&a);
    rig_fini(&r);
}

static void the_host_field_is_kept_or_the_servers_or_another(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    char own[192];
    snprintf(own, sizeof own, "Host: %.160s\r\n", a.url + strlen("http://"));
    const struct {
        const char *setting, *wanted;
    } cases[] = {
        {"", "Host: client.test\r\n"},
        {"keep", "Host: client.test\r\n"},
        {"server", own},
        {"other.test:81", "Host: other.test:81\r\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        r.conf.host.text = str_of(cases[i].setting);
        struct handler *old = r.service;
        rig_build(&r);
        service_release(old);
        CHECK_INT(call(&r, METHOD_GET).status, 200);
        CHECK(strstr(a.last, cases[i].wanted) != NULL);
    }
    CHECK_INT(a.n_conns, 1);
    origin_stop(&a);
    rig_fini(&r);
}

// --- connections without HTTP ---

static struct call take(struct rig *r)
{
    struct call c = {.r = r, .is_raw = true};
    call_start(&c);
    call_wait(&c);
    return c;
}

static void a_raw_connection_is_fresh_and_never_used_again(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    CHECK_INT(call(&r, METHOD_GET).status, 200);
    struct call c = take(&r);
    CHECK_INT(c.err, ERR_OK);
    CHECK(c.got_tunnel && !c.is_reused);
    CHECK(take(&r).got_tunnel);
    CHECK(call(&r, METHOD_GET).is_reused); // the first one
    TURN_UNTIL(&r, a.n_conns == 3);
    CHECK_INT(a.n_requests, 2);
    origin_stop(&a);
    rig_fini(&r);
}

static void a_raw_connection_goes_to_the_next_server_when_one_refuses(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    origin_stop(&a);
    struct call c = take(&r);
    CHECK(c.got_tunnel);
    CHECK_INT(c.n_tries, 2);
    CHECK_STR(str_of(c.server), str_of(b.url + strlen("http://")));
    c = take(&r);
    CHECK(c.got_tunnel);
    CHECK_INT(c.n_tries, 1); // the other one is skipped
    origin_stop(&b);
    c = take(&r);
    CHECK(!c.got_tunnel);
    CHECK_INT(c.end, EXCHANGE_END_SERVER_CONNECT);
    rig_fini(&r);
}

static void what_was_done_is_noted_in_the_exchange(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    struct call c = call(&r, METHOD_GET);
    CHECK_STR(str_of(c.server), str_of(a.url + strlen("http://")));
    CHECK(strstr(c.trail, "service app chose") != NULL);
    CHECK_INT(c.n_tries, 1);
    CHECK_INT(c.end, EXCHANGE_END_OK);
    origin_stop(&a);
    rig_fini(&r);
}

// --- places ---

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

TEST_MAIN(TEST(a_server_that_refuses_is_passed_over_and_then_skipped),
          TEST(when_all_refuse_the_client_gets_502_and_learns_nothing),
          TEST(a_server_that_came_back_is_found_by_one_request),
          TEST(a_server_that_does_not_answer_at_all_is_passed_over_in_time),
          TEST(all_tries_to_connect_share_one_and_a_half_times_the_limit),
          TEST(a_get_is_repeated_when_the_server_closes_unheard),
          TEST(a_post_that_was_sent_is_never_repeated),
          TEST(a_get_on_a_stale_connection_is_repeated),
          TEST(a_stale_connection_does_not_count_as_a_try),
          TEST(a_post_finds_a_live_connection_after_the_server_closed_an_idle_one),
          TEST(bytes_out_of_turn_are_never_taken_for_the_next_answer),
          TEST(failed_answers_are_told_by_their_status_and_not_repeated),
          TEST(servers_listen_on_unix_sockets_too),
          TEST(the_host_field_is_kept_or_the_servers_or_another),
          TEST(a_raw_connection_is_fresh_and_never_used_again),
          TEST(a_raw_connection_goes_to_the_next_server_when_one_refuses),
          TEST(what_was_done_is_noted_in_the_exchange),
          TEST(requests_beyond_max_connections_wait_for_the_next_place),
          TEST(a_full_queue_and_a_late_place_are_503_with_retry_after),
          TEST(who_waits_for_a_place_and_goes_away_takes_none),
          TEST(a_server_that_comes_while_all_are_full_is_found),
          TEST(who_waits_for_a_server_that_is_drained_meanwhile_goes_to_another),
          TEST(a_place_is_free_again_after_every_kind_of_failure))
