// SPDX-License-Identifier: Apache-2.0
// Connections of h1_server and the exchanges on them.
#include "unit/http/server_rig.h"

#define HOST "Host: a.example\r\n"
#define CLOSE "Connection: close\r\n\r\n"

static void a_get_is_answered_in_full(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /hello?a=b HTTP/1.1\r\n" HOST "\r\n"));
    rig_expect_end(&r, "\r\n\r\nhello\n");
    CHECK(str_starts(rig_got(&r), STR("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n")));
    CHECK_HAS(&r, "Content-Type: text/plain\r\n");
    CHECK_HAS(&r, "\r\nDate: ");
    CHECK(!rig_has(&r, "Connection:"));
    CHECK(!rig_has(&r, "Server:"));
    RIG_UNTIL(&r, r.n_finished == 1);
    CHECK_INT(r.end, EXCHANGE_END_OK);
    CHECK_INT(r.status, 200);
    CHECK_INT(r.response_bytes, 6);
    CHECK(strcmp(r.target, "/hello?a=b") == 0);
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_STATUS_2XX), 1);
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_BYTES_OUT), r.n_got);
    rig_close(&r);
}

static void pipelined_requests_are_answered_in_order(void)
{
    struct rig r;
    rig_open(&r);
    rig_ask(&r, "GET /hello HTTP/1.1\r\n" HOST "\r\n"
                "POST /read HTTP/1.1\r\n" HOST "Content-Length: 3\r\n\r\nabc"
                "POST /read HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                "5\r\n01234\r\n0\r\n\r\n"
                "GET /none HTTP/1.1\r\n" HOST "\r\n"
                "GET /path HTTP/1.1\r\n" HOST CLOSE "GET /hello HTTP/1.1\r\n");
    size_t hello = str_search(rig_got(&r), STR("\r\n\r\nhello\n"));
    size_t three = str_search(rig_got(&r), STR("\r\n\r\n3\n"));
    size_t five = str_search(rig_got(&r), STR("\r\n\r\n5\n"));
    size_t none = str_search(rig_got(&r), STR("HTTP/1.1 404 Not Found\r\n"));
    size_t path = str_search(rig_got(&r), STR("\r\n\r\n/path"));
    CHECK(hello < three && three < five && five < none && none < path && path != STR_NPOS);
    CHECK_INT(r.n_served, 5);
    CHECK(!r.is_reset);
    rig_close(&r);
}

static void a_thousand_pipelined_requests_are_answered(void)
{
    struct rig r;
    rig_open(&r);
    for (int i = 0; i < 1000; i++)
        rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.n_finished == 1000);
    RIG_UNTIL(&r, rig_counter(&r, HTTP_COUNTER_BYTES_OUT) == r.n_got);
    rig_close(&r);
}

static void http_1_0_keeps_the_connection_only_when_asked(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    rig_expect_end(&r, "hello\n");
    CHECK_HAS(&r, "Connection: keep-alive\r\n");
    rig_forget(&r);
    rig_ask(&r, "GET /hello HTTP/1.0\r\n\r\n");
    CHECK_HAS(&r, "Connection: close\r\n");
    rig_close(&r);
}

static void a_connection_serves_as_many_requests_as_allowed(void)
{
    struct rig r;
    rig_open(&r);
    r.entry.requests_max = 2;
    rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    rig_expect_end(&r, "hello\n");
    CHECK(!rig_has(&r, "Connection: close"));
    rig_ask(&r, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    CHECK_HAS(&r, "Connection: close\r\n");
    rig_close(&r);
}

static void a_half_closed_client_gets_its_answer(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /wait HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.waiting != NULL);
    shutdown(r.fd, SHUT_WR);
    for (int i = 0; i < 5; i++)
        rig_turn(&r);
    CHECK(r.waiting != NULL);
    fiber_wake(r.waiting);
    rig_expect_close(&r);
    CHECK_HAS(&r, "\r\n\r\nwaited");
    CHECK_INT(r.end, EXCHANGE_END_OK);
    rig_close(&r);
}

static void a_reset_cancels_the_exchange(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /wait HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.waiting != NULL);
    struct linger hard = {.l_onoff = 1};
    setsockopt(r.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(r.fd);
    r.fd = -1;
    RIG_UNTIL(&r, r.n_finished == 1);
    CHECK(r.waiting == NULL);
    CHECK_INT(r.end, EXCHANGE_END_CLIENT_GONE);
    rig_close(&r);
}

static void aborting_cancels_what_runs(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /wait HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.waiting != NULL);
    http_env_abort(&r.env);
    rig_expect_close(&r);
    CHECK_INT(r.end, EXCHANGE_END_SHUTDOWN);
    CHECK_INT(r.n_got, 0);
    rig_close(&r);
}

static void a_connection_is_refused_when_a_pool_is_at_its_limit(void)
{
    struct rig r;
    rig_open(&r);
    uint32_t max = r.env.blocks.out_max;
    r.env.blocks.out_max = 0;
    rig_ask(&r, "GET /hello HTTP/1.1\r\n" HOST "\r\n");
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_CONNS_REFUSED), 1);
    CHECK_INT(r.env.buffers.n_out, 0);
    r.env.blocks.out_max = max;
    rig_close(&r);
}

TEST_MAIN(TEST(a_get_is_answered_in_full), TEST(pipelined_requests_are_answered_in_order),
          TEST(a_thousand_pipelined_requests_are_answered),
          TEST(http_1_0_keeps_the_connection_only_when_asked),
          TEST(a_connection_serves_as_many_requests_as_allowed),
          TEST(a_half_closed_client_gets_its_answer), TEST(a_reset_cancels_the_exchange),
          TEST(aborting_cancels_what_runs),
          TEST(a_connection_is_refused_when_a_pool_is_at_its_limit))
