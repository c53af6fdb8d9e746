// SPDX-License-Identifier: Apache-2.0
#include "dialect/traefik_tree.h"

#include "traefik_test.h"

struct inner {
    bool is_on;
    struct conf_texts list;
};

struct outer {
    bool flag;
    int64_t time_ms;
    struct conf_texts names;
    struct conf_list inners;
    struct inner inner, switched;
};

static const struct conf_item inner_items[] = {
    ITEM_TEXTS(inner, list, "someList"),
};

static const struct conf_section inner_section = {
    .name = "inner",
    CONF_SECTION_OF(inner, inner_items),
};

static const struct conf_item outer_items[] = {
    ITEM_BOOL(outer, flag, "aFlag"),
    ITEM_DURATION(outer, time_ms, "aTime"),
    ITEM_TEXTS(outer, names, "theNames"),
    ITEM_LIST(outer, inners, "inners", .section = &inner_section),
    ITEM_SECTION(outer, inner, "inner", struct inner, .section = &inner_section),
    ITEM_SWITCHED(outer, switched, "switched", struct inner, is_on, .section = &inner_section,
                  .def = "off"),
};

static const struct conf_section outer_section = {
    .name = "outer",
    CONF_SECTION_OF(outer, outer_items),
};

static const struct traefik_refusal refusals[] = {
    {"inner", "Old", "it is gone: use someList"},
    {.section = NULL},
};

// Paths and values, and what comes of them once they are fitted.
static const struct {
    const char *paths[6], *wanted;
} cases[] = {
    {{"AFLAG", "1"}, "{aFlag: true}"},
    {{"atime", "90", "thenames", "a, b,c"}, "{aTime: 90000ms, theNames: [a, b, c]}"},
    {{"TheNames[1]", "b", "thenames[0]", "a"}, "{theNames: [a, b]}"},
    {{"inners[1].somelist", "x", "inners[0].SomeList", "y,z"},
     "{inners: [{someList: [y, z]}, {someList: [x]}]}"},
    {{"inners.10.somelist", "x", "inners.2.somelist", "y"},
     "{inners: [{someList: [y]}, {someList: [x]}]}"},
    {{"inner", "true"}, "{inner: {}}"},
    {{"inner", "true", "inner.somelist", "a"}, "{inner: {someList: [a]}}"},
    {{"inner.somelist", "a", "inner", "true"}, "{inner: {someList: [a]}}"},
    {{"switched", "true"}, "{switched: true}"},
    {{"unknown.Key", "v"}, "{unknown: {Key: v}}"},
};

static void paths_become_a_tree_that_fits_the_table(void)
{
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        arena_init(&mem, 1 << 20, NULL, 0);
        const struct place place = {.source = "test"};
        struct conf_node *root = conf_node_new(&mem, CONF_NODE_MAP, place);
        for (size_t n = 0; n < 6 && cases[i].paths[n]; n += 2)
            CHECK(traefik_put(root, str_of(cases[i].paths[n]), str_of(cases[i].paths[n + 1]), place,
                              &mem, &diags));
        traefik_fit(&(struct traefik_fit){.mem = &mem, .diags = &diags, .is_flat = true},
                    &outer_section, root);
        CHECK_STR(tree_text(root, &mem), str_of(cases[i].wanted));
        CHECK_INT(diags.n, 0);
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

static void paths_that_make_no_sense_are_errors(void)
{
    static const struct {
        const char *first, *second, *error;
    } bad[] = {
        {"a..b", NULL, "'a..b' is no name of a setting"},
        {"", NULL, "'' is no name of a setting"},
        {"a.", NULL, "'a.' is no name of a setting"},
        {"a[x]", NULL, "'a[x]' is no name of a setting"},
        {"a[1", NULL, "'a[1' is no name of a setting"},
        {"a[99999]", NULL, "'a[99999]' is no name of a setting"},
        {"a.b", "A.B", "'A.B' is there twice"},
        {"a", "a.b", "'a.b' goes on where there is a value already"},
        {"a.b", "a", "'a' is there twice"},
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        arena_init(&mem, 1 << 20, NULL, 0);
        const struct place place = {.source = "test"};
        struct conf_node *root = conf_node_new(&mem, CONF_NODE_MAP, place);
        bool is_fine = traefik_put(root, str_of(bad[i].first), STR("v"), place, &mem, &diags);
        CHECK_INT(is_fine, bad[i].second != NULL);
        if (bad[i].second)
            CHECK(!traefik_put(root, str_of(bad[i].second), STR("v"), place, &mem, &diags));
        CHECK_INT(diags.n, 1);
        if (diags.n > 0)
            CHECK_STR(str_of(diags.items[0].text), str_of(bad[i].error));
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

static void a_path_has_a_limited_depth(void)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    struct text path = {.ptr = NULL};
    arena_init(&mem, 1 << 20, NULL, 0);
    const struct place place = {.source = "test"};
    for (int i = 0; i < 100; i++)
        text_put(&path, STR("a."));
    text_put(&path, STR("b"));
    CHECK(!traefik_put(conf_node_new(&mem, CONF_NODE_MAP, place), text_str(&path), STR("v"), place,
                       &mem, &diags));
    text_fini(&path);
    diags_fini(&diags);
    arena_fini(&mem);
}

static void what_was_refused_is_told_and_taken_out(void)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    arena_init(&mem, 1 << 20, NULL, 0);
    struct conf_node *root = conf_yaml_parse(
        STR("inner: {old: 1, somelist: [a]}\ninners: [{somelist: b, OLD: 2}]"), "f", &mem, &diags);
    traefik_fit(&(struct traefik_fit){.mem = &mem, .diags = &diags, .refusals = refusals},
                &outer_section, root);
    CHECK_STR(tree_text(root, &mem), STR("{inner: {someList: [a]}, inners: [{someList: b}]}"));
    CHECK_INT(diags.n, 2);
    if (diags.n == 2)
        CHECK_STR(str_of(diags.items[0].text), STR("inner.Old: it is gone: use someList"));
    diags_fini(&diags);
    arena_fini(&mem);
}

static void durations_are_gos_or_seconds(void)
{
    static const struct {
        const char *text;
        enum err err;
        uint64_t ms;
    } durations[] = {
        {"10", ERR_OK, 10000},    {"10s", ERR_OK, 10000},     {"1h30m", ERR_OK, 5400000},
        {"1.5s", ERR_OK, 1500},   {"100ms", ERR_OK, 100},     {"1us", ERR_OK, 1},
        {"0", ERR_OK, 0},         {"2.25h", ERR_OK, 8100000}, {"", ERR_SYNTAX, 0},
        {"s", ERR_SYNTAX, 0},     {"-1s", ERR_SYNTAX, 0},     {"1d", ERR_SYNTAX, 0},
        {"1s1", ERR_SYNTAX, 0},   {"1.x2s", ERR_SYNTAX, 0},   {"99999999h", ERR_SYNTAX, 0},
        {"1..5s", ERR_SYNTAX, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(durations); i++) {
        uint64_t ms = 0;
        CHECK_INT(traefik_duration(str_of(durations[i].text), &ms), durations[i].err);
        CHECK_INT(ms, durations[i].ms);
    }
}

int main(int argc, char **argv)
{
    const struct test_case tests[] = {
        TEST(paths_become_a_tree_that_fits_the_table),
        TEST(paths_that_make_no_sense_are_errors),
        TEST(a_path_has_a_limited_depth),
        TEST(what_was_refused_is_told_and_taken_out),
        TEST(durations_are_gos_or_seconds),
    };
    return test_main(argc, argv, tests, ARRAY_LEN(tests));
}
