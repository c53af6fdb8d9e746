// SPDX-License-Identifier: Apache-2.0
// Request bodies: read, asked for, drained, cut.
#include "unit/http/server_rig.h"

#define HOST "Host: a.example\r\n"

static void a_body_that_stalls_gets_408(void)
{
    struct rig r;
    rig_open(&r);
    r.entry.body_idle_ms = 10;
    rig_ask(&r, "POST /read HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc");
    CHECK(str_starts(rig_got(&r), STR("HTTP/1.1 408 Request Timeout\r\n")));
    CHECK_INT(r.end, EXCHANGE_END_CLIENT_TIMEOUT);
    rig_close(&r);
}

static void a_body_that_is_cut_ends_the_exchange(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("POST /read HTTP/1.1\r\n" HOST "Content-Length: 10\r\n\r\nabc"));
    shutdown(r.fd, SHUT_WR);
    rig_expect_close(&r);
    CHECK_INT(r.n_got, 0);
    CHECK_INT(r.end, EXCHANGE_END_CLIENT_GONE);
    rig_close(&r);
}

static void a_filter_that_reads_the_body_asks_for_it_once(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("POST /read HTTP/1.1\r\n" HOST
                     "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"));
    rig_expect_end(&r, "HTTP/1.1 100 Continue\r\n\r\n");
    rig_send(&r, STR("abc"));
    rig_expect_end(&r, "\r\n\r\n3\n");
    CHECK(!rig_has(&r, "Connection: close"));
    rig_forget(&r);
    rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
    rig_expect_end(&r, "hello\n");
    rig_close(&r);
}

static void a_body_that_was_never_asked_for_closes_the_connection(void)
{
    struct rig r;
    rig_open(&r);
    rig_ask(&r,
            "POST /hello HTTP/1.1\r\n" HOST "Expect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    CHECK(!rig_has(&r, "100 Continue"));
    CHECK_HAS(&r, "Connection: close\r\n");
    CHECK_HAS(&r, "hello\n");
    rig_close(&r);
}

static void an_unread_body_is_drained_or_the_connection_lingers(void)
{
    struct rig r;
    char *text = calloc(1, 300000);
    rig_open(&r);
    rig_send(&r, STR("POST /hello HTTP/1.1\r\n" HOST "Content-Length: 100000\r\n\r\n"));
    rig_expect_end(&r, "hello\n");
    CHECK(!rig_has(&r, "Connection: close"));
    rig_send(&r, str_from(text, 100000));
    rig_forget(&r);
    rig_send(&r, STR("POST /hello HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabc\r\n0\r\n\r\n"));
    rig_expect_end(&r, "hello\n");
    rig_forget(&r);
    // More than the limit: closed, but not so that the client misses the answer.
    rig_send(&r, STR("POST /hello HTTP/1.1\r\n" HOST "Content-Length: 300000\r\n\r\n"));
    rig_send(&r, str_from(text, 200000));
    rig_expect_close(&r);
    CHECK_HAS(&r, "Connection: close\r\n");
    CHECK_HAS(&r, "hello\n");
    CHECK(!r.is_reset);
    CHECK_INT(r.env.buffers.n_out, 0);
    rig_close(&r);
    free(text);
}

static void a_body_can_be_echoed_while_it_is_read(void)
{
    struct rig r;
    rig_open(&r);
    rig_send(&r, STR("POST /echo HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n3\r\nabc"));
    rig_expect_end(&r, "\r\n\r\n3\r\nabc\r\n");
    rig_send(&r, STR("\r\n4\r\ndefg\r\n0\r\n\r\n"));
    rig_expect_end(&r, "4\r\ndefg\r\n0\r\n\r\n");
    rig_forget(&r);
    rig_send(&r, STR("POST /echo HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello"));
    rig_expect_end(&r, "\r\n\r\nhello");
    rig_close(&r);
}

// A head that fills the buffer to its last byte leaves no room for what follows it.
static void a_body_finds_room_behind_any_head(void)
{
    static const char *const fields[] = {
        "", "Connection: upgrade\r\nUpgrade: websocket\r\n"}; // no upgrade: it has a body
    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        struct rig r;
        rig_open(&r);
        char head[HTTP_BUFFER_BYTES + 1];
        int n = snprintf(head, sizeof head,
                         "POST /read HTTP/1.1\r\n" HOST "%sContent-Length: 3\r\nA: ", fields[i]);
        memset(head + n, 'a', sizeof head - (size_t)n);
        memcpy(head + HTTP_BUFFER_BYTES - 4, "\r\n\r\n", 4);
        rig_send(&r, str_from(head, HTTP_BUFFER_BYTES));
        RIG_UNTIL(&r, r.n_served == 1);
        rig_send(&r, STR("abc"));
        rig_expect_end(&r, "\r\n\r\n3\n");
        rig_close(&r);
    }
}

// Many pieces are much work, few bytes though they are.
static void tiny_chunks_do_not_hold_up_the_others(void)
{
    enum { N = 3000 };
    static const char *const paths[] = {"/echo", "/hello"}; // one reads the body, one leaves it
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct rig r;
        rig_open(&r);
        rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"));
        rig_expect_end(&r, "hello\n");
        static char text[256 + N * 6];
        int n =
            snprintf(text, sizeof text,
                     "POST %s HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", paths[i]);
        for (int k = 0; k < N; k++, n += 6)
            memcpy(text + n, "1\r\nx\r\n", 6);
        memcpy(text + n, "0\r\n\r\n", 5);
        CHECK(send(r.fd, text, (size_t)n + 5, 0) == n + 5);
        loop_turn(r.loop, RIG_PATIENCE_MS);
        CHECK_INT(r.n_finished, 1);
        RIG_UNTIL(&r, r.n_finished == 2);
        rig_close(&r);
    }
}

TEST_MAIN(TEST(a_body_that_stalls_gets_408), TEST(a_body_that_is_cut_ends_the_exchange),
          TEST(a_filter_that_reads_the_body_asks_for_it_once),
          TEST(a_body_that_was_never_asked_for_closes_the_connection),
          TEST(an_unread_body_is_drained_or_the_connection_lingers),
          TEST(a_body_can_be_echoed_while_it_is_read), TEST(a_body_finds_room_behind_any_head),
          TEST(tiny_chunks_do_not_hold_up_the_others))
