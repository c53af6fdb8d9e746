// SPDX-License-Identifier: Apache-2.0
// What a connection costs while nothing runs on it.
#include "unit/http/server_rig.h"

#define HOST "Host: a.example\r\n"

static void an_idle_connection_holds_neither_fiber_nor_buffer(void)
{
    struct rig r;
    struct loop_stats stats;
    rig_open(&r);
    for (int i = 0; i < 3; i++) {
        rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
        rig_expect_end(&r, "hello\n");
        rig_forget(&r);
        CHECK_INT(rig_counter(&r, HTTP_COUNTER_CONNS_IDLE), 1);
        CHECK_INT(r.env.buffers.n_out, 0);
        CHECK_INT(r.env.blocks.n_out, 0);
        loop_stats(r.loop, &stats);
        CHECK_INT(stats.n_fibers, 0);
    }
    CHECK_INT(r.n_served, 3);
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_CONNS_ACCEPTED), 1);
    rig_close(&r);
}

static void a_connection_that_sends_nothing_is_closed_in_time_and_not_logged(void)
{
    struct rig r;
    rig_open(&r);
    close(r.fd);
    RIG_UNTIL(&r, list_is_empty(&r.env.conns));
    r.listener.first_ms = 5;
    rig_connect(&r);
    rig_expect_close(&r);
    CHECK_INT(r.n_got, 0);
    CHECK_INT(r.n_begun, 0);
    rig_close(&r);
}

static void an_idle_connection_is_closed_after_its_time(void)
{
    struct rig r;
    rig_open(&r);
    r.entry.idle_ms = 5;
    rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    rig_expect_close(&r);
    CHECK_HAS(&r, "hello\n");
    rig_close(&r);
}

static void an_unfinished_head_is_parked_and_goes_on(void)
{
    struct rig r;
    struct loop_stats stats;
    rig_open(&r);
    rig_send(&r, STR("GET /hello HTTP/1.1\r\nHost: a.exa"));
    RIG_UNTIL(&r, r.env.parked_bytes > 0);
    CHECK_INT(r.env.buffers.n_out, 0);
    CHECK_INT(r.env.blocks.n_out, 0);
    CHECK_INT(r.env.parked_bytes, 32);
    loop_stats(r.loop, &stats);
    CHECK_INT(stats.n_fibers, 0);
    rig_send(&r, STR("mple\r\n"));
    RIG_UNTIL(&r, r.env.parked_bytes == 38);
    CHECK_INT(r.env.buffers.n_out, 0);
    rig_send(&r, STR("\r\n"));
    rig_expect_end(&r, "hello\n");
    CHECK_INT(r.n_begun, 1);
    CHECK_INT(r.env.parked_bytes, 0);
    rig_close(&r);
}

static void a_large_head_that_stalls_is_parked_after_a_while(void)
{
    struct rig r;
    char text[8000];
    memset(text, 'x', sizeof text);
    rig_open(&r);
    r.entry.head_ms = 400; // a quarter of it
    rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "A: "));
    rig_send(&r, str_from(text, sizeof text));
    RIG_UNTIL(&r, r.env.parked_bytes > sizeof text);
    CHECK_INT(r.env.buffers.n_out, 0);
    rig_send(&r, STR("\r\n\r\n"));
    rig_expect_end(&r, "hello\n");
    rig_close(&r);
}

static void parked_heads_are_closed_first_at_the_limit_of_connections(void)
{
    struct rig r;
    rig_open(&r);
    r.env.conns_max = 1;
    r.entry.head_ms = 1000;
    rig_send(&r, STR("GET /hel"));
    RIG_UNTIL(&r, r.env.parked_bytes == 8);
    int slow = r.fd;
    rig_connect(&r);
    CHECK_INT(r.n_finished, 1);
    CHECK_INT(r.end, EXCHANGE_END_CLIENT_TIMEOUT);
    rig_send(&r, STR("GET /wait HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.waiting != NULL);
    int busy = r.fd;
    rig_connect(&r); // nobody is idle now
    rig_expect_close(&r);
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_CONNS_REFUSED), 2);
    CHECK(r.waiting != NULL);
    close(slow);
    close(busy);
    rig_close(&r);
}

static void lingering_is_bounded_in_time_and_bytes(void)
{
    struct rig r;
    rig_open(&r);
    r.entry.linger_ms = 5;
    rig_send(&r, STR("BAD\r\n\r\n"));
    rig_expect_close(&r);
    RIG_UNTIL(&r, list_is_empty(&r.env.conns)); // although the client never closes
    close(r.fd);
    r.entry.linger_ms = 60000;
    r.entry.linger_max_bytes = 1000;
    rig_connect(&r);
    rig_send(&r, STR("BAD\r\n\r\n"));
    rig_expect_close(&r);
    char text[2000] = {0};
    rig_send(&r, str_from(text, sizeof text));
    RIG_UNTIL(&r, list_is_empty(&r.env.conns));
    rig_close(&r);
}

static void an_upgrade_becomes_a_tunnel(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /upgrade HTTP/1.1\r\n" HOST
                     "Connection: upgrade\r\nUpgrade: echo\r\n\r\nearly"));
    rig_expect_end(&r, "\r\n\r\n");
    CHECK(str_starts(rig_got(&r), STR("HTTP/1.1 101 Switching Protocols\r\n")));
    CHECK_HAS(&r, "Connection: Upgrade\r\nUpgrade: echo\r\n");
    char text[64];
    ssize_t n = 0;
    RIG_UNTIL(&r, n > 0 || (n = read(r.server_fd, text, sizeof text)) > 0);
    CHECK_STR(str_from(text, (size_t)MAX(n, 0)), STR("early"));
    CHECK(write(r.server_fd, "late", 4) == 4);
    rig_expect_end(&r, "late");
    CHECK_INT(r.n_finished, 0);
    close(r.server_fd);
    r.server_fd = -1;
    shutdown(r.fd, SHUT_WR);
    rig_expect_close(&r);
    RIG_UNTIL(&r, r.n_finished == 1);
    CHECK_INT(r.n_released, 1);
    CHECK_INT(r.status, 101);
    CHECK_INT(r.request_bytes, 5);
    CHECK_INT(r.response_bytes, 4);
    CHECK(strcmp(r.target, "/upgrade") == 0);
    rig_close(&r);
}

static void an_idle_tunnel_holds_neither_fiber_nor_buffer(void)
{
    struct rig r;
    struct loop_stats stats;
    rig_open(&r);
    rig_send(&r, STR("GET /upgrade HTTP/1.1\r\n" HOST "Connection: upgrade\r\nUpgrade: e\r\n\r\n"));
    rig_expect_end(&r, "\r\n\r\n");
    rig_turn(&r);
    CHECK_INT(r.env.buffers.n_out, 0);
    loop_stats(r.loop, &stats);
    CHECK_INT(stats.n_fibers, 0);
    rig_close(&r);
    CHECK_INT(r.n_released, 1);
}

TEST_MAIN(TEST(an_idle_connection_holds_neither_fiber_nor_buffer),
          TEST(a_connection_that_sends_nothing_is_closed_in_time_and_not_logged),
          TEST(an_idle_connection_is_closed_after_its_time),
          TEST(an_unfinished_head_is_parked_and_goes_on),
          TEST(a_large_head_that_stalls_is_parked_after_a_while),
          TEST(parked_heads_are_closed_first_at_the_limit_of_connections),
          TEST(lingering_is_bounded_in_time_and_bytes), TEST(an_upgrade_becomes_a_tunnel),
          TEST(an_idle_tunnel_holds_neither_fiber_nor_buffer))
