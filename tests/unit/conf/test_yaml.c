// SPDX-License-Identifier: Apache-2.0
#include "base/text.h"
#include "unit/conf/support.h"

// Writes a tree in one line: {key: value, list: [a, ~]}.
static void show(const struct conf_node *node, struct text *to)
{
    bool is_map = node->kind == CONF_NODE_MAP;
    if (node->kind == CONF_NODE_NULL) {
        text_put(to, STR("~"));
        return;
    }
    if (node->kind == CONF_NODE_SCALAR) {
        text_put(to, node->text);
        return;
    }
    text_byte(to, is_map ? '{' : '[');
    for (const struct conf_node *child = node->first; child; child = child->next) {
        if (child != node->first)
            text_put(to, STR(", "));
        if (is_map)
            text_printf(to, STR_FMT ": ", STR_ARG(child->key));
        show(child, to);
    }
    text_byte(to, is_map ? '}' : ']');
}

static void trees_are_what_the_text_says(void)
{
    static const struct {
        const char *yaml, *tree;
    } cases[] = {
        {"", "{}"},
        {"# nothing\n", "{}"},
        {"---\n", "{}"},
        {"~", "{}"},
        {"\xef\xbb\xbf"
         "a: 1",
         "{a: 1}"},
        {"a: 1\nb: [x, 'y', \"z\"]\n", "{a: 1, b: [x, y, z]}"},
        {"a:\nb: ~\nc: null\nd: 'null'\n", "{a: ~, b: ~, c: ~, d: null}"},
        {"null: 1", "{null: 1}"},
        {"- 1\n- {a: b}\n", "[1, {a: b}]"},
        {"a: &x {b: 1, c: [2]}\nd: *x\n", "{a: {b: 1, c: [2]}, d: {b: 1, c: [2]}}"},
        {"a: &x 1\nb: *x\n*x : 2", "{a: 1, b: 1, 1: 2}"},
        {"a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n", "{a: {b: 1, c: 2}, d: {c: 3, b: 1}}"},
        {"a: &x {b: 1}\ny: &y {b: 2, c: 2}\nd: {<<: [*x, *y]}",
         "{a: {b: 1}, y: {b: 2, c: 2}, d: {b: 1, c: 2}}"},
        {"a: {<<: &x {b: 1, c: 2}, z: 0}\nd: *x", "{a: {z: 0, b: 1, c: 2}, d: {b: 1, c: 2}}"},
        {"'<<': 1", "{<<: 1}"},
        {"a: !!str null", "{a: null}"},
        {"a: ! x", "{a: x}"},
        {"a: |\n  x\n  y\n", "{a: x\ny\n}"},
        {"%YAML 1.1\n---\na: 1\n...\n", "{a: 1}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        fixture_init(&f);
        struct conf_node *root = fixture_parse(&f, cases[i].yaml);
        struct text text = {.len = 0};
        if (root)
            show(root, &text);
        fixture_print(&f);
        CHECK_STR(text_str(&text), str_of(cases[i].tree));
        text_fini(&text);
        fixture_fini(&f);
    }
}

static void several_errors_are_all_told(void)
{
    struct fixture f;
    fixture_init(&f);
    CHECK(!fixture_parse(&f, "a: 1\na: 2\nb: !x 1\nc: {d: 1, d: 2}\n"));
    CHECK_INT(f.diags.n_errors, 3);
    fixture_fini(&f);
}

static void places_count_lines_and_characters_from_one(void)
{
    struct fixture f;
    fixture_init(&f);
    struct conf_node *root = fixture_parse(&f, "a: 1\nsites:\n  b.example:  { c: [x, yy] }\n");
    struct conf_node *b = root->last->first, *list = b->first;
    CHECK_INT(root->place.line, 1);
    CHECK_INT(b->key_place.line, 3);
    CHECK_INT(b->key_place.column, 3);
    CHECK_INT(b->place.column, 15);
    CHECK_INT(list->key_place.column, 17);
    CHECK_INT(list->last->place.column, 24);
    CHECK_STR(str_of(list->place.source), STR("t.yaml"));
    fixture_fini(&f);
}

static void alias_bombs_end_with_one_error(void)
{
    struct fixture f;
    fixture_init(&f);
    struct text yaml = {.len = 0};
    text_put(&yaml, STR("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"));
    for (int i = 1; i < 10; i++) {
        text_printf(&yaml, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            text_printf(&yaml, "%s*a%d", j > 0 ? ", " : "", i - 1);
        text_put(&yaml, STR("]\n"));
    }
    CHECK(!fixture_parse(&f, yaml.ptr));
    CHECK_INT(f.diags.n_errors, 1);
    CHECK(strstr(fixture_message(&f, 0), "more than 1000000 values"));
    text_fini(&yaml);
    fixture_fini(&f);
}

static void depth_is_limited_also_through_aliases(void)
{
    for (int depth = CONF_DEPTH_MAX; depth <= CONF_DEPTH_MAX + 1; depth++) {
        struct fixture f;
        fixture_init(&f);
        struct text yaml = {.len = 0};
        for (int i = 0; i < depth; i++)
            text_byte(&yaml, '[');
        for (int i = 0; i < depth; i++)
            text_byte(&yaml, ']');
        CHECK((fixture_parse(&f, yaml.ptr) != NULL) == (depth == CONF_DEPTH_MAX));
        CHECK_INT(f.diags.n_errors, depth == CONF_DEPTH_MAX ? 0 : 1);
        text_fini(&yaml);
        fixture_fini(&f);
    }
    struct fixture f;
    fixture_init(&f);
    struct text yaml = {.len = 0};
    text_put(&yaml, STR("a: &a {x: 1}\n"));
    for (int i = 1; i < 80; i++)
        text_printf(&yaml, "a%d: &a%d {x: *a", i, i),
            i > 1 ? text_printf(&yaml, "%d}\n", i - 1) : text_put(&yaml, STR("}\n"));
    CHECK(!fixture_parse(&f, yaml.ptr));
    CHECK(strstr(fixture_message(&f, 0), "inside each other, with aliases"));
    text_fini(&yaml);
    fixture_fini(&f);
}

static void a_full_arena_is_an_error_at_any_point(void)
{
    const char *yaml = "a: &x {b: 1, c: [2, 3]}\nd: *x\ne: {<<: *x, f: 'text of some length'}\n";
    bool has_fit = false;
    for (size_t limit = 16; !has_fit && limit < 100000; limit += 64) {
        struct arena mem;
        struct diags diags = {.n = 0};
        arena_init(&mem, limit, NULL, 0);
        has_fit = conf_yaml_parse(str_of(yaml), "t.yaml", &mem, &diags) != NULL;
        CHECK(has_fit == (diags.n_errors == 0));
        diags_fini(&diags);
        arena_fini(&mem);
    }
    CHECK(has_fit);
}

TEST_MAIN(TEST(trees_are_what_the_text_says), TEST(several_errors_are_all_told),
          TEST(places_count_lines_and_characters_from_one), TEST(alias_bombs_end_with_one_error),
          TEST(depth_is_limited_also_through_aliases), TEST(a_full_arena_is_an_error_at_any_point))
