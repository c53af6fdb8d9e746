// SPDX-License-Identifier: Apache-2.0
#include "upstream/worker.h"

#include "unit/upstream/upstream_rig.h"

static void connections_to_a_removed_server_are_closed(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    struct handler *old = rig_build(&r);
    CHECK_STR(str_of(call(&r, METHOD_GET).body), STR("a"));
    CHECK_STR(str_of(call(&r, METHOD_GET).body), STR("b"));
    CHECK_INT(b.n_open, 1);
    r.conf.servers.n = 1;
    rig_build(&r);
    service_release(old);
    TURN_UNTIL(&r, b.n_open == 0);
    CHECK_STR(str_of(call(&r, METHOD_GET).body), STR("a"));
    CHECK_STR(str_of(call(&r, METHOD_GET).body), STR("a"));
    CHECK_INT(a.n_open, 1);
    CHECK_INT(a.n_conns, 1);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void a_connection_of_a_removed_server_serves_to_its_end(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_WAITS)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    struct handler *old = rig_build(&r);
    struct call c = {.r = &r, .service = old, .method = METHOD_GET};
    call_start(&c);
    TURN_UNTIL(&r, a.n_requests == 1);
    r.conf.servers.n = 0;
    rig_server(&r, b.url, 1);
    rig_build(&r);
    CHECK_STR(str_of(call(&r, METHOD_GET).body), STR("b"));
    a.may_answer = true;
    call_wait(&c);
    CHECK_STR(str_of(c.body), STR("a"));
    service_release(old);
    TURN_UNTIL(&r, a.n_open == 0);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void a_worker_that_ends_and_one_that_comes_know_what_is_there(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    for (unsigned i = 0; i < 3; i++) {
        CHECK_INT(call(&r, METHOD_GET).status, 200);
        upstream_worker_free(r.worker);
        TURN_UNTIL(&r, a.n_open == 0);
        r.worker = upstream_worker_new(r.registry, i, r.loop);
    }
    CHECK(upstream_worker_self() == r.worker);
    origin_stop(&a);
    rig_fini(&r);
}

TEST_MAIN(TEST(connections_to_a_removed_server_are_closed),
          TEST(a_connection_of_a_removed_server_serves_to_its_end),
          TEST(a_worker_that_ends_and_one_that_comes_know_what_is_there))
