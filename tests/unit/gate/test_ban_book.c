// SPDX-License-Identifier: Apache-2.0
#include "gate/ban_book.h"

#include <string.h>

#include "unit/test.h"

static struct ip_net net_of(const char *text)
{
    struct ip_net net;
    if (ip_net_parse(str_of(text), &net) != ERR_OK)
        abort();
    return net;
}

static struct ban ban_of(const char *net, int64_t until_s, int64_t keep_s)
{
    return (struct ban){.net = net_of(net),
                        .until_s = until_s,
                        .keep_s = keep_s,
                        .times = 1,
                        .by_bytes = 1,
                        .by = "r"};
}

static void put(struct ban_book *b, const char *net, int64_t until_s, int64_t keep_s)
{
    struct ban ban = ban_of(net, until_s, keep_s);
    CHECK(ban_is_sound(&ban));
    ban_book_put(b, &ban);
}

static bool holds(const struct ban_book *b, const char *ip, int64_t now_s)
{
    struct ip_net net = net_of(ip);
    return ban_book_holds(b, &net.ip, now_s) != NULL;
}

static void a_ban_holds_for_its_network_and_its_time(void)
{
    struct ban_book b;
    ban_book_init(&b, 100);
    CHECK(!holds(&b, "192.0.2.1", 0));
    put(&b, "192.0.2.1", 10, 20);
    put(&b, "198.51.100.0/24", 10, 10);
    put(&b, "2001:db8:1::/64", 10, 10);
    static const struct {
        const char *ip;
        int64_t now_s;
        bool wanted;
    } cases[] = {
        {"192.0.2.1", 9, true},        {"192.0.2.1", 10, false},     {"192.0.2.2", 9, false},
        {"198.51.100.200", 9, true},   {"198.51.101.1", 9, false},   {"2001:db8:1::7", 9, true},
        {"2001:db8:1:0:1::", 9, true}, {"2001:db8:1:1::", 9, false}, {"::1", 9, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(holds(&b, cases[i].ip, cases[i].now_s), cases[i].wanted);
    ban_book_fini(&b);
}

static void a_wide_ban_that_is_over_hides_no_narrow_one(void)
{
    struct ban_book b;
    ban_book_init(&b, 100);
    put(&b, "192.0.2.1", 5, 20);
    put(&b, "192.0.2.0/24", 10, 20);
    CHECK(holds(&b, "192.0.2.1", 7));
    CHECK(!holds(&b, "192.0.2.1", 10));
    ban_book_fini(&b);
}

static void what_is_over_is_known_until_it_is_forgotten(void)
{
    struct ban_book b;
    ban_book_init(&b, 100);
    put(&b, "192.0.2.1", 10, 20);
    struct ip_net net = net_of("192.0.2.1");
    ban_book_forget(&b, 19);
    CHECK(ban_book_find(&b, &net) != NULL);
    ban_book_forget(&b, 20);
    CHECK(ban_book_find(&b, &net) == NULL);
    CHECK_INT(b.n, 0);
    CHECK_INT(b.n_of_bits[0][32], 0);
    ban_book_fini(&b);
}

static void the_oldest_leave_when_it_is_full(void)
{
    struct ban_book b;
    ban_book_init(&b, 1000);
    char text[32];
    for (int i = 0; i < 1200; i++) {
        snprintf(text, sizeof text, "10.0.%d.%d", i / 256, i % 256);
        put(&b, text, 10, 10);
    }
    CHECK_INT(b.n, 1000);
    CHECK(!holds(&b, "10.0.0.199", 0));
    CHECK(holds(&b, "10.0.0.200", 0));
    CHECK(holds(&b, "10.0.4.175", 0));
    put(&b, "10.0.0.200", 20, 20); // it is the newest now
    ban_book_set_max(&b, 1);
    CHECK(holds(&b, "10.0.0.200", 15));
    CHECK_INT(b.n, 1);
    CHECK(!ban_book_remove(&b, &(struct ip_net){.ip = {.family = 4}, .bits = 8}));
    ban_book_fini(&b);
}

static void what_another_process_says_is_checked(void)
{
    struct ban good = ban_of("192.0.2.0/24", 10, 20);
    CHECK(ban_is_sound(&good));
    struct ban cases[8];
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        cases[i] = good;
    cases[0].net.ip.family = 5;
    cases[1].net.bits = 33;
    cases[2].net.ip.bytes[3] = 1;
    cases[3].by[0] = '\n';
    cases[4].by_bytes = BAN_BY_MAX_BYTES + 1;
    cases[5].keep_s = 9;
    cases[6].began_s = 11;
    cases[7].times = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK(!ban_is_sound(&cases[i]));
}

TEST_MAIN(TEST(a_ban_holds_for_its_network_and_its_time),
          TEST(a_wide_ban_that_is_over_hides_no_narrow_one),
          TEST(what_is_over_is_known_until_it_is_forgotten), TEST(the_oldest_leave_when_it_is_full),
          TEST(what_another_process_says_is_checked))
