// SPDX-License-Identifier: Apache-2.0
#include "filter/jwt.h"
#include "unit/filter/fixture.h"
#include "unit/filter/jws_vectors.h"
#include "unit/test.h"

#define SECRET "secret: 0123456789abcdef0123456789abcdef"

static void the_table_is_complete(void)
{
    filter_check_tables(&filter_jwt);
}

static void mistakes_are_told(void)
{
    static const struct refused_case cases[] = {
        {"{}", "jwt needs 'keys', 'jwks-url' or 'secret'"},
        {"{ secret: short }", "is a secret of less than 32 bytes"},
        {"{ " SECRET ", algorithms: [HS256, none] }", "'none' is no algorithm"},
        {"{ " SECRET ", from: [\"cookie:\"] }", "is no place for a token"},
        {"{ " SECRET ", from: \"authorization:x\" }", "is no place for a token"},
        {"{ " SECRET ", from: body }", "is no place for a token"},
        {"{ " SECRET ", headers: { Host: sub } }", "is set by the service"},
        {"{ " SECRET ", headers: { Authorization: sub } }", "has a meaning of its own"},
        {"{ " SECRET ", headers: { 'X User': sub } }", "is not a field name"},
        {"{ " SECRET ", realm: 'a\"b' }", "the realm may not hold quotes"},
        {"{ jwks-url: example.com }", "is no URL"},
        {"{ jwks-url: /path }", "is no URL"},
    };
    filter_check_refused(&filter_jwt, cases, ARRAY_LEN(cases));
}

static void a_url_is_a_service_and_what_it_is_asked_for(void)
{
    struct filter_fixture f;
    filter_start(&f, &filter_jwt, "{ jwks-url: \"https://a.example:8443/certs?x=y\" }", NULL);
    const struct jwt *j = (const struct jwt *)(void *)f.filter;
    CHECK(j && j->fetched);
    if (j) {
        CHECK_STR(f.services.asked, STR("https://a.example:8443"));
        CHECK_STR(j->source.authority, STR("a.example:8443"));
        CHECK_STR(j->source.path, STR("/certs"));
        CHECK_STR(j->source.query, STR("x=y"));
    }
    filter_end(&f);
}

// A file's content, as the keeper puts it there.
static struct handler *with_file(struct filter_fixture *f, const char *content)
{
    *f = (struct filter_fixture){.server.handler.type = &mock_type, .states = filter_states_new()};
    arena_init(&f->mem, 4 << 20, NULL, 0);
    const struct conf_section *section = filter_jwt.choice.section;
    struct conf_node *node = conf_yaml_parse(STR("keys: /etc/keys"), "t.yaml", &f->mem, &f->diags);
    struct conf_node *path = conf_node_get(node, STR("keys"));
    path->content = str_of(content);
    path->has_content = true;
    void *settings = arena_zalloc(&f->mem, 1, section->bytes, section->align);
    CHECK_INT(conf_read(section, node, NULL, &f->mem, &f->diags, settings), ERR_OK);
    const struct filter_env env = {.mem = &f->mem, .diags = &f->diags, .states = f->states};
    f->filter = filter_jwt.build(STR("it"), settings, &f->server.handler, &env);
    return f->filter;
}

static void files_hold_pem_or_a_set(void)
{
    struct filter_fixture f;
    const struct jwt *j = (const struct jwt *)(void *)with_file(&f, jws_vector_keys);
    CHECK(j && jwk_set_n(j->sets[0]) == 6);
    filter_end(&f);
    j = (const struct jwt *)(void *)with_file(&f, jws_vector_pem);
    CHECK(j && jwk_set_n(j->sets[0]) == 1);
    filter_end(&f);
    CHECK(with_file(&f, "{\"keys\":[]}") == NULL);
    CHECK(f.diags.n == 1 && strstr(f.diags.items[0].text, "the file '/etc/keys': no key in it"));
    filter_end(&f);
    CHECK(with_file(&f, "") == NULL);
    filter_end(&f);
}

static void fields_for_servers_are_reserved(void)
{
    struct filter_fixture f;
    struct str names[FILTER_RESERVED_MAX];
    filter_start(&f, &filter_jwt, "{ " SECRET ", headers: { X-User: sub, X-Mail: email } }", NULL);
    const struct jwt *j = (const struct jwt *)(void *)f.filter;
    CHECK_INT(filter_jwt.reserved(j->conf, names), 2);
    CHECK_STR(names[1], STR("X-Mail"));
    filter_end(&f);
}

TEST_MAIN(TEST(the_table_is_complete), TEST(mistakes_are_told),
          TEST(a_url_is_a_service_and_what_it_is_asked_for), TEST(files_hold_pem_or_a_set),
          TEST(fields_for_servers_are_reserved))
