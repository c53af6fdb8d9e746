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
    *ret = str_eq(path, STR("empty"))  ? STR("\n")
           : str_eq(path, STR("nets")) ? STR("192.0.2.1 # one\n")
                                       : STR("content\r\n\n");
    return true;
}

static bool read_env(void *arg, struct str name, struct arena *mem, struct str *ret,
                     const char **ret_why)
{
    (void)arg, (void)ret_why;
    *ret = arena_concat(mem, STR("value of "), name, STR_NONE);
    return true;
}

static bool read_list(void *arg, struct str name, struct arena *mem, struct str *ret,
                      const char **ret_why)
{
    (void)arg, (void)mem;
    *ret_why = "there is no such list";
    *ret = str_eq(name, STR("bad")) ? STR("# fine\n10.0.0.0/33\n") : STR("10.0.0.0/8\n::1\n");
    return !str_eq(name, STR("unknown"));
}

static const struct conf_resolver resolver = {
    .read_file = read_file, .read_env = read_env, .read_list = read_list};

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

static void networks_come_from_lists_by_name_from_files_and_the_text_itself(void)
{
    static const struct {
        const char *yaml;
        size_t n;
    } cases[] = {
        {"trusted: private", 2},
        {"trusted: [private]", 2},
        {"trusted: ['192.0.2.0/24', private, 'file:nets', cafe-2]", 6},
        {"trusted: ['::1', 192.0.2.1]", 2},
        {"trusted: 'file:empty'", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        fixture_init(&f);
        struct sample_root root;
        CHECK_INT(read_resolved(&f, cases[i].yaml, &root), ERR_OK);
        CHECK_INT(root.trusted.n, cases[i].n);
        fixture_fini(&f);
    }
}

static void a_bad_line_of_a_list_is_told_with_its_number(void)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"trusted: [10.0.0.0/8, bad]", "t.yaml:1:23: error: trusted[1]: bad:2: the line has "
                                       "bits set behind its prefix"},
        {"trusted: file:page", "t.yaml:1:10: error: trusted: page:1: the line is neither an "
                               "address nor a network like 192.0.2.0/24"},
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
        {"trusted: unknown",
         "t.yaml:1:10: error: trusted: the list 'unknown' can't be used: there is no such list"},
        {"trusted: file:gone",
         "t.yaml:1:10: error: trusted: the file 'gone' can't be used: no such file"},
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

struct account_conf {
    struct conf_text key;
};

struct holder_conf {
    struct account_conf account;
};

static void a_text_where_a_map_with_a_secret_belongs_is_not_told(void)
{
    static const struct conf_item account_items[] = {
        ITEM_SECRET(account_conf, key, "key", .since = "0.1", .doc = "A key."),
    };
    static const struct conf_section account = {
        .name = "account", .doc = "An account.", CONF_SECTION_OF(account_conf, account_items)};
    static const struct conf_item items[] = {
        ITEM_SECTION(holder_conf, account, "account", struct account_conf, .section = &account,
                     .since = "0.1", .doc = "An account."),
    };
    static const struct conf_section holder = {
        .name = "holder", .doc = "It has one.", CONF_SECTION_OF(holder_conf, items)};
    struct fixture f;
    struct holder_conf conf;
    fixture_init(&f);
    struct conf_node *node = fixture_parse(&f, "account: hunter2");
    CHECK_INT(conf_resolve(&holder, node, &resolver, &f.mem, &f.diags), ERR_OK);
    CHECK(conf_read(&holder, node, NULL, &f.mem, &f.diags, &conf) != ERR_OK);
    CHECK_STR(str_of(fixture_message(&f, 0)),
              STR("t.yaml:1:10: error: account: expected a map, found something else"));
    fixture_fini(&f);
}

TEST_MAIN(TEST(secrets_come_from_files_variables_and_the_text_itself),
          TEST(files_keep_their_bytes_and_their_path),
          TEST(networks_come_from_lists_by_name_from_files_and_the_text_itself),
          TEST(a_bad_line_of_a_list_is_told_with_its_number),
          TEST(what_can_not_be_read_is_an_error_with_its_reason),
          TEST(secrets_are_marked_even_when_they_stand_in_the_file),
          TEST(a_text_where_a_map_with_a_secret_belongs_is_not_told))
