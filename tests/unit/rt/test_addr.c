// SPDX-License-Identifier: Apache-2.0
#include "rt/addr.h"

#include "base/attr.h"
#include "unit/test.h"

static char text[128];

static void ip_addresses_keep_their_value_and_have_a_text(void)
{
    static const struct {
        struct str ip;
        uint16_t port;
        struct str text;
    } cases[] = {
        {STR_INIT("127.0.0.1"), 80, STR_INIT("127.0.0.1:80")},
        {STR_INIT("255.255.255.255"), 65535, STR_INIT("255.255.255.255:65535")},
        {STR_INIT("::1"), 443, STR_INIT("[::1]:443")},
        {STR_INIT("2001:db8::1:2"), 1, STR_INIT("[2001:db8::1:2]:1")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rt_addr a;
        struct ip ip, back;
        uint16_t port;
        CHECK_INT(ip_parse(cases[i].ip, &ip), ERR_OK);
        addr_from_ip(&ip, cases[i].port, &a);
        CHECK(addr_to_ip(&a, &back, &port));
        CHECK(ip_eq(&ip, &back));
        CHECK_INT(port, cases[i].port);
        CHECK_STR(addr_text(&a, text, sizeof text), cases[i].text);
    }
}

static void mapped_address_becomes_ipv4(void)
{
    struct rt_addr a = {.len = sizeof a.u.in6};
    struct ip ip;
    uint16_t port;
    a.u.in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(8080)};
    memcpy(&a.u.in6.sin6_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\x01\x02\x03", 16);
    CHECK(addr_to_ip(&a, &ip, &port));
    CHECK_INT(ip.family, 4);
    CHECK_STR(addr_text(&a, text, sizeof text), STR("10.1.2.3:8080"));
}

static void paths_and_abstract_names_have_a_text(void)
{
    static const struct {
        struct str path, text;
        size_t len;
    } cases[] = {
        {STR_INIT("/run/a.sock"), STR_INIT("unix:/run/a.sock"), 14},
        {STR_INIT("@name"), STR_INIT("unix:@name"), 7},
        {STR_INIT("@a\0b"), STR_INIT("unix:@a\0b"), 6},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rt_addr a;
        struct ip ip;
        uint16_t port;
        CHECK(addr_from_path(cases[i].path, &a));
        CHECK_INT(a.len, cases[i].len);
        CHECK(!addr_to_ip(&a, &ip, &port));
        CHECK_STR(addr_text(&a, text, sizeof text), cases[i].text);
    }
}

static void unnamed_peer_has_an_empty_path(void)
{
    struct rt_addr a = {.len = sizeof(sa_family_t), .u.any.sa_family = AF_UNIX};
    CHECK_STR(addr_text(&a, text, sizeof text), STR("unix:"));
}

static void path_of_107_bytes_fits_and_108_do_not(void)
{
    char path[108];
    struct rt_addr a;
    memset(path, 'x', sizeof path);
    CHECK(!addr_from_path(str_from(path, 108), &a));
    CHECK(addr_from_path(str_from(path, 107), &a));
    CHECK_INT(addr_text(&a, text, sizeof text).len, 112);
    CHECK(!addr_from_path(STR(""), &a));
    CHECK(!addr_from_path(STR("/a\0b"), &a));
}

TEST_MAIN(TEST(ip_addresses_keep_their_value_and_have_a_text), TEST(mapped_address_becomes_ipv4),
          TEST(paths_and_abstract_names_have_a_text), TEST(unnamed_peer_has_an_empty_path),
          TEST(path_of_107_bytes_fits_and_108_do_not))
