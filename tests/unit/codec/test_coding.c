// SPDX-License-Identifier: Apache-2.0
#include "codec/coding.h"

#include "base/attr.h"
#include "unit/test.h"

static const enum coding ours[] = {CODING_ZSTD, CODING_BR, CODING_GZIP};

static enum coding choose(const char *const *values, size_t n)
{
    struct coding_accept a;
    coding_accept_init(&a);
    for (size_t i = 0; i < n; i++)
        CHECK(coding_accept_add(&a, str_of(values[i])));
    coding_accept_end(&a);
    return coding_choose(&a, ours, ARRAY_LEN(ours));
}

static void the_heaviest_is_chosen_and_of_equals_the_first_of_ours(void)
{
    static const struct {
        const char *value;
        enum coding wanted;
    } cases[] = {
        {"gzip", CODING_GZIP},
        {"x-gzip", CODING_GZIP},
        {"GZip", CODING_GZIP},
        {"gzip, deflate, br, zstd", CODING_ZSTD},
        {"gzip, deflate, br", CODING_BR},
        {"gzip;q=1.0, br;q=0.9, zstd;q=0.8", CODING_GZIP},
        {"gzip;q=0.001, br;q=0", CODING_GZIP},
        {"gzip ; q=0.5 , br ; q=0.5", CODING_BR},
        {"gzip;Q=0.5", CODING_GZIP},
        {"*", CODING_ZSTD},
        {"*;q=0.1, zstd;q=0", CODING_BR},
        {"gzip, *;q=0", CODING_GZIP},
        {"gzip;q=0, *;q=0", CODING_IDENTITY},
        {"", CODING_IDENTITY},
        {"identity", CODING_IDENTITY},
        {"deflate", CODING_IDENTITY},
        {"compress, exi", CODING_IDENTITY},
        {"gzip;q=0", CODING_IDENTITY},
        {"gzip;q=0.000", CODING_IDENTITY},
        {"gzip;q=0.5, identity", CODING_IDENTITY},
        {"gzip;q=0.5, identity;q=0.5", CODING_GZIP},
        {"gzip;q=0.5, identity;q=0.6", CODING_IDENTITY},
        {"identity;q=0, br;q=0.1", CODING_BR},
        {"gzip;q=1, gzip;q=0", CODING_IDENTITY}, // the least counts
        {"gzip;q=0, gzip", CODING_IDENTITY},
        {",, gzip ,,", CODING_GZIP},
        {"gzip;q=1.", CODING_GZIP},
        {"gzip;q=0.", CODING_IDENTITY},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum coding got = choose(&cases[i].value, 1);
        if (got != cases[i].wanted)
            printf("# '%s'\n", cases[i].value);
        CHECK_INT(got, cases[i].wanted);
    }
}

static void several_fields_are_one_list(void)
{
    CHECK_INT(choose((const char *const[]){"gzip;q=0.2", "br;q=0.1"}, 2), CODING_GZIP);
    CHECK_INT(choose((const char *const[]){"gzip", "gzip;q=0"}, 2), CODING_IDENTITY);
    CHECK_INT(choose(NULL, 0), CODING_IDENTITY);
}

static void malformed_values_count_as_nothing(void)
{
    static const char *const cases[] = {
        "gzip;q=2",   "gzip;q=1.1",     "gzip;q=0.1234", "gzip;q=-1", "gzip;q=",
        "gzip;q",     "gzip;q=.5",      "gzip;q=0,5;q",  "gzip;x=1",  "gzip;q=0.5;q=1",
        "gz ip",      "gzip q=0.5",     ";q=1",          "gzip;",     "\"gzip\"",
        "gzip;q =.1", "gzip;q=\"0.5\"", "gzip;q=01",     "gzip;q=1a", "br, gzip;q=1.001",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct coding_accept a;
        coding_accept_init(&a);
        bool is_fine = coding_accept_add(&a, str_of(cases[i]));
        if (is_fine)
            printf("# '%s' was accepted\n", cases[i]);
        CHECK(!is_fine);
        coding_accept_end(&a);
        CHECK_INT(coding_choose(&a, ours, ARRAY_LEN(ours)), CODING_IDENTITY);
    }
}

static void lists_are_bounded(void)
{
    char long_list[3 * (CODING_ITEMS_MAX + 1) + 1];
    for (size_t i = 0; i <= CODING_ITEMS_MAX; i++)
        memcpy(long_list + 3 * i, "br,", 4);
    struct coding_accept a;
    coding_accept_init(&a);
    CHECK(!coding_accept_add(&a, str_of(long_list)));
    CHECK(coding_accept_add(&a, str_first(str_of(long_list), 3 * CODING_ITEMS_MAX)));
    CHECK(!coding_accept_add(&a, STR("gzip"))); // over all fields
    enum coding list[2];
    size_t n = 0;
    CHECK(!coding_parse_list(str_of(long_list), list, 2, &n));
}

static void identity_is_acceptable_unless_it_is_ruled_out(void)
{
    static const struct {
        const char *value;
        bool is_acceptable;
    } cases[] = {
        {"", true},
        {"gzip", true},
        {"identity;q=0", false},
        {"*;q=0", false},
        {"*;q=0, identity", true},
        {"gzip, *", true},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct coding_accept a;
        coding_accept_init(&a);
        CHECK(coding_accept_add(&a, str_of(cases[i].value)));
        coding_accept_end(&a);
        CHECK_INT(a.weights[CODING_IDENTITY] > 0, cases[i].is_acceptable);
    }
}

static void the_codings_of_a_body_are_listed_in_their_order(void)
{
    enum coding list[2];
    size_t n = 9;
    CHECK(coding_parse_list(STR("gzip, br"), list, 2, &n));
    CHECK_INT(n, 2);
    CHECK_INT(list[0], CODING_GZIP);
    CHECK_INT(list[1], CODING_BR);
    CHECK(coding_parse_list(STR("identity"), list, 2, &n));
    CHECK_INT(n, 0);
    CHECK(coding_parse_list(STR(", X-GZIP ,"), list, 2, &n));
    CHECK_INT(n, 1);
    CHECK(!coding_parse_list(STR("gzip, gzip, gzip"), list, 2, &n));
    CHECK(!coding_parse_list(STR("compress"), list, 2, &n));
    CHECK(!coding_parse_list(STR("gzip;q=1"), list, 2, &n));
    CHECK_INT(n, 1); // untouched
}

static void each_coding_is_found_by_its_name(void)
{
    for (unsigned i = 0; i < CODING_COUNT; i++) {
        enum coding c;
        CHECK(coding_find(coding_name((enum coding)i), &c));
        CHECK_INT(c, i);
    }
    enum coding c;
    CHECK(!coding_find(STR("gzi"), &c));
    CHECK(!coding_find(STR(""), &c));
}

TEST_MAIN(TEST(the_heaviest_is_chosen_and_of_equals_the_first_of_ours),
          TEST(several_fields_are_one_list), TEST(malformed_values_count_as_nothing),
          TEST(lists_are_bounded), TEST(identity_is_acceptable_unless_it_is_ruled_out),
          TEST(the_codings_of_a_body_are_listed_in_their_order),
          TEST(each_coding_is_found_by_its_name))
