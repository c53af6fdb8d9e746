// SPDX-License-Identifier: Apache-2.0
#include "codec/json_read.h"

#include "base/writer.h"

#include "unit/test.h"

static const struct json *parse(const char *text, struct arena *mem, const char **ret_why)
{
    *ret_why = "?";
    return json_parse(str_of(text), mem, ret_why);
}

static void values_are_read(void)
{
    struct arena mem;
    const char *why;
    arena_init(&mem, 1 << 20, NULL, 0);
    const struct json *v = parse(" { \"a\" : [ 1 , -2.5e3 , \"x\" ] , \"b\" : { } , \"c\":true, "
                                 "\"d\":false,\"e\":null,\"f\\u00e9\":\"\\ud83d\\ude00\\n\" } ",
                                 &mem, &why);
    CHECK(v && !why && v->kind == JSON_OBJECT);
    const struct json *a = json_get(v, STR("a"));
    CHECK(a && a->kind == JSON_ARRAY && a->first->kind == JSON_NUMBER);
    CHECK_STR(a->first->next->text, STR("-2.5e3"));
    CHECK_STR(a->first->next->next->text, STR("x"));
    CHECK(a->first->next->next->next == NULL);
    CHECK(json_get(v, STR("b"))->first == NULL);
    CHECK_INT(json_get(v, STR("c"))->kind, JSON_TRUE);
    CHECK_INT(json_get(v, STR("d"))->kind, JSON_FALSE);
    CHECK_INT(json_get(v, STR("e"))->kind, JSON_NULL);
    CHECK_STR(json_get_text(v, STR("f\xc3\xa9")), STR("\xf0\x9f\x98\x80\n"));
    CHECK(json_get(v, STR("g")) == NULL && json_get(a, STR("a")) == NULL);
    CHECK(json_get(NULL, STR("a")) == NULL);
    CHECK_INT(json_get_text(v, STR("a")).len, 0);
    arena_fini(&mem);
}

static void what_is_malformed_is_refused_with_a_reason(void)
{
    static const char *const cases[] = {
        "",
        " ",
        "{",
        "[",
        "}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "[1,]",
        "[1 2]",
        "[,1]",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "-",
        "0x1",
        "NaN",
        "Infinity",
        "nul",
        "True",
        "1 1",
        "\"",
        "\"a",
        "\"\\",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\ud83d\"",
        "\"\\ud83dx\"",
        "\"\\ud83d\\u0041\"",
        "\"\\ude00\"",
        "\"a\nb\"",
        "\"\x01\"",
        "\"\xff\"",
        "'a'",
        "/**/1",
        "\xef\xbb\xbf 1",
        "{\"a\":1,\"a\":2}",
        "{\"a\":1,\"\\u0061\":2}",
        "{1:2}",
        "{\"a\":1 \"b\":2}",
        "[[1]",
    };
    struct arena mem;
    const char *why;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        arena_init(&mem, 1 << 20, NULL, 0);
        const struct json *v = parse(cases[i], &mem, &why);
        if (v || !why)
            printf("# %s\n", cases[i]);
        CHECK(!v && why);
        arena_fini(&mem);
    }
}

static void limits_hold(void)
{
    struct arena mem;
    const char *why;
    char text[8192];
    for (unsigned depth = JSON_DEPTH_MAX - 1; depth <= JSON_DEPTH_MAX + 1; depth++) {
        arena_init(&mem, 1 << 20, NULL, 0);
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        CHECK_INT(json_parse(str_from(text, 2 * depth), &mem, &why) != NULL,
                  depth <= JSON_DEPTH_MAX);
        arena_fini(&mem);
    }
    for (unsigned n = JSON_MEMBERS_MAX; n <= JSON_MEMBERS_MAX + 1; n++) {
        struct writer w;
        arena_init(&mem, 1 << 20, NULL, 0);
        writer_init(&w, text, sizeof text);
        for (unsigned i = 0; i < n; i++)
            writer_printf(&w, "%s\"%u\":0", i == 0 ? "{" : ",", i);
        writer_byte(&w, '}');
        CHECK_INT(json_parse(writer_str(&w), &mem, &why) != NULL, n == JSON_MEMBERS_MAX);
        arena_fini(&mem);
    }
    arena_init(&mem, 200, NULL, 0);
    CHECK(!parse("[1,2,3,4,5,6,7,8,9]", &mem, &why) && why);
    arena_fini(&mem);
}

static void whole_numbers_are_numbers_that_fit(void)
{
    static const struct {
        const char *text;
        bool is_fine;
        int64_t value;
    } cases[] = {{"0", true, 0},
                 {"-0", true, 0},
                 {"1700000000", true, 1700000000},
                 {"-5", true, -5},
                 {"1.9", true, 1},
                 {"1.5e9", true, 1500000000},
                 {"12.345e2", true, 1234},
                 {"1E+2", true, 100},
                 {"9223372036854775807", true, INT64_MAX},
                 {"9223372036854775808", false, 0},
                 {"1e19", false, 0},
                 {"1e-5", false, 0},
                 {"10000000000e9", false, 0},
                 {"\"1\"", false, 0},
                 {"true", false, 0}};
    struct arena mem;
    const char *why;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t value = 0;
        arena_init(&mem, 1 << 16, NULL, 0);
        CHECK_INT(json_int(parse(cases[i].text, &mem, &why), &value), cases[i].is_fine);
        CHECK(value == cases[i].value);
        arena_fini(&mem);
    }
    CHECK(!json_int(NULL, &(int64_t){0}));
}

TEST_MAIN(TEST(values_are_read), TEST(what_is_malformed_is_refused_with_a_reason),
          TEST(limits_hold), TEST(whole_numbers_are_numbers_that_fit))
