// SPDX-License-Identifier: Apache-2.0
#include "unit/codec/test_h1.h"

static const enum h1_error errors[] = {
#define X(id, ...) H1_ERROR_##id,
    H1_ERROR_LIST(X)
#undef X
};

#define N_ERRORS (sizeof errors / sizeof errors[0])

static void names_of_errors_are_their_ids_with_hyphens(void)
{
    CHECK_STR(str_of(h1_error_name(H1_ERROR_NONE)), STR("none"));
    CHECK_STR(str_of(h1_error_name(H1_ERROR_LINE_LENGTH)), STR("line-length"));
    CHECK_STR(str_of(h1_error_name(H1_ERROR_LENGTH_AND_CODING)), STR("length-and-coding"));
    CHECK_STR(str_of(h1_error_name(H1_ERROR_TRAILER)), STR("trailer"));
}

static void every_error_has_name_status_section_and_text(void)
{
    for (size_t i = 1; i < N_ERRORS; i++) {
        struct str name = str_of(h1_error_name(errors[i]));
        CHECK(name.len > 2);
        for (size_t k = 0; k < name.len; k++)
            CHECK((name.ptr[k] >= 'a' && name.ptr[k] <= 'z') || name.ptr[k] == '-');
        CHECK(h1_error_status(errors[i]) >= 400 && h1_error_status(errors[i]) < 600);
        CHECK(str_starts(str_of(h1_error_section(errors[i])), STR("91")));
        CHECK(strlen(h1_error_text(errors[i])) > 5);
    }
}

static void errors_have_the_status_that_says_most(void)
{
    CHECK_INT(h1_error_status(H1_ERROR_BARE_LF), 400);
    CHECK_INT(h1_error_status(H1_ERROR_LINE_LENGTH), 414);
    CHECK_INT(h1_error_status(H1_ERROR_HEAD_LENGTH), 431);
    CHECK_INT(h1_error_status(H1_ERROR_FIELD_COUNT), 431);
    CHECK_INT(h1_error_status(H1_ERROR_CODING_UNKNOWN), 501);
    CHECK_INT(h1_error_status(H1_ERROR_VERSION_MAJOR), 505);
}

TEST_MAIN(TEST(names_of_errors_are_their_ids_with_hyphens),
          TEST(every_error_has_name_status_section_and_text),
          TEST(errors_have_the_status_that_says_most))
