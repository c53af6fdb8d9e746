// SPDX-License-Identifier: Apache-2.0
#include "filter/access_conf.h"

#include "unit/test.h"

static void systems_are_numbers_with_or_without_their_letters(void)
{
    static const struct {
        const char *text;
        uint32_t wanted; // 0: it is refused
    } cases[] = {
        {"64496", 64496}, {"AS64496", 64496}, {"as1", 1}, {"4294967295", UINT32_MAX},
        {"0", 0},         {"4294967296", 0},  {"AS", 0},  {"", 0},
        {"AS-1", 0},      {"64496 ", 0},      {"ASx", 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint32_t got = 0;
        CHECK_INT(access_asn_parse(str_of(cases[i].text), &got), cases[i].wanted != 0);
        CHECK_INT(got, cases[i].wanted);
    }
}

static void the_rows_are_sound(void)
{
    struct diags diags = {.n = 0};
    CHECK_INT(conf_check_tables(&access_allow_section, &diags), ERR_OK);
    CHECK_INT(conf_check_tables(&access_deny_section, &diags), ERR_OK);
    diags_fini(&diags);
}

TEST_MAIN(TEST(systems_are_numbers_with_or_without_their_letters), TEST(the_rows_are_sound))
