// SPDX-License-Identifier: Apache-2.0
// What connections of a worker share.
#include "unit/http/server_rig.h"

#define HOST "Host: a.example\r\n"

// Idle for longer than the drain allows: it goes at once. What runs, ends.
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
    http_env_drain(&r.env, 0);
    rig_expect_close(&r);
    CHECK(!r.is_reset);
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

static void draining_serves_what_is_on_its_way(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    rig_expect_end(&r, "hello\n");
    rig_forget(&r);
    http_env_drain(&r.env, 60000);
    rig_turn(&r);
    CHECK(!r.is_closed);
    rig_send(&r, STR("GET /path HTTP/1.1\r\n" HOST "\r\n"));
    rig_expect_close(&r);
    CHECK(!r.is_reset);
    CHECK_HAS(&r, "Connection: close\r\n");
    CHECK_HAS(&r, "\r\n\r\n/path");
    rig_close(&r);
}

// The bytes are there, but the loop hasn't seen them yet: no idle time allows to drop them.
static void draining_at_once_serves_what_has_come(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    rig_expect_end(&r, "hello\n");
    rig_forget(&r);
    struct str more = STR("GET /path HTTP/1.1\r\n" HOST "\r\n");
    CHECK(send(r.fd, more.ptr, more.len, 0) == (ssize_t)more.len);
    http_env_drain(&r.env, 0);
    rig_expect_close(&r);
    CHECK(!r.is_reset);
    CHECK_HAS(&r, "\r\n\r\n/path");
    rig_close(&r);
}

static void a_silent_connection_has_the_drains_idle_time(void)
{
    struct rig r;
    rig_open(&r);
    http_env_drain(&r.env, 5);
    rig_expect_close(&r);
    CHECK(!r.is_reset);
    CHECK_INT(r.n_got, 0);
    CHECK_INT(r.n_begun, 0);
    close(r.fd);
    rig_connect(&r); // accepted from the queue while draining
    rig_turn(&r);
    CHECK(!r.is_closed);
    rig_expect_close(&r);
    rig_close(&r);
}

static void a_pipeline_that_has_come_is_served_to_its_end(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /wait HTTP/1.1\r\n" HOST "\r\nGET /path HTTP/1.1\r\n" HOST
                     "\r\nGET /hello HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.waiting != NULL);
    http_env_drain(&r.env, 60000);
    fiber_wake(r.waiting);
    rig_expect_close(&r);
    CHECK(!r.is_reset);
    CHECK_INT(r.n_served, 3);
    CHECK(str_ends(rig_got(&r), STR("hello\n")));
    // Only the last one says so.
    CHECK(str_search(rig_got(&r), STR("Connection: close")) >
          str_search(rig_got(&r), STR("/path")));
    rig_close(&r);
}

static void a_pipeline_without_end_is_cut_after_the_idle_time(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /wait HTTP/1.1\r\n" HOST "\r\nGET /path HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.waiting != NULL);
    http_env_drain(&r.env, 0);
    fiber_wake(r.waiting);
    rig_expect_close(&r);
    CHECK(!r.is_reset);
    CHECK_INT(r.n_served, 1);
    CHECK_HAS(&r, "Connection: close\r\n");
    rig_close(&r);
}

// Our end comes after the answer, and what the client sends meanwhile must not take it away.
static void a_request_behind_the_last_answer_gets_no_reset(void)
{
    struct rig r;
    rig_open(&r);
    http_env_drain(&r.env, 60000);
    rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.n_finished == 1);
    struct str more = STR("GET /path HTTP/1.1\r\n" HOST "\r\n");
    CHECK(send(r.fd, more.ptr, more.len, 0) == (ssize_t)more.len);
    CHECK_INT(r.listener.n_conns, 1);
    rig_expect_close(&r);
    CHECK(!r.is_reset);
    CHECK_HAS(&r, "hello\n");
    CHECK_INT(r.n_served, 1);
    shutdown(r.fd, SHUT_WR);
    RIG_UNTIL(&r, r.listener.n_conns == 0);
    rig_close(&r);
}

static void a_drain_leaves_half_a_head_its_time(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /hel"));
    RIG_UNTIL(&r, r.env.parked_bytes > 0);
    http_env_drain(&r.env, 0);
    rig_turn(&r);
    rig_send(&r, STR("lo HTTP/1.1\r\n" HOST "\r\n"));
    rig_expect_close(&r);
    CHECK_HAS(&r, "hello\n");
    rig_close(&r);
}

static void a_listener_that_goes_takes_its_connections_along(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    rig_expect_end(&r, "hello\n");
    rig_forget(&r);
    struct http_listener other = {.env = &r.env};
    http_listener_drain(&other);
    CHECK_INT(http_leave_idle_ms(&r.listener), INT64_MAX);
    http_listener_drain(&r.listener);
    CHECK_INT(http_leave_idle_ms(&r.listener), HTTP_LEAVE_IDLE_MS);
    rig_turn(&r);
    CHECK_INT(r.listener.n_conns, 1);
    rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    rig_expect_close(&r);
    CHECK_HAS(&r, "Connection: close\r\n");
    shutdown(r.fd, SHUT_WR);
    RIG_UNTIL(&r, r.listener.n_conns == 0);
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

TEST_MAIN(TEST(draining_closes_idle_connections_and_lets_others_end),
          TEST(draining_serves_what_is_on_its_way), TEST(draining_at_once_serves_what_has_come),
          TEST(a_silent_connection_has_the_drains_idle_time),
          TEST(a_pipeline_that_has_come_is_served_to_its_end),
          TEST(a_pipeline_without_end_is_cut_after_the_idle_time),
          TEST(a_request_behind_the_last_answer_gets_no_reset),
          TEST(a_drain_leaves_half_a_head_its_time),
          TEST(a_listener_that_goes_takes_its_connections_along), TEST(the_date_is_the_loops))
