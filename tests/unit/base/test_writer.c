// SPDX-License-Identifier: Apache-2.0
#include "base/writer.h"

#include "unit/test.h"

static void pieces_follow_one_another(void)
{
    char buf[80];
    struct writer w;
    writer_init(&w, buf, sizeof buf);
    writer_put(&w, STR("a"));
    writer_put(&w, STR_NONE);
    writer_byte(&w, '-');
    writer_dec(&w, 0);
    writer_byte(&w, ' ');
    writer_dec(&w, UINT64_MAX);
    writer_byte(&w, ' ');
    writer_hex(&w, 0);
    writer_byte(&w, ' ');
    writer_hex(&w, 0xfedcba9876543210u);
    writer_printf(&w, " %s=%d", "x", -1);
    CHECK_STR(writer_str(&w), STR("a-0 18446744073709551615 0 fedcba9876543210 x=-1"));
    CHECK(!w.overflowed);
}

static void numbers_of_every_length_have_their_digits(void)
{
    uint64_t power = 1;
    for (int i = 0; i < 20; i++, power *= 10) {
        for (uint64_t value = power - 1; value <= power + 1; value++) {
            char buf[24], wanted[24];
            struct writer w;
            writer_init(&w, buf, sizeof buf);
            writer_dec(&w, value);
            snprintf(wanted, sizeof wanted, "%llu", (unsigned long long)value);
            CHECK_STR(writer_str(&w), str_of(wanted));
        }
    }
}

static void what_fits_exactly_is_no_overflow(void)
{
    char buf[4];
    struct writer w;
    writer_init(&w, buf, sizeof buf);
    writer_put(&w, STR("abc"));
    writer_byte(&w, 'd');
    CHECK(!w.overflowed);
    writer_put(&w, STR_NONE);
    CHECK(!w.overflowed);
    CHECK_STR(writer_str(&w), STR("abcd"));
}

static void what_does_not_fit_is_dropped_whole_and_remembered(void)
{
    char buf[4] = {0};
    struct writer w;
    writer_init(&w, buf, sizeof buf);
    writer_put(&w, STR("abc"));
    writer_put(&w, STR("de"));
    CHECK(w.overflowed);
    CHECK_STR(writer_str(&w), STR("abc"));
    writer_byte(&w, 'd');
    writer_byte(&w, 'e');
    writer_dec(&w, 10);
    writer_hex(&w, 10);
    writer_printf(&w, "%d", 1);
    CHECK(w.overflowed);
    CHECK_STR(writer_str(&w), STR("abcd"));
}

static void no_room_at_all_is_allowed(void)
{
    struct writer w;
    writer_init(&w, NULL, 0);
    writer_put(&w, STR_NONE);
    CHECK(!w.overflowed);
    writer_byte(&w, 'a');
    CHECK(w.overflowed);
}

static void a_formatted_piece_has_a_limit_of_its_own(void)
{
    static char buf[4096], longest[1025];
    memset(longest, 'x', sizeof longest - 1);
    struct writer w;
    writer_init(&w, buf, sizeof buf);
    writer_printf(&w, "%.1023s", longest);
    CHECK_INT(w.len, 1023);
    CHECK(!w.overflowed);
    writer_printf(&w, "%s", longest);
    CHECK_INT(w.len, 1023);
    CHECK(w.overflowed);
}

TEST_MAIN(TEST(pieces_follow_one_another), TEST(numbers_of_every_length_have_their_digits),
          TEST(what_fits_exactly_is_no_overflow),
          TEST(what_does_not_fit_is_dropped_whole_and_remembered), TEST(no_room_at_all_is_allowed),
          TEST(a_formatted_piece_has_a_limit_of_its_own))
