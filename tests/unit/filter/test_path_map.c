// SPDX-License-Identifier: Apache-2.0
// The way back is tested through the filters, in test_prefix.c.
#include "filter/path_map.h"

#include "unit/route/fixture.h"
#include "unit/test.h"

static void prefixes_of_settings_become_whole_segments(void)
{
    static const struct {
        const char *text, *wanted; // NULL: refused
    } cases[] = {
        {"/", ""},          {"/app", "/app"}, {"/app/", "/app"},  {"/app//", "/app"},
        {"/a/./b", "/a/b"}, {"/%61", "/a"},   {"/a b", "/a%20b"}, {"", NULL},
        {"app", NULL},      {"/a?b", NULL},   {"/a#b", NULL},     {"/%2", NULL},
        {"/../x", NULL},
    };
    struct arena mem;
    arena_init(&mem, 1 << 16, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str got = STR_NONE;
        const char *fault = path_map_prefix(str_of(cases[i].text), &mem, &got);
        CHECK_INT(fault == NULL, cases[i].wanted != NULL);
        if (!fault)
            CHECK_STR(got, str_of(cases[i].wanted));
    }
    arena_fini(&mem);
}

static void below_means_whole_segments(void)
{
    static const struct {
        const char *path, *prefix;
        bool is_below;
    } cases[] = {
        {"/app", "/app", true}, {"/app/x", "/app", true}, {"/apple", "/app", false},
        {"/", "", true},        {"/x", "", true},         {"*", "", false},
        {"/ap", "/app", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_INT(path_map_is_below(str_of(cases[i].path), str_of(cases[i].prefix)),
                  cases[i].is_below);
}

static void swapped_paths_are_canonical(void)
{
    static const struct {
        const char *path, *from, *to, *wanted;
    } cases[] = {
        {"/app/x", "/app", "", "/x"},     {"/app", "/app", "", "/"},
        {"/app//x", "/app", "", "/x"},    {"/x", "", "/v2", "/v2/x"},
        {"/a%2Fb", "/a%2Fb", "/c", "/c"}, {"/app/x//y", "/app", "/c", "/c/x//y"},
    };
    struct fixture f;
    const struct exchange *x = fixture_start(&f, "GET", "a.example", "/", NULL);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(
            path_map_swap(str_of(cases[i].path), str_of(cases[i].from), str_of(cases[i].to), x),
            str_of(cases[i].wanted));
    fixture_end(&f);
}

TEST_MAIN(TEST(prefixes_of_settings_become_whole_segments), TEST(below_means_whole_segments),
          TEST(swapped_paths_are_canonical))
