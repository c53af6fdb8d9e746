// SPDX-License-Identifier: Apache-2.0
#include "conf/conf_priv.h"
#include "unit/test.h"

static void booleans_are_six_words_in_any_case(void)
{
    static const struct {
        const char *word;
        bool is_bool, value;
    } cases[] = {
        {"true", true, true}, {"Yes", true, true},     {"ON", true, true},  {"FALSE", true, false},
        {"no", true, false},  {"off", true, false},    {"1", false, false}, {"y", false, false},
        {"", false, false},   {"truee", false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        bool value = !cases[i].value;
        CHECK(conf_bool_parse(str_of(cases[i].word), &value) == cases[i].is_bool);
        CHECK(!cases[i].is_bool || value == cases[i].value);
    }
}

static void numbers_are_kept_inside_their_bounds(void)
{
    static const struct conf_item item = {
        .key = "x", .kind = CONF_DURATION, .min = "1s", .max = "1m", .zero = "off"};
    static const struct {
        const char *text;
        enum err err;
        uint64_t value;
    } cases[] = {
        {"1s", ERR_OK, 1000},    {"1m", ERR_OK, 60000}, {"999ms", ERR_RANGE, 0},
        {"1m1ms", ERR_RANGE, 0}, {"0", ERR_RANGE, 0},   {"OFF", ERR_OK, 0},
        {"1", ERR_SYNTAX, 0},    {"", ERR_SYNTAX, 0},   {"106751991168d", ERR_RANGE, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint64_t value = 0;
        CHECK_INT(conf_number_parse(&item, str_of(cases[i].text), &value), cases[i].err);
        CHECK_INT(value, cases[i].value);
    }
}

static void paths_quote_names_that_have_dots(void)
{
    struct conf_path sites = {.name = STR("sites")};
    struct conf_path site = {.up = &sites, .name = STR("a.example")};
    struct conf_path to = {.up = &site, .name = STR("to")}, second = {.up = &to, .index = 1};
    char buf[CONF_PATH_BYTES];
    CHECK_STR(str_of(conf_path_text(&second, buf)), STR("sites.'a.example'.to[1]: "));
    CHECK_STR(str_of(conf_path_text(NULL, buf)), STR(""));
}

TEST_MAIN(TEST(booleans_are_six_words_in_any_case), TEST(numbers_are_kept_inside_their_bounds),
          TEST(paths_quote_names_that_have_dots))
