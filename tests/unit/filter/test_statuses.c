// SPDX-License-Identifier: Apache-2.0
#include "filter/statuses.h"

#include "unit/test.h"

static void codes_and_ranges_are_sets(void)
{
    static const struct {
        const char *text;
        unsigned in, out;
        bool is_good;
    } cases[] = {
        {"404", 404, 403, true},  {"500-599", 599, 499, true}, {"400-400", 400, 401, true},
        {"599", 599, 598, true},  {"399", 0, 0, false},        {"600", 0, 0, false},
        {"500-499", 0, 0, false}, {"500-", 0, 0, false},       {"-500", 0, 0, false},
        {"5xx", 0, 0, false},     {"", 0, 0, false},           {"404 ", 0, 0, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct conf_text text = {.text = str_of(cases[i].text)};
        struct statuses set = {.has = {false}};
        struct diags diags = {.n = 0};
        enum err err = statuses_parse(&(struct conf_texts){.items = &text, .n = 1}, &diags, &set);
        if ((err == ERR_OK) != cases[i].is_good)
            printf("# %s\n", cases[i].text);
        CHECK_INT(err == ERR_OK, cases[i].is_good);
        CHECK_INT(statuses_have(&set, cases[i].in), cases[i].is_good);
        CHECK(!statuses_have(&set, cases[i].out));
        CHECK(!statuses_have(&set, 200) && !statuses_have(&set, 600) && !statuses_have(&set, 0));
        diags_fini(&diags);
    }
}

TEST_MAIN(TEST(codes_and_ranges_are_sets))
