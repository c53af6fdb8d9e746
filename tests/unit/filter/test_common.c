// SPDX-License-Identifier: Apache-2.0
#include "filter/common.h"

#include "unit/route/fixture.h"
#include "unit/test.h"

static void fields_of_framing_and_connections_are_not_for_filters(void)
{
    static const struct {
        const char *name;
        bool in_request, in_response;
    } cases[] = {
        {"X-Tenant", true, true},
        {"Server", true, true},
        {"Cookie", true, true},
        {"Set-Cookie", true, true},
        {"Content-Length", false, false},
        {"content-length", false, false},
        {"Transfer-Encoding", false, false},
        {"Trailer", false, false},
        {"TE", false, false},
        {"Connection", false, false},
        {"Keep-Alive", false, false},
        {"Upgrade", false, false},
        {"Proxy-Authorization", false, false},
        {"Host", false, false},
        {"Expect", false, false},
        {"", false, false},
        {"X Y", false, false},
        {"X:", false, false},
        {"X\r\nY", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str name = str_of(cases[i].name);
        CHECK_INT(filter_field_fault(name, FILTER_REQUEST) == NULL, cases[i].in_request);
        CHECK_INT(filter_field_fault(name, FILTER_RESPONSE) == NULL, cases[i].in_response);
    }
}

static void values_stay_on_their_line(void)
{
    static const struct {
        struct str value;
        bool is_good;
    } cases[] = {
        {STR_INIT(""), true},
        {STR_INIT("a b\tc"), true},
        {STR_INIT("gr\xc3\xbc\xc3\x9f"), true},
        {STR_INIT("a\r\nb"), false},
        {STR_INIT("a\nb"), false},
        {STR_INIT("a\0b"), false},
        {STR_INIT("\x7f"), false},
        {STR_INIT(" a"), false},
        {STR_INIT("a\t"), false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(filter_value_fault(cases[i].value) == NULL, cases[i].is_good);
}

static void vary_names_each_field_once(void)
{
    static const struct {
        const char *there, *name;
        unsigned n_after;
    } cases[] = {
        {NULL, "Origin", 1},     {"Accept", "Origin", 2},
        {"origin", "Origin", 1}, {"Accept,  ORIGIN", "Origin", 1},
        {"*", "Origin", 1},      {"X-Origin", "Origin", 2},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture e;
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        if (cases[i].there)
            CHECK_INT(headers_add(&x->resp.headers, FIELD_VARY, str_of(cases[i].there)), ERR_OK);
        CHECK_INT(filter_vary(x, str_of(cases[i].name)), ERR_OK);
        CHECK_INT(headers_remove(&x->resp.headers, FIELD_VARY), cases[i].n_after);
        fixture_end(&e);
    }
}

TEST_MAIN(TEST(vary_names_each_field_once),
          TEST(fields_of_framing_and_connections_are_not_for_filters),
          TEST(values_stay_on_their_line))
