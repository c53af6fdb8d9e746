// SPDX-License-Identifier: Apache-2.0
#include "unit/upstream/upstream_rig.h"

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

TEST_MAIN(TEST(a_post_finds_a_live_connection_after_the_server_closed_an_idle_one),
          TEST(bytes_out_of_turn_are_never_taken_for_the_next_answer),
          TEST(servers_listen_on_unix_sockets_too),
          TEST(a_raw_connection_is_fresh_and_never_used_again),
          TEST(a_raw_connection_goes_to_the_next_server_when_one_refuses))
