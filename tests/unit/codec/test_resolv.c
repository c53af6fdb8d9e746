// SPDX-License-Identifier: Apache-2.0
#include "codec/resolv.h"

#include "unit/test.h"

// What was understood, as one text.
static const char *read_all(const char *text)
{
    static char all[1024];
    struct resolv r = resolv_parse(str_of(text));
    size_t len = 0;
    for (size_t i = 0; i < r.n_servers; i++) {
        char buf[46];
        struct str ip = ip_text(&r.servers[i], buf);
        len += (size_t)snprintf(all + len, sizeof all - len, STR_FMT " ", STR_ARG(ip));
    }
    for (size_t i = 0; i < r.n_search; i++)
        len += (size_t)snprintf(all + len, sizeof all - len, STR_FMT " ", STR_ARG(r.search[i]));
    snprintf(all + len, sizeof all - len, "%u %u%s", r.ndots, r.attempts, r.rotate ? " r" : "");
    return all;
}

static void what_counts_is_understood_and_the_rest_ignored(void)
{
    static const struct {
        const char *text, *wanted;
    } cases[] = {
        {"", "1 0"},
        {"nameserver 192.0.2.1\n", "192.0.2.1 1 0"},
        {"nameserver\t192.0.2.1 \r\nnameserver 2001:db8::1", "192.0.2.1 2001:db8::1 1 0"},
        {"# nameserver 192.0.2.1\n; nameserver 192.0.2.2\n", "1 0"},
        {"nameserver 192.0.2.1 # the first\n", "192.0.2.1 1 0"},
        {"nameserver fe80::1%eth0\nnameserver nonsense\nnameserver\n", "1 0"},
        {"search a.example b.example\n", "a.example b.example 1 0"},
        {"search a.example\nsearch b.example\n", "b.example 1 0"},
        {"search a.example\ndomain b.example c.example\n", "b.example 1 0"},
        {"domain a.example\nsearch b.example c.example\n", "b.example c.example 1 0"},
        {"search .\n", "1 0"},
        {"options ndots:2 attempts:4 rotate timeout:9 edns0\n", "2 4 r"},
        {"options ndots:0\noptions attempts:1\n", "0 1"},
        {"options ndots:99 attempts:99\n", "15 5"},
        {"options ndots:x ndots: ndots:-1 attempts:99999999999\n", "1 0"},
        {"nameservers 192.0.2.1\nNAMESERVER 192.0.2.1\n", "1 0"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(str_of(read_all(cases[i].text)), str_of(cases[i].wanted));
}

static void more_than_fit_are_cut(void)
{
    static char text[8192];
    size_t len = 0;
    for (unsigned i = 0; i < 40; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "nameserver 192.0.2.%u\n", i);
    len += (size_t)snprintf(text + len, sizeof text - len, "search");
    for (unsigned i = 0; i < 40; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, " d%u.example", i);
    struct resolv r = resolv_parse(str_from(text, len));
    CHECK_INT(r.n_servers, RESOLV_SERVERS_MAX);
    CHECK_INT(r.n_search, RESOLV_SEARCH_MAX);
}

TEST_MAIN(TEST(what_counts_is_understood_and_the_rest_ignored), TEST(more_than_fit_are_cut))
