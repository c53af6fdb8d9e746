// SPDX-License-Identifier: Apache-2.0
#include "http/h2_error.h"

#include "base/ascii.h"
#include "http/status.h"
#include "unit/test.h"

static void each_reason_has_a_name_a_status_a_section_and_a_text(void)
{
    for (int i = H2_ERROR_NONE + 1; i < H2_ERROR_COUNT; i++) {
        enum h2_error e = (enum h2_error)i;
        struct str name = str_of(h2_error_name(e));
        CHECK(str_starts(name, STR("h2-")));
        for (size_t k = 3; k < name.len; k++)
            CHECK((name.ptr[k] >= 'a' && name.ptr[k] <= 'z') || name.ptr[k] == '-');
        CHECK(*http_reason((unsigned)h2_error_status(e)) != '\0');
        CHECK(h2_error_status(e) >= 400);
        CHECK(str_starts(str_of(h2_error_section(e)), STR("911")) || e == H2_ERROR_PROTOCOL);
        CHECK(*h2_error_text(e) != '\0');
    }
}

static void names_differ(void)
{
    for (int i = 0; i < H2_ERROR_COUNT; i++) {
        for (int k = 0; k < i; k++)
            CHECK(strcmp(h2_error_name((enum h2_error)i), h2_error_name((enum h2_error)k)) != 0);
    }
}

TEST_MAIN(TEST(each_reason_has_a_name_a_status_a_section_and_a_text), TEST(names_differ))
