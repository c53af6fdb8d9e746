// SPDX-License-Identifier: Apache-2.0
#include "codec/h1.h"
#include "unit/test.h"

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

TEST_MAIN(TEST(methods_are_found_by_their_exact_name),
          TEST(methods_are_safe_or_idempotent_as_defined))
