// SPDX-License-Identifier: Apache-2.0
// What connections of a worker share.
#include "unit/http/server_rig.h"

#define HOST "Host: a.example\r\n"

static void draining_closes_idle_connections_and_lets_others_end(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /wait HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.waiting != NULL);
    int busy = r.fd;
    rig_connect(&r);
    rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    rig_expect_end(&r, "hello\n");
    http_env_drain(&r.env);
    rig_expect_close(&r);
    close(r.fd);
    r.fd = busy;
    r.is_closed = false;
    rig_forget(&r);
    fiber_wake(r.waiting);
    rig_expect_close(&r);
    CHECK_HAS(&r, "Connection: close\r\n");
    CHECK_HAS(&r, "waited");
    rig_close(&r);
}

static void a_listener_that_goes_takes_its_idle_connections_along(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    rig_expect_end(&r, "hello\n");
    struct http_listener other = {.env = &r.env};
    http_listener_drain(&other);
    rig_turn(&r);
    CHECK_INT(r.listener.n_conns, 1);
    http_listener_drain(&r.listener);
    rig_expect_close(&r);
    CHECK_INT(r.listener.n_conns, 0);
    rig_close(&r);
}

static void the_date_is_the_loops(void)
{
    struct rig r;
    char want[DATE_HTTP_BYTES];
    rig_open(&r);
    date_http(clock_wall_s(), want);
    CHECK_STR(http_date(&r.env), str_from(want, sizeof want));
    CHECK_STR(http_date(&r.env), str_from(want, sizeof want));
    rig_close(&r);
}

TEST_MAIN(TEST(the_date_is_the_loops), TEST(draining_closes_idle_connections_and_lets_others_end),
          TEST(a_listener_that_goes_takes_its_idle_connections_along))
