// SPDX-License-Identifier: Apache-2.0
// A Caddyfile as a tree of lines.
#include "dialect/caddy_words.h"

#include "unit/test.h"

static bool read_file(void *arg, struct str path, struct arena *mem, struct str *ret,
                      const char **ret_why)
{
    static const struct {
        const char *path, *text;
    } files[] = {
        {"/etc/caddy/one.conf", "one\n"},
        {"/etc/caddy/sub/two.conf", "import three.conf\n"},
        {"/etc/caddy/sub/three.conf", "three {args.0}\n"},
        {"/etc/caddy/snippets.conf", "(far) {\nfar\n}\n"},
    };
    (void)arg;
    *ret_why = "there is no such file";
    for (size_t i = 0; i < ARRAY_LEN(files); i++)
        if (str_eq(path, str_of(files[i].path))) {
            *ret = arena_dup(mem, str_of(files[i].text));
            return true;
        }
    return false;
}

static bool read_env(void *arg, struct str name, struct arena *mem, struct str *ret,
                     const char **ret_why)
{
    (void)arg, (void)mem;
    *ret_why = "it is not set";
    *ret = str_eq(name, STR("HOST")) ? STR("a.example") : STR("");
    return str_eq(name, STR("HOST")) || str_eq(name, STR("EMPTY"));
}

static bool find_files(void *arg, struct str pattern, struct arena *mem, struct str **ret,
                       size_t *ret_n)
{
    (void)arg;
    static struct str found[2];
    found[0] = arena_dup(mem, STR("/etc/caddy/one.conf"));
    found[1] = arena_dup(mem, STR("/etc/caddy/sub/two.conf"));
    *ret = found;
    *ret_n = str_eq(pattern, STR("/etc/caddy/*.conf")) ? 2 : 0;
    return !str_ends(pattern, STR("many*"));
}

// A tree as text: "'word' 'word'; " and "'word' { … } ".
static void put_tree(const struct caddy_line *block, struct text *to)
{
    for (const struct caddy_line *l = block->first; l; l = l->next) {
        for (size_t i = 0; i < l->n_words; i++)
            text_printf(to, i == 0 ? "'" STR_FMT "'" : " '" STR_FMT "'", STR_ARG(caddy_word(l, i)));
        text_put(to, l->is_block ? STR("{ ") : STR("; "));
        put_tree(l, to);
        text_put(to, l->is_block ? STR("} ") : STR(""));
    }
}

struct read {
    struct draft d;
    struct diags diags;
    struct caddy_line *root;
    struct text told;
};

static void read_text(const char *text, struct read *ret)
{
    static const struct conf_resolver files = {.read_file = read_file, .read_env = read_env};
    *ret = (struct read){.root = NULL};
    struct dialect_input in = {.path = STR("/etc/caddy/Caddyfile"),
                               .text = str_of(text),
                               .files = &files,
                               .find_files = find_files};
    draft_init(&ret->d);
    ret->root = caddy_read(&in, &ret->d, &ret->diags);
    text_put(&ret->told, STR(""));
    if (ret->root)
        put_tree(ret->root, &ret->told);
}

static void read_fini(struct read *r)
{
    text_fini(&r->told);
    diags_fini(&r->diags);
    draft_fini(&r->d);
}

static void check_trees(const char *const cases[][2], size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct read r;
        read_text(cases[i][0], &r);
        CHECK(r.root);
        CHECK_STR(text_str(&r.told), str_of(cases[i][1]));
        read_fini(&r);
    }
}

static void words_are_read_as_caddy_does(void)
{
    static const char *const cases[][2] = {
        {"# only a comment", ""},
        {"a {\n}", "'a'{ } "},
        {"a {\nb c # d\n\n\te#f\n}", "'a'{ 'b' 'c'; 'e#f'; } "},
        {"a b, c,\nd {\n}", "'a' 'b,' 'c,' 'd'{ } "},
        {"a {\nb \"c d\" `e \"f\"` \"g\\\"h\" \"i\\n\"\n}",
         "'a'{ 'b' 'c d' 'e \"f\"' 'g\"h' 'i\\n'; } "},
        {"a {\nb \\\n\tc\n}", "'a'{ 'b' 'c'; } "},
        {"a {\nb \"}\" \"{\"\n}", "'a'{ 'b' '}' '{'; } "},
        {"a {\nb {x} {\nc\n}\n}", "'a'{ 'b' '{x}'{ 'c'; } } "},
        {"a {\nb <<X\n  one\n    two\n  X\n}", "'a'{ 'b' 'one\n  two'; } "},
        {"a\nb c\nd {\ne\n}", "'a'{ 'b' 'c'; 'd'{ 'e'; } } "},
        {"{\nx y\n}\na {\n}", "{ 'x' 'y'; } 'a'{ } "},
        {"{$HOST} {$NONE} {$NONE:b} {$EMPTY:c} {$HOST:d} {\n}", "'a.example' 'b' 'a.example'{ } "},
    };
    check_trees(cases, ARRAY_LEN(cases));
}

static void what_is_imported_stands_in_its_place(void)
{
    static const char *const cases[][2] = {
        {"(s) {\nb {args.0} {args[1]}\n}\na {\nimport s x y\nc\n}", "'a'{ 'b' 'x' 'y'; 'c'; } "},
        {"(s) {\nb {args.0}\n}\n(t) {\nimport s {args.0}z\n}\na {\nimport t x\n}",
         "'a'{ 'b' 'xz'; } "},
        {"a {\nimport one.conf\n}", "'a'{ 'one'; } "},
        {"a {\nimport /etc/caddy/one.conf\n}", "'a'{ 'one'; } "},
        {"a {\nimport *.conf\n}", "'a'{ 'one'; } "},
        {"a {\nimport none*.conf\nb\n}", "'a'{ 'b'; } "},
        {"import snippets.conf\na {\nimport far\n}", "'a'{ 'far'; } "},
    };
    // The second of the pattern's files imports one of its own folder, which wants an argument.
    check_trees(cases, 4);
    check_trees(cases + 5, ARRAY_LEN(cases) - 5);
    struct read r;
    read_text(cases[4][0], &r);
    CHECK(!r.root && r.diags.n == 1);
    read_fini(&r);
}

static void what_is_none_of_it_is_told_with_its_place(void)
{
    static const struct {
        const char *text, *why;
        unsigned line;
    } cases[] = {
        {"a {\nb", "a block isn't closed", 2},
        {"a {\n}\n}", "'}' closes nothing", 3},
        {"a {\nb \"c\n}", "the quote isn't closed", 2},
        {"a {\nb <<X\nc\n}", "the end of the heredoc is missing", 3},
        {"a {\nb <<X\nc\n  X\n}", "a line of the heredoc begins further left than its end", 3},
        {"a {\nimport none\n}", "/etc/caddy/none can't be read: there is no such file", 2},
        {"a {\nimport many*\n}", "it fits more files than can be taken", 2},
        {"(s) {\nb {args.1}\n}\na {\nimport s x\n}",
         "what is imported needs more arguments than it gets", 5},
        {"(s) {\nimport s\n}\na {\nimport s\n}", "imports or blocks are nested too deeply", 1},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct read r;
        read_text(cases[i].text, &r);
        CHECK(!r.root);
        CHECK_INT(r.diags.n, 1);
        if (r.diags.n == 1) {
            CHECK_STR(str_of(r.diags.items[0].text), str_of(cases[i].why));
            CHECK_INT(r.diags.items[0].place.line, cases[i].line);
        }
        read_fini(&r);
    }
}

static void blocks_and_words_have_limits(void)
{
    struct text t = {.len = 0};
    struct read r;
    for (int i = 0; i < 40; i++)
        text_put(&t, STR("a {\n"));
    read_text(t.ptr, &r);
    CHECK(!r.root && r.diags.n == 1);
    read_fini(&r);
    t.len = 0;
    for (int i = 0; i < 600; i++)
        text_put(&t, STR("a "));
    text_put(&t, STR("{\n}\n"));
    read_text(t.ptr, &r);
    CHECK(!r.root && r.diags.n == 1);
    read_fini(&r);
    t.len = 0;
    text_put(&t, STR("a {\n"));
    for (int i = 0; i < 50001; i++)
        text_put(&t, STR("a\n"));
    text_put(&t, STR("}\n"));
    read_text(t.ptr, &r);
    CHECK(!r.root && r.diags.n == 1);
    read_fini(&r);
    text_fini(&t);
}

TEST_MAIN(TEST(words_are_read_as_caddy_does), TEST(what_is_imported_stands_in_its_place),
          TEST(what_is_none_of_it_is_told_with_its_place), TEST(blocks_and_words_have_limits))
