// SPDX-License-Identifier: Apache-2.0
#include "unit/codec/test_h1.h"

static const struct h1_limits defaults = {16 * 1024, 64 * 1024, 128};
static struct parsed result; // of the last parse

#define IN(text) ((struct str)STR_INIT(text))

struct refusal {
    struct str in;
    enum h1_error error;
};

static void check_refusals(enum side side, const struct refusal *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        check_verdict(cases[i].in, error_of(side, cases[i].in, &defaults), cases[i].error);
}
#define CHECK_REFUSALS(side, cases) check_refusals(side, cases, sizeof cases / sizeof cases[0])

static void request_is_taken_apart(void)
{
    struct str in = IN("GET /a/b?c=d HTTP/1.1\r\n"
                       "Host: example.com\r\n"
                       "user-agent:curl\r\n"
                       "X-Odd:  \t spaced \xc3\xa4 value\t \r\n"
                       "Empty:\r\n"
                       "Blank:   \r\n"
                       "\r\nbody");
    parse_any(REQUEST, in, &defaults, &result);
    CHECK_INT(result.io, IO_DONE);
    CHECK_INT(result.used, in.len - 4);
    CHECK_STR(result.req.method, STR("GET"));
    CHECK_INT(result.req.method_id, METHOD_GET);
    CHECK_STR(result.req.target, STR("/a/b?c=d"));
    CHECK_INT(result.req.minor, 1);
    CHECK_INT(result.req.n_fields, 5);
    const struct field *f = result.req.fields;
    CHECK_INT(f[0].id, FIELD_HOST);
    CHECK_STR(f[0].name, STR("Host"));
    CHECK_STR(f[0].value, STR("example.com"));
    CHECK_INT(f[1].id, FIELD_USER_AGENT);
    CHECK_STR(f[1].name, STR("user-agent"));
    CHECK_STR(f[1].value, STR("curl"));
    CHECK_INT(f[2].id, FIELD_OTHER);
    CHECK_STR(f[2].value, STR("spaced \xc3\xa4 value"));
    CHECK_STR(f[3].value, STR(""));
    CHECK_STR(f[4].value, STR(""));
}

static void slices_borrow_from_the_input(void)
{
    struct str in = IN("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    parse_any(REQUEST, in, &defaults, &result);
    CHECK(result.req.method.ptr == in.ptr);
    CHECK(result.req.fields[0].value.ptr == in.ptr + 22);
}

static void response_is_taken_apart(void)
{
    struct str in = IN("HTTP/1.0 404 Not \xe4 Found\r\nServer: x\r\n\r\n");
    parse_any(RESPONSE, in, &defaults, &result);
    CHECK_INT(result.io, IO_DONE);
    CHECK_INT(result.used, in.len);
    CHECK_INT(result.resp.status, 404);
    CHECK_INT(result.resp.minor, 0);
    CHECK_STR(result.resp.reason, STR("Not \xe4 Found"));
    CHECK_INT(result.resp.n_fields, 1);
    CHECK_INT(result.resp.fields[0].id, FIELD_SERVER);
}

static void good_status_lines_are_accepted(void)
{
    static const struct {
        struct str in;
        uint16_t status;
        struct str reason;
    } cases[] = {
        {STR_INIT("HTTP/1.1 200 OK\r\n\r\n"), 200, STR_INIT("OK")},
        {STR_INIT("HTTP/1.1 200 \r\n\r\n"), 200, STR_INIT("")},
        {STR_INIT("HTTP/1.1 200\r\n\r\n"), 200, STR_INIT("")},
        {STR_INIT("HTTP/1.1 100 Continue\r\n\r\n"), 100, STR_INIT("Continue")},
        {STR_INIT("HTTP/1.7 599 \t x\r\n\r\n"), 599, STR_INIT("\t x")},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        parse_any(RESPONSE, cases[i].in, &defaults, &result);
        CHECK_INT(result.io, IO_DONE);
        CHECK_INT(result.resp.status, cases[i].status);
        CHECK_INT(result.resp.minor, 1);
        CHECK_STR(result.resp.reason, cases[i].reason);
    }
}

// RFC 9112 2.2.
static void one_empty_line_before_a_request_is_skipped(void)
{
    struct str in = IN("\r\nGET / HTTP/1.1\r\n\r\n");
    parse_any(REQUEST, in, &defaults, &result);
    CHECK_INT(result.io, IO_DONE);
    CHECK_INT(result.used, in.len);
    CHECK_STR(result.req.method, STR("GET"));
}

// RFC 9110 2.5: a greater minor version is read as the greatest known.
static void minor_versions_are_zero_or_one(void)
{
    parse_any(REQUEST, IN("GET / HTTP/1.0\r\n\r\n"), &defaults, &result);
    CHECK_INT(result.req.minor, 0);
    parse_any(REQUEST, IN("GET / HTTP/1.9\r\n\r\n"), &defaults, &result);
    CHECK_INT(result.req.minor, 1);
}

static void every_target_byte_is_judged(void)
{
    for (unsigned c = 0; c < 256; c++) {
        char in[64];
        int len = snprintf(in, sizeof in, "GET /0123456789abc_xyz HTTP/1.1\r\n\r\n");
        in[18] = (char)c;
        parse_any(REQUEST, str_from(in, (size_t)len), &defaults, &result);
        CHECK_INT(result.io == IO_DONE, c > 0x20 && c < 0x7f);
    }
}

static void every_value_byte_is_judged(void)
{
    for (unsigned c = 0; c < 256; c++) {
        for (int at = 0; at < 40; at++) {
            char in[100];
            int len = snprintf(in, sizeof in, "GET / HTTP/1.1\r\nA: %040d\r\n\r\n", 0);
            in[19 + at] = (char)c;
            parse_once(REQUEST, true, str_from(in, (size_t)len), &defaults, &result);
            CHECK_INT(result.io == IO_DONE, c == '\t' || (c >= 0x20 && c != 0x7f));
            enum h1_error wanted = c == '\n'   ? H1_ERROR_BARE_LF
                                   : c == '\r' ? H1_ERROR_BARE_CR
                                               : H1_ERROR_FIELD_VALUE;
            if (result.io != IO_DONE)
                CHECK_INT(result.error, wanted);
        }
    }
}

static void every_name_byte_is_judged(void)
{
    for (unsigned c = 0; c < 256; c++) {
        char in[64];
        int len = snprintf(in, sizeof in, "GET / HTTP/1.1\r\nX-Longer-Name-_-Here: v\r\n\r\n");
        in[30] = (char)c;
        parse_any(REQUEST, str_from(in, (size_t)len), &defaults, &result);
        bool is_token = c != 0 && c < 0x7f && c > 0x20 && !strchr("\"(),/:;<=>?@[\\]{}", (int)c);
        CHECK_INT(result.io == IO_DONE, is_token || c == ':');
    }
}

static void malformed_request_lines_are_refused(void)
{
    static const struct refusal cases[] = {
        // RFC 9112 3.1
        {STR_INIT("G@T / HTTP/1.1\r\n\r\n"), H1_ERROR_METHOD},
        {STR_INIT(" GET / HTTP/1.1\r\n\r\n"), H1_ERROR_METHOD},
        {STR_INIT("GET\t/ HTTP/1.1\r\n\r\n"), H1_ERROR_METHOD},
        {STR_INIT("GET\0 / HTTP/1.1\r\n\r\n"), H1_ERROR_METHOD},
        {STR_INIT("G\xc3\x84T / HTTP/1.1\r\n\r\n"), H1_ERROR_METHOD},
        {STR_INIT("\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"), H1_ERROR_METHOD},
        {STR_INIT("{\"json\":1}"), H1_ERROR_METHOD},
        // 3.2
        {STR_INIT("GET /\xc3\xa4 HTTP/1.1\r\n\r\n"), H1_ERROR_TARGET},
        {STR_INIT("GET /\x7f HTTP/1.1\r\n\r\n"), H1_ERROR_TARGET},
        {STR_INIT("GET /\0 HTTP/1.1\r\n\r\n"), H1_ERROR_TARGET},
        {STR_INIT("GET /a\tb HTTP/1.1\r\n\r\n"), H1_ERROR_TARGET},
        {STR_INIT("GET /\tHTTP/1.1\r\n\r\n"), H1_ERROR_TARGET},
        // 3: exactly one SP between the parts, nothing behind them
        {STR_INIT("GET  / HTTP/1.1\r\n\r\n"), H1_ERROR_LINE},
        {STR_INIT("GET /  HTTP/1.1\r\n\r\n"), H1_ERROR_LINE},
        {STR_INIT("GET / \tHTTP/1.1\r\n\r\n"), H1_ERROR_LINE},
        {STR_INIT("GET / HTTP/1.1 \r\n\r\n"), H1_ERROR_LINE},
        {STR_INIT("GET / HTTP/1.1\t\r\n\r\n"), H1_ERROR_LINE},
        {STR_INIT("GET /a b HTTP/1.1\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("GET\r\n\r\n"), H1_ERROR_LINE},
        {STR_INIT("GET /\r\n\r\n"), H1_ERROR_LINE}, // HTTP/0.9
        {STR_INIT("GET \r\n\r\n"), H1_ERROR_LINE},
        {STR_INIT("\r\n\r\nGET / HTTP/1.1\r\n\r\n"), H1_ERROR_LINE},
        // 2.3
        {STR_INIT("GET / \r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("GET / HTTP/1.10\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("GET / HTTP/1.\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("GET / HTTP/1\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("GET / HTTP/11.1\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("GET / HTTP/1,1\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("GET / HTTP/-1.1\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("GET / HTTP/1.x\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("GET / HTTP /1.1\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("GET / http/1.1\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("GET / HTTPS/1.1\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("GET / ICY/1.1\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("GET / HTTP/1.1x\r\n\r\n"), H1_ERROR_VERSION},
        // RFC 9110 15.6.6
        {STR_INIT("GET / HTTP/2.0\r\n\r\n"), H1_ERROR_VERSION_MAJOR},
        {STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), H1_ERROR_VERSION_MAJOR},
        {STR_INIT("GET / HTTP/0.9\r\n\r\n"), H1_ERROR_VERSION_MAJOR},
        {STR_INIT("GET / HTTP/3.0\r\n\r\n"), H1_ERROR_VERSION_MAJOR},
    };
    CHECK_REFUSALS(REQUEST, cases);
}

static void malformed_status_lines_are_refused(void)
{
    static const struct refusal cases[] = {
        // RFC 9112 4
        {STR_INIT("HTTP/1.1 20 OK\r\n\r\n"), H1_ERROR_STATUS},
        {STR_INIT("HTTP/1.1 2000 OK\r\n\r\n"), H1_ERROR_STATUS},
        {STR_INIT("HTTP/1.1 099 OK\r\n\r\n"), H1_ERROR_STATUS},
        {STR_INIT("HTTP/1.1 600 OK\r\n\r\n"), H1_ERROR_STATUS},
        {STR_INIT("HTTP/1.1 999 OK\r\n\r\n"), H1_ERROR_STATUS},
        {STR_INIT("HTTP/1.1 +20 OK\r\n\r\n"), H1_ERROR_STATUS},
        {STR_INIT("HTTP/1.1 2x0 OK\r\n\r\n"), H1_ERROR_STATUS},
        {STR_INIT("HTTP/1.1  200 OK\r\n\r\n"), H1_ERROR_STATUS},
        {STR_INIT("HTTP/1.1\t200 OK\r\n\r\n"), H1_ERROR_STATUS},
        {STR_INIT("HTTP/1.1 200\tOK\r\n\r\n"), H1_ERROR_STATUS},
        {STR_INIT("HTTP/1.1 200OK\r\n\r\n"), H1_ERROR_STATUS},
        {STR_INIT("HTTP/1.1\r\n\r\n"), H1_ERROR_STATUS},
        {STR_INIT("HTTP/1.1 200 O\0K\r\n\r\n"), H1_ERROR_STATUS},
        {STR_INIT("HTTP/1.1 200 O\x7fK\r\n\r\n"), H1_ERROR_STATUS},
        // 2.2
        {STR_INIT("HTTP/1.1 200 O\rK\r\n\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT("HTTP/1.1 200\rOK\r\n\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT("HTTP/1.1 200 OK\n\n"), H1_ERROR_BARE_LF},
        {STR_INIT("HTTP/1.1 200\n\n"), H1_ERROR_BARE_LF},
        // 2.3; no empty line is skipped before an answer
        {STR_INIT("HTTP/1.10 200 OK\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("http/1.1 200 OK\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("ICY 200 OK\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("\r\nHTTP/1.1 200 OK\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT(" HTTP/1.1 200 OK\r\n\r\n"), H1_ERROR_VERSION},
        {STR_INIT("<html>"), H1_ERROR_VERSION},
        {STR_INIT("HTTP/2.0 200 OK\r\n\r\n"), H1_ERROR_VERSION_MAJOR},
        {STR_INIT("HTTP/0.9 200 OK\r\n\r\n"), H1_ERROR_VERSION_MAJOR},
    };
    CHECK_REFUSALS(RESPONSE, cases);
}

#define LINE "GET / HTTP/1.1\r\n"

static void line_ends_other_than_crlf_are_refused(void)
{
    static const struct refusal cases[] = {
        // RFC 9112 2.2
        {STR_INIT("GET / HTTP/1.1\nHost: a\n\n"), H1_ERROR_BARE_LF},
        {STR_INIT("GET /\n"), H1_ERROR_BARE_LF},
        {STR_INIT("GET\n"), H1_ERROR_BARE_LF},
        {STR_INIT("\nGET / HTTP/1.1\r\n\r\n"), H1_ERROR_BARE_LF},
        {STR_INIT("\r\n\nGET / HTTP/1.1\r\n\r\n"), H1_ERROR_BARE_LF},
        {STR_INIT(LINE "\n"), H1_ERROR_BARE_LF},
        {STR_INIT(LINE "Host: a\n\r\n"), H1_ERROR_BARE_LF},
        {STR_INIT(LINE "Host\n: a\r\n\r\n"), H1_ERROR_BARE_LF},
        {STR_INIT(LINE "Host:\na\r\n\r\n"), H1_ERROR_BARE_LF},
        {STR_INIT(LINE "Host: a\r\n\n"), H1_ERROR_BARE_LF},
        {STR_INIT("\rGET / HTTP/1.1\r\n\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT("\r\r\nGET / HTTP/1.1\r\n\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT("GET\r/ HTTP/1.1\r\n\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT("GET /\r HTTP/1.1\r\n\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT("GET / HTTP/1.1\r\r\n\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT("GET / HTTP/1.1\rHost: a\r\n\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT(LINE "Host: a\rb\r\n\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT(LINE "Host: a\r\r\n\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT(LINE "Ho\rst: a\r\n\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT(LINE "Host:\ra\r\n\r\n"), H1_ERROR_BARE_CR},
        {STR_INIT(LINE "Host: a\r\n\r \n"), H1_ERROR_BARE_CR},
    };
    CHECK_REFUSALS(REQUEST, cases);
}

static void malformed_field_lines_are_refused(void)
{
    static const struct refusal cases[] = {
        // RFC 9112 5.2 and 2.2
        {STR_INIT(LINE "A: b\r\n c\r\n\r\n"), H1_ERROR_FOLD},
        {STR_INIT(LINE "A: b\r\n\tc\r\n\r\n"), H1_ERROR_FOLD},
        {STR_INIT(LINE "A:\r\n b\r\n\r\n"), H1_ERROR_FOLD},
        {STR_INIT(LINE "A: b\r\n \r\n\r\n"), H1_ERROR_FOLD},
        {STR_INIT(LINE " Host: a\r\n\r\n"), H1_ERROR_FOLD},
        {STR_INIT(LINE "\tHost: a\r\n\r\n"), H1_ERROR_FOLD},
        // 5.1
        {STR_INIT(LINE "Host : a\r\n\r\n"), H1_ERROR_FIELD_SPACE},
        {STR_INIT(LINE "Host\t: a\r\n\r\n"), H1_ERROR_FIELD_SPACE},
        {STR_INIT(LINE "Ho st: a\r\n\r\n"), H1_ERROR_FIELD_SPACE},
        {STR_INIT(LINE "no colon here\r\n\r\n"), H1_ERROR_FIELD_SPACE},
        // 5
        {STR_INIT(LINE ": a\r\n\r\n"), H1_ERROR_FIELD_NAME},
        {STR_INIT(LINE ":\r\n\r\n"), H1_ERROR_FIELD_NAME},
        {STR_INIT(LINE "Ho(st: a\r\n\r\n"), H1_ERROR_FIELD_NAME},
        {STR_INIT(LINE "Ho(st : a\r\n\r\n"), H1_ERROR_FIELD_NAME},
        {STR_INIT(LINE "H\xc3\xb6st: a\r\n\r\n"), H1_ERROR_FIELD_NAME},
        {STR_INIT(LINE "Ho\0st: a\r\n\r\n"), H1_ERROR_FIELD_NAME},
        {STR_INIT(LINE "\0Host: a\r\n\r\n"), H1_ERROR_FIELD_NAME},
        {STR_INIT(LINE "\x0bHost: a\r\n\r\n"), H1_ERROR_FIELD_NAME},
        {STR_INIT(LINE "Host\x7f: a\r\n\r\n"), H1_ERROR_FIELD_NAME},
        {STR_INIT(LINE "\"Host\": a\r\n\r\n"), H1_ERROR_FIELD_NAME},
        {STR_INIT(LINE "no-colon-here\r\n\r\n"), H1_ERROR_FIELD_COLON},
        {STR_INIT(LINE "A: b\r\nno-colon-here\r\n\r\n"), H1_ERROR_FIELD_COLON},
        // RFC 9110 5.5
        {STR_INIT(LINE "A: \0\r\n\r\n"), H1_ERROR_FIELD_VALUE},
        {STR_INIT(LINE "A: b\0c\r\n\r\n"), H1_ERROR_FIELD_VALUE},
        {STR_INIT(LINE "A: b\x1b[31m\r\n\r\n"), H1_ERROR_FIELD_VALUE},
        {STR_INIT(LINE "A: \x7f\r\n\r\n"), H1_ERROR_FIELD_VALUE},
    };
    CHECK_REFUSALS(REQUEST, cases);
}

static void request_line_over_its_limit_is_refused(void)
{
    static const struct h1_limits limits = {20, 200, 8};
    check_verdict(IN("20"), error_of(REQUEST, IN("GET /456789 HTTP/1.1\r\n\r\n"), &limits),
                  H1_ERROR_NONE);
    check_verdict(IN("\\r\\n 20"),
                  error_of(REQUEST, IN("\r\nGET /456789 HTTP/1.1\r\n\r\n"), &limits),
                  H1_ERROR_NONE);
    check_verdict(IN("21"), error_of(REQUEST, IN("GET /4567890 HTTP/1.1\r\n\r\n"), &limits),
                  H1_ERROR_LINE_LENGTH);
    check_verdict(IN("method"), error_of(REQUEST, IN("GETTTTTTTTTTTTTTTTTTTTTTTTTTTTT"), &limits),
                  H1_ERROR_LINE_LENGTH);
    check_verdict(IN("target"), error_of(REQUEST, IN("GET /456789012345678901234567890"), &limits),
                  H1_ERROR_LINE_LENGTH);
    check_verdict(IN("reason"), error_of(RESPONSE, IN("HTTP/1.1 200 01234567\r\n\r\n"), &limits),
                  H1_ERROR_LINE_LENGTH);
    // What is wrong within the limit comes first, what is beyond isn't looked at.
    check_verdict(IN("bad"), error_of(REQUEST, IN("GET /4\0 5678901234567890123456"), &limits),
                  H1_ERROR_TARGET);
    check_verdict(IN("late"), error_of(REQUEST, IN("GET /4567890123456789012\0 3456"), &limits),
                  H1_ERROR_LINE_LENGTH);
}

static void head_over_its_limit_is_refused(void)
{
    static const struct h1_limits limits = {100, 40, 8};
    check_verdict(IN("40"),
                  error_of(REQUEST, IN("GET / HTTP/1.1\r\nHost: 23456789012345\r\n\r\n"), &limits),
                  H1_ERROR_NONE);
    check_verdict(IN("41"),
                  error_of(REQUEST, IN("GET / HTTP/1.1\r\nHost: 234567890123456\r\n\r\n"), &limits),
                  H1_ERROR_HEAD_LENGTH);
    check_verdict(
        IN("line"),
        error_of(REQUEST, IN("GET /678901234567890123456789012345678901234567890"), &limits),
        H1_ERROR_HEAD_LENGTH);
    check_verdict(
        IN("response"),
        error_of(RESPONSE, IN("HTTP/1.1 200 OK\r\nServer: 67890123456789012345678"), &limits),
        H1_ERROR_HEAD_LENGTH);
    parse_any(REQUEST, IN("GET / HTTP/1.1\r\nHost: 23456789012345"), &limits, &result);
    CHECK_INT(result.io, IO_AGAIN);
}

static void too_many_fields_are_refused(void)
{
    static const struct h1_limits limits = {100, 1000, 2};
    check_verdict(IN("2"), error_of(REQUEST, IN(LINE "A: 1\r\nB: 2\r\n\r\n"), &limits),
                  H1_ERROR_NONE);
    check_verdict(IN("3"), error_of(REQUEST, IN(LINE "A: 1\r\nB: 2\r\nC: 3\r\n\r\n"), &limits),
                  H1_ERROR_FIELD_COUNT);
    static const struct h1_limits none = {100, 1000, 0};
    check_verdict(IN("0"), error_of(REQUEST, IN(LINE "\r\n"), &none), H1_ERROR_NONE);
    check_verdict(IN("1"), error_of(REQUEST, IN(LINE "A: 1\r\n\r\n"), &none), H1_ERROR_FIELD_COUNT);
}

static void nothing_is_returned_for_an_incomplete_head(void)
{
    struct h1_request r = {.minor = 77};
    size_t used = 77;
    enum h1_error e = H1_ERROR_TRAILER;
    CHECK_INT(h1_request_parse(IN(LINE "A: 1\r\n"), &defaults, result.fields, &r, &used, &e),
              IO_AGAIN);
    CHECK_INT(r.minor, 77);
    CHECK_INT(used, 77);
    CHECK_INT(e, H1_ERROR_TRAILER);
    CHECK_INT(h1_request_parse(STR_NONE, &defaults, result.fields, &r, &used, &e), IO_AGAIN);
}

static void head_end_is_noticed_in_new_bytes_only(void)
{
    static const struct {
        struct str in;
        size_t seen;
        bool may_end;
    } cases[] = {
        {STR_INIT(""), 0, false},
        {STR_INIT("GET / HTTP/1.1\r\nA: b\r\n"), 0, false},
        {STR_INIT("GET / HTTP/1.1\r\nA: b\r\n\r"), 5, false},
        {STR_INIT("GET / HTTP/1.1\r\nA: b\r\n\r\n"), 0, true},
        {STR_INIT("GET / HTTP/1.1\r\nA: b\r\n\r\n"), 23, true},
        {STR_INIT("GET / HTTP/1.1\r\nA: b\r\n\r\n"), 24, false},
        {STR_INIT("GET / HTTP/1.1\n"), 0, true}, // will be refused
        {STR_INIT("\n"), 0, true},
        {STR_INIT("\r\nGET"), 0, false},
        {STR_INIT("\r\n\r\n"), 2, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_INT(h1_head_may_end(cases[i].in, cases[i].seen), cases[i].may_end);
}

TEST_MAIN(TEST(request_is_taken_apart), TEST(slices_borrow_from_the_input),
          TEST(response_is_taken_apart), TEST(good_status_lines_are_accepted),
          TEST(one_empty_line_before_a_request_is_skipped), TEST(minor_versions_are_zero_or_one),
          TEST(every_target_byte_is_judged), TEST(every_value_byte_is_judged),
          TEST(every_name_byte_is_judged), TEST(malformed_request_lines_are_refused),
          TEST(malformed_status_lines_are_refused), TEST(line_ends_other_than_crlf_are_refused),
          TEST(malformed_field_lines_are_refused), TEST(request_line_over_its_limit_is_refused),
          TEST(head_over_its_limit_is_refused), TEST(too_many_fields_are_refused),
          TEST(nothing_is_returned_for_an_incomplete_head),
          TEST(head_end_is_noticed_in_new_bytes_only))
