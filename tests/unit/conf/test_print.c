// SPDX-License-Identifier: Apache-2.0
#include "conf/print.h"
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

// Texts that mean something else without quotes, and bytes that YAML takes only as escapes.
static void printed_scalars_read_back_as_the_same_text(void)
{
    static const struct str cases[] = {
        STR_INIT("plain"),
        STR_INIT(""),
        STR_INIT("null"),
        STR_INIT("~"),
        STR_INIT("a b"),
        STR_INIT("a: b"),
        STR_INIT("a:"),
        STR_INIT("- a"),
        STR_INIT("#a"),
        STR_INIT("a #b"),
        STR_INIT("'a'"),
        STR_INIT("\"a\\"),
        STR_INIT("*a"),
        STR_INIT("&a"),
        STR_INIT("!a"),
        STR_INIT("[a, b]"),
        STR_INIT("a, b"),
        STR_INIT("%a"),
        STR_INIT("@a"),
        STR_INIT("a\nb\r\t"),
        STR_INIT("\x01\x7f"),
        STR_INIT("\xc3\xa9"),
        STR_INIT("\xc2\x85"),
        STR_INIT("\xe2\x80\xa8"),
        STR_INIT("\xef\xbb\xbf"),
        STR_INIT("\xef\xbf\xbe"),
        STR_INIT("\xf0\x9f\x9a\xaa"),
        STR_INIT(":80"),
        STR_INIT("http://a"),
        STR_INIT("<<"),
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        fixture_init(&f);
        struct text yaml = {.len = 0};
        text_put(&yaml, STR("[x, "));
        conf_put_yaml(cases[i], &yaml);
        text_put(&yaml, STR("]"));
        struct conf_node *list = fixture_parse(&f, yaml.ptr);
        CHECK(list && list->n == 2);
        if (list)
            CHECK_STR(list->last->text, cases[i]);
        fixture_print(&f);
        text_fini(&yaml);
        fixture_fini(&f);
    }
}

static void values_that_show_that_they_are_secret_are_known(void)
{
    static const struct {
        const char *value;
        bool is_secret;
    } cases[] = {
        {"Bearer abc", true},
        {"bearer abc", true},
        {"Basic YTpi", true},
        {"Basically", false},
        {"bearer", false},
        {"https://ann:pw@a.example/x", true},
        {"https://:pw@a.example", true},
        {"https://ann@a.example:8443/x", false},
        {"http://a.example:80/a:b@c", false},
        {"http://[::1]:80", false},
        {"ann:pw@a.example", false},
        {"/verify?key=abc", true},
        {"http://a.example/?a=1&access_token=x", true},
        {"/verify?key=", false},
        {"/verify?a=key", false},
        {"/key=abc", false},
        {"", false},
        {"?", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(conf_is_secret_value(str_of(cases[i].value)), cases[i].is_secret);
}

static void printed_files_are_the_same_each_time_and_complete(void)
{
    void (*const printers[])(const struct conf_section *, struct text *) = {
        conf_print_markdown, conf_print_json_schema, conf_print_yaml};
    for (size_t i = 0; i < sizeof printers / sizeof printers[0]; i++) {
        struct text first = {.len = 0}, second = {.len = 0};
        printers[i](&sample_root_section, &first);
        printers[i](&sample_root_section, &second);
        CHECK_STR(text_str(&first), text_str(&second));
        CHECK(str_search(text_str(&first), STR("idle")) != STR_NPOS);
        CHECK(str_search(text_str(&first), STR("Compresses answers.")) != STR_NPOS);
        CHECK(str_ends(text_str(&first), STR("\n")));
        text_fini(&first);
        text_fini(&second);
    }
}

TEST_MAIN(TEST(printed_scalars_read_back_as_the_same_text),
          TEST(values_that_show_that_they_are_secret_are_known),
          TEST(printed_files_are_the_same_each_time_and_complete))
