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

static void what_is_wrong_is_told_with_its_place(void)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"a: 1\nb: 2\na: 3\n",
         "t.yaml:3:1: error: the key 'a' is here twice: first in line 1, column 1"},
        {"a:\n\tb: 1\n", "t.yaml:2:1: error: a tab can't be used for indentation: use spaces"},
        {"a: 1\n b: 2\n", "t.yaml:2:3: error: ':' is not expected here: check the indentation, or "
                          "put the text in quotes"},
        {"a: [1, 2\nb: 3\n", "t.yaml:2:2: error: expected ',' or ']': is the list closed? (this "
                             "part begins in line 1)"},
        {"a: 'x\nb: 1\n", "t.yaml:3:1: error: the file ends inside quotes: is a quote not closed? "
                          "(this part begins in line 1)"},
        {"a: @x\n", "t.yaml:1:4: error: a text that begins with this character needs quotes"},
        {"a: `x`\n", "t.yaml:1:4: error: a text that begins with '@', '`' or '%' needs quotes"},
        {"a: !x y\n", "t.yaml:1:4: error: the tag '!x' is not allowed: a text that begins with "
                      "'!' needs quotes"},
        {"a: !!int 3\n", "t.yaml:1:4: error: the tag 'tag:yaml.org,2002:int' is not allowed: a "
                         "text that begins with '!' needs quotes"},
        {"a: !!map {}\n", "t.yaml:1:4: error: the tag 'tag:yaml.org,2002:map' is not allowed: a "
                          "text that begins with '!' needs quotes"},
        {"a: 1\n---\nb: 1\n", "t.yaml:2:1: error: only one document is allowed in a file"},
        {"a: *b\n", "t.yaml:1:4: error: there is no '&b' above for this alias"},
        {"a: &b [1, *b]\n", "t.yaml:1:11: error: the alias '*b' is inside of what it stands for"},
        {"? [a]\n: 1\n", "t.yaml:1:3: error: a key has to be a text, in one line and not empty"},
        {"{'': 1}\n", "t.yaml:1:2: error: a key has to be a text, in one line and not empty"},
        {"a: {<<: 1}\n", "t.yaml:1:9: error: '<<' takes a map or a list of maps"},
        {"a: 1\nb: \xff\n", "t.yaml:2:4: error: this is not UTF-8 text (byte 0xff)"},
        {"a: \x01\n", "t.yaml:1:4: error: a control character is not allowed (byte 0x01)"},
        {"a: \"\\q\"\n", "t.yaml:1:5: error: unknown escape: write \\\\ for a backslash inside "
                         "double quotes, or use single quotes"},
        {"a:\n  - 1\n  b: 2\n", "t.yaml:3:3: error: expected '- item' here: check the indentation "
                                "of this list (this part begins in line 2)"},
        {"a: b: c\n", "t.yaml:1:5: error: ':' is not expected here: check the indentation, or put "
                      "the text in quotes"},
        {"abc\nd: 1\n", "t.yaml:2:2: error: ':' is not expected here: check the indentation, or "
                        "put the text in quotes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        fixture_init(&f);
        CHECK(!fixture_parse(&f, cases[i].yaml));
        CHECK_INT(f.diags.n_errors, 1);
        CHECK_STR(str_of(fixture_message(&f, 0)), str_of(cases[i].message));
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

TEST_MAIN(TEST(trees_are_what_the_text_says), TEST(what_is_wrong_is_told_with_its_place),
          TEST(several_errors_are_all_told), TEST(places_count_lines_and_characters_from_one),
          TEST(alias_bombs_end_with_one_error), TEST(depth_is_limited_also_through_aliases),
          TEST(a_full_arena_is_an_error_at_any_point))
