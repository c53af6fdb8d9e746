// SPDX-License-Identifier: Apache-2.0
#include "gate/sni.h"

#include "base/mem.h"
#include "tls/bundle.h"
#include "tls/x509.h"
#include "unit/test.h"

// Policies are only compared here, never looked into.
static const char policies[4];
#define POLICY(i) ((struct tls_policy *)(uintptr_t)&policies[i])

static struct door_conf conf_new(void)
{
    struct door_conf c = {.policy = POLICY(0)};
    map_set(&c.policies, STR("a.example"), POLICY(1));
    map_set(&c.policies, STR("*.b.example"), POLICY(2));
    map_set(&c.policies, STR("x.b.example"), POLICY(3));
    return c;
}

static void a_name_has_its_own_policy_or_its_wildcards_or_the_entrypoints(void)
{
    static const struct {
        const char *name;
        int policy;
    } cases[] = {
        {"", 0},
        {"a.example", 1},
        {"www.a.example", 0},
        {"b.example", 0},
        {"y.b.example", 2},
        {"x.b.example", 3},
        {"z.y.b.example", 0},
        {"localhost", 0},
    };
    struct door_conf c = conf_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        CHECK(sni_policy(&c, str_of(cases[i].name)) == POLICY(cases[i].policy));
    map_fini(&c.policies);
}

static void make(struct tls_bundle_item *item, const char *id, struct str *names, size_t n,
                 struct text *cert, struct text *key)
{
    EVP_PKEY *k = tls_key_new(TLS_KEY_P256);
    const struct tls_cert_wish wish = {.role = TLS_CERT_LEAF,
                                       .names = names,
                                       .n_names = n,
                                       .not_before_s = 0,
                                       .not_after_s = INT64_C(4000000000)};
    X509 *x = tls_cert_make(&wish, k, NULL, NULL);
    CHECK(x && tls_cert_put_pem(x, cert) && tls_key_put_pem(k, key));
    *item = (struct tls_bundle_item){.id = str_of(id),
                                     .names = names,
                                     .n_names = n,
                                     .chain_pem = text_str(cert),
                                     .key_pem = text_str(key)};
    tls_cert_free(x);
    tls_key_free(k);
}

static void a_connection_serves_hosts_with_its_certificate_and_policy(void)
{
    struct str first[] = {STR_INIT("c.example"), STR_INIT("*.c.example"), STR_INIT("a.example")};
    struct str second[] = {STR_INIT("d.example")};
    struct text texts[4] = {{.ptr = NULL}}, bundle = {.ptr = NULL};
    struct tls_bundle_item items[2];
    struct diags diags = {.n = 0};
    make(&items[0], "first", first, ARRAY_LEN(first), &texts[0], &texts[1]);
    make(&items[1], "second", second, ARRAY_LEN(second), &texts[2], &texts[3]);
    items[0].is_default = true;
    tls_bundle_pack(items, ARRAY_LEN(items), &bundle);
    struct tls_store *store = tls_store_build(text_str(&bundle), &diags);
    CHECK(store != NULL);
    static const struct {
        const char *name, *host;
        bool serves;
    } cases[] = {
        {"c.example", "c.example", true},
        {"c.example", "www.c.example", true},
        {"www.c.example", "c.example", true},
        {"c.example", "d.example", false},
        {"d.example", "c.example", false},
        {"c.example", "a.example", false},      // its policy
        {"unknown.example", "c.example", true}, // both have the default
        {"d.example", "unknown.example", false},
        {"", "d.example", true},
        {"", "a.example", false},
    };
    struct door_conf c = conf_new();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        bool serves = sni_serves(&c, store, str_of(cases[i].name), str_of(cases[i].host));
        CHECK_INT(serves, cases[i].serves);
    }
    map_fini(&c.policies);
    tls_store_unref(store);
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        text_fini(&texts[i]);
    text_fini(&bundle);
    diags_fini(&diags);
}

TEST_MAIN(TEST(a_name_has_its_own_policy_or_its_wildcards_or_the_entrypoints),
          TEST(a_connection_serves_hosts_with_its_certificate_and_policy))
