// SPDX-License-Identifier: Apache-2.0
#include "unit/upstream/upstream_rig.h"

static void check_order(struct rig *r, const char *wanted)
{
    char got[64] = "";
    size_t n = strlen(wanted);
    for (size_t i = 0; i < n; i++)
        got[i] = call(r, METHOD_GET).body[0];
    CHECK_STR(str_of(got), str_of(wanted));
}

static void two_servers_get_five_of_ten_requests_each(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    check_order(&r, "ababababab");
    CHECK_INT(a.n_requests, 5);
    CHECK_INT(b.n_requests, 5);
    CHECK_INT(a.n_conns, 1);
    CHECK_INT(b.n_conns, 1);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void weights_are_spread_evenly(void)
{
    struct rig r;
    struct origin a, b, c;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 3);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_server(&r, origin_start(&c, "c", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    check_order(&r, "abacaabaca");
    origin_stop(&a);
    origin_stop(&b);
    origin_stop(&c);
    rig_fini(&r);
}

static void a_server_of_weight_0_gets_nothing(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 0);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    check_order(&r, "bbbb");
    CHECK_INT(a.n_requests, 0);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void all_of_weight_0_are_503(void)
{
    struct rig r;
    struct origin a;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 0);
    rig_build(&r);
    struct call c = call(&r, METHOD_GET);
    CHECK_INT(c.err, ERR_OK);
    CHECK_INT(c.status, 503);
    CHECK_INT(c.end, EXCHANGE_END_NO_SERVER);
    CHECK(strstr(c.body, "127.0.0.1") == NULL);
    origin_stop(&a);
    rig_fini(&r);
}

static void workers_begin_with_different_servers(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    upstream_worker_free(r.worker);
    r.worker = upstream_worker_new(r.registry, 1, r.loop);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    rig_build(&r);
    check_order(&r, "baba");
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

static void a_new_snapshot_goes_on_where_the_old_one_was(void)
{
    struct rig r;
    struct origin a, b;
    rig_init(&r);
    rig_server(&r, origin_start(&a, "a", ORIGIN_ANSWERS)->url, 1);
    rig_server(&r, origin_start(&b, "b", ORIGIN_ANSWERS)->url, 1);
    struct handler *old = rig_build(&r);
    check_order(&r, "a");
    rig_build(&r);
    check_order(&r, "b");
    service_release(old);
    check_order(&r, "aba");
    CHECK_INT(a.n_conns, 1);
    CHECK_INT(b.n_conns, 1);
    origin_stop(&a);
    origin_stop(&b);
    rig_fini(&r);
}

TEST_MAIN(TEST(two_servers_get_five_of_ten_requests_each), TEST(weights_are_spread_evenly),
          TEST(a_server_of_weight_0_gets_nothing), TEST(all_of_weight_0_are_503),
          TEST(workers_begin_with_different_servers),
          TEST(a_new_snapshot_goes_on_where_the_old_one_was))
