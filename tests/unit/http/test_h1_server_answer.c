// SPDX-License-Identifier: Apache-2.0
// Heads of answers.
#include "unit/http/server_rig.h"

#define HOST "Host: a.example\r\n"
#define CLOSE "Connection: close\r\n\r\n"

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

static void nothing_follows_an_interim_answer_that_went_out_in_part(void)
{
    struct rig r;
    rig_open(&r);
    r.entry.body_idle_ms = 20;
    r.entry.exchange_mem_bytes = 64 << 20;
    rig_send(&r, STR("GET /stuck HTTP/1.1\r\n" HOST CLOSE));
    while (!r.waiting) // the client reads nothing
        loop_turn(r.loop, 2);
    for (size_t n = 0; n == 0 || n < r.n_got;) {
        n = r.n_got;
        rig_turn(&r);
    }
    fiber_wake(r.waiting);
    rig_expect_close(&r);
    CHECK(!rig_has(&r, "200 OK"));
    CHECK_INT(r.n_finished, 1);
    rig_close(&r);
}

TEST_MAIN(TEST(bodies_of_all_kinds_are_framed),
          TEST(an_answer_to_head_or_without_content_has_no_body_and_no_wrong_length),
          TEST(interim_answers_are_passed_on_but_not_to_http_1_0),
          TEST(nothing_follows_an_interim_answer_that_went_out_in_part))
