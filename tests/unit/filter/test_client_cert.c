// SPDX-License-Identifier: Apache-2.0
#include "tls/info.h"
#include "unit/filter/fixture.h"
#include "unit/test.h"
#include "unit/tls/made.h"

struct told_case {
    const char *yaml;
    bool has_cert;
    const char *name, *begin; // of a field for the server; begin NULL: it isn't there
};

static void fields_are_told_under_their_names(void)
{
    static const struct told_case cases[] = {
        {"{}", true, "Client-Cert", ":MII"},
        {"{}", true, "Client-Cert-Chain", NULL},
        {"{}", false, "Client-Cert", NULL},
        {"{ subject: X-User }", true, "X-User", "CN=Test intermediate"},
        {"{ subject: X-User }", true, "Client-Cert", NULL},
        {"{ issuer: X-By }", true, "X-By", "CN=Test root"},
        {"{ verify: X-Ok, cert: Client-Cert }", true, "X-Ok", "SUCCESS"},
        {"{ verify: X-Ok, cert: Client-Cert }", true, "Client-Cert", ":MII"},
        {"{ verify: X-Ok }", false, "X-Ok", "NONE"},
    };
    struct made_ca ca;
    made_ca_begin(&ca);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct filter_fixture f;
        struct fixture e;
        struct tls_info tls = {.peer_cert = cases[i].has_cert ? ca.mid : NULL,
                               .has_peer_cert = cases[i].has_cert};
        filter_start(&f, &filter_client_cert, cases[i].yaml, NULL);
        struct exchange *x = fixture_start(&e, "GET", "a.example", "/", NULL);
        x->tls = &tls;
        CHECK_INT(handler_serve(f.filter, x), ERR_OK);
        const struct field *field = headers_find_named(&f.server.headers, str_of(cases[i].name));
        CHECK((field != NULL) == (cases[i].begin != NULL));
        CHECK(!field || str_starts(field->value, str_of(cases[i].begin)));
        fixture_end(&e);
        filter_end(&f);
    }
    made_ca_end(&ca);
}

static void wrong_names_are_refused(void)
{
    static const struct refused_case cases[] = {
        {"{ subject: 'X User' }", "is not a field name"},
        {"{ subject: Content-Length }", "frames the message"},
        {"{ subject: Authorization }", "has a meaning of its own"},
        {"{ subject: X-User, issuer: x-user }", "is there twice"},
    };
    filter_check_refused(&filter_client_cert, cases, ARRAY_LEN(cases));
}

static void its_names_are_reserved(void)
{
    struct filter_fixture f;
    struct str names[FILTER_RESERVED_MAX];
    const struct conf_section *section = filter_client_cert.choice.section;
    filter_start(&f, &filter_client_cert, "{ subject: X-User, verify: X-Ok }", NULL);
    void *settings = arena_zalloc(&f.mem, 1, section->bytes, section->align);
    struct conf_node *node =
        conf_yaml_parse(STR("{ subject: X-User, verify: X-Ok }"), "test.yaml", &f.mem, &f.diags);
    CHECK_INT(conf_read(section, node, NULL, &f.mem, &f.diags, settings), ERR_OK);
    CHECK_INT(filter_client_cert.reserved(settings, names), 2);
    CHECK_STR(names[0], STR("X-User"));
    CHECK_STR(names[1], STR("X-Ok"));
    filter_end(&f);
}

static void the_tables_agree(void)
{
    filter_check_tables(&filter_client_cert);
}

TEST_MAIN(TEST(fields_are_told_under_their_names), TEST(wrong_names_are_refused),
          TEST(its_names_are_reserved), TEST(the_tables_agree))
