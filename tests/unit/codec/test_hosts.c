// SPDX-License-Identifier: Apache-2.0
#include "codec/hosts.h"

#include "unit/test.h"

// The addresses of name in text, comma between them.
static const char *find(const char *text, const char *name)
{
    static char list[512];
    struct arena mem;
    struct hosts h = {.n = 0};
    arena_init(&mem, 1 << 20, NULL, 0);
    list[0] = '\0';
    if (hosts_parse(str_of(text), &mem, &h) != ERR_OK)
        return "failed";
    struct ip ips[4];
    size_t n = hosts_find(&h, str_of(name), ips, 4), len = 0;
    for (size_t i = 0; i < n; i++) {
        char buf[46];
        struct str ip = ip_text(&ips[i], buf);
        len += (size_t)snprintf(list + len, sizeof list - len, "%s" STR_FMT, i > 0 ? "," : "",
                                STR_ARG(ip));
    }
    arena_fini(&mem);
    return list;
}

static void lines_give_addresses_to_all_their_names(void)
{
    static const struct {
        const char *text, *name, *wanted;
    } cases[] = {
        {"10.0.0.1 app", "app", "10.0.0.1"},
        {"10.0.0.1 app\n", "APP", "10.0.0.1"},
        {"10.0.0.1 App app.example\r\n", "app", "10.0.0.1"},
        {"10.0.0.1\tapp\talias # and more\n", "alias", "10.0.0.1"},
        {"10.0.0.1 app # and more\n", "and", ""},
        {"# 10.0.0.1 app\n", "app", ""},
        {"  10.0.0.1 app\n", "app", "10.0.0.1"},
        {"10.0.0.1 app\n10.0.0.2 app\n::3 app\n", "app", "10.0.0.1,10.0.0.2,::3"},
        {"10.0.0.1 a b\n10.0.0.2 b a\n", "b", "10.0.0.1,10.0.0.2"},
        {"1 app\n10.0.0 app\nfe80::1%eth0 app\n10.0.0.9 app\n", "app", "10.0.0.9"},
        {"10.0.0.1\n10.0.0.2 app", "app", "10.0.0.2"},
        {"10.0.0.1 app", "ap", ""},
        {"10.0.0.1 app", "appl", ""},
        {"10.0.0.1 app", "", ""},
        {"", "app", ""},
        {"\n\n#\n \n", "app", ""},
        {"1.1.1.1 a\n1.1.1.2 a\n1.1.1.3 a\n1.1.1.4 a\n1.1.1.5 a\n", "a",
         "1.1.1.1,1.1.1.2,1.1.1.3,1.1.1.4"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(str_of(find(cases[i].text, cases[i].name)), str_of(cases[i].wanted));
}

static void each_of_many_names_is_found(void)
{
    static char text[HOSTS_TEXT_MAX_BYTES];
    size_t len = 0;
    unsigned n = 0;
    while (len < 200000)
        len += (size_t)snprintf(text + len, 64, "10.0.%u.%u host-%u\n", n / 256, n % 256, n), n++;
    struct arena mem;
    struct hosts h;
    arena_init(&mem, 16 << 20, NULL, 0);
    CHECK_INT(hosts_parse(str_from(text, len), &mem, &h), ERR_OK);
    CHECK_INT(h.n, n);
    for (unsigned i = 0; i < n; i++) {
        char name[32];
        struct ip ip;
        snprintf(name, sizeof name, "HOST-%u", i);
        CHECK(hosts_find(&h, str_of(name), &ip, 1) == 1 && ip.bytes[3] == i % 256);
    }
    arena_fini(&mem);
}

static void limits_of_text_and_memory_are_kept(void)
{
    static char text[HOSTS_TEXT_MAX_BYTES + 1];
    struct arena mem;
    struct hosts h;
    memset(text, '\n', sizeof text);
    arena_init(&mem, 1 << 20, NULL, 0);
    CHECK_INT(hosts_parse(str_from(text, sizeof text), &mem, &h), ERR_LIMIT);
    CHECK_INT(hosts_parse(str_from(text, sizeof text - 1), &mem, &h), ERR_OK);
    arena_fini(&mem);
    for (size_t limit = 0; limit < 64; limit++) {
        arena_init(&mem, limit, NULL, 0);
        CHECK_INT(hosts_parse(STR("10.0.0.1 a b c\n"), &mem, &h), ERR_LIMIT);
        arena_fini(&mem);
    }
}

static void a_zeroed_table_finds_nothing(void)
{
    struct hosts h = {.n = 0};
    struct ip ip;
    CHECK_INT(hosts_find(&h, STR("a"), &ip, 1), 0);
}

TEST_MAIN(TEST(lines_give_addresses_to_all_their_names), TEST(each_of_many_names_is_found),
          TEST(limits_of_text_and_memory_are_kept), TEST(a_zeroed_table_finds_nothing))
