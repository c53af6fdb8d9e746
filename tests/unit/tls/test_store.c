// SPDX-License-Identifier: Apache-2.0
#include "server_rig.h"

static struct rig_cert ecdsa, rsa, longer;

struct wish {
    const struct rig_cert *cert;
    const char *id;
    const char *names[3];
    bool is_default, is_local_ca;
};

static struct tls_store *store_of(const struct wish *wishes, size_t n)
{
    struct tls_bundle_item items[8];
    struct str names[8][3];
    for (size_t i = 0; i < n; i++) {
        items[i] = rig_item(wishes[i].cert, wishes[i].id, names[i]);
        for (items[i].n_names = 0; items[i].n_names < 3 && wishes[i].names[items[i].n_names];
             items[i].n_names++)
            names[i][items[i].n_names] = str_of(wishes[i].names[items[i].n_names]);
        items[i].is_default = wishes[i].is_default;
        items[i].is_local_ca = wishes[i].is_local_ca;
    }
    return rig_store(items, n);
}

// "ECDSA's id/RSA's id" of what answers a name.
static struct str found(const struct tls_store *s, const char *name)
{
    static char text[100];
    const struct tls_entry *e = tls_store_find(s, str_of(name));
    struct str none = STR("-");
    int n =
        e ? snprintf(text, sizeof text, STR_FMT "/" STR_FMT,
                     STR_ARG(e->ecdsa ? e->ecdsa->id : none), STR_ARG(e->rsa ? e->rsa->id : none))
          : snprintf(text, sizeof text, "none");
    return str_from(text, (size_t)n);
}

static void names_lead_to_certificates_of_both_kinds(void)
{
    static const struct wish wishes[] = {
        {&ecdsa, "e1", {"a.example", "*.wild.example"}, false, false},
        {&rsa, "r1", {"a.example", "b.example"}, false, false},
        {&rsa, "r2", {"exact.wild.example"}, false, false},
        {&ecdsa, "e2", {"other.example"}, true, false},
    };
    static const char *const cases[][2] = {
        {"a.example", "e1/r1"},
        {"b.example", "-/r1"},
        {"x.wild.example", "e1/-"},
        {"exact.wild.example", "-/r2"},
        {"x.y.wild.example", "e2/-"},
        {"wild.example", "e2/-"},
        {"", "e2/-"},
        {".wild.example", "e2/-"},
        {"unknown.example", "e2/-"},
        {"*.wild.example", "e1/-"},
        {"other.example", "e2/-"},
        {"example", "e2/-"},
    };
    struct tls_store *s = store_of(wishes, ARRAY_LEN(wishes));
    CHECK_INT(tls_store_n_chains(s), 4);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK_STR(found(s, cases[i][0]), str_of(cases[i][1]));
    CHECK(tls_store_find_exact(s, STR("unknown.example")) == NULL);
    CHECK(tls_store_find_exact(s, STR_NONE) == NULL);
    tls_store_unref(s);
}

static void without_a_default_an_unknown_name_finds_nothing(void)
{
    static const struct wish wishes[] = {{&ecdsa, "e", {"a.example"}, false, false}};
    struct tls_store *s = store_of(wishes, 1);
    CHECK_STR(found(s, "b.example"), STR("none"));
    CHECK_STR(found(s, ""), STR("none"));
    CHECK(tls_store_default(s) == NULL);
    tls_store_unref(s);
    s = tls_store_new();
    CHECK_STR(found(s, "a.example"), STR("none"));
    CHECK_INT(tls_store_n_chains(s), 0);
    tls_store_unref(tls_store_ref(s));
    tls_store_unref(s);
}

static void of_two_for_a_name_the_public_and_longer_one_is_shown(void)
{
    static const struct wish cases[][3] = {
        {{&ecdsa, "local", {"a.example"}, false, true}, {&ecdsa, "won", {"a.example"}, 0, 0}},
        {{&ecdsa, "won", {"a.example"}, 0, 0}, {&longer, "local", {"a.example"}, false, true}},
        {{&ecdsa, "short", {"a.example"}, 0, 0}, {&longer, "won", {"a.example"}, 0, 0}},
        {{&longer, "won", {"a.example"}, 0, 0}, {&ecdsa, "short", {"a.example"}, 0, 0}},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tls_store *s = store_of(cases[i], 2);
        CHECK_STR(found(s, "a.example"), STR("won/-"));
        tls_store_unref(s);
    }
    // One of our own isn't shown beside a public one of the other kind.
    static const struct wish mixed[] = {{&ecdsa, "local", {"a.example"}, false, true},
                                        {&rsa, "public", {"a.example"}, false, false}};
    struct tls_store *s = store_of(mixed, 2);
    CHECK_STR(found(s, "a.example"), STR("-/public"));
    tls_store_unref(s);
}

static void what_cant_be_used_is_left_out_with_a_warning(void)
{
    struct str name = STR("a.example");
    struct tls_bundle_item items[] = {
        rig_item(&ecdsa, "good", &name), rig_item(&ecdsa, "other-key", &name),
        rig_item(&ecdsa, "no-key", &name), rig_item(&ecdsa, "no-chain", &name)};
    struct text bundle = {.ptr = NULL};
    struct diags diags = {.n = 0};
    items[1].key_pem = text_str(&rsa.key_pem);
    items[2].key_pem = STR("nothing");
    items[3].chain_pem = STR_NONE;
    tls_bundle_pack(items, ARRAY_LEN(items), &bundle);
    struct tls_store *s = tls_store_build(text_str(&bundle), &diags);
    CHECK_INT(tls_store_n_chains(s), 1);
    CHECK_INT(diags.n, 3);
    CHECK_INT(diags.n_errors, 0);
    for (size_t i = 0; i < diags.n; i++)
        CHECK(strstr(diags.items[i].text, items[i + 1].id.ptr) != NULL);
    CHECK_INT(ERR_peek_error(), 0);
    tls_store_unref(s);
    diags_fini(&diags);

    CHECK(tls_store_build(str_first(text_str(&bundle), bundle.len / 2), &diags) == NULL);
    CHECK_INT(diags.n_errors, 1);
    diags_fini(&diags);
    text_wipe(&bundle);
}

static void what_is_known_is_shared_with_the_store_before(void)
{
    struct str names[2][3] = {{STR("a.example")}, {STR("b.example")}};
    struct tls_bundle_item items[2] = {rig_item(&ecdsa, "first", names[0]),
                                       rig_item(&rsa, "second", names[1])};
    struct text small = {.ptr = NULL}, large = {.ptr = NULL};
    struct diags diags = {.n = 0};
    items[0].n_names = items[1].n_names = 1;
    tls_bundle_pack(items, 1, &small);
    items[0].id = STR("renamed");
    items[0].is_local_ca = true;
    tls_bundle_pack(items, 2, &large);
    struct tls_store *before = tls_store_build(text_str(&small), &diags);
    struct tls_store *now = tls_store_rebuild(text_str(&large), before, &diags);
    const struct tls_chain *old = tls_store_find(before, STR("a.example"))->ecdsa;
    const struct tls_chain *same = tls_store_find(now, STR("a.example"))->ecdsa;
    CHECK(same->leaf == old->leaf && same->key == old->key);
    CHECK(same->is_local_ca && same->not_after_s == old->not_after_s);
    tls_store_unref(before);
    CHECK_STR(found(now, "a.example"), STR("renamed/-"));
    CHECK_STR(found(now, "b.example"), STR("-/second"));
    tls_store_unref(now);
    diags_fini(&diags);
    text_wipe(&small);
    text_wipe(&large);
}

int main(int argc, char **argv)
{
    static const struct test_case cases[] = {
        TEST(names_lead_to_certificates_of_both_kinds),
        TEST(without_a_default_an_unknown_name_finds_nothing),
        TEST(of_two_for_a_name_the_public_and_longer_one_is_shown),
        TEST(what_cant_be_used_is_left_out_with_a_warning),
        TEST(what_is_known_is_shared_with_the_store_before),
    };
    rig_cert_begin(&ecdsa, TLS_CERT_LEAF, TLS_KEY_P256, "a.example", NULL);
    rig_cert_begin(&rsa, TLS_CERT_LEAF, TLS_KEY_RSA_2048, "a.example", NULL);
    rig_cert_begin(&longer, TLS_CERT_LEAF, TLS_KEY_P256, "a.example", NULL);
    // The same again, for a longer time.
    struct str name = STR("a.example");
    struct tls_cert_wish wish = {.role = TLS_CERT_LEAF,
                                 .names = &name,
                                 .n_names = 1,
                                 .not_before_s = MADE_FROM_S,
                                 .not_after_s = MADE_TO_S + 86400};
    tls_cert_free(longer.cert);
    text_fini(&longer.chain_pem);
    longer.cert = tls_cert_make(&wish, longer.key, NULL, NULL);
    if (!tls_cert_put_pem(longer.cert, &longer.chain_pem))
        abort();
    int rc = test_main(argc, argv, cases, ARRAY_LEN(cases));
    rig_cert_end(&ecdsa);
    rig_cert_end(&rsa);
    rig_cert_end(&longer);
    return rc;
}
