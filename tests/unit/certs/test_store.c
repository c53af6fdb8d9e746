// SPDX-License-Identifier: Apache-2.0
#include "certs/store.h"

#include "unit/certs/folder.h"
#include "unit/tls/made.h"

#define MEM_BYTES ((size_t)4 << 20)

struct fixture {
    struct test_folder folder;
    struct made_ca ca;
    struct made_leaf leaf, other;
    struct certs_store *store;
    struct arena mem;
    const char *why;
};

static void open_store(struct fixture *f)
{
    struct diags diags = {0};
    char path[80];
    snprintf(path, sizeof path, "%s/deep/state", f->folder.path);
    f->store = certs_store_open(path, &diags);
    CHECK(f->store != NULL);
    CHECK_INT(diags.n, 0);
    diags_fini(&diags);
}

static void begin(struct fixture *f)
{
    *f = (struct fixture){.why = ""};
    test_folder_begin(&f->folder);
    arena_init(&f->mem, MEM_BYTES, NULL, 0);
    made_ca_begin(&f->ca);
    made_leaf_begin(&f->leaf, &f->ca, TLS_KEY_P256, STR("a.example"), 90);
    made_leaf_begin(&f->other, &f->ca, TLS_KEY_P256, STR("b.example"), 90);
    open_store(f);
}

static void end(struct fixture *f)
{
    certs_store_close(f->store);
    made_leaf_end(&f->leaf);
    made_leaf_end(&f->other);
    made_ca_end(&f->ca);
    arena_wipe(&f->mem);
    test_folder_end(&f->folder);
}

static enum err put(struct fixture *f, const struct made_leaf *leaf, const struct made_leaf *key,
                    const struct certs_meta *meta)
{
    return certs_store_put(f->store, STR("a.example"), text_str(&leaf->chain_pem),
                           text_str(&key->key_pem), meta, &f->why);
}

static enum err get(struct fixture *f, struct certs_stored *ret)
{
    return certs_store_get(f->store, STR("a.example"), MADE_NOW_S, &f->mem, ret, &f->why);
}

static void what_is_put_is_there_after_opening_again(void)
{
    static const struct str names[] = {STR_INIT("a.example"), STR_INIT("*.a.example")};
    const struct certs_meta meta = {
        .names = names,
        .n_names = 2,
        .issuer = STR("le"),
        .directory = STR("https://acme.example/dir"),
        .state = STR("valid"),
        .last_error = STR("a \"quoted\"\nline"),
        .created_s = 1,
        .renewed_s = 2,
        .ari_start_s = 3,
        .n_failures = 4,
    };
    struct fixture f;
    struct certs_stored got;
    begin(&f);
    CHECK_INT(put(&f, &f.leaf, &f.leaf, &meta), ERR_OK);
    certs_store_close(f.store);
    open_store(&f);
    CHECK_INT(get(&f, &got), ERR_OK);
    CHECK_STR(got.id, STR("a.example"));
    CHECK_STR(got.cert.chain_pem, text_str(&f.leaf.chain_pem));
    CHECK_STR(got.cert.key_pem, text_str(&f.leaf.key_pem));
    CHECK_INT(got.meta.n_names, 2);
    CHECK_STR(got.meta.names[1], names[1]);
    CHECK_STR(got.meta.issuer, meta.issuer);
    CHECK_STR(got.meta.directory, meta.directory);
    CHECK_STR(got.meta.last_error, meta.last_error);
    CHECK_STR(got.meta.profile, STR_NONE);
    CHECK_INT(got.meta.renewed_s, 2);
    CHECK_INT(got.meta.n_failures, 4);
    end(&f);
}

static void a_chain_with_another_key_is_not_written(void)
{
    const struct certs_meta meta = {.n_names = 0};
    struct fixture f;
    struct certs_stored got;
    begin(&f);
    CHECK_INT(put(&f, &f.leaf, &f.leaf, &meta), ERR_OK);
    CHECK_INT(put(&f, &f.other, &f.leaf, &meta), ERR_SYNTAX);
    CHECK_INT(get(&f, &got), ERR_OK);
    CHECK_STR(got.cert.leaf.names[0], STR("a.example"));
    end(&f);
}

static void damaged_files_are_an_error_of_this_certificate(void)
{
    static const struct {
        const char *file, *text, *why;
    } cases[] = {
        {"deep/state/certs/a.example/key.pem", "", "it holds no private key"},
        {"deep/state/certs/a.example/cert.pem", "-----BEGIN CERTIFICATE-----\nMII",
         "a PEM block has no end"},
    };
    const struct certs_meta meta = {.n_names = 0};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct fixture f;
        struct certs_stored got;
        begin(&f);
        CHECK_INT(put(&f, &f.leaf, &f.leaf, &meta), ERR_OK);
        test_folder_put(&f.folder, cases[i].file, str_of(cases[i].text));
        CHECK_INT(get(&f, &got), ERR_SYNTAX);
        CHECK_STR(str_of(f.why), str_of(cases[i].why));
        CHECK_INT(put(&f, &f.leaf, &f.leaf, &meta), ERR_OK);
        CHECK_INT(get(&f, &got), ERR_OK);
        end(&f);
    }
}

static void a_damaged_or_missing_meta_counts_as_empty(void)
{
    static const char *const texts[] = {"", "[", "[]", "{\"created\": \"x\", \"names\": {}}",
                                        "{\"names\": [1, null, \"\"]}"};
    const struct certs_meta meta = {.issuer = STR("le")};
    struct fixture f;
    struct certs_stored got;
    begin(&f);
    CHECK_INT(put(&f, &f.leaf, &f.leaf, &meta), ERR_OK);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        test_folder_put(&f.folder, "deep/state/certs/a.example/meta.json", str_of(texts[i]));
        CHECK_INT(get(&f, &got), ERR_OK);
        CHECK_INT(got.meta.issuer.len + got.meta.n_names, 0);
    }
    char path[120];
    snprintf(path, sizeof path, "%s/deep/state/certs/a.example/meta.json", f.folder.path);
    CHECK_INT(unlink(path), 0);
    CHECK_INT(get(&f, &got), ERR_OK);
    const struct certs_meta later = {.issuer = STR("other"), .n_failures = 3};
    CHECK_INT(certs_store_put_meta(f.store, STR("a.example"), &later, &f.why), ERR_OK);
    CHECK_INT(get(&f, &got), ERR_OK);
    CHECK_STR(got.meta.issuer, STR("other"));
    CHECK_INT(certs_store_put_meta(f.store, STR("b"), &later, &f.why), ERR_NOT_FOUND);
    end(&f);
}

static void certificates_are_listed_forgotten_and_exported(void)
{
    const struct certs_meta meta = {.n_names = 0};
    struct fixture f;
    struct certs_stored got;
    struct str *ids = NULL;
    struct text bundle = {0};
    size_t n = 0;
    begin(&f);
    CHECK_INT(put(&f, &f.leaf, &f.leaf, &meta), ERR_OK);
    CHECK(certs_store_list(f.store, &f.mem, &ids, &n) && n == 1);
    CHECK_STR(ids[0], STR("a.example"));
    CHECK_INT(get(&f, &got), ERR_OK);
    certs_export_bundle(&got.cert, &bundle);
    CHECK(str_starts(text_str(&bundle), text_str(&f.leaf.chain_pem)));
    CHECK(str_ends(text_str(&bundle), text_str(&f.leaf.key_pem)));
    CHECK_INT(certs_store_forget(f.store, STR("a.example"), &f.why), ERR_OK);
    CHECK_INT(get(&f, &got), ERR_NOT_FOUND);
    CHECK_INT(certs_store_forget(f.store, STR("a.example"), &f.why), ERR_NOT_FOUND);
    CHECK(certs_store_list(f.store, &f.mem, &ids, &n) && n == 0);
    text_wipe(&bundle);
    end(&f);
}

static void accounts_are_kept_by_issuer(void)
{
    const struct certs_account_meta meta = {.url = STR("https://acme.example/acct/1"),
                                            .created_s = 5};
    struct fixture f;
    struct certs_account_meta got;
    struct str key = STR_NONE;
    begin(&f);
    CHECK_INT(certs_account_put(f.store, STR("le"), text_str(&f.leaf.key_pem), &meta, &f.why),
              ERR_OK);
    CHECK_INT(certs_account_put(f.store, STR("le"), STR("no key"), &meta, &f.why), ERR_SYNTAX);
    CHECK_INT(certs_account_get(f.store, STR("le"), &f.mem, &key, &got, &f.why), ERR_OK);
    CHECK_STR(key, text_str(&f.leaf.key_pem));
    CHECK_STR(got.url, meta.url);
    CHECK_INT(got.created_s, 5);
    CHECK_INT(certs_account_get(f.store, STR("zero"), &f.mem, &key, &got, &f.why), ERR_NOT_FOUND);
    CHECK_INT(certs_account_forget(f.store, STR("le"), &f.why), ERR_OK);
    CHECK_INT(certs_account_get(f.store, STR("le"), &f.mem, &key, &got, &f.why), ERR_NOT_FOUND);
    end(&f);
}

static void names_become_ids_that_files_can_have(void)
{
    static const struct {
        const char *name, *id;
    } cases[] = {
        {"a.example", "a.example"},
        {"*.a.example", "_wildcard.a.example"},
        {"A.Example", "a.example"},
        {"2001:db8::1", "2001_db8__1"},
        {"../../etc", "_._.._etc"},
        {"", "_"},
        {".a", "_a"},
    };
    struct arena mem;
    arena_init(&mem, 4096, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct str id = certs_id_of(str_of(cases[i].name), &mem);
        CHECK_STR(id, str_of(cases[i].id));
        CHECK(str_find(id, '/') == STR_NPOS && id.ptr[0] != '.');
    }
    arena_fini(&mem);
}

static void a_folder_with_other_things_is_refused_and_left_alone(void)
{
    static const char *const places[] = {"", "/certs"};
    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        struct test_folder f;
        struct diags diags = {0};
        struct stat st;
        char path[80], file[120];
        test_folder_begin(&f);
        snprintf(path, sizeof path, "%s%s", f.path, places[i]);
        mkdir(path, 0755);
        CHECK_INT(chmod(path, 0755), 0);
        snprintf(file, sizeof file, "%s/passwd", path);
        test_folder_put(&f, file + strlen(f.path) + 1, STR("of others"));
        CHECK_INT(chmod(file, 0644), 0);
        for (int n = 0; n < 2; n++) {
            CHECK(certs_store_open(path, &diags) == NULL);
            CHECK(stat(file, &st) == 0 && (st.st_mode & 0777) == 0644);
            CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0755);
        }
        CHECK_INT(diags.n_errors, diags.n);
        diags_fini(&diags);
        test_folder_end(&f);
    }
    struct diags diags = {0};
    CHECK(certs_store_open("", &diags) == NULL && diags.n_errors == 1);
    diags_fini(&diags);
}

static void proxies_hold_it_together_and_a_command_alone(void)
{
    struct fixture f;
    struct diags diags = {0};
    char path[80];
    begin(&f);
    snprintf(path, sizeof path, "%s/deep/state", f.folder.path);
    struct certs_store *other = certs_store_open(path, &diags);
    CHECK(other != NULL);
    CHECK(certs_store_hold(f.store, CERTS_HOLD_TOGETHER));
    CHECK(certs_store_hold(other, CERTS_HOLD_TOGETHER));
    CHECK(!certs_store_hold(other, CERTS_HOLD_ALONE));
    certs_store_close(f.store);
    CHECK(certs_store_hold(other, CERTS_HOLD_ALONE));
    open_store(&f);
    CHECK(!certs_store_hold(f.store, CERTS_HOLD_TOGETHER));
    CHECK_INT(put(&f, &f.leaf, &f.leaf, &(struct certs_meta){.n_names = 0}), ERR_OK);
    certs_store_close(other);
    CHECK(certs_store_hold(f.store, CERTS_HOLD_TOGETHER));
    diags_fini(&diags);
    end(&f);
}

TEST_MAIN(TEST(proxies_hold_it_together_and_a_command_alone),
          TEST(what_is_put_is_there_after_opening_again),
          TEST(a_chain_with_another_key_is_not_written),
          TEST(damaged_files_are_an_error_of_this_certificate),
          TEST(a_damaged_or_missing_meta_counts_as_empty),
          TEST(certificates_are_listed_forgotten_and_exported), TEST(accounts_are_kept_by_issuer),
          TEST(names_become_ids_that_files_can_have),
          TEST(a_folder_with_other_things_is_refused_and_left_alone))
