// SPDX-License-Identifier: Apache-2.0
// Heads in any pieces, their limits, and what is refused.
#include "unit/http/server_rig.h"

#define HOST "Host: a.example\r\n"
#define CLOSE "Connection: close\r\n\r\n"

static void malformed_requests_are_refused_counted_and_closed(void)
{
    static const struct {
        const char *request;
        unsigned status;
        enum h1_error error;
    } cases[] = {
        {"G(T / HTTP/1.1\r\n" HOST "\r\n", 400, H1_ERROR_METHOD},
        {"GET /\x01 HTTP/1.1\r\n" HOST "\r\n", 400, H1_ERROR_TARGET},
        {"GET  / HTTP/1.1\r\n" HOST "\r\n", 400, H1_ERROR_NONE},
        {"GET / HTTP/x.1\r\n" HOST "\r\n", 400, H1_ERROR_VERSION},
        {"GET / HTTP/2.0\r\n" HOST "\r\n", 505, H1_ERROR_VERSION_MAJOR},
        {"GET / HTTP/1.1\n" HOST "\r\n", 400, H1_ERROR_BARE_LF},
        {"GET / HTTP/1.1\r\n" HOST "A: b\rc\r\n\r\n", 400, H1_ERROR_BARE_CR},
        {"GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", 400, H1_ERROR_FOLD},
        {"GET / HTTP/1.1\r\n" HOST ": b\r\n\r\n", 400, H1_ERROR_FIELD_NAME},
        {"GET / HTTP/1.1\r\n" HOST "A : b\r\n\r\n", 400, H1_ERROR_FIELD_SPACE},
        {"GET / HTTP/1.1\r\n" HOST "A\r\n\r\n", 400, H1_ERROR_FIELD_COLON},
        {"GET / HTTP/1.1\r\n" HOST "A: \x7f\r\n\r\n", 400, H1_ERROR_FIELD_VALUE},
        {"GET / HTTP/1.1\r\n\r\n", 400, H1_ERROR_HOST_MISSING},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400, H1_ERROR_HOST_TWICE},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, H1_ERROR_HOST_FORM},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: +1\r\n\r\n", 400, H1_ERROR_LENGTH_FORM},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400,
         H1_ERROR_LENGTH_DIFFERS},
        {"POST / HTTP/1.1\r\n" HOST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
         H1_ERROR_LENGTH_AND_CODING},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: gzip\r\n\r\n", 501,
         H1_ERROR_CODING_UNKNOWN},
        {"POST / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400,
         H1_ERROR_CODING_ORDER},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400, H1_ERROR_CODING_VERSION},
        {"GET /%zz HTTP/1.1\r\n" HOST "\r\n", 400, H1_ERROR_TARGET},
        {"GET /%00 HTTP/1.1\r\n" HOST "\r\n", 400, H1_ERROR_TARGET},
        {"GET /../etc HTTP/1.1\r\n" HOST "\r\n", 400, H1_ERROR_TARGET},
        {"GET ftp://a.example/ HTTP/1.1\r\n" HOST "\r\n", 400, H1_ERROR_TARGET},
        {"GET * HTTP/1.1\r\n" HOST "\r\n", 400, H1_ERROR_TARGET},
        {"CONNECT a.example:443 HTTP/1.1\r\n" HOST "\r\n", 405, H1_ERROR_NONE},
        {"POST /read HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nx\r\n", 400,
         H1_ERROR_CHUNK_SIZE},
        {"POST /read HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
         "11111111111111111\r\n",
         400, H1_ERROR_CHUNK_LENGTH},
        {"POST /read HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n", 400,
         H1_ERROR_CHUNK_END},
        {"POST /read HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
         "0\r\nContent-Length: 1\r\n\r\n",
         400, H1_ERROR_TRAILER},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rig r;
        rig_open(&r);
        rig_send(&r, str_of(cases[i].request));
        shutdown(r.fd, SHUT_WR);
        rig_expect_close(&r);
        char line[32];
        snprintf(line, sizeof line, "HTTP/1.1 %u ", cases[i].status);
        if (!str_starts(rig_got(&r), str_of(line)))
            printf("# case %zu: '" STR_FMT "'\n", i, STR_ARG(rig_got(&r)));
        CHECK(str_starts(rig_got(&r), str_of(line)));
        CHECK_HAS(&r, "Connection: close\r\n");
        CHECK_HAS(&r, "\nrequest 0"); // the id
        CHECK(!r.is_reset);
        CHECK_INT(r.n_finished, 1);
        CHECK_INT(r.end, EXCHANGE_END_CLIENT_PROTOCOL);
        if (cases[i].error != H1_ERROR_NONE)
            CHECK_INT(r.env.stats.client_errors[cases[i].error], 1);
        rig_close(&r);
    }
}

static void limits_have_their_own_status(void)
{
    struct rig r;
    char *text = malloc(200000);
    rig_open(&r);
    r.entry.limits = (struct h1_limits){200, 1000, 5};
    r.entry.body_max_bytes = 10;
    static const struct {
        const char *before;
        size_t n_fill;
        const char *after;
        unsigned status;
        enum exchange_end end;
    } cases[] = {
        {"GET /", 100, " HTTP/1.1\r\n" HOST CLOSE, 404, EXCHANGE_END_NO_ROUTE},
        {"GET /", 300, " HTTP/1.1\r\n" HOST CLOSE, 414, EXCHANGE_END_CLIENT_LIMIT},
        {"GET /", 100000, " HTTP/1.1\r\n" HOST CLOSE, 414, EXCHANGE_END_CLIENT_LIMIT},
        {"GET / HTTP/1.1\r\n" HOST "A: ", 2000, "\r\n" CLOSE, 431, EXCHANGE_END_CLIENT_LIMIT},
        {"GET / HTTP/1.1\r\n" HOST "A: ", 100000, "\r\n" CLOSE, 431, EXCHANGE_END_CLIENT_LIMIT},
        {"GET / HTTP/1.1\r\n" HOST "A:\r\nB:\r\nC:\r\nD:\r\nE:", 1, "\r\n" CLOSE, 431,
         EXCHANGE_END_CLIENT_LIMIT},
        {"POST /read HTTP/1.1\r\n" HOST "Content-Length: 11\r\n\r\n", 11, "", 413,
         EXCHANGE_END_CLIENT_LIMIT},
        {"POST /read HTTP/1.1\r\n" HOST "Content-Length: 10\r\n" CLOSE, 10, "", 200,
         EXCHANGE_END_OK},
        {"POST /read HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\nb\r\n", 11,
         "\r\n0\r\n\r\n", 413, EXCHANGE_END_CLIENT_LIMIT},
        {"POST /read HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n" CLOSE "a\r\n", 10,
         "\r\n0\r\n\r\n", 200, EXCHANGE_END_OK},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memset(text, 'x', cases[i].n_fill);
        rig_send(&r, str_of(cases[i].before));
        rig_send(&r, str_from(text, cases[i].n_fill));
        rig_send(&r, str_of(cases[i].after));
        rig_expect_close(&r);
        char line[32];
        snprintf(line, sizeof line, "HTTP/1.1 %u ", cases[i].status);
        if (!str_starts(rig_got(&r), str_of(line)))
            printf("# case %zu: '" STR_FMT "'\n", i, STR_ARG(rig_got(&r)));
        CHECK(str_starts(rig_got(&r), str_of(line)));
        CHECK(!r.is_reset);
        CHECK_INT(r.end, cases[i].end);
        close(r.fd);
        rig_connect(&r);
    }
    rig_close(&r);
    free(text);
}

static void a_head_larger_than_a_buffer_is_read_up_to_its_limit(void)
{
    struct rig r;
    char *text = malloc(60000);
    rig_open(&r);
    memset(text, 'x', 60000);
    rig_send(&r, STR("POST /read HTTP/1.1\r\n" HOST "Content-Length: 40000\r\nA: "));
    rig_send(&r, str_from(text, 60000));
    rig_send(&r, STR("\r\n\r\n"));
    rig_send(&r, str_from(text, 40000));
    rig_expect_end(&r, "40000\n");
    rig_close(&r);
    free(text);
}

static void a_head_that_nearly_fills_the_buffer_leaves_room_for_its_body(void)
{
    // With a request before it, so that it doesn't start at the buffer's start.
    for (size_t n = 15000; n < 16500; n += 100) {
        struct rig r;
        char text[16500];
        rig_open(&r);
        memset(text, 'x', n);
        rig_send(&r, STR("GET /hello HTTP/1.1\r\n" HOST "\r\n"
                         "POST /read HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\nA: "));
        rig_send(&r, str_from(text, n));
        rig_send(&r, STR("\r\n\r\n3000\r\n"));
        rig_send(&r, str_from(text, 0x3000));
        rig_send(&r, STR("\r\n0\r\n\r\n"));
        rig_expect_end(&r, "12288\n");
        rig_close(&r);
    }
}

static void byte_by_byte_gives_the_same_answers(void)
{
    static const char requests[] =
        "POST /read HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n"
        "5;a=b\r\n01234\r\nA\r\n0123456789\r\n0\r\nETag: -x\r\n\r\n"
        "\r\nPOST /read HTTP/1.1\r\n" HOST "Content-Length: 4\r\n\r\nabcd"
        "GET /hello HTTP/1.1\r\n" HOST CLOSE;
    struct rig r;
    rig_open(&r);
    for (size_t i = 0; i < sizeof requests - 1; i++) {
        rig_send(&r, str_from(requests + i, 1));
        rig_turn(&r);
    }
    rig_expect_close(&r);
    CHECK_HAS(&r, "\r\n\r\n15-x\n");
    CHECK_HAS(&r, "\r\n\r\n4\n");
    CHECK_HAS(&r, "\r\n\r\nhello\n");
    CHECK_INT(r.n_finished, 3);
    rig_close(&r);
}

static void a_head_that_takes_too_long_gets_408(void)
{
    struct rig r;
    rig_open(&r);
    r.entry.head_ms = 20;
    rig_ask(&r, "GET /hello HTTP/1.1\r\nHost: a.exa");
    CHECK(str_starts(rig_got(&r), STR("HTTP/1.1 408 Request Timeout\r\n")));
    CHECK_INT(r.end, EXCHANGE_END_CLIENT_TIMEOUT);
    CHECK_INT(r.n_begun, 1);
    rig_close(&r);
}

static void an_exchange_without_memory_is_refused(void)
{
    struct rig r;
    rig_open(&r);
    r.entry.exchange_mem_bytes = 1000;
    r.entry.limits.fields_max = H1_FIELDS_MAX;
    rig_send(&r, STR("GET /fields HTTP/1.1\r\n" HOST));
    for (int i = 0; i < 400; i++)
        rig_send(&r, STR("A: b\r\n"));
    rig_ask(&r, "\r\n");
    CHECK(str_starts(rig_got(&r), STR("HTTP/1.1 431 ")));
    CHECK_INT(r.end, EXCHANGE_END_RESOURCES);
    rig_close(&r);
}

TEST_MAIN(TEST(malformed_requests_are_refused_counted_and_closed),
          TEST(limits_have_their_own_status),
          TEST(a_head_larger_than_a_buffer_is_read_up_to_its_limit),
          TEST(a_head_that_nearly_fills_the_buffer_leaves_room_for_its_body),
          TEST(byte_by_byte_gives_the_same_answers), TEST(a_head_that_takes_too_long_gets_408),
          TEST(an_exchange_without_memory_is_refused))
