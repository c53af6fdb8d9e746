// SPDX-License-Identifier: Apache-2.0
#include "unit/codec/test_h1.h"

static const struct h1_limits defaults = {16 * 1024, 64 * 1024, 128};

// Start line, then the fields of a case, then the empty line.
static struct str head_of(const char *start, const char *fields)
{
    static char buf[4096];
    int len = snprintf(buf, sizeof buf, "%s\r\n%s\r\n", start, fields);
    return str_from(buf, (size_t)len);
}

// The framing of a request with Host, or the error.
static enum h1_error request_framing(const char *version, const char *fields,
                                     struct h1_framing *ret)
{
    static struct parsed p;
    char start[64];
    snprintf(start, sizeof start, "POST / HTTP/%s", version);
    parse_any(REQUEST, head_of(start, fields), &defaults, &p);
    return p.io == IO_DONE ? h1_request_framing(&p.req, ret) : p.error;
}

static enum h1_error response_framing(const char *start, const char *fields, enum method method,
                                      struct h1_framing *ret)
{
    static struct parsed p;
    parse_any(RESPONSE, head_of(start, fields), &defaults, &p);
    return p.io == IO_DONE ? h1_response_framing(&p.resp, method, ret) : p.error;
}

struct refusal {
    const char *fields;
    enum h1_error error;
};

static void check_request_refusals(const char *version, const struct refusal *cases, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct h1_framing f;
        check_verdict(str_of(cases[i].fields), request_framing(version, cases[i].fields, &f),
                      cases[i].error);
    }
}
#define CHECK_REFUSALS(version, cases)                                                             \
    check_request_refusals(version, cases, sizeof cases / sizeof cases[0])

static void host_is_required_once_and_well_formed(void)
{
    static const struct refusal cases[] = {
        // RFC 9112 3.2
        {"", H1_ERROR_HOST_MISSING},
        {"A: b\r\n", H1_ERROR_HOST_MISSING},
        {"Host: a\r\nHost: a\r\n", H1_ERROR_HOST_TWICE},
        {"Host: a\r\nhOST: b\r\n", H1_ERROR_HOST_TWICE},
        {"Host:\r\n", H1_ERROR_HOST_FORM},
        {"Host: a b\r\n", H1_ERROR_HOST_FORM},
        {"Host: a, b\r\n", H1_ERROR_HOST_FORM},
        {"Host: a/b\r\n", H1_ERROR_HOST_FORM},
        {"Host: a?b\r\n", H1_ERROR_HOST_FORM},
        {"Host: a#b\r\n", H1_ERROR_HOST_FORM},
        {"Host: a\\b\r\n", H1_ERROR_HOST_FORM},
        {"Host: user@a\r\n", H1_ERROR_HOST_FORM},
        {"Host: http://a\r\n", H1_ERROR_HOST_FORM},
        {"Host: a\xc3\xa4\r\n", H1_ERROR_HOST_FORM},
        {"Host: a%\r\n", H1_ERROR_HOST_FORM},
        {"Host: a%4\r\n", H1_ERROR_HOST_FORM},
        {"Host: a%4g\r\n", H1_ERROR_HOST_FORM},
        {"Host: <a>\r\n", H1_ERROR_HOST_FORM},
        {"Host: \"a\"\r\n", H1_ERROR_HOST_FORM},
        {"Host: :80\r\n", H1_ERROR_HOST_FORM},
        {"Host: a:\r\n", H1_ERROR_HOST_FORM},
        {"Host: a:b\r\n", H1_ERROR_HOST_FORM},
        {"Host: a:-1\r\n", H1_ERROR_HOST_FORM},
        {"Host: a:65536\r\n", H1_ERROR_HOST_FORM},
        {"Host: a:000080\r\n", H1_ERROR_HOST_FORM},
        {"Host: a:80:80\r\n", H1_ERROR_HOST_FORM},
        {"Host: ::1\r\n", H1_ERROR_HOST_FORM},
        {"Host: [::1\r\n", H1_ERROR_HOST_FORM},
        {"Host: []\r\n", H1_ERROR_HOST_FORM},
        {"Host: [a]\r\n", H1_ERROR_HOST_FORM},
        {"Host: [a.example]\r\n", H1_ERROR_HOST_FORM},
        {"Host: [v1.a]\r\n", H1_ERROR_HOST_FORM},
        {"Host: [fe80::1%25eth0]\r\n", H1_ERROR_HOST_FORM},
        {"Host: [::1]80\r\n", H1_ERROR_HOST_FORM},
        {"Host: [::1]:\r\n", H1_ERROR_HOST_FORM},
        {"Host: [::1]:x\r\n", H1_ERROR_HOST_FORM},
        {"Host: [::1]]\r\n", H1_ERROR_HOST_FORM},
        {"Host: a\r\n", H1_ERROR_NONE},
        {"Host: A_b-c.example.\r\n", H1_ERROR_NONE},
        {"Host: a:1\r\n", H1_ERROR_NONE},
        {"Host: a:65535\r\n", H1_ERROR_NONE},
        {"Host: a%2eb\r\n", H1_ERROR_NONE},
        {"Host: 192.0.2.1:80\r\n", H1_ERROR_NONE},
        {"Host: [2001:db8::192.0.2.1]\r\n", H1_ERROR_NONE},
        {"Host: [::1]:8080\r\n", H1_ERROR_NONE},
    };
    CHECK_REFUSALS("1.1", cases);
}

static void host_may_be_missing_in_http_1_0(void)
{
    static const struct refusal cases[] = {
        {"", H1_ERROR_NONE},
        {"Host: a\r\n", H1_ERROR_NONE},
        {"Host: \r\n", H1_ERROR_HOST_FORM},
        {"Host: a\r\nHost: a\r\n", H1_ERROR_HOST_TWICE},
    };
    CHECK_REFUSALS("1.0", cases);
}

#define H "Host: a\r\n"

static void content_length_is_exactly_one_number(void)
{
    static const struct refusal cases[] = {
        // RFC 9110 8.6, RFC 9112 6.3
        {H "Content-Length:\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: +5\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: -5\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 0x5\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 5.0\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 1e3\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 1 2\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: \"5\"\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 5;a\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: five\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: \xb2\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 9223372036854775808\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 18446744073709551617\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 99999999999999999999999\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 5,\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: ,5\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 5, 5\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 5\r\nContent-Length: 5\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 5\r\ncontent-length: 05\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 5\r\nContent-Length:\r\n", H1_ERROR_LENGTH_FORM},
        {H "Content-Length: 5, 6\r\n", H1_ERROR_LENGTH_DIFFERS},
        {H "Content-Length: 5\r\nContent-Length: 6\r\n", H1_ERROR_LENGTH_DIFFERS},
        {H "Content-Length: 0\r\nContent-Length: 6\r\n", H1_ERROR_LENGTH_DIFFERS},
        {H "Content-Length: 9223372036854775807\r\n", H1_ERROR_NONE},
    };
    CHECK_REFUSALS("1.1", cases);
}

static void transfer_encoding_is_chunked_alone(void)
{
    static const struct refusal cases[] = {
        // RFC 9112 6.1 and 6.3
        {H "Transfer-Encoding: gzip\r\n", H1_ERROR_CODING_UNKNOWN},
        {H "Transfer-Encoding: identity\r\n", H1_ERROR_CODING_UNKNOWN},
        {H "Transfer-Encoding: xchunked\r\n", H1_ERROR_CODING_UNKNOWN},
        {H "Transfer-Encoding: chunkedx\r\n", H1_ERROR_CODING_UNKNOWN},
        {H "Transfer-Encoding: gzip, deflate\r\n", H1_ERROR_CODING_UNKNOWN},
        {H "Transfer-Encoding: chunked, chunked\r\n", H1_ERROR_CODING_ORDER},
        {H "Transfer-Encoding: gzip, chunked\r\n", H1_ERROR_CODING_UNKNOWN},
        {H "Transfer-Encoding: chunked, gzip\r\n", H1_ERROR_CODING_ORDER},
        {H "Transfer-Encoding: chunked, identity\r\n", H1_ERROR_CODING_ORDER},
        {H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", H1_ERROR_CODING_ORDER},
        {H "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n", H1_ERROR_CODING_UNKNOWN},
        {H "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", H1_ERROR_CODING_ORDER},
        // 7
        {H "Transfer-Encoding:\r\n", H1_ERROR_CODING_FORM},
        {H "Transfer-Encoding: ,\r\n", H1_ERROR_CODING_FORM},
        {H "Transfer-Encoding: ,chunked\r\n", H1_ERROR_CODING_FORM},
        {H "Transfer-Encoding: chunked,\r\n", H1_ERROR_CODING_FORM},
        {H "Transfer-Encoding: chunked;foo\r\n", H1_ERROR_CODING_FORM},
        {H "Transfer-Encoding: chunked;\r\n", H1_ERROR_CODING_FORM},
        {H "Transfer-Encoding: \"chunked\"\r\n", H1_ERROR_CODING_FORM},
        {H "Transfer-Encoding: 'chunked'\r\n", H1_ERROR_CODING_UNKNOWN},
        {H "Transfer-Encoding: chun ked\r\n", H1_ERROR_CODING_FORM},
        {H "Transfer-Encoding: chunked\xa0\r\n", H1_ERROR_CODING_FORM},
        {H "Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n", H1_ERROR_CODING_FORM},
        // 6.1
        {H "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", H1_ERROR_LENGTH_AND_CODING},
        {H "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", H1_ERROR_LENGTH_AND_CODING},
        {H "Content-Length: 5\r\nTransfer-Encoding: gzip\r\n", H1_ERROR_LENGTH_AND_CODING},
        {H "Transfer-Encoding: CHUNKED\r\n", H1_ERROR_NONE},
        {H "Transfer-Encoding: \t chunked \t\r\n", H1_ERROR_NONE},
    };
    CHECK_REFUSALS("1.1", cases);
}

static void transfer_encoding_in_http_1_0_is_refused(void)
{
    static const struct refusal cases[] = {
        {H "Transfer-Encoding: chunked\r\n", H1_ERROR_CODING_VERSION},
        {H "Transfer-Encoding: gzip\r\n", H1_ERROR_CODING_VERSION},
        {H "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", H1_ERROR_LENGTH_AND_CODING},
    };
    CHECK_REFUSALS("1.0", cases);
    struct h1_framing f;
    CHECK_INT(response_framing("HTTP/1.0 200 OK", "Transfer-Encoding: chunked\r\n", METHOD_GET, &f),
              H1_ERROR_CODING_VERSION);
}

static void request_bodies_follow_from_the_fields(void)
{
    static const struct {
        const char *fields;
        enum h1_body body;
        uint64_t length;
    } cases[] = {
        {H, H1_BODY_NONE, 0},
        {H "Content-Length: 0\r\n", H1_BODY_NONE, 0},
        {H "Content-Length: 42\r\n", H1_BODY_LENGTH, 42},
        {H "Content-Length: 007\r\n", H1_BODY_LENGTH, 7},
        {H "Content-Length: 9223372036854775807\r\n", H1_BODY_LENGTH, INT64_MAX},
        {H "Transfer-Encoding: Chunked\r\n", H1_BODY_CHUNKED, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct h1_framing f;
        CHECK_INT(request_framing("1.1", cases[i].fields, &f), H1_ERROR_NONE);
        CHECK_INT(f.body, cases[i].body);
        CHECK_INT(f.length, cases[i].length);
    }
}

static void response_bodies_follow_from_status_method_and_fields(void)
{
    static const struct {
        const char *start, *fields;
        enum method method;
        enum h1_body body;
        bool keep_alive;
    } cases[] = {
        {"HTTP/1.1 200 OK", "Content-Length: 5\r\n", METHOD_GET, H1_BODY_LENGTH, true},
        {"HTTP/1.1 200 OK", "Content-Length: 0\r\n", METHOD_GET, H1_BODY_LENGTH, true},
        {"HTTP/1.1 200 OK", "Transfer-Encoding: chunked\r\n", METHOD_GET, H1_BODY_CHUNKED, true},
        {"HTTP/1.1 200 OK", "", METHOD_GET, H1_BODY_UNTIL_CLOSE, false},
        {"HTTP/1.1 200 OK", "Connection: keep-alive\r\n", METHOD_GET, H1_BODY_UNTIL_CLOSE, false},
        {"HTTP/1.1 200 OK", "Content-Length: 5\r\n", METHOD_HEAD, H1_BODY_NONE, true},
        {"HTTP/1.1 200 OK", "Transfer-Encoding: chunked\r\n", METHOD_HEAD, H1_BODY_NONE, true},
        {"HTTP/1.1 200 OK", "", METHOD_HEAD, H1_BODY_NONE, true},
        {"HTTP/1.1 304 Not Modified", "Content-Length: 5\r\n", METHOD_GET, H1_BODY_NONE, true},
        {"HTTP/1.1 204 No Content", "", METHOD_GET, H1_BODY_NONE, true},
        {"HTTP/1.1 204 No Content", "Content-Length: 0\r\n", METHOD_GET, H1_BODY_NONE, true},
        {"HTTP/1.1 204 No Content", "Content-Length: 5\r\n", METHOD_GET, H1_BODY_NONE, false},
        {"HTTP/1.1 100 Continue", "", METHOD_POST, H1_BODY_NONE, true},
        {"HTTP/1.1 103 Early Hints", "Content-Length: 5\r\n", METHOD_GET, H1_BODY_NONE, false},
        {"HTTP/1.1 200 OK", "Connection: close\r\nContent-Length: 5\r\n", METHOD_GET,
         H1_BODY_LENGTH, false},
        {"HTTP/1.0 200 OK", "Content-Length: 5\r\n", METHOD_GET, H1_BODY_LENGTH, false},
        {"HTTP/1.0 200 OK", "Connection: Keep-Alive\r\nContent-Length: 5\r\n", METHOD_GET,
         H1_BODY_LENGTH, true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct h1_framing f;
        CHECK_INT(response_framing(cases[i].start, cases[i].fields, cases[i].method, &f),
                  H1_ERROR_NONE);
        CHECK_INT(f.body, cases[i].body);
        CHECK_INT(f.keep_alive, cases[i].keep_alive);
    }
}

static void ambiguous_responses_are_refused(void)
{
    static const struct {
        const char *start, *fields;
        enum h1_error error;
    } cases[] = {
        {"HTTP/1.1 200 OK", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
         H1_ERROR_LENGTH_AND_CODING},
        {"HTTP/1.1 304 Not Modified", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
         H1_ERROR_LENGTH_AND_CODING},
        {"HTTP/1.1 200 OK", "Content-Length: 5\r\nContent-Length: 6\r\n", H1_ERROR_LENGTH_DIFFERS},
        {"HTTP/1.1 200 OK", "Content-Length: x\r\n", H1_ERROR_LENGTH_FORM},
        {"HTTP/1.1 204 No Content", "Content-Length: x\r\n", H1_ERROR_LENGTH_FORM},
        {"HTTP/1.1 200 OK", "Transfer-Encoding: gzip\r\n", H1_ERROR_CODING_UNKNOWN},
        {"HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked\r\n", H1_ERROR_CODING_UNKNOWN},
        // RFC 9112 6.1
        {"HTTP/1.1 204 No Content", "Transfer-Encoding: chunked\r\n", H1_ERROR_CODING_STATUS},
        {"HTTP/1.1 100 Continue", "Transfer-Encoding: chunked\r\n", H1_ERROR_CODING_STATUS},
        {"HTTP/1.1 101 Switching", "Transfer-Encoding: chunked\r\n", H1_ERROR_CODING_STATUS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct h1_framing f;
        check_verdict(str_of(cases[i].fields),
                      response_framing(cases[i].start, cases[i].fields, METHOD_GET, &f),
                      cases[i].error);
    }
}

static void connection_persists_as_version_and_options_say(void)
{
    static const struct {
        const char *version, *fields;
        bool keep_alive;
    } cases[] = {
        // RFC 9112 9.3
        {"1.1", H, true},
        {"1.1", H "Connection: close\r\n", false},
        {"1.1", H "Connection: CLOSE\r\n", false},
        {"1.1", H "Connection: closed\r\n", true},
        {"1.1", H "Connection: foo, close , bar\r\n", false},
        {"1.1", H "Connection: foo\r\nConnection: close\r\n", false},
        {"1.1", H "Connection: keep-alive, close\r\n", false},
        {"1.1", H "Connection: ,,close\r\n", false},
        {"1.1", H "Proxy-Connection: close\r\n", true},
        {"1.0", H, false},
        {"1.0", H "Connection: Keep-Alive\r\n", true},
        {"1.0", H "Connection: foo\r\nConnection: keep-alive\r\n", true},
        {"1.0", H "Connection: keep-alive\r\nConnection: close\r\n", false},
        {"1.0", H "Keep-Alive: 300\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct h1_framing f = {0};
        CHECK_INT(request_framing(cases[i].version, cases[i].fields, &f), H1_ERROR_NONE);
        CHECK_INT(f.keep_alive, cases[i].keep_alive);
    }
}

static void connection_options_are_counted_over_all_fields(void)
{
    char fields[1024];
    for (size_t n = H1_OPTIONS_MAX; n <= H1_OPTIONS_MAX + 1; n++) {
        size_t len = (size_t)snprintf(fields, sizeof fields, H "Connection: ");
        for (size_t i = 0; i < n; i++)
            len += (size_t)snprintf(fields + len, sizeof fields - len, "%s",
                                    i == n / 2 ? "x\r\nConnection: " : "abc, ");
        snprintf(fields + len, sizeof fields - len, "\r\n");
        enum h1_error want = n <= H1_OPTIONS_MAX ? H1_ERROR_NONE : H1_ERROR_OPTION_COUNT;
        struct h1_framing f = {0};
        CHECK_INT(request_framing("1.1", fields, &f), want);
        CHECK_INT(response_framing("HTTP/1.1 200 OK", fields, METHOD_GET, &f), want);
    }
}

static void upgrade_needs_connection_and_version(void)
{
    static const struct {
        const char *version, *fields;
        bool wants_upgrade;
    } cases[] = {
        // RFC 9110 7.8
        {"1.1", H "Connection: Upgrade\r\nUpgrade: websocket\r\n", true},
        {"1.1", H "Upgrade: websocket\r\nConnection: keep-alive, upgrade\r\n", true},
        {"1.1", H "Upgrade: websocket\r\n", false},
        {"1.1", H "Connection: upgrade\r\n", false},
        {"1.1", H "Connection: upgrade\r\nUpgrade:\r\n", false},
        {"1.0", H "Connection: upgrade\r\nUpgrade: websocket\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct h1_framing f = {0};
        CHECK_INT(request_framing(cases[i].version, cases[i].fields, &f), H1_ERROR_NONE);
        CHECK_INT(f.wants_upgrade, cases[i].wants_upgrade);
    }
    struct h1_framing f = {0};
    CHECK_INT(response_framing("HTTP/1.1 101 Switching Protocols",
                               "Connection: upgrade\r\nUpgrade: x\r\n", METHOD_GET, &f),
              H1_ERROR_NONE);
    CHECK(f.wants_upgrade && f.body == H1_BODY_NONE);
}

static void expectations_and_te_are_read(void)
{
    static const struct {
        const char *version, *fields;
        bool expect_continue, has_te_trailers;
    } cases[] = {
        // RFC 9110 10.1.1 and 10.1.4
        {"1.1", H "Expect: 100-continue\r\n", true, false},
        {"1.1", H "Expect: 100-Continue\r\n", true, false},
        {"1.1", H "Expect: x, 100-continue\r\n", true, false},
        {"1.1", H "Expect: 100-continue2\r\n", false, false},
        {"1.1", H "Expect: 200-ok\r\n", false, false},
        {"1.0", H "Expect: 100-continue\r\n", false, false},
        {"1.1", H "TE: trailers\r\n", false, true},
        {"1.1", H "TE: gzip;q=0.5, Trailers\r\n", false, true},
        {"1.1", H "TE: gzip\r\n", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct h1_framing f = {0};
        CHECK_INT(request_framing(cases[i].version, cases[i].fields, &f), H1_ERROR_NONE);
        CHECK_INT(f.expect_continue, cases[i].expect_continue);
        CHECK_INT(f.has_te_trailers, cases[i].has_te_trailers);
    }
}

static void list_has_whole_elements_only(void)
{
    CHECK(h1_list_has(STR("a, B ,c"), STR("b")));
    CHECK(h1_list_has(STR("\tb"), STR("b")));
    CHECK(!h1_list_has(STR("ab, bc"), STR("b")));
    CHECK(!h1_list_has(STR("a b"), STR("b")));
    CHECK(!h1_list_has(STR(""), STR("b")));
    CHECK(!h1_list_has(STR_NONE, STR("b")));
}

TEST_MAIN(TEST(host_is_required_once_and_well_formed), TEST(host_may_be_missing_in_http_1_0),
          TEST(content_length_is_exactly_one_number), TEST(transfer_encoding_is_chunked_alone),
          TEST(transfer_encoding_in_http_1_0_is_refused),
          TEST(request_bodies_follow_from_the_fields),
          TEST(response_bodies_follow_from_status_method_and_fields),
          TEST(ambiguous_responses_are_refused),
          TEST(connection_persists_as_version_and_options_say),
          TEST(connection_options_are_counted_over_all_fields),
          TEST(upgrade_needs_connection_and_version), TEST(expectations_and_te_are_read),
          TEST(list_has_whole_elements_only))
