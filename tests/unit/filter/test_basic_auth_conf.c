// SPDX-License-Identifier: Apache-2.0
#include "filter/basic_auth.h"
#include "unit/filter/fixture.h"
#include "unit/test.h"

#define BOB "'bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='" // secret
#define BOB_SECRET "Ym9iOnNlY3JldA=="

static void htpasswd_files_are_read(void)
{
    static const char file[] = "# accounts\r\n"
                               "\n"
                               "bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\r\n"
                               "  dora:$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/";
    struct arena mem;
    struct diags diags = {.n = 0};
    arena_init(&mem, 1 << 20, NULL, 0);
    const struct conf_section *section = filter_basic_auth.choice.section;
    struct conf_node *node = conf_yaml_parse(STR("users-file: /etc/users"), "t.yaml", &mem, &diags);
    struct conf_node *path = conf_node_get(node, STR("users-file"));
    path->content = str_from(file, sizeof file - 1);
    path->has_content = true;
    void *settings = arena_zalloc(&mem, 1, section->bytes, section->align);
    CHECK_INT(conf_read(section, node, NULL, &mem, &diags, settings), ERR_OK);
    const struct filter_env env = {.mem = &mem, .diags = &diags};
    struct mock_server server = {.handler.type = &mock_type};
    struct handler *h = filter_basic_auth.build(STR("it"), settings, &server.handler, &env);
    CHECK(h != NULL);
    static const char *const right[] = {"Basic " BOB_SECRET, "Basic ZG9yYTpzZWNyZXQ="};
    for (size_t i = 0; h && i < ARRAY_LEN(right); i++) {
        struct fixture e;
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        fixture_field(&e, "Authorization", right[i]);
        CHECK_INT(handler_serve(h, x), ERR_OK);
        CHECK_INT(x->resp.status, 200);
        fixture_end(&e);
    }
    if (h)
        h->type->fini(h);
    path->content = STR("bob:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=\ncarol:plain\n");
    CHECK_INT(conf_read(section, node, NULL, &mem, &diags, settings), ERR_OK);
    CHECK(filter_basic_auth.build(STR("it"), settings, &server.handler, &env) == NULL);
    CHECK(diags.n == 1 &&
          strstr(diags.items[0].text, "line 2 of /etc/users: what follows 'carol:'"));
    CHECK(diags.n == 1 && !strstr(diags.items[0].text, "plain "));
    diags_fini(&diags);
    arena_fini(&mem);
}

static void wrong_settings_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"{}", "needs 'users' or 'users-file'"},
        {"alice", "expected NAME:HASH"},
        {"'alice:secret'", "what follows 'alice:' is no hash"},
        {"':{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ='", "expected NAME:HASH"},
        {"{ users: " BOB ", realm: 'a\"b' }", "quotes"},
        {"{ users: " BOB ", user-header: Content-Length }", "frames the message"},
        {"{ users: " BOB ", user-header: Authorization }", "has a meaning of its own"},
    };
    filter_check_refused(&filter_basic_auth, cases, ARRAY_LEN(cases));
}

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_basic_auth);
}

static void the_field_with_the_name_is_reserved(void)
{
    struct filter_fixture f;
    struct str names[FILTER_RESERVED_MAX];
    filter_start(&f, &filter_basic_auth, "{ users: " BOB ", user-header: X-User }", NULL);
    const struct basic_auth *a = (const struct basic_auth *)(void *)f.filter;
    CHECK(a && filter_basic_auth.reserved(a->conf, names) == 1 && str_eq(names[0], STR("X-User")));
    filter_end(&f);
    filter_start(&f, &filter_basic_auth, "{ users: " BOB " }", NULL);
    a = (const struct basic_auth *)(void *)f.filter;
    CHECK(a && filter_basic_auth.reserved(a->conf, names) == 0);
    filter_end(&f);
}

TEST_MAIN(TEST(htpasswd_files_are_read), TEST(wrong_settings_are_refused),
          TEST(the_table_is_complete), TEST(the_field_with_the_name_is_reserved))
