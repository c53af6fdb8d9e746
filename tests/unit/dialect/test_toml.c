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
    {"a = +0\nb = -0.0\nc = 6.02e+2_3\nd = +inf\ne = -nan\nf = 0o17\ng = 0b1_0\nh = 0xDE_ad\n",
     "{a: +0, b: -0.0, c: 6.02e+23, d: +inf, e: -nan, f: 0o17, g: 0b10, h: 0xDEad}"},
    {"a = 1979-05-27 07:32:00.5-07:00\nb = 07:32:00\nc = 1979-05-27\nd = 1979-05-27 # x\n",
     "{a: 1979-05-27 07:32:00.5-07:00, b: 07:32:00, c: 1979-05-27, d: 1979-05-27}"},
    {"a.b = 1\na.c.d = 2\na.c.e = 3\n[a.f]\ng = 4\n", "{a: {b: 1, c: {d: 2, e: 3}, f: {g: 4}}}"},
    {"[a.b.c]\nx = 1\n[a]\ny = 2\n[a.b]\nz = 3\n", "{a: {b: {c: {x: 1}, z: 3}, y: 2}}"},
    {"[ a . 'b c' ] # x\n  d=1", "{a: {b c: {d: 1}}}"},
    {"1 = 2\n-_ = 3\ntrue = 4\n3.14 = 5\n", "{1: 2, -_: 3, true: 4, 3: {14: 5}}"},
    {"a = [ [ ], [[1]], # x\n\n { b = [2] }, ]\n", "{a: [[], [[1]], {b: [2]}]}"},
    {"[[a]]\n[[a.b]]\nc = 1\n[[a.b]]\n[[a]]\n[[a.b]]\nc = 2\n",
     "{a: [{b: [{c: 1}, {}]}, {b: [{c: 2}]}]}"},
    {"a = \"\"\"\r\nx\r\n\"\"\"\nb = ''''x''''\nc = \"\"\"\"\"x\"\"\"\n",
     "{a: x\r\n, b: 'x', c: \"\"x}"},
    {"a = '\\t'\nb = ''\nc = \"#\" # \xc3\xa9\n", "{a: \\t, b: , c: #}"},
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
    {"a = 'x\ry'", "a control byte in a text", 1, 7},
    {"a = '''x\ry'''", "a control byte in a text", 1, 9},
    {"# x\x01\n", "a control byte in a comment", 1, 4},
    {"# x\ry\n", "a control byte in a comment", 1, 4},
    {"a = 1\rb = 2", "expected the end of the line", 1, 6},
    {"a = 01", "expected a value", 1, 5},
    {"a = -01.5", "expected a value", 1, 5},
    {"a = 1__0", "expected a value", 1, 5},
    {"a = 1_", "expected a value", 1, 5},
    {"a = 1_.5", "expected a value", 1, 5},
    {"a = 1.", "expected a value", 1, 5},
    {"a = .5", "expected a value", 1, 5},
    {"a = 1.e5", "expected a value", 1, 5},
    {"a = 1e", "expected a value", 1, 5},
    {"a = 1e1.5", "expected a value", 1, 5},
    {"a = 0x", "expected a value", 1, 5},
    {"a = 0xg", "expected a value", 1, 5},
    {"a = +0x1", "expected a value", 1, 5},
    {"a = 0b2", "expected a value", 1, 5},
    {"a = ++1", "expected a value", 1, 5},
    {"a = 10s", "expected a value", 1, 5},
    {"a = xinf", "expected a value", 1, 5},
    {"a = True", "expected a value", 1, 5},
    {"a = 1979-5-27", "expected a value", 1, 5},
    {"a = 07:32", "expected a value", 1, 5},
    {"a = 1979-05-27 07:32:00 Z", "expected the end of the line", 1, 25},
    {"a.b = 1\n[a]\n", "this table is here already", 2, 2},
    {"[a]\nb.c = 1\n[a.b]\n", "this table is here already", 3, 4},
    {"[a.b]\nc = 1\n[a]\nb.d = 2", "this key has a value already", 4, 1},
    {"a = { b = 1, }", "expected a key", 1, 14},
    {"a = { b = 1\n}", "expected ',' or '}'", 1, 12},
    {"a = { b = 1, b = 2 }", "this key has a value already", 1, 14},
    {"a = [,]", "expected a value", 1, 6},
    {"a = [1,,2]", "expected a value", 1, 8},
    {"a = [{ b = 1 }]\n[a.c]", "this key has a value already", 2, 2},
    {"[]", "expected a key", 1, 2},
    {"[a]x = 1", "expected the end of the line", 1, 4},
    {"[ [a]]", "expected a key", 1, 3},
    {"[[a]]\n[a]", "this key has a value already", 2, 2},
    {"[a]\n[[a]]", "this key has a value already", 2, 3},
    {"'''a''' = 1", "a key can't be empty", 1, 3},
    {"a = \"\\u00e\"", "expected \\b", 1, 11},
    {"a = \"\\U00110000\"", "expected \\b", 1, 16},
    {"a = '''x''", "a text without its closing quote", 1, 5},
    {"a b = 1", "expected '='", 1, 3},
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
