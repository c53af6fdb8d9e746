// SPDX-License-Identifier: Apache-2.0
#include "codec/proxy_header.h"

#include "unit/test.h"

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"

static struct ip ip_of(const char *text)
{
    struct ip ip = {.family = 0};
    CHECK(text[0] == '\0' || ip_parse(str_of(text), &ip) == ERR_OK);
    return ip;
}

static struct proxy_header header(const char *from, uint16_t from_port, const char *to,
                                  uint16_t to_port)
{
    return (struct proxy_header){.source = ip_of(from),
                                 .destination = ip_of(to),
                                 .source_port = from_port,
                                 .destination_port = to_port};
}

static bool is_same(const struct proxy_header *a, const struct proxy_header *b)
{
    return ip_eq(&a->source, &b->source) && ip_eq(&a->destination, &b->destination) &&
           a->source_port == b->source_port && a->destination_port == b->destination_port;
}

static void writes_what_the_specification_shows(void)
{
    char buf[PROXY_HEADER_WRITE_BYTES];
    struct proxy_header h = header("192.0.2.1", 56324, "198.51.100.7", 443);
    CHECK_STR(proxy_header_write(PROXY_HEADER_V1, &h, buf),
              STR("PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n"));
    CHECK_STR(proxy_header_write(PROXY_HEADER_V2, &h, buf),
              STR(SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc6\x33\x64\7\xdc\4\1\xbb"));
    h = header("2001:db8::1", 1, "2001:db8::2", 65535);
    CHECK_STR(proxy_header_write(PROXY_HEADER_V1, &h, buf),
              STR("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n"));
    struct str v2 = proxy_header_write(PROXY_HEADER_V2, &h, buf);
    CHECK_INT(v2.len, 16 + 36);
    CHECK_STR(str_first(v2, 16), STR(SIGNATURE "\x21\x21\0\x24"));
}

static void a_client_without_an_address_is_unknown(void)
{
    char buf[PROXY_HEADER_WRITE_BYTES];
    struct proxy_header h = header("", 0, "", 0);
    CHECK_STR(proxy_header_write(PROXY_HEADER_V1, &h, buf), STR("PROXY UNKNOWN\r\n"));
    CHECK_STR(proxy_header_write(PROXY_HEADER_V2, &h, buf), STR(SIGNATURE "\x20\0\0\0"));
}

static void mixed_families_are_both_written_as_ipv6(void)
{
    char buf[PROXY_HEADER_WRITE_BYTES];
    struct proxy_header h = header("192.0.2.1", 1, "2001:db8::2", 2);
    CHECK_STR(proxy_header_write(PROXY_HEADER_V1, &h, buf),
              STR("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 1 2\r\n"));
    CHECK_INT(proxy_header_write(PROXY_HEADER_V2, &h, buf).len, 16 + 36);
}

static void the_longest_line_fits(void)
{
    char buf[PROXY_HEADER_WRITE_BYTES];
    struct proxy_header h = header("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
                                   "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe", 65535);
    struct str line = proxy_header_write(PROXY_HEADER_V1, &h, buf);
    CHECK_STR(str_skip(line, line.len - 2), STR("\r\n"));
}

static void what_is_written_is_read_back_however_it_is_cut(void)
{
    const struct proxy_header all[] = {
        header("192.0.2.1", 56324, "198.51.100.7", 443),
        header("2001:db8::1", 0, "::", 65535),
        header("10.0.0.1", 7, "2001:db8::2", 9),
        header("", 0, "", 0),
    };
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        for (int v = PROXY_HEADER_V1; v <= PROXY_HEADER_V2; v++) {
            char buf[PROXY_HEADER_WRITE_BYTES + 4];
            struct str text = proxy_header_write((enum proxy_header_version)v, &all[i], buf);
            memcpy(buf + text.len, "\x16\x03\x01\r", 4);
            struct proxy_header got;
            size_t used = 0;
            enum proxy_header_error error = PROXY_HEADER_ERROR_NONE;
            for (size_t n = 0; n < text.len; n++)
                CHECK_INT(proxy_header_parse(str_first(text, n), &got, &used, &error), IO_AGAIN);
            struct str more = {text.ptr, text.len + 4};
            CHECK_INT(proxy_header_parse(more, &got, &used, &error), IO_DONE);
            CHECK_INT(used, text.len);
            CHECK(is_same(&got, &all[i]));
        }
    }
}

static void others_forms_are_read(void)
{
    static const struct {
        struct str in;
        const char *source;
        uint16_t port;
    } cases[] = {
        {STR_INIT("PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n"), "", 0},
        {STR_INIT("PROXY TCP6 ::ffff:192.0.2.9 ::1 5 6\r\n"), "192.0.2.9", 5},
        // LOCAL: whatever follows is skipped
        {STR_INIT(SIGNATURE "\x20\x11\0\2xy"), "", 0},
        {STR_INIT(SIGNATURE "\x21\0\0\3xyz"), "", 0},
        // a TLV of two bytes, and one of none
        {STR_INIT(SIGNATURE "\x21\x11\0\x14\1\2\3\4\5\6\7\x08\0\1\0\2\2\0\2ab\4\0\0"), "1.2.3.4",
         1},
        {STR_INIT(SIGNATURE "\x21\x21\0\x24\0\0\0\0\0\0\0\0\0\0\xff\xff\1\2\3\4"
                            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\2"),
         "1.2.3.4", 1},
        // with a checksum behind another extension
        {STR_INIT(SIGNATURE
                  "\x21\x11\0\x17\1\2\3\4\5\6\7\x08\0\1\0\2\4\0\1\0\3\0\4\271\145\350\026"),
         "1.2.3.4", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct proxy_header got;
        size_t used = 0;
        enum proxy_header_error error = PROXY_HEADER_ERROR_NONE;
        CHECK_INT(proxy_header_parse(cases[i].in, &got, &used, &error), IO_DONE);
        CHECK_INT(error, PROXY_HEADER_ERROR_NONE);
        CHECK_INT(used, cases[i].in.len);
        struct ip wanted = ip_of(cases[i].source);
        CHECK(ip_eq(&got.source, &wanted));
        CHECK_INT(got.source_port, cases[i].port);
    }
}

static void malformed_headers_are_refused_by_reason(void)
{
    static const struct {
        struct str in;
        enum proxy_header_error why;
    } cases[] = {
        {STR_INIT("GET / HTTP/1.1\r\n"), PROXY_HEADER_ERROR_SIGNATURE},
        {STR_INIT("proxy TCP4 "), PROXY_HEADER_ERROR_SIGNATURE},
        {STR_INIT("PROXY\tTCP4 "), PROXY_HEADER_ERROR_SIGNATURE},
        {STR_INIT("\r\n\r\n\0\r\nQUIX"), PROXY_HEADER_ERROR_SIGNATURE},
        {STR_INIT("PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n"), PROXY_HEADER_ERROR_FAMILY},
        {STR_INIT("PROXY UNKNOWNS\r\n"), PROXY_HEADER_ERROR_FAMILY},
        {STR_INIT("PROXY \r\n"), PROXY_HEADER_ERROR_FAMILY},
        {STR_INIT("PROXY TCP4\r\n"), PROXY_HEADER_ERROR_LINE},
        {STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n"), PROXY_HEADER_ERROR_LINE},
        {STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n"), PROXY_HEADER_ERROR_LINE},
        {STR_INIT("PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n"), PROXY_HEADER_ERROR_ADDRESS},
        {STR_INIT("PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n"), PROXY_HEADER_ERROR_ADDRESS},
        {STR_INIT("PROXY TCP4 ::1 ::2 1 2\r\n"), PROXY_HEADER_ERROR_ADDRESS},
        {STR_INIT("PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n"), PROXY_HEADER_ERROR_ADDRESS},
        {STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n"), PROXY_HEADER_ERROR_PORT},
        {STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n"), PROXY_HEADER_ERROR_PORT},
        {STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 1 65536\r\n"), PROXY_HEADER_ERROR_PORT},
        {STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n"), PROXY_HEADER_ERROR_PORT},
        {STR_INIT("PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n\r\n"), PROXY_HEADER_ERROR_PORT},
        {STR_INIT("PROXY UNKNOWN ........................................................"
                  "....................................................."),
         PROXY_HEADER_ERROR_LENGTH},
        {STR_INIT(SIGNATURE "\x11\x11\0\x0c"), PROXY_HEADER_ERROR_VERSION},
        {STR_INIT(SIGNATURE "\x22\x11\0\x0c"), PROXY_HEADER_ERROR_VERSION},
        {STR_INIT(SIGNATURE "\x21\x11\x10\0"), PROXY_HEADER_ERROR_LENGTH},
        {STR_INIT(SIGNATURE "\x21\x12\0\0"), PROXY_HEADER_ERROR_FAMILY},
        {STR_INIT(SIGNATURE "\x21\x31\0\0"), PROXY_HEADER_ERROR_FAMILY},
        {STR_INIT(SIGNATURE "\x21\x11\0\x0b\1\2\3\4\5\6\7\x08\0\1\0"), PROXY_HEADER_ERROR_ADDRESS},
        {STR_INIT(SIGNATURE "\x21\x11\0\x0e\1\2\3\4\5\6\7\x08\0\1\0\2\1\0"),
         PROXY_HEADER_ERROR_LENGTH},
        {STR_INIT(SIGNATURE "\x21\x11\0\x0f\1\2\3\4\5\6\7\x08\0\1\0\2\1\0\1"),
         PROXY_HEADER_ERROR_LENGTH},
        {STR_INIT(SIGNATURE "\x21\x11\0\x13\1\2\3\4\5\6\7\x08\0\1\0\2\3\0\4\0\0\0\0"),
         PROXY_HEADER_ERROR_CHECKSUM},
        {STR_INIT(SIGNATURE "\x21\x11\0\x11\1\2\3\4\5\6\7\x08\0\1\0\2\3\0\2\0\0"),
         PROXY_HEADER_ERROR_LENGTH},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct proxy_header got;
        size_t used = 0;
        enum proxy_header_error error = PROXY_HEADER_ERROR_NONE;
        CHECK_INT(proxy_header_parse(cases[i].in, &got, &used, &error), IO_FAIL);
        if (error != cases[i].why)
            printf("# case %zu: %s\n", i, proxy_header_error_text(error));
        CHECK_INT(error, cases[i].why);
    }
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(writes_what_the_specification_shows),
        TEST(a_client_without_an_address_is_unknown),
        TEST(mixed_families_are_both_written_as_ipv6),
        TEST(the_longest_line_fits),
        TEST(what_is_written_is_read_back_however_it_is_cut),
        TEST(others_forms_are_read),
        TEST(malformed_headers_are_refused_by_reason),
    };
    return test_main(argc, argv, cases, ARRAY_LEN(cases));
}
