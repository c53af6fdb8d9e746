// SPDX-License-Identifier: Apache-2.0
#include "cli/plain.h"

#include "unit/test.h"

static void controls_do_not_reach_the_terminal(void)
{
    struct text t = {.ptr = NULL};
    plain_put(&t, STR("a\x1b[31m\tb\x7f\xc2\x9b!\xc2\xb7\xe2\x80\xa6"));
    CHECK_STR(text_str(&t), STR("a?[31m?b?"
                                "?!\xc2\xb7\xe2\x80\xa6"));
    text_fini(&t);
}

static void spans_have_their_two_largest_units(void)
{
    static const struct {
        int64_t seconds;
        const char *text;
    } cases[] = {
        {-5, "0 s"},       {0, "0 s"},         {59, "59 s"},        {60, "1 min"},
        {61, "1 min 1 s"}, {3600, "1 h"},      {3661, "1 h 1 min"}, {86400, "1 d"},
        {86460, "1 d"},    {90000, "1 d 1 h"}, {8640000, "100 d"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct text t = {.ptr = NULL};
        plain_put_span(&t, cases[i].seconds);
        CHECK_STR(text_str(&t), str_of(cases[i].text));
        text_fini(&t);
    }
}

static void amounts_are_easy_to_read(void)
{
    struct text t = {.ptr = NULL};
    plain_put_count(&t, 7);
    text_byte(&t, '|');
    plain_put_count(&t, 1234567);
    text_byte(&t, '|');
    plain_put_count(&t, -123456);
    text_byte(&t, '|');
    plain_put_kib(&t, 900);
    text_byte(&t, '|');
    plain_put_kib(&t, 18 * 1024 + 5);
    text_byte(&t, '|');
    plain_put_ms(&t, 37);
    text_byte(&t, '|');
    plain_put_ms(&t, 1290);
    text_byte(&t, '|');
    plain_put_ms(&t, 61000);
    CHECK_STR(text_str(&t), STR("7|1 234 567|-123 456|900 KiB|18 MiB|37 ms|1.2 s|1 min 1 s"));
    text_fini(&t);
}

TEST_MAIN(TEST(controls_do_not_reach_the_terminal), TEST(spans_have_their_two_largest_units),
          TEST(amounts_are_easy_to_read))
