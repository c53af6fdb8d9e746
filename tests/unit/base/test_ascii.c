// SPDX-License-Identifier: Apache-2.0
#include "base/ascii.h"

#include "unit/test.h"

// Each class once more, as its RFC writes it down.
static bool is_one_of(int c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_alpha(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void classes_are_those_of_the_rfcs(void)
{
    for (int c = 0; c < 256; c++) {
        bool is_alnum = is_alpha(c) || is_digit(c), is_vchar = c > 0x20 && c < 0x7f;
        char b = (char)c;
        CHECK(ascii_is(b, ASCII_DIGIT) == is_digit(c));
        CHECK(ascii_is(b, ASCII_ALPHA) == is_alpha(c));
        CHECK(ascii_is(b, ASCII_UPPER) == (c >= 'A' && c <= 'Z'));
        CHECK(ascii_is(b, ASCII_HEX) == (is_digit(c) || is_one_of(c, "abcdefABCDEF")));
        // RFC 9110 5.6.2
        CHECK(ascii_is(b, ASCII_TOKEN) == (is_alnum || is_one_of(c, "!#$%&'*+-.^_`|~")));
        // RFC 9110 5.5
        CHECK(ascii_is(b, ASCII_VALUE) == (is_vchar || c == ' ' || c == '\t' || c >= 0x80));
        CHECK(ascii_is(b, ASCII_TARGET) == is_vchar);
        // RFC 3986 3.3: unreserved / sub-delims / ":" / "@", and "/"
        CHECK(ascii_is(b, ASCII_PCHAR) == (is_alnum || is_one_of(c, "-._~!$&'()*+,;=:@/")));
        if (test_failed) {
            printf("# for byte %d\n", c);
            return;
        }
    }
}

static void case_and_hexadecimal_values_are_ascii_only(void)
{
    for (int c = 0; c < 256; c++) {
        bool is_upper = c >= 'A' && c <= 'Z';
        CHECK_INT((uint8_t)ascii_lower((char)c), is_upper ? c + 32 : c);
        const char *hex = "0123456789abcdef0123456789ABCDEF";
        const char *hit = c ? strchr(hex, c) : NULL;
        CHECK_INT(ascii_hex((char)c), hit ? (hit - hex) % 16 : -1);
    }
}

static void all_bytes_of_a_text_are_of_the_classes_or_not(void)
{
    CHECK(ascii_all(STR(""), ASCII_DIGIT));
    CHECK(ascii_all(STR("0a9F"), ASCII_HEX));
    CHECK(!ascii_all(STR("0a9G"), ASCII_HEX));
    CHECK(ascii_all(STR("0a9G"), ASCII_DIGIT | ASCII_ALPHA));
    CHECK(ascii_is_token(STR("X-Api-Key")));
    CHECK(!ascii_is_token(STR("")));
    CHECK(!ascii_is_token(STR("X Api")));
}

TEST_MAIN(TEST(classes_are_those_of_the_rfcs), TEST(all_bytes_of_a_text_are_of_the_classes_or_not),
          TEST(case_and_hexadecimal_values_are_ascii_only))
