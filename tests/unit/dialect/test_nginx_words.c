// SPDX-License-Identifier: Apache-2.0
// nginx's text as a tree of directives.
#include "dialect/nginx_words.h"

#include "unit/test.h"

static bool read_nothing(void *arg, struct str path, struct arena *mem, struct str *ret,
                         const char **ret_why)
{
    (void)arg, (void)path, (void)mem, (void)ret;
    *ret_why = "there is no such file";
    return false;
}

static const struct conf_resolver no_files = {.read_file = read_nothing};

// A tree as text: "name 'argument' { … } ".
static void put_tree(const struct nginx_directive *block, struct text *to)
{
    for (const struct nginx_directive *d = block->first; d; d = d->next) {
        for (size_t i = 0; i < d->n_words; i++)
            text_printf(to, i == 0 ? STR_FMT : " '" STR_FMT "'", STR_ARG(nginx_word(d, i)));
        if (d->is_block) {
            text_put(to, STR(" { "));
            put_tree(d, to);
            text_put(to, STR("} "));
        } else
            text_put(to, STR("; "));
    }
}

struct read {
    struct draft d;
    struct diags diags;
    struct nginx_directive *root;
    struct text told;
};

static void read_text(const char *text, struct read *ret)
{
    *ret = (struct read){.root = NULL};
    struct dialect_input in = {
        .path = STR("/etc/nginx/x.conf"), .text = str_of(text), .files = &no_files};
    draft_init(&ret->d);
    ret->root = nginx_read(&in, &ret->d, &ret->diags);
    if (ret->root)
        put_tree(ret->root, &ret->told);
}

static void read_fini(struct read *r)
{
    text_fini(&r->told);
    diags_fini(&r->diags);
    draft_fini(&r->d);
}

static void words_are_read_as_nginx_does(void)
{
    static const struct {
        const char *text, *tree;
    } cases[] = {
        {"", ""},
        {"# only a comment", ""},
        {"a;", "a; "},
        {"a b\n c;# d\ne;", "a 'b' 'c'; e; "},
        {"a { b c; d { } }", "a { b 'c'; d { } } "},
        {"a \"b c\" 'd;e';", "a 'b c' 'd;e'; "},
        {"a \"b\\\"c\" 'd\\'e' f\\ g;", "a 'b\"c' 'd'e' 'f\\ g'; "},
        {"a ^/x\\.php$ \\n;", "a '^/x\\.php$' '\n'; "},
        {"a ${b}c $d;", "a '${b}c' '$d'; "},
        {"a b#c;", "a 'b#c'; "},
        {"a \"\";", "a ''; "},
        {"x_by_lua_block { if a then b = \"}\" end { } } c;", "x_by_lua_block { } c; "},
        {"include mime.types; a;", "include 'mime.types'; a; "},
        {"include none.conf; a;", "include 'none.conf'; a; "},
        {"include *.conf; a;", "include '*.conf'; a; "},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct read r;
        read_text(cases[i].text, &r);
        CHECK(r.root);
        CHECK_STR(text_str(&r.told), str_of(cases[i].tree));
        read_fini(&r);
    }
}

static void what_is_none_of_it_is_told_with_its_place(void)
{
    static const struct {
        const char *text, *why;
        unsigned line, column;
    } cases[] = {
        {"a", "the directive has no ';' at its end", 1, 1},
        {"a;\n b }", "the directive has no ';' at its end", 2, 2},
        {"a;\n}", "'}' without a block that it could close", 2, 1},
        {"a {\n b;", "the block isn't closed", 1, 1},
        {"a 'b;", "the quote isn't closed", 1, 3},
        {"a 'b'c;", "a space, ';' or '{' is needed behind a closing quote", 1, 6},
        {"x_by_lua_block { ", "the block isn't closed", 1, 1},
        {"include a b;", "'include' takes one file name or pattern", 1, 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct read r;
        read_text(cases[i].text, &r);
        CHECK(!r.root);
        CHECK_INT(r.diags.n, 1);
        if (r.diags.n == 1) {
            CHECK_STR(str_of(r.diags.items[0].text), str_of(cases[i].why));
            CHECK_INT(r.diags.items[0].place.line, cases[i].line);
            CHECK_INT(r.diags.items[0].place.column, cases[i].column);
        }
        read_fini(&r);
    }
}

static void blocks_and_words_have_limits(void)
{
    struct text t = {.len = 0};
    struct read r;
    for (int i = 0; i < 40; i++)
        text_put(&t, STR("a { "));
    read_text(t.ptr, &r);
    CHECK(!r.root);
    read_fini(&r);
    t.len = 0;
    for (int i = 0; i < 1100; i++)
        text_put(&t, STR("a "));
    text_put(&t, STR(";"));
    read_text(t.ptr, &r);
    CHECK(!r.root);
    read_fini(&r);
    t.len = 0;
    for (int i = 0; i < 50001; i++)
        text_put(&t, STR("a;"));
    read_text(t.ptr, &r);
    CHECK(r.d.is_full);
    read_fini(&r);
    text_fini(&t);
}

static void files_of_a_dump_include_each_other(void)
{
    struct read r;
    read_text("talk\n# configuration file /etc/nginx/nginx.conf:\na;\ninclude d/*.conf;\n"
              "# configuration file /etc/nginx/d/1.conf:\nb;\n"
              "# configuration file /etc/nginx/d/2.conf:\nc;\ninclude d/1.conf;\n"
              "# configuration file /etc/nginx/e/3.conf:\nd;\n",
              &r);
    CHECK(r.root);
    if (r.root) {
        CHECK_STR(text_str(&r.told), STR("a; include 'd/*.conf'; b; c; include 'd/1.conf'; b; "));
        CHECK_INT(r.root->first->place.line, 3);
        CHECK_INT(r.root->first->next->next->place.line, 6);
    }
    read_fini(&r);
    read_text("# configuration file a:\ninclude a;include b;\n# configuration file b:\ninclude b;",
              &r);
    CHECK(!r.root); // for ever
    read_fini(&r);
}

TEST_MAIN(TEST(words_are_read_as_nginx_does), TEST(what_is_none_of_it_is_told_with_its_place),
          TEST(blocks_and_words_have_limits), TEST(files_of_a_dump_include_each_other))
