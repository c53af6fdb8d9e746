// SPDX-License-Identifier: Apache-2.0
#include "filter/substitute.h"

#include "unit/test.h"

struct world {
    struct arena mem;
    struct diags diags;
    struct regex *re;
    struct substitute s;
    enum err err;
};

static void world_start(struct world *w, const char *from, const char *to)
{
    char why[REGEX_WHY_BYTES];
    size_t at;
    *w = (struct world){.err = ERR_OK};
    arena_init(&w->mem, 1 << 20, NULL, 0);
    const struct filter_env env = {.mem = &w->mem, .diags = &w->diags};
    w->re = regex_compile(str_of(from), 0, &w->mem, &at, why);
    CHECK(w->re != NULL);
    w->err = substitute_parse(&(struct conf_text){.text = str_of(to)}, w->re, &env, &w->s);
}

static void world_end(struct world *w)
{
    regex_fini(w->re);
    diags_fini(&w->diags);
    arena_fini(&w->mem);
}

static void matches_are_replaced_as_go_does(void)
{
    static const struct {
        const char *from, *to, *subject, *wanted; // NULL: not found
    } cases[] = {
        {"^/a/(.*)$", "/b/$1", "/a/c/d", "/b/c/d"},
        {"^/a/(.*)$", "/b/$1", "/x", NULL},
        {"/a", "/b", "/a/a/c", "/b/b/c"},
        {"a(x)?", "<$1>", "ax-a", "<x>-<>"},
        {"(?P<user>[a-z]+)", "${user}!", "ab1cd", "ab!1cd!"},
        {"(a)", "${1}1$$", "a", "a1$"},
        {"(a)", "$0$0", "xay", "xaay"},
        {"x*", "-", "abxd", "-a-b-d-"},
        {"", "-", "ab", "-a-b-"},
        {"", "-", "", "-"},
        {"b", "", "abc", "ac"},
        {"$", "/", "/a", "/a/"},
        {"^", "/x", "/a", "/x/a"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w;
        world_start(&w, cases[i].from, cases[i].to);
        CHECK_INT(w.err, ERR_OK);
        struct str made = STR_NONE;
        enum substitute_end end =
            substitute_all(&w.s, w.re, str_of(cases[i].subject), false, &w.mem, &made);
        CHECK_INT(end, cases[i].wanted ? SUBSTITUTE_DONE : SUBSTITUTE_NONE);
        if (!str_eq(made, str_of(cases[i].wanted)))
            printf("# %s %s %s\n", cases[i].from, cases[i].to, cases[i].subject);
        CHECK_STR(made, str_of(cases[i].wanted));
        world_end(&w);
    }
}

static void groups_in_a_query_are_one_value(void)
{
    struct world w;
    struct str made = STR_NONE;
    world_start(&w, "^/(.*)$", "/i/$1?p=$1&q=1");
    CHECK_INT(substitute_all(&w.s, w.re, STR("/a&b=c+d;e%26"), true, &w.mem, &made),
              SUBSTITUTE_DONE);
    CHECK_STR(made, STR("/i/a&b=c+d;e%26?p=a%26b%3Dc%2Bd%3Be%26&q=1"));
    world_end(&w);
}

static void templates_with_groups_that_are_not_there_are_refused(void)
{
    static const struct {
        const char *from, *to;
        bool is_good;
    } cases[] = {
        {"(a)", "$1", true},   {"(a)", "$2", false},    {"(a)", "$", false},
        {"(a)", "${1", false}, {"(a)", "$1x", false},   {"(a)", "${1}x", true},
        {"(a)", "$$1", true},  {"(?<n>a)", "$n", true}, {"(?<n>a)", "${m}", false},
        {"(a)", "${}", false}, {"(a)", "$10", false},   {"(a)", "$-", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct world w;
        world_start(&w, cases[i].from, cases[i].to);
        if ((w.err == ERR_OK) != cases[i].is_good)
            printf("# %s %s\n", cases[i].from, cases[i].to);
        CHECK_INT(w.err == ERR_OK, cases[i].is_good);
        world_end(&w);
    }
}

static void what_grows_too_long_or_takes_too_long_is_refused(void)
{
    static char many[2000], large[SUBSTITUTE_MAX_BYTES];
    struct world w;
    struct str made = STR_NONE;
    memset(many, 'a', sizeof many);
    memset(large, 'a', sizeof large);
    world_start(&w, "a", "b");
    CHECK_INT(substitute_all(&w.s, w.re, str_from(many, sizeof many), false, &w.mem, &made),
              SUBSTITUTE_BROKEN);
    world_end(&w);
    world_start(&w, "^(.*)$", "$1$1");
    CHECK_INT(substitute_all(&w.s, w.re, str_from(large, sizeof large), false, &w.mem, &made),
              SUBSTITUTE_BROKEN);
    CHECK_INT(substitute_all(&w.s, w.re, str_from(large, sizeof large / 2), false, &w.mem, &made),
              SUBSTITUTE_DONE);
    CHECK_INT(made.len, sizeof large);
    world_end(&w);
    world_start(&w, "(a+)+[bc]", "x");
    CHECK_INT(substitute_all(&w.s, w.re, str_from(many, sizeof many), false, &w.mem, &made),
              SUBSTITUTE_BROKEN);
    world_end(&w);
}

static void a_full_arena_is_told(void)
{
    struct world w;
    struct arena small;
    struct str made;
    static char large[8000];
    memset(large, 'a', sizeof large);
    arena_init(&small, 4096, NULL, 0);
    world_start(&w, "^(.*)$", "$1");
    CHECK_INT(substitute_all(&w.s, w.re, str_from(large, sizeof large), false, &small, &made),
              SUBSTITUTE_NO_ROOM);
    world_end(&w);
    arena_fini(&small);
}

TEST_MAIN(TEST(matches_are_replaced_as_go_does), TEST(groups_in_a_query_are_one_value),
          TEST(templates_with_groups_that_are_not_there_are_refused),
          TEST(what_grows_too_long_or_takes_too_long_is_refused), TEST(a_full_arena_is_told))
