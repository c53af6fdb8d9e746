// SPDX-License-Identifier: Apache-2.0
#include "keeper/certs.h"

#include <poll.h>

#include "rt/file.h"
#include "tls/bundle.h"
#include "unit/certs/folder.h"
#include "unit/tls/made.h"

#define SOON_MS 10000
#define MEM_BYTES ((size_t)16 << 20)

static const struct str one[] = {STR_INIT("a.example")};
static const struct str two[] = {STR_INIT("a.example"), STR_INIT("www.a.test")};

struct fixture {
    struct test_folder folder;
    struct made_ca ca;
    struct made_leaf leaf; // a.example and *.a.example
    struct keeper_certs *certs;
    struct arena mem;
    struct str bytes; // of the bundle, mapped
    char state[80], file[80];
    const char *why;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){.why = ""};
    test_folder_begin(&f->folder);
    arena_init(&f->mem, MEM_BYTES, NULL, 0);
    made_ca_begin(&f->ca);
    made_leaf_begin(&f->leaf, &f->ca, TLS_KEY_P256, STR("a.example"), 90);
    snprintf(f->state, sizeof f->state, "%s/state", f->folder.path);
    snprintf(f->file, sizeof f->file, "%s/a.pem", f->folder.path);
    f->certs = keeper_certs_new(f->state);
}

static void end(struct fixture *f)
{
    file_unmap(f->bytes);
    keeper_certs_free(f->certs);
    made_leaf_end(&f->leaf);
    made_ca_end(&f->ca);
    arena_wipe(&f->mem);
    test_folder_end(&f->folder);
}

static void put_file(struct fixture *f)
{
    struct text both = {0};
    text_put(&both, text_str(&f->leaf.chain_pem));
    text_put(&both, text_str(&f->leaf.key_pem));
    test_folder_put(&f->folder, "a.pem", text_str(&both));
    text_wipe(&both);
}

static void put_stored(struct fixture *f, struct str id)
{
    struct certs_store *store = keeper_certs_store(f->certs, &f->why);
    const struct certs_meta meta = {.issuer = STR("le"), .state = STR("issued")};
    CHECK(store && certs_store_put(store, id, text_str(&f->leaf.chain_pem),
                                   text_str(&f->leaf.key_pem), &meta, &f->why) == ERR_OK);
}

// The items of the bundle, which is unpacked as the gate does.
static size_t unpack(struct fixture *f, struct tls_bundle_item **ret)
{
    size_t n = 0;
    file_unmap(f->bytes);
    f->bytes = STR_NONE;
    int fd = keeper_certs_packed(f->certs);
    CHECK(fd >= 0 && file_map_sealed(fd, &f->bytes));
    CHECK(tls_bundle_unpack(f->bytes, &f->mem, ret, &n));
    close(fd);
    return n;
}

static bool want_names(struct fixture *f, const struct keeper_certs_name *names, size_t n)
{
    const struct keeper_certs_wish wish = {.names = names, .n_names = n, .has_tls = true};
    return keeper_certs_want(f->certs, &wish, MADE_NOW_S);
}

static void without_tls_nothing_is_made(void)
{
    const struct keeper_certs_wish wish = {.n_files = 0};
    struct fixture f;
    struct tls_bundle_item *items;
    begin(&f);
    CHECK(!keeper_certs_want(f.certs, &wish, MADE_NOW_S));
    CHECK_INT(unpack(&f, &items), 0);
    CHECK(access(f.state, F_OK) != 0);
    end(&f);
}

static void with_tls_there_is_a_default_in_any_case(void)
{
    struct fixture f;
    struct tls_bundle_item *items = NULL;
    begin(&f);
    CHECK(want_names(&f, NULL, 0));
    CHECK_INT(unpack(&f, &items), 1);
    CHECK(items[0].is_default && items[0].is_local_ca);
    CHECK_STR(items[0].names[0], STR("default.invalid"));
    CHECK(!want_names(&f, NULL, 0));
    end(&f);
}

static void a_site_is_served_by_the_local_ca_until_its_certificate_is_there(void)
{
    const struct keeper_certs_name site = {
        .id = STR("a.example"), .names = two, .n_names = 2, .issuer = STR("le")};
    struct fixture f;
    struct tls_bundle_item *items = NULL;
    begin(&f);
    CHECK(want_names(&f, &site, 1));
    CHECK_INT(unpack(&f, &items), 1);
    CHECK(items[0].is_local_ca && items[0].is_default && items[0].n_names == 2);
    put_stored(&f, STR("a.example"));
    CHECK(keeper_certs_refresh(f.certs, STR("a.example"), MADE_NOW_S));
    CHECK_INT(unpack(&f, &items), 2);
    CHECK(!items[0].is_local_ca && items[0].is_default);
    CHECK_STR(items[0].chain_pem, text_str(&f.leaf.chain_pem));
    CHECK(items[1].is_local_ca && items[1].n_names == 1); // the name that it lacks
    CHECK_STR(items[1].names[0], STR("www.a.test"));
    CHECK(!keeper_certs_refresh(f.certs, STR_NONE, MADE_NOW_S));
    CHECK(!want_names(&f, &site, 1));
    CHECK_INT(certs_store_forget(keeper_certs_store(f.certs, &f.why), site.id, &f.why), ERR_OK);
    CHECK(keeper_certs_refresh(f.certs, site.id, MADE_NOW_S));
    CHECK_INT(unpack(&f, &items), 1);
    CHECK(items[0].is_local_ca);
    end(&f);
}

static void a_file_serves_its_names_and_is_watched(void)
{
    const struct keeper_certs_name site = {
        .id = STR("a.example"), .names = one, .n_names = 1, .issuer = STR("le")};
    struct fixture f;
    struct tls_bundle_item *items = NULL;
    begin(&f);
    const struct certs_file_wish file = {.cert = str_of(f.file)};
    const struct keeper_certs_wish wish = {
        .files = &file, .n_files = 1, .names = &site, .n_names = 1, .has_tls = true};
    CHECK(keeper_certs_want(f.certs, &wish, MADE_NOW_S));
    CHECK(!keeper_certs_has_file_for(f.certs, STR("a.example")));
    CHECK_INT(unpack(&f, &items), 1);
    CHECK(items[0].is_local_ca);
    put_file(&f);
    struct pollfd p = {.fd = keeper_certs_fd(f.certs), .events = POLLIN};
    bool has_changed = false;
    while (!has_changed && poll(&p, 1, SOON_MS) > 0)
        has_changed = keeper_certs_look(f.certs, MADE_NOW_S);
    CHECK(has_changed);
    CHECK_INT(unpack(&f, &items), 1);
    CHECK(!items[0].is_local_ca && items[0].is_default);
    CHECK_STR(items[0].id, str_of(f.file));
    CHECK(keeper_certs_has_file_for(f.certs, STR("a.example")));
    CHECK(keeper_certs_has_file_for(f.certs, STR("x.a.example")));
    CHECK(!keeper_certs_has_file_for(f.certs, STR("b.example")));
    end(&f);
}

static void the_marked_certificate_is_the_default(void)
{
    const struct str other = STR("b.test");
    const struct keeper_certs_name sites[] = {
        {.id = STR("a"), .names = one, .n_names = 1, .issuer = STR(CERTS_ISSUER_LOCAL)},
        {.id = STR("b"),
         .names = &other,
         .n_names = 1,
         .issuer = STR(CERTS_ISSUER_LOCAL),
         .is_default = true},
    };
    struct fixture f;
    struct tls_bundle_item *items = NULL;
    begin(&f);
    CHECK(want_names(&f, sites, 2));
    CHECK_INT(unpack(&f, &items), 2);
    CHECK(!items[0].is_default && items[1].is_default);
    end(&f);
}

static void one_on_demand_is_never_the_default(void)
{
    const struct str other = STR("b.test");
    const struct keeper_certs_name sites[] = {
        {.id = STR("b"), .names = &other, .n_names = 1, .issuer = STR(CERTS_ISSUER_LOCAL)},
        {.id = STR("a"), .names = one, .n_names = 1, .issuer = STR("le"), .is_on_demand = true},
    };
    struct fixture f;
    struct tls_bundle_item *items = NULL;
    begin(&f);
    put_stored(&f, STR("a"));
    CHECK(want_names(&f, &sites[1], 1));
    CHECK_INT(unpack(&f, &items), 2);
    CHECK_STR(items[0].id, STR("a"));
    CHECK(!items[0].is_default && items[1].is_default);
    CHECK_STR(items[1].names[0], STR("default.invalid"));
    CHECK(want_names(&f, sites, 2));
    CHECK_INT(unpack(&f, &items), 2);
    CHECK(items[0].is_default && !items[1].is_default);
    end(&f);
}

static void the_local_ca_renews_at_two_thirds(void)
{
    const struct keeper_certs_name site = {
        .id = STR("a"), .names = one, .n_names = 1, .issuer = STR(CERTS_ISSUER_LOCAL)};
    struct fixture f;
    begin(&f);
    CHECK(want_names(&f, &site, 1));
    CHECK(!keeper_certs_refresh(f.certs, STR_NONE, MADE_NOW_S + 59 * MADE_DAY_S));
    CHECK(keeper_certs_refresh(f.certs, STR_NONE, MADE_NOW_S + 60 * MADE_DAY_S));
    end(&f);
}

static void a_state_that_cannot_be_written_does_not_stop_the_local_ca(void)
{
    struct fixture f;
    struct tls_bundle_item *items = NULL;
    begin(&f);
    test_folder_put(&f.folder, "state", STR("a file"));
    CHECK(want_names(&f, NULL, 0));
    CHECK_INT(unpack(&f, &items), 1);
    CHECK(keeper_certs_store(f.certs, &f.why) == NULL);
    end(&f);
}

static struct str text_at(const json_t *list, size_t i, const char *name)
{
    return str_of(json_string_value(json_object_get(json_array_get(list, i), name)));
}

static void the_report_says_what_there_is_and_what_is_wrong(void)
{
    const struct keeper_certs_name site = {
        .id = STR("a.example"), .names = two, .n_names = 2, .issuer = STR("le")};
    struct fixture f;
    begin(&f);
    const struct certs_file_wish file = {.cert = str_of(f.file)};
    const struct keeper_certs_wish wish = {
        .files = &file, .n_files = 1, .names = &site, .n_names = 1, .has_tls = true};
    put_stored(&f, STR("a.example"));
    keeper_certs_want(f.certs, &wish, MADE_NOW_S);
    json_t *list = keeper_certs_report(f.certs, MADE_NOW_S);
    CHECK_INT(json_array_size(list), 3);
    CHECK_STR(text_at(list, 0, "source"), STR("file"));
    CHECK_STR(text_at(list, 0, "state"), STR("missing"));
    CHECK_STR(text_at(list, 0, "error"), STR("No such file or directory"));
    CHECK_STR(text_at(list, 1, "source"), STR("store"));
    CHECK_STR(text_at(list, 1, "state"), STR("valid"));
    CHECK_STR(text_at(list, 1, "issuer"), STR("le"));
    CHECK_STR(text_at(list, 1, "issued_by"), STR("Test intermediate"));
    CHECK_STR(text_at(list, 1, "not_after"), STR("2027-04-14T08:00:00.000Z"));
    CHECK_STR(text_at(list, 1, "order_state"), STR("issued"));
    CHECK_STR(text_at(list, 2, "source"), STR("local-ca"));
    char *text = json_dumps(list, 0);
    CHECK(strstr(text, "PRIVATE") == NULL);
    free(text);
    json_decref(list);
    list = keeper_certs_report(f.certs, MADE_NOW_S + 100 * MADE_DAY_S);
    CHECK_STR(text_at(list, 1, "state"), STR("expired"));
    json_decref(list);
    end(&f);
}

static size_t count_waiting(const struct keeper_certs *k)
{
    size_t n = 0, at;
    json_t *item, *list = keeper_certs_report(k, MADE_NOW_S);
    json_array_foreach(list, at, item) n += str_eq(text_at(list, at, "state"), STR("missing"));
    json_decref(list);
    return n;
}

static void many_of_the_local_ca_are_made_in_turns(void)
{
    enum { N = 400 };
    static char texts[N][16];
    static struct str names[N];
    static struct keeper_certs_name sites[N];
    struct fixture f;
    struct tls_bundle_item *items = NULL;
    begin(&f);
    for (size_t i = 0; i < N; i++) {
        snprintf(texts[i], sizeof texts[i], "s%zu.example", i);
        names[i] = str_of(texts[i]);
        sites[i] = (struct keeper_certs_name){
            .id = names[i], .names = &names[i], .n_names = 1, .issuer = STR(CERTS_ISSUER_LOCAL)};
    }
    CHECK(want_names(&f, sites, N));
    CHECK(unpack(&f, &items) >= 64);
    while (count_waiting(f.certs) > 0) {
        struct pollfd p = {.fd = keeper_certs_fd(f.certs), .events = POLLIN};
        CHECK_INT(poll(&p, 1, SOON_MS), 1);
        (void)keeper_certs_look(f.certs, MADE_NOW_S);
    }
    CHECK_INT(unpack(&f, &items), N);
    end(&f);
}

TEST_MAIN(TEST(without_tls_nothing_is_made), TEST(with_tls_there_is_a_default_in_any_case),
          TEST(a_site_is_served_by_the_local_ca_until_its_certificate_is_there),
          TEST(a_file_serves_its_names_and_is_watched), TEST(the_marked_certificate_is_the_default),
          TEST(one_on_demand_is_never_the_default), TEST(the_local_ca_renews_at_two_thirds),
          TEST(a_state_that_cannot_be_written_does_not_stop_the_local_ca),
          TEST(many_of_the_local_ca_are_made_in_turns),
          TEST(the_report_says_what_there_is_and_what_is_wrong))
