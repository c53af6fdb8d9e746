// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"

#include "unit/test.h"

static void text_grows_and_stays_terminated(void)
{
    struct text t = {.ptr = NULL};
    CHECK_STR(text_str(&t), STR(""));
    for (int i = 0; i < 10000; i++) {
        text_byte(&t, (char)('a' + i % 26));
        CHECK(t.ptr[t.len] == '\0');
    }
    CHECK_INT(t.len, 10000);
    CHECK_STR(str_first(text_str(&t), 27), STR("abcdefghijklmnopqrstuvwxyza"));
    text_fini(&t);
    CHECK(t.ptr == NULL);
    text_fini(&t);
}

static void formatted_text_is_never_cut(void)
{
    struct text t = {.ptr = NULL};
    text_put(&t, STR("<"));
    text_printf(&t, "%*d", 5000, 7);
    text_put(&t, STR_NONE);
    text_put(&t, STR(">"));
    CHECK_INT(t.len, 5002);
    CHECK(str_ends(text_str(&t), STR(" 7>")));
    CHECK(t.ptr[t.len] == '\0');
    text_fini(&t);
}

static void what_was_reserved_is_put_without_moving(void)
{
    struct text t = {0};
    text_reserve(&t, 1000);
    const char *at = t.ptr;
    for (int i = 0; i < 1000; i++)
        text_byte(&t, 'x');
    CHECK(t.ptr == at && t.len == 1000);
    text_wipe(&t);
    CHECK(!t.ptr && t.len == 0);
    text_wipe(&t);
}

TEST_MAIN(TEST(text_grows_and_stays_terminated), TEST(formatted_text_is_never_cut),
          TEST(what_was_reserved_is_put_without_moving))
