// SPDX-License-Identifier: Apache-2.0
#include "acme/forms.h"

#include "unit/test.h"

static struct arena mem;

static json_t *doc_of(const char *text)
{
    const char *why;
    json_t *doc = acme_json_read(str_of(text), &why);
    CHECK(doc != NULL);
    return doc;
}

static void a_directory_gives_its_addresses_and_meta(void)
{
    struct acme_directory d;
    json_t *doc = doc_of(
        "{\"newNonce\":\"https://a/n\",\"newAccount\":\"https://a/a\",\"newOrder\":\"https://a/o\","
        "\"revokeCert\":7,\"renewalInfo\":\"https://a/ari\",\"meta\":{"
        "\"termsOfService\":\"https://a/t\",\"website\":\"https://"
        "a\",\"caaIdentities\":[\"a\",1,\"b\"],"
        "\"externalAccountRequired\":true,\"profiles\":{\"classic\":\"the old "
        "one\",\"short\":5}}}");
    CHECK(acme_directory_read(doc, &mem, &d));
    CHECK_STR(d.new_order, STR("https://a/o"));
    CHECK_INT(d.revoke_cert.len, 0);
    CHECK_STR(d.renewal_info, STR("https://a/ari"));
    CHECK_INT(d.n_caa, 2);
    CHECK_STR(d.caa[1], STR("b"));
    CHECK(d.needs_eab);
    CHECK_INT(d.n_profiles, 2);
    CHECK_STR(d.profiles[0].description, STR("the old one"));
    json_decref(doc);
}

static void what_is_no_directory_is_refused(void)
{
    static const char *const bad[] = {
        "{}",
        "{\"newNonce\":\"https://a/n\",\"newAccount\":\"https://a/a\"}",
        "{\"newNonce\":1,\"newAccount\":\"https://a/a\",\"newOrder\":\"https://a/o\"}",
        "{\"newNonce\":[],\"newAccount\":{},\"newOrder\":null}",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct acme_directory d;
        json_t *doc = doc_of(bad[i]);
        CHECK(!acme_directory_read(doc, &mem, &d));
        json_decref(doc);
    }
}

static void json_is_bounded(void)
{
    static const struct {
        const char *text;
        bool is_fine;
    } cases[] = {
        {"{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"}", true},
        {"{\"a\":\"\\\"[[[[[[[[[[[[[[[[[[[[[[[[\"}", true},
        {"{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}", true},
        {"{\"a\":[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]}", false},
        {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[", false},
        {"{\"a\":1,\"a\":2}", false},
        {"{\"a\":\"\\u0000\"}", false},
        {"[]", false},
        {"\"text\"", false},
        {"{\"a\":1}x", false},
        {"", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const char *why;
        json_t *doc = acme_json_read(str_of(cases[i].text), &why);
        CHECK((doc != NULL) == cases[i].is_fine);
        json_decref(doc);
    }
}

static void an_order_gives_its_state_and_error(void)
{
    struct acme_order_form o;
    json_t *doc =
        doc_of("{\"status\":\"invalid\",\"authorizations\":[\"https://a/1\",5,\"https://a/2\"],"
               "\"finalize\":\"https://a/f\",\"error\":{\"type\":"
               "\"urn:ietf:params:acme:error:badCSR\",\"detail\":\"no\"}}");
    CHECK(acme_order_read(doc, &mem, &o));
    CHECK_INT(o.status, ACME_STATUS_INVALID);
    CHECK_INT(o.n_authorizations, 2);
    CHECK_STR(o.authorizations[1], STR("https://a/2"));
    CHECK(o.has_error && o.error.kind == ACME_PROBLEM_BAD_CSR);
    json_decref(doc);
    doc = doc_of("{\"status\":\"nonsense\"}");
    CHECK(!acme_order_read(doc, &mem, &o));
    json_decref(doc);
}

static void an_authorization_keeps_challenges_of_known_kinds(void)
{
    struct acme_authorization_form z;
    json_t *doc = doc_of(
        "{\"status\":\"pending\",\"identifier\":{\"type\":\"dns\",\"value\":\"WWW.Example.com\"},"
        "\"wildcard\":true,\"challenges\":[7,{\"type\":\"tkauth-01\"},{\"type\":\"dns-01\","
        "\"url\":\"https://a/c\",\"token\":\"t\",\"status\":\"pending\"},{\"type\":\"http-01\"}]}");
    CHECK(acme_authorization_read(doc, &mem, &z));
    CHECK_STR(z.name, STR("www.example.com"));
    CHECK(z.is_wildcard && !z.is_ip);
    CHECK_INT(z.n_challenges, 2);
    CHECK_INT(z.challenges[0].kind, ACME_CHALLENGE_DNS_01);
    CHECK_STR(z.challenges[0].url, STR("https://a/c"));
    CHECK_INT(z.challenges[1].url.len, 0);
    json_decref(doc);
}

static void a_renewal_window_must_make_sense(void)
{
    static const struct {
        const char *start, *end;
        bool is_fine;
    } cases[] = {
        {"2026-01-02T04:00:00Z", "2026-01-03T04:00:00Z", true},
        {"2026-01-03T04:00:00Z", "2026-01-02T04:00:00Z", false},
        {"2026-01-02T04:00:00Z", "2026-01-02T04:00:00Z", false},
        {"2026-01-02T04:00:00Z", "2036-01-02T04:00:00Z", false},
        {"yesterday", "2026-01-02T04:00:00Z", false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct acme_renewal r;
        json_t *doc =
            json_pack("{s{ssss}}", "suggestedWindow", "start", cases[i].start, "end", cases[i].end);
        CHECK(acme_renewal_read(doc, &mem, &r) == cases[i].is_fine);
        json_decref(doc);
    }
    arena_fini(&mem);
}

static void begin(void)
{
    arena_init(&mem, (size_t)1 << 20, NULL, 0);
}

TEST_MAIN(TEST(begin), TEST(a_directory_gives_its_addresses_and_meta),
          TEST(what_is_no_directory_is_refused), TEST(json_is_bounded),
          TEST(an_order_gives_its_state_and_error),
          TEST(an_authorization_keeps_challenges_of_known_kinds),
          TEST(a_renewal_window_must_make_sense))
