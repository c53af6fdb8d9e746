// SPDX-License-Identifier: Apache-2.0
// Connections and answers of h1_server.
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

static void bodies_of_all_kinds_are_framed(void)
{
    static const struct {
        const char *request, *status, *has, *end;
    } cases[] = {
        {"GET /pieces HTTP/1.1\r\n" HOST CLOSE, "200 OK", "Transfer-Encoding: chunked\r\n",
         "\r\n\r\n4\r\none,\r\n4\r\ntwo,\r\n5\r\nthree\r\n0\r\n\r\n"},
        {"GET /quick HTTP/1.1\r\n" HOST CLOSE, "200 OK", "Transfer-Encoding: chunked\r\n",
         "\r\n\r\n4\r\none,\r\n4\r\ntwo,\r\n5\r\nthree\r\n0\r\n\r\n"},
        {"GET /length HTTP/1.1\r\n" HOST CLOSE, "200 OK", "Content-Length: 13\r\n",
         "\r\n\r\none,two,three"},
        {"GET /pieces HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "200 OK", "Connection: close",
         "\r\n\r\none,two,three"},
        {"HEAD /hello HTTP/1.1\r\n" HOST CLOSE, "200 OK", "Content-Length: 6\r\n", "\r\n\r\n"},
        {"HEAD /pieces HTTP/1.1\r\n" HOST CLOSE, "200 OK", "Connection: close\r\n", "\r\n\r\n"},
        {"HEAD /length-of-head HTTP/1.1\r\n" HOST CLOSE, "200 OK", "Content-Length: 1234\r\n",
         "\r\n\r\n"},
        {"GET /length-of-head HTTP/1.1\r\n" HOST CLOSE, "200 OK", "Content-Length: 0\r\n",
         "\r\n\r\n"},
        {"GET /empty HTTP/1.1\r\n" HOST CLOSE, "204 No Content", "Connection: close\r\n",
         "\r\n\r\n"},
        {"GET /trailers HTTP/1.1\r\n" HOST "TE: trailers\r\n" CLOSE, "200 OK",
         "Date: ", "\r\n0\r\nX-Sum: 42\r\n\r\n"},
        {"GET /trailers HTTP/1.1\r\n" HOST CLOSE, "200 OK", "Date: ", "three\r\n0\r\n\r\n"},
        {"GET /nothing HTTP/1.1\r\n" HOST CLOSE, "502 Bad Gateway", "Content-Length: ", "\n"},
        {"GET /broken HTTP/1.1\r\n" HOST CLOSE, "502 Bad Gateway", "Content-Length: ", "\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        rig_open(&r);
        rig_ask(&r, cases[i].request);
        char line[64];
        snprintf(line, sizeof line, "HTTP/1.1 %s\r\n", cases[i].status);
        CHECK(str_starts(rig_got(&r), str_of(line)));
        CHECK_HAS(&r, cases[i].has);
        rig_expect_end(&r, cases[i].end);
        CHECK(str_search(rig_got(&r), STR("\r\n\r\n")) != STR_NPOS);
        CHECK(!r.is_reset);
        rig_close(&r);
    }
}

static void an_answer_to_head_or_without_content_has_no_body_and_no_wrong_length(void)
{
    struct rig r;
    rig_open(&r);
    rig_ask(&r, "GET /empty HTTP/1.1\r\n" HOST CLOSE);
    CHECK(!rig_has(&r, "Content-Length"));
    CHECK(!rig_has(&r, "Transfer-Encoding"));
    close(r.fd);
    rig_connect(&r);
    rig_ask(&r, "HEAD /pieces HTTP/1.1\r\n" HOST CLOSE);
    CHECK(!rig_has(&r, "one"));
    rig_close(&r);
}

static void small_chunks_at_hand_go_out_in_one_write(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /quick HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.n_got > 0);
    rig_expect_end(&r, "0\r\n\r\n");
    rig_close(&r);
}

static void a_body_that_is_cut_is_never_ended_properly(void)
{
    static const char *const requests[] = {
        "GET /cut HTTP/1.1\r\n" HOST "\r\n",
        "GET /short HTTP/1.1\r\n" HOST "\r\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct rig r;
        rig_open(&r);
        rig_ask(&r, requests[i]);
        CHECK_HAS(&r, "one,");
        CHECK(!rig_has(&r, "0\r\n\r\n"));
        CHECK_INT(r.end, EXCHANGE_END_SERVER_GONE);
        rig_close(&r);
    }
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

static void a_large_answer_is_written_as_fast_as_the_client_takes_it(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /large HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.n_finished == 1);
    CHECK_INT(r.response_bytes, 1024 * 1024);
    RIG_UNTIL(&r, rig_counter(&r, HTTP_COUNTER_BYTES_OUT) == r.n_got);
    rig_close(&r);
}

static void a_large_raw_body_is_spliced(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("GET /raw HTTP/1.1\r\n" HOST "\r\n"));
    RIG_UNTIL(&r, r.n_finished == 1);
    RIG_UNTIL(&r, rig_counter(&r, HTTP_COUNTER_BYTES_OUT) == r.n_got);
    CHECK_INT(r.response_bytes, RIG_RAW_BYTES);
    CHECK(rig_raw_moves > 0);
    struct str body = str_skip(rig_got(&r), str_search(rig_got(&r), STR("\r\n\r\n")) + 4);
    CHECK_INT(body.len, RIG_RAW_BYTES);
    size_t n_right = 0;
    while (n_right < body.len && body.ptr[n_right] == 'r')
        n_right++;
    CHECK_INT(n_right, RIG_RAW_BYTES);
    rig_forget(&r);
    rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    rig_expect_end(&r, "hello\n");
    rig_close(&r);
}

static void a_raw_body_that_is_cut_closes_the_connection(void)
{
    struct rig r;
    rig_open(&r);
    rig_ask(&r, "GET /raw-cut HTTP/1.1\r\n" HOST "\r\n");
    CHECK_INT(r.end, EXCHANGE_END_SERVER_GONE);
    CHECK(r.n_got > RIG_RAW_BYTES / 2 && r.n_got < RIG_RAW_BYTES);
    rig_close(&r);
}

static void a_client_that_takes_nothing_is_given_up(void)
{
    struct rig r;
    rig_open(&r);
    r.entry.body_idle_ms = 10;
    int small = 4096;
    setsockopt(r.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    for (int i = 0; i < 8; i++)
        send(r.fd, "GET /large HTTP/1.1\r\n" HOST "\r\n", 40, MSG_NOSIGNAL);
    int64_t until_ms = clock_exact_ns() / 1000000 + RIG_PATIENCE_MS;
    while (!list_is_empty(&r.env.conns) && clock_exact_ns() / 1000000 < until_ms)
        loop_turn(r.loop, 5);
    CHECK(list_is_empty(&r.env.conns));
    CHECK_INT(r.end, EXCHANGE_END_CLIENT_TIMEOUT);
    rig_close(&r);
}

static void interim_answers_are_passed_on_but_not_to_http_1_0(void)
{
    struct rig r;
    rig_open(&r);
    rig_ask(&r, "GET /hints HTTP/1.1\r\n" HOST CLOSE);
    CHECK(str_starts(rig_got(&r),
                     STR("HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\n")));
    CHECK_INT(rig_counter(&r, HTTP_COUNTER_STATUS_1XX), 1);
    close(r.fd);
    rig_connect(&r);
    rig_ask(&r, "GET /hints HTTP/1.0\r\n\r\n");
    CHECK(str_starts(rig_got(&r), STR("HTTP/1.1 200 OK\r\n")));
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

TEST_MAIN(TEST(a_get_is_answered_in_full), TEST(an_idle_connection_holds_neither_fiber_nor_buffer),
          TEST(a_connection_that_sends_nothing_is_closed_in_time_and_not_logged),
          TEST(an_idle_connection_is_closed_after_its_time),
          TEST(pipelined_requests_are_answered_in_order),
          TEST(a_thousand_pipelined_requests_are_answered), TEST(bodies_of_all_kinds_are_framed),
          TEST(an_answer_to_head_or_without_content_has_no_body_and_no_wrong_length),
          TEST(small_chunks_at_hand_go_out_in_one_write),
          TEST(a_body_that_is_cut_is_never_ended_properly),
          TEST(http_1_0_keeps_the_connection_only_when_asked),
          TEST(a_large_answer_is_written_as_fast_as_the_client_takes_it),
          TEST(a_large_raw_body_is_spliced), TEST(a_raw_body_that_is_cut_closes_the_connection),
          TEST(a_client_that_takes_nothing_is_given_up),
          TEST(interim_answers_are_passed_on_but_not_to_http_1_0),
          TEST(a_half_closed_client_gets_its_answer), TEST(a_reset_cancels_the_exchange),
          TEST(draining_closes_idle_connections_and_lets_others_end),
          TEST(a_listener_that_goes_takes_its_idle_connections_along),
          TEST(aborting_cancels_what_runs), TEST(an_upgrade_becomes_a_tunnel),
          TEST(an_idle_tunnel_holds_neither_fiber_nor_buffer))
