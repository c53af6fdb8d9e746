// SPDX-License-Identifier: Apache-2.0
#include "dialect/toml.h"

#include "traefik_test.h"

static const struct {
    const char *text, *tree;
} fine[] = {
    {"", "{}"},
    {"# only a comment", "{}"},
    {"a = 1\r\nb = true # x\n", "{a: 1, b: true}"},
    {"a.b.c = \"x\"\na.b.d = 'y'\n", "{a: {b: {c: x, d: y}}}"},
    {"[a.b]\nc = 1_000\n[a]\nd = -2.5e3\n", "{a: {b: {c: 1000}, d: -2.5e3}}"},
    {"[[l]]\na = 1\n[[l]]\na = 2\n[l.sub]\nb = 3\n", "{l: [{a: 1}, {a: 2, sub: {b: 3}}]}"},
    {"a = [ 1, 'x', # c\n [2], ]\n", "{a: [1, x, [2]]}"},
    {"a = { b = 1, c.d = 'x' }\n", "{a: {b: 1, c: {d: x}}}"},
    {"a = { }\nb = []\n", "{a: {}, b: []}"},
    {"\"quoted key\" = 1\n'lit.key'.b = 2\n", "{quoted key: 1, lit.key: {b: 2}}"},
    {"a = \"\\t\\u00e9\\U0001F600\\\\\"\n", "{a: \t\xc3\xa9\xf0\x9f\x98\x80\\}"},
    {"a = '''\nx\\n'y'''\n", "{a: x\\n'y}"},
    {"a = \"\"\"\nx \\\n   y\"\"\"\"\n", "{a: x y\"}"},
    {"a = 1979-05-27T07:32:00Z\nb = inf\nc = 0xff\n", "{a: 1979-05-27T07:32:00Z, b: inf, c: 0xff}"},
    {"\xef\xbb\xbf"
     "a = 1",
     "{a: 1}"},
};

static void texts_become_trees(void)
{
    for (size_t i = 0; i < ARRAY_LEN(fine); i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        arena_init(&mem, 16 << 20, NULL, 0);
        const struct conf_node *root = toml_parse(str_of(fine[i].text), "f", &mem, &diags);
        CHECK(root != NULL);
        CHECK_INT(diags.n, 0);
        CHECK_STR(tree_text(root, &mem), str_of(fine[i].tree));
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

static const struct {
    const char *text, *error;
    unsigned line, column;
} wrong[] = {
    {"a", "expected '='", 1, 2},
    {"a = ", "expected a value", 1, 5},
    {"a = x", "expected a value", 1, 5},
    {"a = 1 b = 2", "expected the end of the line", 1, 7},
    {"a = 1\na = 2", "this key has a value already", 2, 1},
    {"[a]\n[a]", "this table is here already", 2, 2},
    {"a = {}\n[a]", "this table is here already", 2, 2},
    {"a = []\n[[a]]", "this key has a value already", 2, 3},
    {"a = 1\n[a.b]", "this key has a value already", 2, 2},
    {"[a]\nb = 1\n[[a.b]]", "this key has a value already", 3, 5},
    {"a = {}\na.b = 1", "this key has a value already", 2, 1},
    {"a = \"x", "a text without its closing quote", 1, 5},
    {"a = \"x\ny\"", "a text without its closing quote", 1, 5},
    {"a = \"\\q\"", "expected \\b", 1, 8},
    {"a = \"\\ud800\"", "expected \\b", 1, 12},
    {"a = [1 2]", "expected ',' or ']'", 1, 8},
    {"a = { b = 1", "expected ',' or '}'", 1, 12},
    {"[a", "expected ']'", 1, 3},
    {"[[a]", "expected ']]'", 1, 4},
    {"= 1", "expected a key", 1, 1},
    {"a..b = 1", "expected a key", 1, 3},
    {"\"\" = 1", "a key can't be empty", 1, 3},
    {"a = \"\x01\"", "a control byte", 1, 6},
};

static void mistakes_have_their_places(void)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
        struct arena mem;
        struct diags diags = {.n = 0};
        arena_init(&mem, 16 << 20, NULL, 0);
        CHECK(toml_parse(str_of(wrong[i].text), "f", &mem, &diags) == NULL);
        CHECK_INT(diags.n, 1);
        if (diags.n == 1) {
            if (str_search(str_of(diags.items[0].text), str_of(wrong[i].error)) == STR_NPOS)
                CHECK_STR(str_of(diags.items[0].text), str_of(wrong[i].error));
            CHECK_INT(diags.items[0].place.line, wrong[i].line);
            CHECK_INT(diags.items[0].place.column, wrong[i].column);
        }
        diags_fini(&diags);
        arena_fini(&mem);
    }
}

static void nesting_has_a_limit(void)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    struct text deep = {.ptr = NULL}, dots = {.ptr = NULL};
    arena_init(&mem, 16 << 20, NULL, 0);
    text_put(&deep, STR("a = "));
    for (int i = 0; i < 200; i++) {
        text_byte(&deep, '[');
        text_put(&dots, STR("a."));
    }
    text_put(&dots, STR("b = 1"));
    CHECK(toml_parse(text_str(&deep), "f", &mem, &diags) == NULL);
    CHECK(toml_parse(text_str(&dots), "f", &mem, &diags) == NULL);
    CHECK_INT(diags.n, 2);
    text_fini(&deep);
    text_fini(&dots);
    diags_fini(&diags);
    arena_fini(&mem);
}

int main(int argc, char **argv)
{
    const struct test_case cases[] = {
        TEST(texts_become_trees),
        TEST(mistakes_have_their_places),
        TEST(nesting_has_a_limit),
    };
    return test_main(argc, argv, cases, ARRAY_LEN(cases));
}
