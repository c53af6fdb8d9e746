// SPDX-License-Identifier: Apache-2.0
#include "unit/conf/sample.h"
#include "unit/conf/support.h"

static bool read_file(void *arg, struct str path, struct arena *mem, struct str *ret,
                      const char **ret_why)
{
    (void)arg, (void)mem;
    if (str_eq(path, STR("gone"))) {
        *ret_why = "no such file";
        return false;
    }
    *ret = str_eq(path, STR("empty")) ? STR("\n") : STR("content\r\n\n");
    return true;
}

static bool read_env(void *arg, struct str name, struct arena *mem, struct str *ret,
                     const char **ret_why)
{
    (void)arg, (void)ret_why;
    *ret = arena_concat(mem, STR("value of "), name, STR_NONE);
    return true;
}

static const struct conf_resolver resolver = {.read_file = read_file, .read_env = read_env};

static enum err read_resolved(struct fixture *f, const char *yaml, struct sample_root *ret)
{
    struct conf_node *node = fixture_parse(f, yaml);
    enum err err = conf_resolve(&sample_root_section, node, &resolver, &f->mem, &f->diags);
    if (err != ERR_OK)
        return err;
    return conf_read(&sample_root_section, node, NULL, &f->mem, &f->diags, ret);
}

static void secrets_come_from_files_variables_and_the_text_itself(void)
{
    static const struct {
        const char *yaml, *token;
    } cases[] = {
        {"token: file:/run/token", "content"},
        {"token: env:TOKEN", "value of TOKEN"},
        {"token: plain", "plain"},
        {"token: '$HOME'", "$HOME"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        fixture_init(&f);
        struct sample_root root;
        CHECK_INT(read_resolved(&f, cases[i].yaml, &root), ERR_OK);
        CHECK_STR(root.token.text, str_of(cases[i].token));
        fixture_fini(&f);
    }
}

static void files_keep_their_bytes_and_their_path(void)
{
    struct fixture f;
    fixture_init(&f);
    struct sample_root root;
    CHECK_INT(read_resolved(&f, "page: e.html", &root), ERR_OK);
    CHECK_STR(root.page.path, STR("e.html"));
    CHECK_STR(root.page.content, STR("content\r\n\n"));
    fixture_fini(&f);
}

static void what_can_not_be_read_is_an_error_with_its_reason(void)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"token: file:gone",
         "t.yaml:1:8: error: token: the file 'gone' can't be used: no such file"},
        {"page: gone", "t.yaml:1:7: error: page: the file 'gone' can't be used: no such file"},
        {"token: file:empty",
         "t.yaml:1:8: error: token: the file 'empty' is empty, which a secret can't be"},
        {"token: 'env:'", "t.yaml:1:8: error: token: 'env:' does not name a variable"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        fixture_init(&f);
        struct sample_root root;
        CHECK(read_resolved(&f, cases[i].yaml, &root) != ERR_OK);
        CHECK_INT(f.diags.n_errors, 1);
        CHECK_STR(str_of(fixture_message(&f, 0)), str_of(cases[i].message));
        fixture_fini(&f);
    }
}

static void secrets_are_marked_even_when_they_stand_in_the_file(void)
{
    struct fixture f;
    fixture_init(&f);
    struct conf_node *node = fixture_parse(&f, "token: plain\nemail: x");
    CHECK_INT(conf_resolve(&sample_root_section, node, &resolver, &f.mem, &f.diags), ERR_OK);
    CHECK(node->first->is_secret);
    CHECK(!node->last->is_secret);
    fixture_fini(&f);
}

TEST_MAIN(TEST(secrets_come_from_files_variables_and_the_text_itself),
          TEST(files_keep_their_bytes_and_their_path),
          TEST(what_can_not_be_read_is_an_error_with_its_reason),
          TEST(secrets_are_marked_even_when_they_stand_in_the_file))
