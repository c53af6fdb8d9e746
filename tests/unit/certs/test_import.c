// SPDX-License-Identifier: Apache-2.0
#include "certs/import.h"

#include "codec/base64.h"
#include "unit/certs/folder.h"
#include "unit/tls/made.h"

#define ACCOUNT_ID "0123456789abcdef0123456789abcdef"
#define ACCOUNT_FOLDER "accounts/acme.example/directory/" ACCOUNT_ID

// A key of this test alone, as certbot writes it.
static const char rsa_jwk[] =
    "{\"kty\": \"RSA\", \"n\": \"xBhz2N75o6m9Wf9y49v8utcFMa7t_44QeDPgM-aHexBpidk6Jk88KcuErWp4tz"
    "HqrrrbqQqvWJpnwfkdv01bCX3ZlIV7Dgxjnpy-Q6Rcss-WJMczcbl3NrlFVoKhfj_oPX6nQo6CFAQgd266wGvkT9F0"
    "Hsj_F3UBstGzqKx5kmPXMfGSNIvBVcJszHb0_txeBo6GdlB2mVpUQYP-sImfqeOix8f2tnC25iu2UZ2XTWYeN_LRa-"
    "-wvLkT1Dl0f6YMp6cWZ-6PVXo1o8_TKw8_VrW-b8aHSrLzg6kt9BTaCo8WvGsCj8VJCZ5AzW4Ep_OavqB4Iy23BNa0"
    "RGR0XnNL4w\", \"e\": \"AQAB\", \"d\": \"MtT13s96HetHutcllJx3iIVpgsYKStcsPMSRx1JoZ0XLXeDyGn"
    "EqstjfZUa20SI-6BlnDIxJBOpNoDIv_GGUikLVzpLFYdBjWH_gME-gefemv5TlqIK_vO9M4o6NR1lQnfRBblbbsE2b"
    "juokvfGZ5vjwJXTL72w0ywJiFITVJNWJIMwQSCDfsC1gC-k7po-s1jpJKeCB-wy3Smi83JEIej6VXGoPrxgI2OJVfj"
    "a2JsTgwF6m496VsMo7BlYo4I94ah2eoBIwit_RiCmQAe7UkfnHWGZ8vPaDtUFFMVooZ55RYy0O1jkJlsyP-ZwaaLCU"
    "iEJ5TBr1phlDiQ8KX1fvbQ\", \"p\": \"9DzQXq4bmhWFifOxaFk7fZ6tNuawXd1ro4m14QUWRuvpFIDwpPY7MJ2"
    "cJg0_iHxF5pRLJUdm5OPCVJbJ7ng8jF9jcGjor5iPNrjvtvjY135KMrbtD7oO4yMbtPLoMrrXhvvtVCo-fM0Wdn0I-"
    "R9SE_C0n1mfCqV0ZlWYqyfNSgc\", \"q\": \"zYoZXymBT-n1j6ONHXDUR05YBMN10KppZGYpKKhyJeM0sMEx9T9"
    "QHV3brdMAB3xx77IwxDUl-Qa8uBLa-E8ezeqj0qKhS0rHn2ceONmWJ3VZ4zmjrRVXpXskaYq79L81l1bZtSDSPmESD"
    "UsRDr8c9_ezNYVX8kT0SoHcaHy46EU\", \"dp\": \"QjR98zxU5RayZSu2ymdt1eZ-Y6Ry6G7N772znLSJTl5Chz"
    "lQghbxAoOmwTXUJAYz2IYYPJm3TZJjqhRZ1penKhHtXZpCgN7k61uEN2ALP5bPPCIT7rBruqxYpVs3EBFPvRprQeZV"
    "m_ToAuRv2z_fOuKDw7JCh1tESz0mrjaS0l8\", \"dq\": \"sDZnThiNTm_sIPs8rjLfK0rVVzAjv4N526NiQgM36"
    "ZeCws6-_90J2ENxZPLyoXhlTfRcrrpKFdda0A0KQbvDUxKI5LqcwaoYvmZvmJmii62mJJJz6p3TiIGsU_em8EtFrLu"
    "-5fR_iw85pL_ondXnBggMUiRBo-jN71qqFcJn3Gk\", \"qi\": \"OY4svVSziVJmgd63auNtxeAzOmKfiI6q7ViU"
    "AqYphHb2ebyGK_ERa0v5zxHRSXRm4rIpoX68mTPmIQ1MSHxOkdzjhZfqzZ8TIYALN9VAsAPbC2ntILCrdLDuEiKVqK"
    "sPJXawHYX3OcQLgHhssAFWieUQBYORVdl8wED0nqmlhfc\"}";

struct fixture {
    struct test_folder folder;
    struct made_ca ca;
    struct made_leaf leaf, other; // a.example, b.example
    struct arena mem;
    struct diags diags;
    struct certs_import got;
};

static void begin(struct fixture *f)
{
    *f = (struct fixture){.diags = {.n = 0}};
    test_folder_begin(&f->folder);
    arena_init(&f->mem, CERTS_IMPORT_MEM_BYTES, NULL, 0);
    made_ca_begin(&f->ca);
    made_leaf_begin(&f->leaf, &f->ca, TLS_KEY_P256, STR("a.example"), 90);
    made_leaf_begin(&f->other, &f->ca, TLS_KEY_P256, STR("b.example"), 90);
}

static void end(struct fixture *f)
{
    diags_fini(&f->diags);
    made_leaf_end(&f->leaf);
    made_leaf_end(&f->other);
    made_ca_end(&f->ca);
    arena_wipe(&f->mem);
    test_folder_end(&f->folder);
}

static struct str base64_of(struct fixture *f, struct str bytes)
{
    char *text = ARENA_ARRAY(&f->mem, char, bytes.len / 3 * 4 + 8);
    return str_from(text, base64_encode(bytes, false, text));
}

// Puts texts of the fixture for $CHAIN, $KEY, $OTHER_CHAIN, $OTHER_KEY and $ACCOUNT.
static struct str filled(struct fixture *f, const char *form)
{
    struct text der_text = {0}, out = {0};
    EVP_PKEY *account = tls_key_new(TLS_KEY_P256);
    CHECK(account && tls_key_put_pem(account, &der_text));
    struct str body = text_str(&der_text), line, der = STR_NONE;
    str_cut(body, '\n', NULL, &body); // PKCS#8 without the marks is base64 of DER
    while (str_cut(body, '\n', &line, &body) && !str_starts(line, STR("-----")))
        der = arena_concat(&f->mem, der, line, STR_NONE);
    const struct {
        struct str name, value;
    } all[] = {
        {STR("$CHAIN"), base64_of(f, text_str(&f->leaf.chain_pem))},
        {STR("$KEY"), base64_of(f, text_str(&f->leaf.key_pem))},
        {STR("$OTHER_CHAIN"), base64_of(f, text_str(&f->other.chain_pem))},
        {STR("$OTHER_KEY"), base64_of(f, text_str(&f->other.key_pem))},
        {STR("$ACCOUNT"), der},
    };
    struct str rest = str_of(form);
    while (rest.len > 0) {
        size_t i = 0;
        while (i < ARRAY_LEN(all) && !str_starts(rest, all[i].name))
            i++;
        text_put(&out, i < ARRAY_LEN(all) ? all[i].value : str_first(rest, 1));
        rest = str_skip(rest, i < ARRAY_LEN(all) ? all[i].name.len : 1);
    }
    struct str text = arena_dup(&f->mem, text_str(&out));
    tls_key_free(account);
    text_wipe(&der_text);
    text_wipe(&out);
    return text;
}

static enum err traefik(struct fixture *f, const char *form)
{
    return certs_import_traefik(filled(f, form), (struct place){.source = "acme.json"}, &f->mem,
                                &f->diags, &f->got);
}

static void an_acme_json_of_version_3_is_read(void)
{
    struct fixture f;
    begin(&f);
    CHECK_INT(traefik(&f, "{\"le\": {\"Account\": {\"Email\": \"me@example.com\","
                          "\"Registration\": {\"body\": {}, \"uri\": \"https://x/acct/1\"},"
                          "\"PrivateKey\": \"$ACCOUNT\", \"KeyType\": \"EC256\"},"
                          "\"Certificates\": [{\"domain\": {\"main\": \"a.example\","
                          "\"sans\": [\"*.a.example\"]}, \"certificate\": \"$CHAIN\","
                          "\"key\": \"$KEY\", \"Store\": \"default\"}]},"
                          "\"staging\": {\"Account\": null, \"Certificates\": null}}"),
              ERR_OK);
    CHECK_INT(f.diags.n, 0);
    CHECK_INT(f.got.n_certs, 1);
    CHECK_STR(f.got.certs[0].id, STR("a.example"));
    CHECK_STR(f.got.certs[0].cert.chain_pem, text_str(&f.leaf.chain_pem));
    CHECK_STR(f.got.certs[0].meta.issuer, STR("le"));
    CHECK_STR(f.got.certs[0].meta.source, STR("traefik"));
    CHECK_INT(f.got.certs[0].meta.n_names, 2);
    CHECK_INT(f.got.n_accounts, 1);
    CHECK_STR(f.got.accounts[0].issuer, STR("le"));
    CHECK_STR(f.got.accounts[0].meta.url, STR("https://x/acct/1"));
    CHECK_STR(f.got.accounts[0].meta.contact, STR("mailto:me@example.com"));
    end(&f);
}

static void older_forms_of_acme_json_are_read(void)
{
    static const char *const forms[] = {
        "{\"Account\": {\"Email\": \"\", \"PrivateKey\": \"$ACCOUNT\"}, \"Certificates\":"
        "[{\"Domain\": {\"Main\": \"a.example\", \"SANs\": null}, \"Certificate\": \"$CHAIN\","
        "\"Key\": \"$KEY\"}], \"HTTPChallenges\": {}, \"TLSChallenges\": {}}",
        "{\"Email\": \"\", \"Registration\": {}, \"PrivateKey\": \"$ACCOUNT\","
        "\"DomainsCertificate\": {\"Certs\": [{\"Domains\": {\"Main\": \"a.example\"},"
        "\"Certificate\": {\"Domain\": \"a.example\", \"PrivateKey\": \"$KEY\","
        "\"Certificate\": \"$CHAIN\"}}]}}",
    };
    for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
        struct fixture f;
        begin(&f);
        CHECK_INT(traefik(&f, forms[i]), ERR_OK);
        CHECK_INT(f.diags.n, 0);
        CHECK_INT(f.got.n_certs, 1);
        CHECK_INT(f.got.n_accounts, 1);
        CHECK_STR(f.got.n_certs > 0 ? f.got.certs[0].id : STR_NONE, STR("a.example"));
        end(&f);
    }
}

static void damaged_certificates_are_told_and_skipped(void)
{
    struct fixture f;
    begin(&f);
    CHECK_INT(traefik(&f, "{\"le\": {\"Account\": {\"PrivateKey\": \"AAAA\"}, \"Certificates\": ["
                          "{\"domain\": {\"main\": \"a\"}, \"certificate\": \"$CHAIN\"},"
                          "{\"domain\": {\"main\": \"b\"}, \"certificate\": \"$CHAIN\","
                          "\"key\": \"$OTHER_KEY\"}, {\"domain\": 7, \"certificate\": [],"
                          "\"key\": {}}, 5, null, {\"domain\": {\"main\": \"good\"},"
                          "\"certificate\": \"$OTHER_CHAIN\", \"key\": \"$OTHER_KEY\"}]}}"),
              ERR_OK);
    CHECK_INT(f.got.n_certs, 1);
    CHECK_STR(f.got.certs[0].id, STR("good"));
    CHECK_INT(f.got.n_accounts, 0);
    CHECK_INT(f.diags.n_errors, 0);
    CHECK(f.diags.n >= 4);
    end(&f);
}

static void what_is_no_acme_json_is_an_error(void)
{
    static const char *const texts[] = {"", "{", "[]", "7", "{\"a\": 1}", "{\"a\": {\"b\": {}}}"};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct fixture f;
        begin(&f);
        CHECK_INT(traefik(&f, texts[i]), ERR_SYNTAX);
        CHECK_INT(f.diags.n_errors, 1);
        end(&f);
    }
}

static void put(struct fixture *f, const char *name, struct str text)
{
    char path[300];
    snprintf(path, sizeof path, "%s/%s", f->folder.path, name);
    for (char *slash = strchr(path + 5, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
    test_folder_put(&f->folder, name, text);
}

static void a_folder_of_certbot_is_read_with_its_accounts(void)
{
    struct fixture f;
    begin(&f);
    put(&f, "live/README", STR("none"));
    put(&f, "live/a.example-0001/fullchain.pem", text_str(&f.leaf.chain_pem));
    put(&f, "live/a.example-0001/privkey.pem", text_str(&f.leaf.key_pem));
    put(&f, "live/b.example/README", STR("links that were not copied"));
    put(&f, "archive/b.example/fullchain1.pem", text_str(&f.leaf.chain_pem));
    put(&f, "archive/b.example/privkey1.pem", text_str(&f.leaf.key_pem));
    put(&f, "archive/b.example/fullchain2.pem", text_str(&f.other.chain_pem));
    put(&f, "archive/b.example/privkey2.pem", text_str(&f.other.key_pem));
    put(&f, "live/broken.example/README", STR("none"));
    put(&f, "renewal/a.example-0001.conf",
        STR("version = 2.1.0\narchive_dir = /etc/x\n[renewalparams]\naccount = " ACCOUNT_ID "\n"
            "server = https://acme.example/directory\nkey_type = ecdsa\n"));
    put(&f, ACCOUNT_FOLDER "/private_key.json", str_of(rsa_jwk));
    put(&f, ACCOUNT_FOLDER "/regr.json", STR("{\"body\": {}, \"uri\": \"https://x/acct/9\"}"));
    CHECK_INT(certs_import_certbot(f.folder.path, &f.mem, &f.diags, &f.got), ERR_OK);
    CHECK_INT(f.diags.n, 1); // broken.example
    CHECK_INT(f.got.n_certs, 2);
    CHECK_STR(f.got.certs[0].id, STR("a.example"));
    CHECK_STR(f.got.certs[0].meta.directory, STR("https://acme.example/directory"));
    CHECK_STR(f.got.certs[0].meta.issuer, STR("acme.example"));
    CHECK_STR(f.got.certs[1].id, STR("b.example"));
    CHECK_STR(f.got.certs[1].cert.key_pem, text_str(&f.other.key_pem));
    CHECK_INT(f.got.n_accounts, 1);
    CHECK_STR(f.got.accounts[0].issuer, STR("acme.example"));
    CHECK_STR(f.got.accounts[0].meta.url, STR("https://x/acct/9"));
    CHECK(str_starts(f.got.accounts[0].key_pem, STR("-----BEGIN PRIVATE KEY-----")));
    end(&f);
}

static void hostile_renewal_files_lead_nowhere(void)
{
    static const char *const texts[] = {
        "account = ../../..\nserver = https://acme.example/directory\n",
        "account = " ACCOUNT_ID "\nserver = https://../../../etc\n",
        "account = " ACCOUNT_ID "\nserver = http://acme.example/directory\n",
        "account=\nserver=\n= =\n=\n\n\r\n",
        "account = " ACCOUNT_ID "\nserver = https://\n",
    };
    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        struct fixture f;
        begin(&f);
        put(&f, "live/a.example/fullchain.pem", text_str(&f.leaf.chain_pem));
        put(&f, "live/a.example/privkey.pem", text_str(&f.leaf.key_pem));
        put(&f, "renewal/a.example.conf", str_of(texts[i]));
        CHECK_INT(certs_import_certbot(f.folder.path, &f.mem, &f.diags, &f.got), ERR_OK);
        CHECK_INT(f.got.n_certs, 1);
        CHECK_INT(f.got.n_accounts, 0);
        end(&f);
    }
    struct fixture f;
    begin(&f);
    CHECK_INT(certs_import_certbot(f.folder.path, &f.mem, &f.diags, &f.got), ERR_SYNTAX);
    CHECK_INT(f.diags.n_errors, 1);
    end(&f);
}

static void what_is_imported_is_stored_once_and_never_older(void)
{
    struct fixture f;
    struct certs_import_count count;
    struct certs_stored stored;
    struct made_leaf longer;
    const char *why = "";
    char path[80];
    begin(&f);
    made_leaf_begin(&longer, &f.ca, TLS_KEY_P256, STR("b.example"), 200);
    snprintf(path, sizeof path, "%s/state", f.folder.path);
    struct certs_store *store = certs_store_open(path, &f.diags);
    const struct certs_meta meta = {.n_names = 0};
    CHECK_INT(certs_store_put(store, STR("b.example"), text_str(&longer.chain_pem),
                              text_str(&longer.key_pem), &meta, &why),
              ERR_OK);
    CHECK_INT(traefik(&f, "{\"le\": {\"Account\": {\"PrivateKey\": \"$ACCOUNT\"},"
                          "\"Certificates\": [{\"domain\": {\"main\": \"a.example\"},"
                          "\"certificate\": \"$CHAIN\", \"key\": \"$KEY\"}, {\"domain\":"
                          "{\"main\": \"b.example\"}, \"certificate\": \"$OTHER_CHAIN\","
                          "\"key\": \"$OTHER_KEY\"}]}}"),
              ERR_OK);
    CHECK_INT(certs_import_store(&f.got, store, MADE_NOW_S, &f.diags, &count), ERR_OK);
    CHECK(count.n_certs == 1 && count.n_accounts == 1 && count.n_kept == 1);
    CHECK_INT(certs_import_store(&f.got, store, MADE_NOW_S, &f.diags, &count), ERR_OK);
    CHECK(count.n_certs == 0 && count.n_accounts == 0 && count.n_kept == 3);
    CHECK_INT(certs_store_get(store, STR("a.example"), MADE_NOW_S, &f.mem, &stored, &why), ERR_OK);
    CHECK_STR(stored.meta.source, STR("traefik"));
    CHECK_STR(stored.cert.key_pem, text_str(&f.leaf.key_pem));
    CHECK_INT(certs_store_get(store, STR("b.example"), MADE_NOW_S, &f.mem, &stored, &why), ERR_OK);
    CHECK_STR(stored.cert.key_pem, text_str(&longer.key_pem));
    CHECK_INT(f.diags.n, 0);
    certs_store_close(store);
    made_leaf_end(&longer);
    end(&f);
}

TEST_MAIN(TEST(an_acme_json_of_version_3_is_read), TEST(older_forms_of_acme_json_are_read),
          TEST(damaged_certificates_are_told_and_skipped), TEST(what_is_no_acme_json_is_an_error),
          TEST(a_folder_of_certbot_is_read_with_its_accounts),
          TEST(hostile_renewal_files_lead_nowhere),
          TEST(what_is_imported_is_stored_once_and_never_older))
