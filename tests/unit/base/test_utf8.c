// SPDX-License-Identifier: Apache-2.0
#include "base/utf8.h"

#include "unit/test.h"

static void only_the_shortest_forms_of_characters_are_valid(void)
{
    static const struct {
        struct str text;
        bool is_valid;
    } cases[] = {
        {STR_INIT(""), true},
        {STR_INIT("a\0z"), true},
        {STR_INIT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"), true},
        {STR_INIT("\xf4\x8f\xbf\xbf"), true},
        {STR_INIT("\x80"), false},             // a continuation alone
        {STR_INIT("a\xc3"), false},            // cut
        {STR_INIT("\xc0\xaf"), false},         // an overlong '/'
        {STR_INIT("\xe0\x80\xaf"), false},     // and a longer one
        {STR_INIT("\xed\xa0\x80"), false},     // a surrogate
        {STR_INIT("\xf4\x90\x80\x80"), false}, // too large
        {STR_INIT("\xff"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (utf8_is_valid(cases[i].text) != cases[i].is_valid)
            printf("# case %zu\n", i);
        CHECK_INT(utf8_is_valid(cases[i].text), cases[i].is_valid);
    }
}

static void a_sequence_has_its_code_point_and_length(void)
{
    uint32_t code = 0;
    CHECK_INT(utf8_decode(STR("\xe2\x82\xac!"), &code), 3);
    CHECK_INT(code, 0x20ac);
    CHECK_INT(utf8_decode(STR("!"), &code), 1);
    CHECK_INT(code, '!');
}

static void every_code_point_is_read_as_it_was_written(void)
{
    for (uint32_t code = 0; code <= 0x10ffff; code += code < 0x3000 ? 1 : 61) {
        char buf[UTF8_MAX_BYTES];
        uint32_t got = 0;
        if (code >= 0xd800 && code <= 0xdfff)
            continue;
        size_t len = utf8_encode(code, buf);
        bool is_same = utf8_decode(str_from(buf, len), &got) == len && got == code;
        if (!is_same)
            printf("# U+%X\n", code);
        CHECK(is_same);
        CHECK(len == 1 || utf8_decode(str_from(buf, len - 1), &got) == 0);
    }
}

TEST_MAIN(TEST(only_the_shortest_forms_of_characters_are_valid),
          TEST(a_sequence_has_its_code_point_and_length),
          TEST(every_code_point_is_read_as_it_was_written))
