// SPDX-License-Identifier: Apache-2.0
#include "http/regex.h"

#include <pthread.h>

#include "unit/test.h"

static enum regex_result match(const char *pattern, unsigned flags, struct str subject)
{
    struct arena mem;
    arena_init(&mem, 1 << 16, NULL, 0);
    size_t at = 0;
    char why[REGEX_WHY_BYTES];
    struct regex *re = regex_compile(str_of(pattern), flags, &mem, &at, why);
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
        unsigned flags;
        struct str subject;
        enum regex_result wanted;
    } cases[] = {
        {"b+", 0, STR_INIT("abbc"), REGEX_YES},
        {"^b", 0, STR_INIT("abbc"), REGEX_NO},
        {"c$", 0, STR_INIT("abbc"), REGEX_YES},
        {"c$", 0, STR_INIT("abbc\n"), REGEX_NO}, // the very end, not before a line end
        {"B", 0, STR_INIT("abbc"), REGEX_NO},
        {"B", REGEX_IGNORE_CASE, STR_INIT("abbc"), REGEX_YES},
        {"(?i)B", 0, STR_INIT("abbc"), REGEX_YES},
        {"^(?P<name>a).", 0, STR_INIT("abbc"), REGEX_YES},
        {"", 0, STR_INIT(""), REGEX_YES},
        {"^.$", 0, STR_INIT("\xff"), REGEX_YES}, // a byte
        {"^ü$", 0, STR_INIT("ü"), REGEX_YES},
        {"^[äü]$", 0, STR_INIT("ü"), REGEX_YES}, // a character
        {"^[äü]+$", 0, STR_INIT("\xc3"), REGEX_NO},
        {"b+", REGEX_WHOLE, STR_INIT("abbc"), REGEX_NO},
        {"a|ab", REGEX_WHOLE, STR_INIT("ab"), REGEX_YES},
        {"a\\x00b", 0, STR_INIT("a\0b"), REGEX_YES},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        enum regex_result got = match(cases[i].pattern, cases[i].flags, cases[i].subject);
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
        enum regex_result got = match(cases[i].pattern, 0, str_from(text, cases[i].text_bytes));
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
        struct regex *re = regex_compile(str_of(cases[i].pattern), 0, &mem, &at, why);
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
    struct regex *re = regex_compile(STR("^/api/v[0-9]+/"), 0, &mem, &at, why);
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

static void groups_are_found_by_number_and_name(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 16, NULL, 0);
    size_t at = 0;
    char why[REGEX_WHY_BYTES];
    struct str text = STR("x/a1-;/b2-");
    struct str groups[REGEX_GROUPS_MAX];
    struct regex *re = regex_compile(STR("/(?P<word>[a-z])(z)?([0-9]?)(-)"), 0, &mem, &at, why);
    CHECK_INT(regex_group(re, STR("word")), 1);
    CHECK_INT(regex_group(re, STR("0")), 0);
    CHECK_INT(regex_group(re, STR("4")), 4);
    CHECK_INT(regex_group(re, STR("5")), -1);
    CHECK_INT(regex_group(re, STR("11")), -1);
    CHECK_INT(regex_group(re, STR("words")), -1);
    CHECK_INT(regex_group(re, STR("")), -1);
    CHECK_INT(regex_find(re, text, 0, groups), REGEX_YES);
    CHECK_STR(groups[0], STR("/a1-"));
    CHECK_STR(groups[1], STR("a"));
    CHECK(groups[2].ptr == NULL && groups[5].ptr == NULL);
    CHECK_STR(groups[3], STR("1"));
    CHECK_INT(regex_find(re, text, 2, groups), REGEX_YES);
    CHECK_STR(groups[0], STR("/b2-"));
    CHECK_INT(regex_find(re, text, text.len, groups), REGEX_NO);
    regex_fini(re);
    arena_fini(&mem);
}

static void more_groups_than_ten_do_no_harm(void)
{
    struct arena mem;
    arena_init(&mem, 1 << 16, NULL, 0);
    size_t at = 0;
    char why[REGEX_WHY_BYTES];
    struct str groups[REGEX_GROUPS_MAX];
    struct regex *re =
        regex_compile(STR("(a)(b)(c)(d)(e)(f)(g)(h)(i)(j)(?<k>k)"), 0, &mem, &at, why);
    CHECK_INT(regex_find(re, STR("abcdefghijk"), 0, groups), REGEX_YES);
    CHECK_STR(groups[9], STR("i"));
    CHECK_INT(regex_group(re, STR("k")), -1);
    regex_fini(re);
    re = regex_compile(STR("x?"), 0, &mem, &at, why);
    CHECK_INT(regex_find(re, STR_NONE, 0, groups), REGEX_YES);
    CHECK(groups[0].ptr != NULL && groups[0].len == 0);
    regex_fini(re);
    arena_fini(&mem);
}

TEST_MAIN(TEST(groups_are_found_by_number_and_name), TEST(more_groups_than_ten_do_no_harm),
          TEST(expressions_search_as_go_does), TEST(no_expression_takes_long_with_any_text),
          TEST(faults_have_a_place_and_a_reason), TEST(threads_share_an_expression))
