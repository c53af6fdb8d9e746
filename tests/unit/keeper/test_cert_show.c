// SPDX-License-Identifier: Apache-2.0
#include "keeper/cert_show.h"

#include "certs/entry.h"
#include "certs/meta.h"
#include "unit/certs/folder.h"
#include "unit/tls/made.h"

struct fixture {
    struct test_folder folder;
    struct made_ca ca;
    struct made_leaf leaf;
    struct certs_store *store;
    json_t *shown;
    const char *why;
};

static const struct str names[] = {STR_INIT("a.example")};

static const struct certs_meta meta = {
    .names = names,
    .n_names = 1,
    .issuer = STR_INIT("le"),
    .directory = STR_INIT("https://acme.example/dir"),
    .order = STR_INIT("https://acme.example/order/1"),
    .renewed_s = MADE_NOW_S,
    .ari_start_s = MADE_NOW_S + 1000,
    .ari_end_s = MADE_NOW_S + 2000,
};

static void begin(struct fixture *f, bool has_cert)
{
    struct diags diags = {0};
    *f = (struct fixture){.shown = json_object()};
    test_folder_begin(&f->folder);
    made_ca_begin(&f->ca);
    made_leaf_begin(&f->leaf, &f->ca, TLS_KEY_P256, names[0], 90);
    f->store = certs_store_open(f->folder.path, &diags);
    CHECK(f->store != NULL);
    if (has_cert)
        CHECK_INT(certs_store_put(f->store, names[0], text_str(&f->leaf.chain_pem),
                                  text_str(&f->leaf.key_pem), &meta, &f->why),
                  ERR_OK);
    diags_fini(&diags);
}

static void end(struct fixture *f)
{
    json_decref(f->shown);
    certs_store_close(f->store);
    made_leaf_end(&f->leaf);
    made_ca_end(&f->ca);
    test_folder_end(&f->folder);
}

// An order that has failed twice.
static void leave_order(struct fixture *f)
{
    const struct certs_meta tries = {.names = names,
                                     .n_names = 1,
                                     .issuer = STR("le"),
                                     .last_error = STR("no such name"),
                                     .n_failures = 2};
    struct diags diags = {0};
    struct text json = {.ptr = NULL};
    int orders = certs_folder_open(certs_store_fd(f->store), "orders", &diags);
    certs_meta_write(&tries, &json);
    const struct certs_entry_file files[] = {
        {.name = "key.pem", .bytes = text_str(&f->leaf.key_pem)},
        {.name = "meta.json", .bytes = text_str(&json)}};
    CHECK_INT(certs_entry_put(orders, STR("a.example@le"), files, 2, &f->why), ERR_OK);
    text_fini(&json);
    close(orders);
    diags_fini(&diags);
}

static const char *member(const json_t *j, const char *key)
{
    const char *text = json_string_value(json_object_get(j, key));
    return text ? text : "(none)";
}

static void a_stored_one_is_told_with_its_origin_and_plan_but_no_key(void)
{
    struct fixture f;
    begin(&f, true);
    CHECK_INT(cert_show_stored(f.store, names[0], MADE_NOW_S, f.shown, &f.why), ERR_OK);
    CHECK_STR(str_of(member(f.shown, "state")), STR("valid"));
    CHECK_STR(str_of(member(f.shown, "issuer")), STR("le"));
    CHECK_STR(str_of(member(f.shown, "order")), meta.order);
    CHECK_STR(str_of(member(json_object_get(f.shown, "renewal"), "by")), STR("authority"));
    CHECK_INT((int)strlen(member(f.shown, "sha256")), 64);
    CHECK(json_array_size(json_object_get(f.shown, "files")) == 3);
    CHECK(json_array_size(json_object_get(f.shown, "chain")) >= 1);
    CHECK(json_array_size(json_object_get(f.shown, "orders")) == 0);
    char *all = json_dumps(f.shown, 0);
    CHECK(!strstr(all, "PRIVATE"));
    free(all);
    end(&f);
}

static void only_an_order_may_be_known(void)
{
    struct fixture f;
    begin(&f, false);
    CHECK_INT(cert_show_stored(f.store, names[0], MADE_NOW_S, f.shown, &f.why), ERR_NOT_FOUND);
    leave_order(&f);
    CHECK_INT(cert_show_stored(f.store, names[0], MADE_NOW_S, f.shown, &f.why), ERR_OK);
    const json_t *order = json_array_get(json_object_get(f.shown, "orders"), 0);
    CHECK_STR(str_of(member(f.shown, "state")), STR("missing"));
    CHECK_STR(str_of(member(order, "last_error")), STR("no such name"));
    CHECK_INT((int)json_integer_value(json_object_get(order, "failures")), 2);
    end(&f);
}

static void the_state_is_of_the_moment(void)
{
    const struct tls_cert_info leaf = {.not_before_s = 100, .not_after_s = 200};
    CHECK_STR(str_of(cert_show_state(&leaf, 99)), STR("not-yet-valid"));
    CHECK_STR(str_of(cert_show_state(&leaf, 100)), STR("valid"));
    CHECK_STR(str_of(cert_show_state(&leaf, 200)), STR("valid"));
    CHECK_STR(str_of(cert_show_state(&leaf, 201)), STR("expired"));
}

TEST_MAIN(TEST(a_stored_one_is_told_with_its_origin_and_plan_but_no_key),
          TEST(only_an_order_may_be_known), TEST(the_state_is_of_the_moment))
