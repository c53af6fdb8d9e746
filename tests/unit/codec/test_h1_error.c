// SPDX-License-Identifier: Apache-2.0
// The tables of errors and methods.
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

static void methods_are_found_by_their_exact_name(void)
{
#define X(id, text) CHECK_INT(method_of(STR(text)), METHOD_##id);
    METHOD_LIST(X)
#undef X
    static const struct str others[] = {STR_INIT("get"),  STR_INIT("GETS"), STR_INIT("GE"),
                                        STR_INIT(""),     STR_INIT("G"),    STR_INIT("PROPFIND"),
                                        STR_INIT("Post"), STR_INIT("PURGE")};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        CHECK_INT(method_of(others[i]), METHOD_OTHER);
    CHECK_INT(method_of(STR_NONE), METHOD_OTHER);
}

// RFC 9110 9.2.1 and 9.2.2.
static void methods_are_safe_or_idempotent_as_defined(void)
{
    static const struct {
        enum method method;
        bool is_safe, is_idempotent;
    } cases[] = {
        {METHOD_OTHER, false, false},   {METHOD_GET, true, true},     {METHOD_HEAD, true, true},
        {METHOD_POST, false, false},    {METHOD_PUT, false, true},    {METHOD_DELETE, false, true},
        {METHOD_CONNECT, false, false}, {METHOD_OPTIONS, true, true}, {METHOD_TRACE, true, true},
        {METHOD_PATCH, false, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CHECK_INT(method_is_safe(cases[i].method), cases[i].is_safe);
        CHECK_INT(method_is_idempotent(cases[i].method), cases[i].is_idempotent);
    }
}

TEST_MAIN(TEST(names_of_errors_are_their_ids_with_hyphens),
          TEST(every_error_has_name_status_section_and_text),
          TEST(errors_have_the_status_that_says_most), TEST(methods_are_found_by_their_exact_name),
          TEST(methods_are_safe_or_idempotent_as_defined))
