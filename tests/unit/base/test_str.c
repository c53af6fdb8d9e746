// SPDX-License-Identifier: Apache-2.0
#include "base/str.h"

#include "unit/test.h"

static void equality_looks_at_every_byte(void)
{
    CHECK(str_eq(STR_NONE, STR("")));
    CHECK(str_eq(STR("a\0b"), STR("a\0b")));
    CHECK(!str_eq(STR("a\0b"), STR("a\0c")));
    CHECK(!str_eq(STR("a"), STR("ab")));
    CHECK(str_ieq(STR("Content-LENGTH"), STR("content-length")));
    CHECK(!str_ieq(STR("a"), STR("b")));
    CHECK(!str_ieq(STR("a"), STR("ab")));
    CHECK(!str_ieq(STR("[{"), STR("{["))); // differ by the case bit, but are no letters
    CHECK(!str_ieq(STR("\xc4"), STR("\xe4")));
}

static void order_is_by_bytes_and_then_by_length(void)
{
    CHECK(str_cmp(STR("a"), STR("b")) < 0);
    CHECK(str_cmp(STR("b"), STR("a")) > 0);
    CHECK(str_cmp(STR("a"), STR("ab")) < 0);
    CHECK(str_cmp(STR("ab"), STR("a")) > 0);
    CHECK(str_cmp(STR("a"), STR("\xff")) < 0);
    CHECK_INT(str_cmp(STR(""), STR_NONE), 0);
    CHECK_INT(str_cmp(STR("ab"), STR("ab")), 0);
}

static void starts_and_ends_are_recognised(void)
{
    CHECK(str_starts(STR("abc"), STR("ab")));
    CHECK(str_starts(STR("abc"), STR_NONE));
    CHECK(str_starts(STR_NONE, STR("")));
    CHECK(!str_starts(STR("ab"), STR("abc")));
    CHECK(str_ends(STR("abc"), STR("bc")));
    CHECK(str_ends(STR("abc"), STR_NONE));
    CHECK(!str_ends(STR("bc"), STR("abc")));
    CHECK(str_istarts(STR("BEARER x"), STR("Bearer ")));
    CHECK(!str_istarts(STR("Bear"), STR("Bearer ")));
}

static void parts_never_reach_beyond_the_whole(void)
{
    CHECK_STR(str_first(STR("abc"), 2), STR("ab"));
    CHECK_STR(str_first(STR("abc"), 9), STR("abc"));
    CHECK_STR(str_first(STR_NONE, 9), STR(""));
    CHECK_STR(str_skip(STR("abc"), 2), STR("c"));
    CHECK_STR(str_skip(STR("abc"), 9), STR(""));
    CHECK_STR(str_skip(STR_NONE, 9), STR(""));
    CHECK_STR(str_first(STR("abc"), STR_NPOS), STR("abc"));
}

static void finding_gives_the_first_or_last_index(void)
{
    CHECK_INT(str_find(STR("abab"), 'b'), 1);
    CHECK_INT(str_rfind(STR("abab"), 'a'), 2);
    CHECK(str_find(STR("abab"), 'c') == STR_NPOS);
    CHECK(str_rfind(STR("abab"), 'c') == STR_NPOS);
    CHECK(str_find(STR_NONE, 'c') == STR_NPOS);
    CHECK(str_rfind(STR_NONE, 'c') == STR_NPOS);
    CHECK_INT(str_search(STR("a--b--"), STR("--")), 1);
    CHECK_INT(str_search(STR("a"), STR("")), 0);
    CHECK(str_search(STR("a-"), STR("--")) == STR_NPOS);
    CHECK(str_search(STR_NONE, STR("--")) == STR_NPOS);
}

static void cut_splits_at_the_first_separator(void)
{
    struct str head, tail;
    CHECK(str_cut(STR("a=b=c"), '=', &head, &tail));
    CHECK_STR(head, STR("a"));
    CHECK_STR(tail, STR("b=c"));
    CHECK(str_cut(STR("="), '=', &head, &tail));
    CHECK_STR(head, STR(""));
    CHECK_STR(tail, STR(""));
    CHECK(str_cut(STR("a=b"), '=', NULL, NULL));
}

static void cut_without_separator_keeps_everything_in_head(void)
{
    struct str head, tail;
    CHECK(!str_cut(STR("abc"), '=', &head, &tail));
    CHECK_STR(head, STR("abc"));
    CHECK_STR(tail, STR(""));
    CHECK(!str_cut(STR_NONE, '=', &head, &tail));
    CHECK_STR(head, STR(""));
}

static void trim_takes_spaces_and_tabs_only(void)
{
    CHECK_STR(str_trim(STR(" \t a b\t ")), STR("a b"));
    CHECK_STR(str_trim(STR("\r\na\v")), STR("\r\na\v"));
    CHECK_STR(str_trim(STR(" \t")), STR(""));
    CHECK_STR(str_trim(STR_NONE), STR(""));
}

static void items_of_a_list_are_trimmed_and_empty_ones_skipped(void)
{
    struct str rest = STR(", a ,\t,b c,, d"), item;
    CHECK(str_next_item(&rest, ',', &item));
    CHECK_STR(item, STR("a"));
    CHECK(str_next_item(&rest, ',', &item));
    CHECK_STR(item, STR("b c"));
    CHECK(str_next_item(&rest, ',', &item));
    CHECK_STR(item, STR("d"));
    CHECK(!str_next_item(&rest, ',', &item));
    CHECK(!str_next_item(&rest, ',', &item));
    CHECK_STR(item, STR("d"));
    rest = STR(" , ,");
    CHECK(!str_next_item(&rest, ',', &item));
}

static void words_stand_between_blanks(void)
{
    struct str rest = STR("  a\tb,c \r");
    CHECK_STR(str_next_word(&rest), STR("a"));
    CHECK_STR(str_next_word(&rest), STR("b,c"));
    CHECK_STR(str_next_word(&rest), STR(""));
    CHECK_STR(str_next_word(&rest), STR(""));
    rest = STR_NONE;
    CHECK_STR(str_next_word(&rest), STR(""));
}

TEST_MAIN(TEST(equality_looks_at_every_byte), TEST(order_is_by_bytes_and_then_by_length),
          TEST(starts_and_ends_are_recognised), TEST(parts_never_reach_beyond_the_whole),
          TEST(finding_gives_the_first_or_last_index), TEST(cut_splits_at_the_first_separator),
          TEST(cut_without_separator_keeps_everything_in_head),
          TEST(trim_takes_spaces_and_tabs_only),
          TEST(items_of_a_list_are_trimmed_and_empty_ones_skipped),
          TEST(words_stand_between_blanks))
