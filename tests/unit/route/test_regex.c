// SPDX-License-Identifier: Apache-2.0
#include "route/regex.h"

#include <pthread.h>

#include "unit/test.h"

static enum regex_result match(const char *pattern, bool ignore_case, struct str subject)
{
    struct arena mem;
    arena_init(&mem, 1 << 16, NULL, 0);
    size_t at = 0;
    char why[REGEX_WHY_BYTES];
    struct regex *re = regex_compile(str_of(pattern), ignore_case, &mem, &at, why);
    CHECK(re != NULL);
    enum regex_result result = re ? regex_match(re, subject) : REGEX_BROKEN;
    regex_fini(re);
    arena_fini(&mem);
    return result;
}

static void expressions_search_as_go_does(void)
{
    static const struct {
        const char *pattern;
        bool ignore_case;
        struct str subject;
        enum regex_result wanted;
    } cases[] = {
        {"b+", false, STR_INIT("abbc"), REGEX_YES},
        {"^b", false, STR_INIT("abbc"), REGEX_NO},
        {"c$", false, STR_INIT("abbc"), REGEX_YES},
        {"c$", false, STR_INIT("abbc\n"), REGEX_NO}, // the very end, not before a line end
        {"B", false, STR_INIT("abbc"), REGEX_NO},
        {"B", true, STR_INIT("abbc"), REGEX_YES},
        {"(?i)B", false, STR_INIT("abbc"), REGEX_YES},
        {"^(?P<name>a).", false, STR_INIT("abbc"), REGEX_YES},
        {"", false, STR_INIT(""), REGEX_YES},
        {"^.$", false, STR_INIT("\xff"), REGEX_YES}, // a byte
        {"^ü$", false, STR_INIT("ü"), REGEX_YES},
        {"^[äü]$", false, STR_INIT("ü"), REGEX_YES}, // a character
        {"^[äü]+$", false, STR_INIT("\xc3"), REGEX_NO},
        {"a\\x00b", false, STR_INIT("a\0b"), REGEX_YES},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum regex_result got = match(cases[i].pattern, cases[i].ignore_case, cases[i].subject);
        if (got != cases[i].wanted)
            printf("# %s\n", cases[i].pattern);
        CHECK_INT(got, cases[i].wanted);
    }
}

// The texts are such that an unbounded match takes seconds or longer.
static void no_expression_takes_long_with_any_text(void)
{
    static const struct {
        const char *pattern;
        size_t text_bytes;
        enum regex_result wanted;
    } cases[] = {
        {"a*a*[bc]", 4000, REGEX_NO},
        {"(*NO_JIT)a*a*[bc]", 4000, REGEX_BROKEN},
        {"(*NO_JIT)(a|aa)+[bc]", 4000, REGEX_BROKEN},
        {"a*a*a*a*a*[bc]", 4000, REGEX_BROKEN},
        {"(a+)+[bc]", 4000, REGEX_BROKEN},
        {"b", 16384, REGEX_NO},
        {"b", 16385, REGEX_BROKEN},
        {"(*NO_JIT)^a+b", 4000, REGEX_NO},
    };
    static char text[20000];
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum regex_result got = match(cases[i].pattern, false, str_from(text, cases[i].text_bytes));
        if (got != cases[i].wanted)
            printf("# %s with %zu bytes\n", cases[i].pattern, cases[i].text_bytes);
        CHECK_INT(got, cases[i].wanted);
    }
}

static void faults_have_a_place_and_a_reason(void)
{
    static const struct {
        const char *pattern;
        size_t at;
    } cases[] = {{"a(b", 3}, {"ab[z", 4}, {"*a", 0}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        arena_init(&mem, 1 << 16, NULL, 0);
        size_t at = SIZE_MAX;
        char why[REGEX_WHY_BYTES] = "";
        struct regex *re = regex_compile(str_of(cases[i].pattern), false, &mem, &at, why);
        if (re)
            printf("# %s is accepted\n", cases[i].pattern);
        CHECK(re == NULL && why[0] != '\0');
        CHECK_INT(at, cases[i].at);
        regex_fini(re);
        arena_fini(&mem);
    }
}

static void *match_on_a_thread(void *arg)
{
    const struct regex *re = arg;
    for (int i = 0; i < 1000; i++)
        if (regex_match(re, STR("/api/v12/items")) != REGEX_YES)
            return arg;
    return NULL;
}

static void threads_share_an_expression(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 16, NULL, 0);
    size_t at = 0;
    char why[REGEX_WHY_BYTES];
    struct regex *re = regex_compile(STR("^/api/v[0-9]+/"), false, &mem, &at, why);
    pthread_t threads[4];
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        CHECK_INT(pthread_create(&threads[i], NULL, match_on_a_thread, re), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        void *result = NULL;
        CHECK_INT(pthread_join(threads[i], &result), 0);
        CHECK(result == NULL);
    }
    regex_fini(re);
    arena_fini(&mem);
}

TEST_MAIN(TEST(expressions_search_as_go_does), TEST(no_expression_takes_long_with_any_text),
          TEST(faults_have_a_place_and_a_reason), TEST(threads_share_an_expression))
