// SPDX-License-Identifier: Apache-2.0
#include "codec/ip_set.h"

#include "base/attr.h"
#include "unit/test.h"

static struct ip_set set_of(struct str list, struct arena *mem)
{
    struct ip_list all = {.n = 0};
    struct ip_set set = {.v4.n = 0};
    unsigned line;
    const char *why;
    CHECK_INT(ip_list_parse(list, mem, &all, &line, &why), ERR_OK);
    CHECK_INT(ip_set_build(all.nets, all.n, mem, &set), ERR_OK);
    return set;
}

static struct ip ip_of(struct str text)
{
    struct ip ip = {.family = 0};
    CHECK_INT(ip_parse(text, &ip), ERR_OK);
    return ip;
}

static void a_set_has_what_its_networks_have(void)
{
    static const struct {
        struct str list, ip;
        bool wanted;
    } cases[] = {
        {STR_INIT(""), STR_INIT("192.0.2.1"), false},
        {STR_INIT("192.0.2.1"), STR_INIT("192.0.2.1"), true},
        {STR_INIT("192.0.2.1"), STR_INIT("192.0.2.2"), false},
        {STR_INIT("192.0.2.1"), STR_INIT("192.0.2.0"), false},
        {STR_INIT("192.0.2.0/24"), STR_INIT("192.0.2.255"), true},
        {STR_INIT("192.0.2.0/24"), STR_INIT("192.0.3.0"), false},
        {STR_INIT("192.0.2.0/24"), STR_INIT("192.0.1.255"), false},
        {STR_INIT("0.0.0.0/0"), STR_INIT("255.255.255.255"), true},
        {STR_INIT("255.255.255.255"), STR_INIT("255.255.255.255"), true},
        // one family says nothing about the other
        {STR_INIT("0.0.0.0/0"), STR_INIT("::"), false},
        {STR_INIT("::/0"), STR_INIT("0.0.0.0"), false},
        {STR_INIT("::/0"), STR_INIT("ffff::"), true},
        {STR_INIT("c000:200::/24"), STR_INIT("192.0.2.0"), false},
        {STR_INIT("2001:db8::/32"), STR_INIT("2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"), true},
        {STR_INIT("2001:db8::/32"), STR_INIT("2001:db9::"), false},
        {STR_INIT("2001:db8::/64"), STR_INIT("2001:db8::ffff:ffff:ffff:ffff"), true},
        {STR_INIT("2001:db8::/64"), STR_INIT("2001:db8:0:1::"), false},
        {STR_INIT("2001:db8::/65"), STR_INIT("2001:db8::7fff:ffff:ffff:ffff"), true},
        {STR_INIT("2001:db8::/65"), STR_INIT("2001:db8::8000:0:0:0"), false},
        {STR_INIT("2001:db8::/63"), STR_INIT("2001:db8:0:1:ffff::"), true},
        {STR_INIT("2001:db8::1"), STR_INIT("2001:db8::1"), true},
        {STR_INIT("2001:db8::1"), STR_INIT("2001:db8::"), false},
        // overlaps, repeats, neighbours, any order
        {STR_INIT("10.1.0.0/16\n10.0.0.0/8\n10.1.2.3"), STR_INIT("10.200.0.1"), true},
        {STR_INIT("10.0.0.0/8\n10.1.0.0/16"), STR_INIT("10.255.255.255"), true},
        {STR_INIT("10.0.1.0/24\n10.0.0.0/24"), STR_INIT("10.0.1.0"), true},
        {STR_INIT("10.0.2.0/24\n10.0.0.0/24"), STR_INIT("10.0.1.7"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        arena_init(&mem, 1 << 20, NULL, 0);
        struct ip_set set = set_of(cases[i].list, &mem);
        struct ip ip = ip_of(cases[i].ip);
        CHECK_INT(ip_set_contains(&set, &ip), cases[i].wanted);
        arena_fini(&mem);
    }
}

static void networks_that_overlap_or_touch_become_one_range(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct ip_set set = set_of(STR("10.0.1.0/24\n10.0.0.0/24\n10.0.0.7\n10.0.3.0/24\n"
                                   "2001:db8::/64\n2001:db8:0:1::/64\n2001:db8:0:3::/64\n"),
                               &mem);
    CHECK_INT(set.v4.n, 2);
    CHECK_INT(set.v6.n, 2);
    arena_fini(&mem);
}

// Against the plain way: networks one by one.
static void a_set_agrees_with_its_networks(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct ip_net nets[200];
    uint32_t random = 1;
    for (size_t i = 0; i < ARRAY_LEN(nets); i++) {
        random = random * 1664525 + 1013904223;
        uint8_t bits = (uint8_t)(8 + (random >> 16) % 25);
        uint32_t ip = (random ^ random << 13) & (UINT32_MAX << (32 - bits)) & 0x0fffffff;
        nets[i] = (struct ip_net){.ip = {.family = 4}, .bits = bits};
        for (size_t b = 0; b < 4; b++)
            nets[i].ip.bytes[b] = (uint8_t)(ip >> (24 - 8 * b));
    }
    struct ip_set set;
    CHECK_INT(ip_set_build(nets, ARRAY_LEN(nets), &mem, &set), ERR_OK);
    for (unsigned i = 0; i < 20000; i++) {
        random = random * 1664525 + 1013904223;
        struct ip ip = {.family = 4};
        for (size_t b = 0; b < 4; b++)
            ip.bytes[b] = (uint8_t)((random & 0x1fffffff) >> (24 - 8 * b));
        bool is_in = false;
        for (size_t n = 0; n < ARRAY_LEN(nets); n++)
            is_in = is_in || ip_net_contains(&nets[n], &ip);
        CHECK_INT(ip_set_contains(&set, &ip), is_in);
    }
    arena_fini(&mem);
}

static void a_list_has_comments_and_empty_lines(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 20, NULL, 0);
    struct ip_list list = {.n = 0};
    unsigned line;
    const char *why;
    struct str text = STR("# office\r\n\r\n 192.0.2.1 \r\n2001:db8::/32 ; SBL1\n10.0.0.0/8#x\n\n");
    CHECK_INT(ip_list_parse(text, &mem, &list, &line, &why), ERR_OK);
    CHECK_INT(list.n, 3);
    CHECK_INT(list.nets[2].bits, 8);
    CHECK_INT(ip_list_parse(STR("::1"), &mem, &list, &line, &why), ERR_OK);
    CHECK_INT(list.n, 4);
    arena_fini(&mem);
}

static void a_wrong_line_is_named(void)
{
    static const struct {
        struct str text;
        unsigned line;
    } cases[] = {
        {STR_INIT("example.com"), 1},
        {STR_INIT("192.0.2.1\n\n192.0.2.0/33"), 3},
        {STR_INIT("192.0.2.1/24\n"), 1},
        {STR_INIT("# x\n192.0.2.1 192.0.2.2\n"), 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        arena_init(&mem, 1 << 20, NULL, 0);
        struct ip_list list = {.n = 0};
        unsigned line = 0;
        const char *why = NULL;
        CHECK_INT(ip_list_parse(cases[i].text, &mem, &list, &line, &why), ERR_SYNTAX);
        CHECK_INT(line, cases[i].line);
        CHECK(why != NULL);
        arena_fini(&mem);
    }
}

static void a_full_arena_is_an_error(void)
{
    struct arena mem;
    arena_init(&mem, 16, NULL, 0);
    struct ip_list list = {.n = 0};
    unsigned line;
    const char *why;
    CHECK_INT(ip_list_parse(STR("192.0.2.1"), &mem, &list, &line, &why), ERR_LIMIT);
    struct ip_net net = {.ip = {.family = 4}, .bits = 32};
    struct ip_set set;
    CHECK_INT(ip_set_build(&net, 1, &mem, &set), ERR_LIMIT);
    arena_fini(&mem);
}

TEST_MAIN(TEST(a_set_has_what_its_networks_have),
          TEST(networks_that_overlap_or_touch_become_one_range),
          TEST(a_set_agrees_with_its_networks), TEST(a_list_has_comments_and_empty_lines),
          TEST(a_wrong_line_is_named), TEST(a_full_arena_is_an_error))
