// SPDX-License-Identifier: Apache-2.0
#include "codec/ip.h"

#include <arpa/inet.h>
#include <stddef.h>

#include "base/attr.h"
#include "unit/test.h"

static struct str parsed_text(struct str s, char buf[static 46])
{
    struct ip ip;
    return ip_parse(s, &ip) == ERR_OK ? ip_text(&ip, buf) : STR("refused");
}

static void addresses_print_as_rfc_5952_says(void)
{
    static const struct {
        struct str in, wanted;
    } cases[] = {
        {STR_INIT("192.0.2.1"), STR_INIT("192.0.2.1")},
        {STR_INIT("0.0.0.0"), STR_INIT("0.0.0.0")},
        {STR_INIT("255.255.255.255"), STR_INIT("255.255.255.255")},
        {STR_INIT("::"), STR_INIT("::")},
        {STR_INIT("::1"), STR_INIT("::1")},
        {STR_INIT("1::"), STR_INIT("1::")},
        {STR_INIT("2001:db8::1"), STR_INIT("2001:db8::1")},
        // RFC 5952 1
        {STR_INIT("2001:db8:0:0:1:0:0:1"), STR_INIT("2001:db8::1:0:0:1")},
        {STR_INIT("2001:0db8:0:0:1:0:0:1"), STR_INIT("2001:db8::1:0:0:1")},
        {STR_INIT("2001:db8::1:0:0:1"), STR_INIT("2001:db8::1:0:0:1")},
        {STR_INIT("2001:db8::0:1:0:0:1"), STR_INIT("2001:db8::1:0:0:1")},
        {STR_INIT("2001:0db8::1:0:0:1"), STR_INIT("2001:db8::1:0:0:1")},
        {STR_INIT("2001:DB8:0:0:1::1"), STR_INIT("2001:db8::1:0:0:1")},
        // RFC 5952 2.1, 4.1
        {STR_INIT("2001:db8:aaaa:bbbb:cccc:dddd:eeee:0001"),
         STR_INIT("2001:db8:aaaa:bbbb:cccc:dddd:eeee:1")},
        {STR_INIT("2001:0db8::0001"), STR_INIT("2001:db8::1")},
        // 4.2.1, 4.2.2: one zero group is not shortened
        {STR_INIT("2001:db8::0:1"), STR_INIT("2001:db8::1")},
        {STR_INIT("2001:db8:0:1:1:1:1:1"), STR_INIT("2001:db8:0:1:1:1:1:1")},
        {STR_INIT("2001:db8::1:1:1:1:1"), STR_INIT("2001:db8:0:1:1:1:1:1")},
        // 4.2.3: the longest run, the first of equals
        {STR_INIT("2001:0:0:1:0:0:0:1"), STR_INIT("2001:0:0:1::1")},
        {STR_INIT("2001:db8:0:0:1:0:0:0"), STR_INIT("2001:db8:0:0:1::")},
        {STR_INIT("0:0:0:1:0:0:0:1"), STR_INIT("::1:0:0:0:1")},
        {STR_INIT("1:2:3:4:5:6:7::"), STR_INIT("1:2:3:4:5:6:7:0")},
        {STR_INIT("::2:3:4:5:6:7:8"), STR_INIT("0:2:3:4:5:6:7:8")},
        {STR_INIT("FFFF:ffff:FFFF:ffff:FFFF:ffff:FFFF:ffff"),
         STR_INIT("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff")},
        // RFC 4291 2.5.5
        {STR_INIT("::ffff:1.2.3.4"), STR_INIT("1.2.3.4")},
        {STR_INIT("::ffff:0102:0304"), STR_INIT("1.2.3.4")},
        {STR_INIT("0:0:0:0:0:FFFF:129.144.52.38"), STR_INIT("129.144.52.38")},
        {STR_INIT("::13.1.68.3"), STR_INIT("::d01:4403")},
        {STR_INIT("64:ff9b::192.0.2.33"), STR_INIT("64:ff9b::c000:221")},
        {STR_INIT("1:2:3:4:5:6:1.2.3.4"), STR_INIT("1:2:3:4:5:6:102:304")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[46];
        CHECK_STR(parsed_text(cases[i].in, buf), cases[i].wanted);
    }
}

static void malformed_addresses_are_refused(void)
{
    static const char *const cases[] = {
        "",
        ".",
        "1",
        "1.2.3",
        "1.2.3.4.",
        ".1.2.3.4",
        "1.2.3.4.5",
        "1..3.4",
        "256.1.1.1",
        "1.2.3.256",
        "01.2.3.4",
        "1.2.3.00",
        "1.2.3.4 ",
        " 1.2.3.4",
        "+1.2.3.4",
        "-1.2.3.4",
        "0x1.2.3.4",
        "1.2.3.a",
        "1.2.3.99999999999999999999",
        ":",
        ":::",
        "::1::",
        "1::2::3",
        ":1",
        "1:",
        ":1::",
        "::1:",
        "1:2:3:4:5:6:7",
        "1:2:3:4:5:6:7:8:9",
        "1:2:3:4:5:6:7:8:",
        "1:2:3:4:5:6:7::8",
        "12345::",
        "00001::",
        "g::",
        "::1%eth0",
        "[::1]",
        "::1 ",
        "1:2:3:4:5:6:7:1.2.3.4",
        "::1.2.3",
        "::1.2.3.4:5",
        "1.2.3.4::",
        "::01.2.3.4",
        "::1.2.3.256",
        "fe80::1/64",
        "::ffff:1.2.3.4.5",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[46];
        CHECK_STR(parsed_text(str_of(cases[i]), buf), STR("refused"));
    }
}

static void a_zero_byte_ends_nothing(void)
{
    char buf[46];
    CHECK_STR(parsed_text(STR_NONE, buf), STR("refused"));
    CHECK_STR(parsed_text(str_from("1.2.3.4\0", 8), buf), STR("refused"));
    CHECK_STR(parsed_text(str_from("::1\0", 4), buf), STR("refused"));
}

// Texts from a small alphabet reach most of the grammar; the C library is the model.
static void agrees_with_inet_pton(void)
{
    static const char alphabet[] = "::::..0123fF";
    uint32_t state = 1;
    size_t n_accepted = 0;
    for (int round = 0; round < 200000; round++) {
        char s[24];
        size_t len = 0;
        state = state * 1664525u + 1013904223u;
        size_t wanted = 2 + (state >> 16) % 18;
        while (len < wanted) {
            state = state * 1664525u + 1013904223u;
            s[len++] = alphabet[(state >> 16) % (sizeof alphabet - 1)];
        }
        s[len] = '\0';
        struct ip ip;
        bool is_ours = ip_parse(str_from(s, len), &ip) == ERR_OK;
        uint8_t bytes[16] = {0};
        bool is_theirs = inet_pton(strchr(s, ':') ? AF_INET6 : AF_INET, s, bytes) == 1;
        CHECK(is_ours == is_theirs);
        if (is_ours && ip.family == (strchr(s, ':') ? 6 : 4))
            CHECK(memcmp(ip.bytes, bytes, sizeof bytes) == 0);
        n_accepted += is_ours;
        if (test_failed) {
            printf("# for '%s'\n", s);
            return;
        }
    }
    CHECK(n_accepted > 1000);
}

static void text_agrees_with_inet_ntop_where_it_follows_the_rfc(void)
{
    uint32_t state = 7;
    for (int round = 0; round < 20000; round++) {
        struct ip ip = {.family = 6, .bytes = {0x20, 0x01}};
        for (size_t i = 2; i < 16; i++) {
            state = state * 1664525u + 1013904223u;
            ip.bytes[i] = (uint8_t)((state >> 16) % 3 == 0 ? state >> 24 : 0);
        }
        char wanted[INET6_ADDRSTRLEN], buf[46];
        inet_ntop(AF_INET6, ip.bytes, wanted, sizeof wanted);
        CHECK_STR(ip_text(&ip, buf), str_of(wanted));
    }
}

static void text_of_the_longest_address_fits(void)
{
    char buf[46];
    struct ip mapped = {.family = 6, .bytes = {[10] = 0xff, 0xff, 255, 255, 255, 255}};
    CHECK_STR(ip_text(&mapped, buf), STR("::ffff:255.255.255.255"));
    struct ip none = {.family = 0};
    CHECK_STR(ip_text(&none, buf), STR(""));
}

static void networks_contain_what_shares_their_prefix(void)
{
    static const struct {
        struct str net, ip;
        bool wanted;
    } cases[] = {
        {STR_INIT("10.0.0.0/8"), STR_INIT("10.255.255.255"), true},
        {STR_INIT("10.0.0.0/8"), STR_INIT("11.0.0.0"), false},
        {STR_INIT("10.0.0.0/8"), STR_INIT("::ffff:10.1.2.3"), true},
        {STR_INIT("10.0.0.0/8"), STR_INIT("a00::"), false},
        {STR_INIT("192.168.4.0/22"), STR_INIT("192.168.7.255"), true},
        {STR_INIT("192.168.4.0/22"), STR_INIT("192.168.8.0"), false},
        {STR_INIT("0.0.0.0/0"), STR_INIT("203.0.113.9"), true},
        {STR_INIT("0.0.0.0/0"), STR_INIT("::"), false},
        {STR_INIT("::/0"), STR_INIT("203.0.113.9"), false},
        {STR_INIT("::/0"), STR_INIT("2001:db8::1"), true},
        {STR_INIT("192.0.2.1"), STR_INIT("192.0.2.1"), true},
        {STR_INIT("192.0.2.1"), STR_INIT("192.0.2.0"), false},
        {STR_INIT("2001:db8::/33"), STR_INIT("2001:db8:7fff::1"), true},
        {STR_INIT("2001:db8::/33"), STR_INIT("2001:db8:8000::"), false},
        {STR_INIT("::1/128"), STR_INIT("::1"), true},
        {STR_INIT("::1/128"), STR_INIT("::2"), false},
        {STR_INIT("::ffff:10.0.0.0/104"), STR_INIT("10.9.9.9"), true},
        {STR_INIT("::ffff:10.0.0.0/104"), STR_INIT("11.9.9.9"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip_net net;
        struct ip ip;
        CHECK_INT(ip_net_parse(cases[i].net, &net), ERR_OK);
        CHECK_INT(ip_parse(cases[i].ip, &ip), ERR_OK);
        CHECK(ip_net_contains(&net, &ip) == cases[i].wanted);
    }
}

static void bad_networks_are_refused_with_the_reason(void)
{
    static const struct {
        const char *in;
        enum err wanted;
    } cases[] = {
        {"10.0.0.1/8", ERR_RANGE},
        {"192.168.5.0/22", ERR_RANGE},
        {"2001:db8::1/64", ERR_RANGE},
        {"1.2.3.4/0", ERR_RANGE},
        {"10.0.0.0/33", ERR_RANGE},
        {"::/129", ERR_RANGE},
        {"::ffff:10.0.0.0/8", ERR_RANGE},
        {"::ffff:10.0.0.0/95", ERR_RANGE},
        {"10.0.0.0/", ERR_SYNTAX},
        {"10.0.0.0/08", ERR_SYNTAX},
        {"10.0.0.0/-1", ERR_SYNTAX},
        {"10.0.0.0/8/8", ERR_SYNTAX},
        {"10/8", ERR_SYNTAX},
        {"/8", ERR_SYNTAX},
        {"", ERR_SYNTAX},
        {"10.0.0.0 /8", ERR_SYNTAX},
        {"10.0.0.0/99999999999999999999", ERR_RANGE},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ip_net net = {.bits = 77};
        CHECK_INT(ip_net_parse(str_of(cases[i].in), &net), cases[i].wanted);
        CHECK_INT(net.bits, 77);
    }
}

TEST_MAIN(TEST(addresses_print_as_rfc_5952_says), TEST(malformed_addresses_are_refused),
          TEST(a_zero_byte_ends_nothing), TEST(agrees_with_inet_pton),
          TEST(text_agrees_with_inet_ntop_where_it_follows_the_rfc),
          TEST(text_of_the_longest_address_fits), TEST(networks_contain_what_shares_their_prefix),
          TEST(bad_networks_are_refused_with_the_reason))
