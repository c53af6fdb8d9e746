// SPDX-License-Identifier: Apache-2.0
#include "keeper/to_json.h"

#include "unit/test.h"

static void is_text(json_t *j, const char *wanted)
{
    CHECK_STR(str_of(json_string_value(j)), str_of(wanted));
    json_decref(j);
}

static void texts_of_any_bytes_become_utf8(void)
{
    is_text(to_json_text(STR("straße")), "straße");
    is_text(to_json_text(STR_NONE), "");
    is_text(to_json_text(STR("a\xff\xc3z")), "a??z");
}

static void times_are_iso_and_none_is_null(void)
{
    json_t *none = to_json_time(0);
    CHECK(json_is_null(none));
    json_decref(none);
    is_text(to_json_time(1800000000), "2027-01-15T08:00:00.000Z");
    is_text(to_json_time(253402300799), "9999-12-31T23:59:59.000Z"); // no end (RFC 5280 4.1.2.5)
}

static void bytes_are_two_digits_each(void)
{
    is_text(to_json_hex(STR("\x00\x7f\xff")), "007fff");
    is_text(to_json_hex(STR_NONE), "");
}

static void lists_keep_their_order(void)
{
    static const struct str two[] = {STR_INIT("b"), STR_INIT("a")};
    json_t *list = to_json_texts(two, 2);
    CHECK_INT((int)json_array_size(list), 2);
    CHECK_STR(str_of(json_string_value(json_array_get(list, 0))), STR("b"));
    json_decref(list);
}

TEST_MAIN(TEST(texts_of_any_bytes_become_utf8), TEST(times_are_iso_and_none_is_null),
          TEST(bytes_are_two_digits_each), TEST(lists_keep_their_order))
