// SPDX-License-Identifier: Apache-2.0
// Bodies of answers on their way to the client.
#include "unit/http/server_rig.h"

#define HOST "Host: a.example\r\n"

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

TEST_MAIN(TEST(small_chunks_at_hand_go_out_in_one_write),
          TEST(a_body_that_is_cut_is_never_ended_properly),
          TEST(a_large_answer_is_written_as_fast_as_the_client_takes_it),
          TEST(a_large_raw_body_is_spliced), TEST(a_raw_body_that_is_cut_closes_the_connection),
          TEST(a_client_that_takes_nothing_is_given_up))
