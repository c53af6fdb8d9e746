// SPDX-License-Identifier: Apache-2.0
#include "dialect/dialect.h"

#include "unit/dialect/converted.h"

static void what_is_no_text_is_refused_with_its_line(void)
{
    static const struct {
        struct str text;
        const char *fault;
    } cases[] = {
        {STR_INIT("global\n\xff\n"), "2: the line isn't text in UTF-8"},
        {STR_INIT("global\n\n a\0b\n"), "3: the line isn't text in UTF-8"},
        {STR_INIT(""), "no section in it"},
        {STR_INIT("# nothing\n"), "no section in it"},
        {STR_INIT("sites:\n  a.example: http://b\n"), "belongs to no section"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct converted c;
        convert_with(&dialect_haproxy, cases[i].text, &c);
        CHECK(!c.is_read);
        CHECK(converted_has(&c.faults, cases[i].fault));
        converted_fini(&c);
    }
}

static void what_is_too_large_is_refused(void)
{
    struct text t = {.len = 0};
    struct converted c;
    text_reserve(&t, DIALECT_FILE_MAX_BYTES + 10);
    while (t.len <= DIALECT_FILE_MAX_BYTES)
        text_put(&t, STR("# a comment\n"));
    convert_with(&dialect_haproxy, text_str(&t), &c);
    CHECK(!c.is_read);
    CHECK(converted_has(&c.faults, "larger than 4 MiB"));
    converted_fini(&c);
    text_fini(&t);
}

static void what_says_too_much_is_refused_as_a_whole(void)
{
    struct text t = {.len = 0};
    struct converted c;
    text_put(&t, STR("defaults\n mode http\nfrontend f\n bind :80\n"));
    for (int i = 0; i < 6000; i++)
        text_printf(&t, " use_backend b if { path /%d }\n", i);
    text_put(&t, STR("backend b\n server a 127.0.0.1:1\n"));
    convert_with(&dialect_haproxy, text_str(&t), &c);
    CHECK(!c.is_read);
    CHECK(converted_has(&c.faults, "more than can be converted at once"));
    converted_fini(&c);
    text_fini(&t);
}

TEST_MAIN(TEST(what_is_no_text_is_refused_with_its_line), TEST(what_is_too_large_is_refused),
          TEST(what_says_too_much_is_refused_as_a_whole))
