// SPDX-License-Identifier: Apache-2.0
#include "keeper/ban_file.h"

#include "unit/test.h"

static void what_is_written_is_read_back(void)
{
    static const struct str text = STR_INIT("192.0.2.0/24 1 20 30 2 rule a\n"
                                            "2001:db8::/64 5 15 15 1 \n"
                                            "198.51.100.7/32 5 8 9 1 forgotten\n");
    struct ban_book b;
    struct text again = {.ptr = NULL};
    ban_book_init(&b, 10);
    CHECK_INT(ban_file_read(text, 10, &b), 0);
    ban_file_write(&b, &again);
    CHECK_STR(str_from(again.ptr, again.len), str_first(text, str_search(text, STR("198."))));
    text_fini(&again);
    ban_book_fini(&b);
}

static void the_first_line_that_makes_no_sense_is_told(void)
{
    static const struct {
        struct str text;
        unsigned line;
    } cases[] = {
        {STR_INIT(""), 0},
        {STR_INIT("192.0.2.0/24 1 20 30 2 r"), 1}, // torn
        {STR_INIT("192.0.2.0/24 1 20 30 2 r\n\n"), 2},
        {STR_INIT("192.0.2.1/24 1 20 30 2 r\n"), 1},
        {STR_INIT("192.0.2.0/24 -1 20 30 2 r\n"), 1},
        {STR_INIT("192.0.2.0/24 1 20 30 0 r\n"), 1},
        {STR_INIT("192.0.2.0/24 1 40 30 1 r\n"), 1},
        {STR_INIT("192.0.2.0/24 1 20 30 1 r\x01\n"), 1},
        {STR_INIT("192.0.2.0/24 1 20 30 4294967296 r\n"), 1},
        {STR_INIT("192.0.2.0/24 1 20 30 1 0123456789012345678901234567890123456789012345678\n"), 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ban_book b;
        ban_book_init(&b, 10);
        CHECK_INT(ban_file_read(cases[i].text, 10, &b), cases[i].line);
        ban_book_fini(&b);
    }
}

TEST_MAIN(TEST(what_is_written_is_read_back), TEST(the_first_line_that_makes_no_sense_is_told))
