// SPDX-License-Identifier: Apache-2.0
#include "codec/trace_context.h"

#include "unit/test.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define SPAN "b7ad6b7169203331"

static void only_well_formed_parents_are_taken(void)
{
    static const struct {
        const char *text;
        bool is_taken, is_sampled;
    } cases[] = {
        {"00-" TRACE "-" SPAN "-01", true, true},
        {"00-" TRACE "-" SPAN "-00", true, false},
        {"00-" TRACE "-" SPAN "-02", true, false},
        {"00-" TRACE "-" SPAN "-ff", true, true},
        {"01-" TRACE "-" SPAN "-01", true, true},
        {"fe-" TRACE "-" SPAN "-01-what-comes-later", true, true},
        {"fe-" TRACE "-" SPAN "-01-", true, true},
        {"fe-" TRACE "-" SPAN "-01.", false, false},
        {"00-" TRACE "-" SPAN "-01-", false, false},
        {"00-" TRACE "-" SPAN "-01 ", false, false},
        {"ff-" TRACE "-" SPAN "-01", false, false},
        {"0-" TRACE "-" SPAN "-01", false, false},
        {"0x-" TRACE "-" SPAN "-01", false, false},
        {"00_" TRACE "-" SPAN "-01", false, false},
        {"00-" TRACE "_" SPAN "-01", false, false},
        {"00-" TRACE "-" SPAN "_01", false, false},
        {"00-" TRACE "-" SPAN "-0", false, false},
        {"00-" TRACE "-" SPAN "-0g", false, false},
        {"00-" TRACE "-" SPAN, false, false},
        {"00-0AF7651916CD43DD8448EB211C80319C-" SPAN "-01", false, false},
        {"00-" TRACE "-B7AD6B7169203331-01", false, false},
        {"00-00000000000000000000000000000000-" SPAN "-01", false, false},
        {"00-" TRACE "-0000000000000000-01", false, false},
        {"", false, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct trace_parent p = {.is_sampled = false};
        CHECK_INT(trace_parent_parse(str_of(cases[i].text), &p), cases[i].is_taken);
        CHECK_INT(p.is_sampled, cases[i].is_sampled);
        if (!cases[i].is_taken)
            continue;
        char text[TRACE_PARENT_TEXT_BYTES];
        trace_parent_write(&p, text);
        CHECK_STR(str_from(text, sizeof text),
                  p.is_sampled ? STR("00-" TRACE "-" SPAN "-01") : STR("00-" TRACE "-" SPAN "-00"));
    }
}

static void states_follow_the_grammar(void)
{
    static const struct {
        const char *text;
        bool is_valid;
    } cases[] = {
        {"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", true},
        {"fw529a3039@dt=FfffffffW", true},
        {"0tenant@dt=1", true},
        {"a=1 , ,b=2\t", true},
        {"a_-*/9=!\"#$%&'()*+-./:;<>?@[\\]^_`{|}~ x", true},
        {"a=1,a=2", false},
        {"0vendor=1", false},
        {"Vendor=1", false},
        {"a@0dt=1", false},
        {"a@systemistoolong=1", false},
        {"@dt=1", false},
        {"a@=1", false},
        {"a=", false},
        {"=1", false},
        {"a", false},
        {"a=1=2", false},
        {"a=b\x01", false},
        {"a=\xc3\xbc", false},
        {"a b=1", false},
        {"", false},
        {" , ", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (trace_state_is_valid(str_of(cases[i].text)) != cases[i].is_valid)
            printf("# '%s'\n", cases[i].text);
        CHECK_INT(trace_state_is_valid(str_of(cases[i].text)), cases[i].is_valid);
    }
}

static void states_have_limits(void)
{
    char text[1024];
    size_t n = 0;
    for (unsigned i = 0; i < 32; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%sk%u=v", i > 0 ? "," : "", i);
    CHECK(trace_state_is_valid(str_from(text, n)));
    n += (size_t)snprintf(text + n, sizeof text - n, ",more=v");
    CHECK(!trace_state_is_valid(str_from(text, n))); // the 33rd
    memset(text, 'v', sizeof text);
    memcpy(text, "a=", 2);
    CHECK(trace_state_is_valid(str_from(text, 2 + 256)));
    CHECK(!trace_state_is_valid(str_from(text, 2 + 257)));
}

TEST_MAIN(TEST(only_well_formed_parents_are_taken), TEST(states_follow_the_grammar),
          TEST(states_have_limits))
