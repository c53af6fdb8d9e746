// SPDX-License-Identifier: Apache-2.0
#include "codec/mmdb.h"

#include <stdlib.h>
#include <string.h>

#include "unit/codec/mmdb_image.h"
#include "unit/test.h"

static struct ip ip_of(const char *text)
{
    struct ip ip;
    if (ip_parse(str_of(text), &ip) != ERR_OK)
        abort();
    return ip;
}

static bool knows(const struct mmdb *db, const char *ip)
{
    struct mmdb_value v;
    struct ip parsed = ip_of(ip);
    return mmdb_find(db, &parsed, &v);
}

static void networks_are_found_with_records_of_each_size(void)
{
    static const struct {
        const char *net;
        uint32_t ip_version;
        const char *inside, *outside;
    } cases[] = {
        {"192.0.2.0/24", 4, "192.0.2.200", "192.0.3.0"},
        {"192.0.2.0/24", 6, "192.0.2.0", "191.255.255.255"},
        {"2001:db8::/32", 6, "2001:db8:ffff::1", "2001:db9::"},
        {"192.0.2.1/32", 6, "192.0.2.1", "192.0.2.2"},
        {"128.0.0.0/1", 4, "255.0.0.1", "127.0.0.1"},
    };
    static const unsigned sizes[] = {24, 28, 32};
    for (size_t i = 0; i < ARRAY_LEN(cases) * 3; i++) {
        struct mmdb_image m;
        struct mmdb db;
        const char *why = NULL;
        image_make(&m, cases[i / 3].net, sizes[i % 3], cases[i / 3].ip_version);
        CHECK_INT(mmdb_open(str_from(m.bytes, m.n), &db, &why), ERR_OK);
        CHECK_STR(db.type, STR("Test"));
        CHECK(knows(&db, cases[i / 3].inside));
        CHECK(!knows(&db, cases[i / 3].outside));
        CHECK(cases[i / 3].ip_version == 6 || !knows(&db, "2001:db8::1"));
    }
}

static void members_are_found_behind_others_and_through_pointers(void)
{
    struct mmdb_image m;
    struct mmdb db;
    struct mmdb_value all, b, c, code, none;
    struct str text = STR_NONE;
    uint64_t number;
    const char *why;
    struct ip ip = ip_of("192.0.2.1");
    image_make(&m, "192.0.2.0/24", 24, 4);
    CHECK_INT(mmdb_open(str_from(m.bytes, m.n), &db, &why), ERR_OK);
    CHECK(mmdb_find(&db, &ip, &all));
    CHECK(mmdb_member(&all, STR("b"), &b) && mmdb_text(&b, &text));
    CHECK_STR(text, STR("text"));
    CHECK(!mmdb_number(&b, &number) && !mmdb_member(&b, STR("x"), &none));
    CHECK(mmdb_member(&all, STR("c"), &c) && mmdb_member(&c, STR("iso_code"), &code));
    CHECK(mmdb_text(&code, &text));
    CHECK_STR(text, STR("DE"));
    CHECK(!mmdb_member(&all, STR("d"), &none));
    CHECK(!mmdb_text(&all, &text));
}

static void what_is_no_database_is_refused(void)
{
    struct mmdb_image m;
    struct mmdb db;
    const char *why = NULL;
    static const struct {
        uint32_t n_nodes, bits, ip_version;
    } bad[] = {{1, 20, 4}, {1, 24, 5}, {100000, 24, 4}, {UINT32_MAX, 32, 6}};
    CHECK(mmdb_open(STR("a text"), &db, &why) != ERR_OK);
    CHECK_STR(str_of(why), STR("it is no MaxMind database"));
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        m.n = 0;
        image_put_number(&m, 0, 4);
        image_put_metadata(&m, bad[i].n_nodes, bad[i].bits, bad[i].ip_version);
        CHECK(mmdb_open(str_from(m.bytes, m.n), &db, &why) != ERR_OK);
    }
}

static void one_that_is_cut_anywhere_is_refused_or_ends(void)
{
    struct mmdb_image m;
    image_make(&m, "192.0.2.0/24", 24, 6);
    for (size_t n = 0; n < m.n; n++) {
        struct mmdb db;
        const char *why;
        char *copy = malloc(n + 1);
        if (!copy)
            abort();
        memcpy(copy, m.bytes, n);
        if (mmdb_open(str_from(copy, n), &db, &why) == ERR_OK)
            (void)knows(&db, "192.0.2.1");
        free(copy);
    }
}

TEST_MAIN(TEST(networks_are_found_with_records_of_each_size),
          TEST(members_are_found_behind_others_and_through_pointers),
          TEST(what_is_no_database_is_refused), TEST(one_that_is_cut_anywhere_is_refused_or_ends))
