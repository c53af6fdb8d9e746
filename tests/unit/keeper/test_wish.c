// SPDX-License-Identifier: Apache-2.0
#include "keeper/wish.h"

#include "keeper/load.h"
#include "unit/certs/folder.h"
#include "unit/tls/made.h"

struct fixture {
    struct test_folder folder;
    struct made_ca ca;
    struct made_leaf leaf, other; // a.example and *.a.example, b.example …
    struct loaded l;
    char settings[1024];
};

static void put(struct fixture *f, const char *name, const struct text *first,
                const struct text *second)
{
    struct text both = {0};
    text_put(&both, text_str(first));
    if (second)
        text_put(&both, text_str(second));
    test_folder_put(&f->folder, name, text_str(&both));
    text_wipe(&both);
}

// Settings with FOLDER for the folder of certificates.
static void begin(struct fixture *f, const char *yaml)
{
    *f = (struct fixture){.settings = ""};
    test_folder_begin(&f->folder);
    made_ca_begin(&f->ca);
    made_leaf_begin(&f->leaf, &f->ca, TLS_KEY_P256, STR("a.example"), 3650);
    made_leaf_begin(&f->other, &f->ca, TLS_KEY_P256, STR("b.example"), 3650);
    put(f, "a.pem", &f->leaf.chain_pem, &f->leaf.key_pem);
    put(f, "b.crt", &f->other.chain_pem, NULL);
    put(f, "b.key", &f->other.key_pem, NULL);
    struct text text = {0};
    for (struct str rest = str_of(yaml); rest.len > 0;) {
        size_t at = MIN(str_search(rest, STR("FOLDER")), rest.len);
        text_put(&text, str_first(rest, at));
        rest = str_skip(rest, at);
        if (rest.len > 0) {
            text_put(&text, str_of(f->folder.path));
            rest = str_skip(rest, 6);
        }
    }
    load_begin(&f->l);
    struct conf_node *root =
        conf_yaml_parse(arena_dup(&f->l.mem, text_str(&text)), "test.yaml", &f->l.mem, &f->l.diags);
    CHECK(root && load_tree(&f->l, root, NULL));
    text_fini(&text);
}

static void end(struct fixture *f)
{
    load_fini(&f->l);
    made_leaf_end(&f->leaf);
    made_leaf_end(&f->other);
    made_ca_end(&f->ca);
    test_folder_end(&f->folder);
}

#define HEAD "state: /nowhere\nentrypoints: { web: ':1', s: { listen: ':2', tls: "

static void sites_with_tls_want_certificates_and_files_are_wanted_once(void)
{
    struct fixture f;
    begin(&f, HEAD "{ certificates: [FOLDER/a.pem] } } }\n"
                   "sites:\n"
                   "  A.example: { to: 'http://h:1', aliases: [www.a.example],\n"
                   "    tls: { certificates: [FOLDER/a.pem, FOLDER] } }\n"
                   "  plain.example: { to: 'http://h:1', tls: off }\n"
                   "  '*.c.example': 'http://h:1'\n");
    struct wish *w = wish_new(f.l.snapshot);
    CHECK(w->certs.has_tls);
    CHECK_STR(str_of(w->state), STR("/nowhere"));
    CHECK_INT(w->certs.n_files, 2);
    CHECK(!w->certs.files[0].is_folder && w->certs.files[1].is_folder);
    CHECK_INT(w->certs.n_names, 2);
    CHECK_STR(w->certs.names[0].id, STR("a.example"));
    CHECK_INT(w->certs.names[0].n_names, 2);
    CHECK_STR(w->certs.names[1].names[0], STR("*.c.example"));
    struct wish *both = wish_both(w, w);
    CHECK_INT(both->certs.n_files, 2);
    CHECK_INT(both->certs.n_names, 2);
    wish_free(both);
    wish_free(w);
    end(&f);
}

static void names_of_free_routes_want_a_certificate_each(void)
{
    struct fixture f;
    begin(&f,
          HEAD "on } }\nemail: a@b.example\nroutes:\n"
               "  - { match: 'Host(`a.example`, `b.example`)', to: 'http://h:1' }\n"
               "  - { match: 'Host(`c.test`)', to: 'http://h:1' }\n"
               "  - { match: 'Host(`d.example`)', tls: { issuer: local }, to: 'http://h:1' }\n");
    struct wish *w = wish_new(f.l.snapshot);
    static const char *const ids[] = {"a.example", "b.example", "c.test", "d.example"};
    CHECK_INT(w->certs.n_names, ARRAY_LEN(ids));
    for (size_t i = 0; i < MIN(w->certs.n_names, ARRAY_LEN(ids)); i++)
        CHECK_STR(w->certs.names[i].id, str_of(ids[i]));
    CHECK_INT(w->issue.n_needs, 2);
    CHECK_STR(w->issue.needs[1].id, STR("b.example"));
    wish_free(w);
    end(&f);
}

static void servers_whose_keys_are_learnt_are_named_once(void)
{
    struct fixture f;
    begin(&f, "services:\n"
              "  a: { servers: ['https://H:8443', 'https://10.0.0.9'], tls: { pin: first-use } }\n"
              "  b: { servers: https://10.0.0.9, tls: { pin: first-use, server-name: x } }\n"
              "  c: { servers: https://10.0.0.8, tls: { verify: off } }\n");
    struct wish *w = wish_new(f.l.snapshot);
    struct wish *both = wish_both(w, w);
    CHECK_INT(w->learnt.n, 2);
    CHECK(map_get(&w->learnt, STR("h:8443")) && map_get(&w->learnt, STR("10.0.0.9:443")));
    CHECK_INT(both->learnt.n, 2);
    wish_free(both);
    wish_free(w);
    end(&f);
}

static void an_unknown_issuer_is_told_with_its_place(void)
{
    static const char *const cases[] = {
        HEAD "on } }\nsites: { a.example: { to: 'http://h:1', tls: { issuer: nobody } } }\n",
        HEAD "on } }\nroutes:\n"
             "  - { match: 'Host(`a.example`)', tls: { issuer: nobody }, to: 'http://h:1' }\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        begin(&f, cases[i]);
        CHECK_INT(wish_check_files(f.l.snapshot, MADE_NOW_S, &f.l.diags), ERR_NOT_FOUND);
        CHECK(f.l.diags.n > 0);
        if (f.l.diags.n > 0) {
            const struct diag *d = &f.l.diags.items[f.l.diags.n - 1];
            CHECK(strstr(d->text, "there is no issuer 'nobody'") && d->place.line > 0);
        }
        end(&f);
    }
}

static void without_tls_nothing_is_wanted(void)
{
    struct fixture f;
    begin(&f, "entrypoints: { web: ':1' }\nsites: { a.example: 'http://h:1' }\n");
    struct wish *w = wish_new(f.l.snapshot);
    CHECK(!w->certs.has_tls && w->certs.n_files == 0 && w->certs.n_names == 0);
    wish_free(w);
    end(&f);
}

static void what_is_wrong_with_files_is_told_with_its_place(void)
{
    static const struct {
        const char *yaml, *text;
        enum diag_severity severity;
    } cases[] = {
        {HEAD "{ certificates: [FOLDER/none.pem] } } }\n", "none.pem", DIAG_ERROR},
        {HEAD "{ certificates: [FOLDER/b.crt] } } }\n", "b.crt", DIAG_ERROR},
        {HEAD "{ certificates: [{ cert: FOLDER/a.pem, key: FOLDER/b.key }] } } }\n", "a.pem",
         DIAG_ERROR},
        {HEAD "{ certificates: [{ cert: FOLDER/, default: on }] } } }\n", "folder", DIAG_ERROR},
        {HEAD "{ certificates: [{ cert: FOLDER/a.pem, default: on },\n"
              " { cert: FOLDER/b.crt, key: FOLDER/b.key, default: on }] } } }\n",
         "another certificate is the default", DIAG_ERROR},
        {HEAD "on } }\nsites: { c.example: { to: 'http://h:1', tls: { certificates: "
              "[FOLDER/a.pem] } } }\n",
         "for other names", DIAG_WARNING},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        begin(&f, cases[i].yaml);
        size_t before = f.l.diags.n;
        enum err err = wish_check_files(f.l.snapshot, MADE_NOW_S, &f.l.diags);
        CHECK((err != ERR_OK) == (cases[i].severity == DIAG_ERROR));
        bool is_told = false;
        for (size_t k = before; k < f.l.diags.n; k++)
            is_told |= strstr(f.l.diags.items[k].text, cases[i].text) &&
                       f.l.diags.items[k].severity == cases[i].severity &&
                       f.l.diags.items[k].place.line > 0;
        CHECK(is_told);
        end(&f);
    }
}

static void good_files_are_no_reason_for_words(void)
{
    struct fixture f;
    begin(&f, HEAD "{ certificates: [FOLDER/a.pem, { cert: FOLDER/b.crt, key: FOLDER/b.key }, "
                   "FOLDER/missing/] } } }\n");
    CHECK_INT(wish_check_files(f.l.snapshot, MADE_NOW_S, &f.l.diags), ERR_OK);
    CHECK_INT(f.l.diags.n, 0);
    end(&f);
}

TEST_MAIN(TEST(sites_with_tls_want_certificates_and_files_are_wanted_once),
          TEST(names_of_free_routes_want_a_certificate_each),
          TEST(servers_whose_keys_are_learnt_are_named_once),
          TEST(an_unknown_issuer_is_told_with_its_place), TEST(without_tls_nothing_is_wanted),
          TEST(what_is_wrong_with_files_is_told_with_its_place),
          TEST(good_files_are_no_reason_for_words))
