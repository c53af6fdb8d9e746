// SPDX-License-Identifier: Apache-2.0
#include "codec/json.h"

#include "unit/test.h"

static const struct {
    struct str in, wanted;
} json_cases[] = {
    {STR_INIT(""), STR_INIT("\"\"")},
    {STR_INIT("plain text"), STR_INIT("\"plain text\"")},
    {STR_INIT("say \"hi\" \\ /"), STR_INIT("\"say \\\"hi\\\" \\\\ /\"")},
    {STR_INIT("\b\f\n\r\t"), STR_INIT("\"\\b\\f\\n\\r\\t\"")},
    {STR_INIT("a\0b\x01\x1f\x7f"), STR_INIT("\"a\\u0000b\\u0001\\u001f\\u007f\"")},
    {STR_INIT("\xc2\x9b[0m\xc2\xa0"), STR_INIT("\"\\u009b[0m\xc2\xa0\"")},
    {STR_INIT("\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9"), STR_INIT("\"\xe2\x80\xa7\\u2028\\u2029\"")},
    {STR_INIT("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"),
     STR_INIT("\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80\"")},
    // the ends of the ranges of RFC 3629 4
    {STR_INIT("\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"),
     STR_INIT("\"\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xf0\x90\x80\x80\xf4\x8f\xbf\xbf\"")},
#define FFFD "\xef\xbf\xbd"
    {STR_INIT("\x80"), STR_INIT("\"" FFFD "\"")},
    {STR_INIT("\xff\xfe"), STR_INIT("\"" FFFD FFFD "\"")},
    {STR_INIT("\xc3"), STR_INIT("\"" FFFD "\"")},
    {STR_INIT("\xc3\"x"), STR_INIT("\"" FFFD "\\\"x\"")},
    {STR_INIT("\xe2\x82"), STR_INIT("\"" FFFD FFFD "\"")},
    {STR_INIT("\xf0\x9f\x98z"), STR_INIT("\"" FFFD FFFD FFFD "z\"")},
    {STR_INIT("\xc0\xaf"), STR_INIT("\"" FFFD FFFD "\"")},                   // overlong
    {STR_INIT("\xc1\xbf"), STR_INIT("\"" FFFD FFFD "\"")},                   // overlong
    {STR_INIT("\xe0\x9f\xbf"), STR_INIT("\"" FFFD FFFD FFFD "\"")},          // overlong
    {STR_INIT("\xf0\x8f\xbf\xbf"), STR_INIT("\"" FFFD FFFD FFFD FFFD "\"")}, // overlong
    {STR_INIT("\xed\xa0\x80"), STR_INIT("\"" FFFD FFFD FFFD "\"")},          // surrogate
    {STR_INIT("\xed\xbf\xbf"), STR_INIT("\"" FFFD FFFD FFFD "\"")},          // surrogate
    {STR_INIT("\xf4\x90\x80\x80"), STR_INIT("\"" FFFD FFFD FFFD FFFD "\"")}, // over U+10FFFF
    {STR_INIT("\xf8\x88\x80\x80\x80"), STR_INIT("\"" FFFD FFFD FFFD FFFD FFFD "\"")},
};

static void strings_are_valid_json_whatever_they_hold(void)
{
    for (size_t i = 0; i < ARRAY_LEN(json_cases); i++) {
        char buf[128];
        struct writer w;
        writer_init(&w, buf, sizeof buf);
        json_put_str(&w, json_cases[i].in);
        CHECK_STR(writer_str(&w), json_cases[i].wanted);
        CHECK(!w.overflowed);
        struct text t = {.ptr = NULL};
        json_text_str(&t, json_cases[i].in);
        CHECK_STR(text_str(&t), json_cases[i].wanted);
        text_fini(&t);
    }
}

static void members_and_items_are_separated(void)
{
    struct text t = {.ptr = NULL};
    text_byte(&t, '{');
    json_text_put(&t, "a", STR("x\"y"));
    json_text_open(&t, "list", '[');
    json_text_uint(&t, NULL, UINT64_MAX);
    json_text_bool(&t, NULL, true);
    json_text_open(&t, NULL, '{');
    text_byte(&t, '}');
    text_byte(&t, ']');
    json_text_time(&t, "never", 0);
    json_text_time(&t, "then", 1000000000);
    text_byte(&t, '}');
    CHECK_STR(text_str(&t), STR("{\"a\":\"x\\\"y\",\"list\":[18446744073709551615,true,{}],"
                                "\"never\":null,\"then\":\"1970-01-01T00:00:01.000Z\"}"));
    text_fini(&t);
}

static void log_texts_stay_on_one_line(void)
{
    static const struct {
        struct str in, wanted;
    } cases[] = {
        {STR_INIT(""), STR_INIT("")},
        {STR_INIT("GET /a?b=c HTTP/1.1"), STR_INIT("GET /a?b=c HTTP/1.1")},
        {STR_INIT("a\r\nb"), STR_INIT("a\\x0d\\x0ab")},
        {STR_INIT("\x1b[2J\x7f\x9b"), STR_INIT("\\x1b[2J\\x7f\\x9b")},
        {STR_INIT("say \"\\\""), STR_INIT("say \\x22\\x5c\\x22")},
        {STR_INIT("\0\t"), STR_INIT("\\x00\\x09")},
        {STR_INIT("gr\xc3\xbc"), STR_INIT("gr\\xc3\\xbc")},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char buf[128];
        struct writer w;
        writer_init(&w, buf, sizeof buf);
        log_escape(&w, cases[i].in);
        CHECK_STR(writer_str(&w), cases[i].wanted);
        CHECK(!w.overflowed);
    }
}

static void what_does_not_fit_is_remembered(void)
{
    char buf[8];
    struct writer w;
    writer_init(&w, buf, sizeof buf);
    log_escape(&w, STR("abcdef\n"));
    CHECK(w.overflowed);
    CHECK_STR(writer_str(&w), STR("abcdef"));
    writer_init(&w, buf, sizeof buf);
    json_put_str(&w, STR("1234567"));
    CHECK(w.overflowed);
}

TEST_MAIN(TEST(strings_are_valid_json_whatever_they_hold), TEST(members_and_items_are_separated),
          TEST(log_texts_stay_on_one_line), TEST(what_does_not_fit_is_remembered))
