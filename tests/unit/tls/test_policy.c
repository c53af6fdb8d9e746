// SPDX-License-Identifier: Apache-2.0
#include "server_rig.h"

// Reads a section and builds its policy; the first message goes to text.
static struct tls_policy *build(const char *yaml, const char *ca, char *text, size_t text_bytes)
{
    struct arena mem;
    struct diags diags = {.n = 0};
    struct tls_conf conf;
    struct str content = str_of(ca);
    const struct conf_resolver files = {.read_file = rig_read_file, .arg = &content};
    arena_init(&mem, 1 << 20, NULL, 0);
    struct conf_node *root = conf_yaml_parse(str_of(yaml), "t.yaml", &mem, &diags);
    struct tls_policy *p = NULL;
    if (conf_resolve(&tls_section, root, &files, &mem, &diags) == ERR_OK &&
        conf_read(&tls_section, root, NULL, &mem, &diags, &conf) == ERR_OK)
        p = tls_policy_build(&conf, &diags);
    struct str told = diags.n > 0 ? diag_text(&diags.items[0], text, text_bytes - 1) : STR_NONE;
    text[told.len] = '\0';
    CHECK_INT(p == NULL, diags.n_errors > 0);
    CHECK_INT(ERR_peek_error(), 0);
    diags_fini(&diags);
    arena_fini(&mem);
    return p;
}

static void mistakes_are_told_with_their_place(void)
{
    static const struct {
        const char *yaml, *wanted;
    } cases[] = {
        {"{ciphers: [ECDHE-RSA-AES128-GCM-SHA256, ECDHE-RSA-AES128-GCM-SHA257]}",
         "t.yaml:1:41: error: 'ECDHE-RSA-AES128-GCM-SHA257' is no cipher"},
        {"{ciphers: HIGH}", "'HIGH' is no cipher"},
        {"{ciphers: NULL-SHA256}", "is no cipher"},
        {"{ciphers: ADH-AES128-GCM-SHA256}", "is no cipher"},
        {"{ciphers: TLS_AES_128_GCM_SHA256}", "it belongs in 'suites'"},
        {"{suites: TLS_AES_128_GCM_SHA257}", "is no suite of TLS 1.3"},
        {"{suites: ECDHE-RSA-AES128-GCM-SHA256}", "is no suite of TLS 1.3"},
        {"{groups: [X25519, P-255]}", "t.yaml:1:19: error: 'P-255' is no group"},
        {"{groups: 'X25519:P-256'}", "is no group"},
        {"{groups: '?X25519'}", "is no group"},
        {"{min: \"1.1\"}", "1.1"},
        {"{min: \"1.0\"}", "1.0"},
        {"{max: \"1.1\"}", "1.1"},
        {"{min: \"1.3\", max: \"1.2\"}", "'min' is newer than 'max'"},
        {"{preset: modern, max: \"1.2\"}", "needs TLS 1.3"},
        {"{preset: old}", "old"},
        {"{client-auth: require}", "needs 'client-ca'"},
        {"{client-auth: require, client-ca: ca.pem}", "ca.pem: no certificate is in it"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char text[600];
        struct tls_policy *p = build(cases[i].yaml, "nothing", text, sizeof text);
        CHECK(p == NULL);
        CHECK(strstr(text, cases[i].wanted) != NULL);
        if (!strstr(text, cases[i].wanted))
            printf("# %s: %s\n", cases[i].yaml, text);
        tls_policy_free(p);
    }
}

static unsigned count_named(SSL_CTX *ctx, const char *name, bool is_prefix)
{
    const STACK_OF(SSL_CIPHER) *all = SSL_CTX_get_ciphers(ctx);
    unsigned n = 0;
    for (int i = 0; i < sk_SSL_CIPHER_num(all); i++) {
        const char *own = SSL_CIPHER_get_name(sk_SSL_CIPHER_value(all, i));
        n += is_prefix ? strncmp(own, name, strlen(name)) == 0 : strcmp(own, name) == 0;
    }
    return n;
}

static void the_default_has_forward_secrecy_and_authenticated_encryption_alone(void)
{
    char text[600];
    struct tls_policy *p = build("{}", "", text, sizeof text);
    SSL_CTX *ctx = tls_policy_ctx(p);
    CHECK_INT(SSL_CTX_get_min_proto_version(ctx), TLS1_2_VERSION);
    CHECK_INT(SSL_CTX_get_max_proto_version(ctx), TLS1_3_VERSION);
    CHECK_INT(count_named(ctx, "TLS_", true), 3);
    CHECK_INT(count_named(ctx, "ECDHE-", true), 6);
    CHECK_INT(sk_SSL_CIPHER_num(SSL_CTX_get_ciphers(ctx)), 9);
    uint64_t options = SSL_CTX_get_options(ctx);
    CHECK((options & SSL_OP_NO_RENEGOTIATION) && (options & SSL_OP_NO_COMPRESSION));
    CHECK(!(options & SSL_OP_IGNORE_UNEXPECTED_EOF));
    CHECK_INT(SSL_CTX_get_max_early_data(ctx), 0);
    CHECK_INT(SSL_CTX_get_num_tickets(ctx), 1);
    CHECK(!tls_policy_asks_client(p));
    tls_policy_free(p);

    p = build("{preset: modern, tickets: off}", "", text, sizeof text);
    CHECK_INT(SSL_CTX_get_min_proto_version(tls_policy_ctx(p)), TLS1_3_VERSION);
    CHECK_INT(SSL_CTX_get_num_tickets(tls_policy_ctx(p)), 0);
    tls_policy_free(p);
}

static void what_is_named_is_what_is_spoken(void)
{
    char text[600];
    struct tls_policy *p = build("{ciphers: [ECDHE-ECDSA-AES256-GCM-SHA384, AES128-GCM-SHA256],"
                                 " suites: TLS_AES_128_CCM_SHA256, groups: [P-384, X25519]}",
                                 "", text, sizeof text);
    CHECK(p != NULL);
    SSL_CTX *ctx = tls_policy_ctx(p);
    CHECK_INT(count_named(ctx, "ECDHE-ECDSA-AES256-GCM-SHA384", false), 1);
    CHECK_INT(count_named(ctx, "AES128-GCM-SHA256", false), 1);
    CHECK_INT(count_named(ctx, "TLS_AES_128_CCM_SHA256", false), 1);
    CHECK_INT(sk_SSL_CIPHER_num(SSL_CTX_get_ciphers(ctx)), 3);
    tls_policy_free(p);
}

static void the_id_says_whether_two_policies_are_the_same(void)
{
    struct rig_cert ca, other_ca;
    rig_cert_begin(&ca, TLS_CERT_ROOT, TLS_KEY_P256, "Clients", NULL);
    rig_cert_begin(&other_ca, TLS_CERT_ROOT, TLS_KEY_P256, "Clients", NULL);
    struct {
        const char *yaml, *ca;
    } different[] = {
        {"{}", ""},
        {"{preset: modern}", ""},
        {"{max: \"1.2\"}", ""},
        {"{suites: TLS_AES_128_GCM_SHA256}", ""},
        {"{groups: P-384}", ""},
        {"{tickets: off}", ""},
        {"{client-auth: require, client-ca: a}", ca.chain_pem.ptr},
        {"{client-auth: request, client-ca: a}", ca.chain_pem.ptr},
        {"{client-auth: require, client-ca: a}", other_ca.chain_pem.ptr},
    };
    char text[600];
    for (size_t i = 0; i < ARRAY_LEN(different); i++) {
        struct tls_policy *a = build(different[i].yaml, different[i].ca, text, sizeof text);
        for (size_t k = 0; k < ARRAY_LEN(different); k++) {
            struct tls_policy *b = build(different[k].yaml, different[k].ca, text, sizeof text);
            bool is_same = memcmp(tls_policy_id(a), tls_policy_id(b), TLS_POLICY_ID_BYTES) == 0;
            CHECK_INT(is_same, i == k);
            tls_policy_free(b);
        }
        CHECK_INT(tls_policy_asks_client(a), strstr(different[i].yaml, "client-auth") != NULL);
        tls_policy_free(a);
    }
    rig_cert_end(&ca);
    rig_cert_end(&other_ca);
}

static void groups_are_probed(void)
{
    CHECK(tls_has_group("X25519"));
    CHECK(tls_has_group("P-256"));
    CHECK(!tls_has_group("P-999"));
    bool is_35 = OpenSSL_version_num() >= 0x30500000;
    CHECK_INT(tls_has_group("X25519MLKEM768"), is_35);
}

TEST_MAIN(TEST(mistakes_are_told_with_their_place),
          TEST(the_default_has_forward_secrecy_and_authenticated_encryption_alone),
          TEST(what_is_named_is_what_is_spoken),
          TEST(the_id_says_whether_two_policies_are_the_same), TEST(groups_are_probed))
