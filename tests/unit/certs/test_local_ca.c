// SPDX-License-Identifier: Apache-2.0
#include "certs/local_ca.h"

#include "certs/entry.h"
#include "unit/certs/folder.h"
#include "unit/tls/made.h"

#define MEM_BYTES ((size_t)4 << 20)
#define YEAR_S (365 * (int64_t)MADE_DAY_S)

struct fixture {
    struct test_folder folder;
    struct certs_store *store;
    struct certs_local_ca *ca;
    struct arena mem;
    const char *why;
};

static void open_ca(struct fixture *f, int64_t now_s)
{
    certs_local_ca_close(f->ca);
    f->ca = certs_local_ca_open(f->store, now_s, &f->why);
    CHECK(f->ca != NULL);
}

static void begin(struct fixture *f)
{
    struct diags diags = {0};
    *f = (struct fixture){.why = ""};
    test_folder_begin(&f->folder);
    arena_init(&f->mem, MEM_BYTES, NULL, 0);
    char path[80];
    snprintf(path, sizeof path, "%s/state", f->folder.path);
    f->store = certs_store_open(path, &diags);
    diags_fini(&diags);
    open_ca(f, MADE_NOW_S);
}

static void end(struct fixture *f)
{
    certs_local_ca_close(f->ca);
    certs_store_close(f->store);
    arena_wipe(&f->mem);
    test_folder_end(&f->folder);
}

static struct str root_of(struct fixture *f)
{
    return arena_dup(&f->mem, certs_local_ca_root_pem(f->ca));
}

static void the_ca_is_made_once_and_kept(void)
{
    struct fixture f;
    struct stat st;
    char path[120];
    begin(&f);
    struct str root = root_of(&f);
    open_ca(&f, MADE_NOW_S + MADE_DAY_S);
    CHECK_STR(root_of(&f), root);
    CHECK(str_starts(root, STR("-----BEGIN CERTIFICATE-----")));
    CHECK(str_search(root, STR("PRIVATE")) == STR_NPOS);
    snprintf(path, sizeof path, "%s/state/ca/root.key", f.folder.path);
    CHECK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600);
    end(&f);
}

static void a_leaf_chains_to_the_root(void)
{
    static const struct str names[] = {STR_INIT("localhost"), STR_INIT("*.app.test"),
                                       STR_INIT("127.0.0.1"), STR_INIT("::1")};
    struct fixture f;
    struct tls_credential leaf, whole;
    begin(&f);
    CHECK_INT(certs_local_ca_leaf(f.ca, names, 4, MADE_NOW_S, &f.mem, &leaf, &f.why), ERR_OK);
    CHECK_INT(leaf.n_chain, 2);
    CHECK_INT(leaf.flaws, 0);
    CHECK_INT(leaf.leaf.n_names, 4);
    CHECK_STR(leaf.leaf.names[3], STR("::1"));
    CHECK(leaf.leaf.not_after_s - leaf.leaf.not_before_s <= CERTS_LOCAL_LEAF_LIFE_S);
    CHECK_INT(certs_renewal_s(&leaf.leaf), leaf.leaf.not_before_s + 60 * MADE_DAY_S);
    CHECK_INT(tls_credential_read(leaf.chain_pem,
                                  arena_concat(&f.mem, leaf.key_pem, root_of(&f), STR_NONE),
                                  MADE_NOW_S, &f.mem, &whole, &f.why),
              ERR_OK);
    CHECK_INT(whole.n_chain, 3); // each was signed by the next
    CHECK(certs_local_ca_leaf(f.ca, &STR_NONE, 1, MADE_NOW_S, &f.mem, &leaf, &f.why) != ERR_OK);
    end(&f);
}

static void intermediate_and_root_are_renewed_in_time(void)
{
    static const struct str name = STR_INIT("localhost");
    struct fixture f;
    struct tls_credential first, second;
    begin(&f);
    struct str root = root_of(&f);
    CHECK_INT(certs_local_ca_leaf(f.ca, &name, 1, MADE_NOW_S, &f.mem, &first, &f.why), ERR_OK);
    CHECK(!certs_local_ca_is_due(f.ca, MADE_NOW_S + 3 * YEAR_S));
    CHECK(certs_local_ca_is_due(f.ca, MADE_NOW_S + 4 * YEAR_S));
    open_ca(&f, MADE_NOW_S + 4 * YEAR_S);
    CHECK_STR(root_of(&f), root);
    CHECK(!certs_local_ca_is_due(f.ca, MADE_NOW_S + 4 * YEAR_S));
    CHECK_INT(certs_local_ca_leaf(f.ca, &name, 1, MADE_NOW_S + 4 * YEAR_S, &f.mem, &second, &f.why),
              ERR_OK);
    CHECK(!str_eq(first.leaf.authority_key_id, second.leaf.authority_key_id));
    open_ca(&f, MADE_NOW_S + 9 * YEAR_S + 30 * MADE_DAY_S);
    CHECK(!str_eq(root_of(&f), root));
    end(&f);
}

static void a_damaged_ca_is_an_error_and_not_replaced(void)
{
    struct fixture f;
    begin(&f);
    struct str root = root_of(&f);
    test_folder_put(&f.folder, "state/ca/root.key", STR("damaged"));
    CHECK(certs_local_ca_open(f.store, MADE_NOW_S, &f.why) == NULL);
    CHECK_STR(str_of(f.why), STR("it holds no private key"));
    struct certs_entry_file file = {.name = "root.pem"};
    CHECK_INT(certs_entry_get(certs_store_fd(f.store), STR("ca"), &file, 1, &f.mem, &f.why),
              ERR_OK);
    CHECK_STR(file.bytes, root);
    end(&f);
}

static void names_of_no_public_authority_are_told(void)
{
    static const struct {
        const char *name;
        bool is_local;
    } cases[] = {
        {"localhost", true},
        {"a.localhost", true},
        {"app.test", true},
        {"*.app.test", true},
        {"nas", true},
        {"nas.local", true},
        {"x.home.arpa", true},
        {"arpa.home", true},
        {"a.internal", true},
        {"127.0.0.1", true},
        {"10.1.2.3", true},
        {"172.31.0.1", true},
        {"::1", true},
        {"fd00::1", true},
        {"fe80::1", true},
        {"example.com", false},
        {"contest", true},
        {"a.contest", false},
        {"*.example.com", false},
        {"8.8.8.8", false},
        {"172.32.0.1", false},
        {"2a00::1", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK(certs_is_local_name(str_of(cases[i].name)) == cases[i].is_local);
}

TEST_MAIN(TEST(the_ca_is_made_once_and_kept), TEST(a_leaf_chains_to_the_root),
          TEST(intermediate_and_root_are_renewed_in_time),
          TEST(a_damaged_ca_is_an_error_and_not_replaced),
          TEST(names_of_no_public_authority_are_told))
