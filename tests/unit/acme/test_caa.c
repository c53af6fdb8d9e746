// SPDX-License-Identifier: Apache-2.0
#include "acme/caa.h"

#include "unit/test.h"

#define ACCOUNT "https://acme.example/acct/1"

static const struct str domains[] = {STR_INIT("letsencrypt.org"), STR_INIT("le.example")};
static const enum acme_challenge_kind http[] = {ACME_CHALLENGE_HTTP_01};

struct row {
    const char *tag, *value; // NULL: no more
    bool is_critical;
};

static void each_rule_of_the_rfcs_decides_as_it_says(void)
{
    static const struct {
        const char *what;
        bool is_wildcard;
        struct row rows[4];
        enum caa_verdict verdict;
    } cases[] = {
        {"nothing restricts", false, {{"iodef", "mailto:a@b.example", false}}, CAA_UNRESTRICTED},
        {"it is named", false, {{"issue", "letsencrypt.org", false}}, CAA_ALLOWED},
        {"by its other domain", false, {{"issue", "LE.Example", false}}, CAA_ALLOWED},
        {"with space around", false, {{"issue", " \tletsencrypt.org ", false}}, CAA_ALLOWED},
        {"tags in any case", false, {{"ISSUE", "letsencrypt.org", false}}, CAA_ALLOWED},
        {"another is named", false, {{"issue", "sectigo.com", false}}, CAA_OTHERS},
        {"no part of it counts", false, {{"issue", "xletsencrypt.org", false}}, CAA_OTHERS},
        {"one of several",
         false,
         {{"issue", "sectigo.com", false}, {"issue", "letsencrypt.org", false}},
         CAA_ALLOWED},
        {"nobody is named", false, {{"issue", ";", false}}, CAA_NOBODY},
        {"nor by an empty value", false, {{"issue", "", false}}, CAA_NOBODY},
        {"nobody, but another one",
         false,
         {{"issue", ";", false}, {"issue", "sectigo.com", false}},
         CAA_OTHERS},
        {"issuewild doesn't concern others", false, {{"issuewild", ";", false}}, CAA_UNRESTRICTED},
        {"wildcards follow issue", true, {{"issue", "sectigo.com", false}}, CAA_OTHERS},
        {"but issuewild comes first",
         true,
         {{"issue", "letsencrypt.org", false}, {"issuewild", "sectigo.com", false}},
         CAA_OTHERS},
        {"and allows, too",
         true,
         {{"issue", ";", false}, {"issuewild", "letsencrypt.org", false}},
         CAA_ALLOWED},
        {"what is critical and unknown forbids",
         false,
         {{"issue", "letsencrypt.org", false}, {"future", "x", true}},
         CAA_CRITICAL},
        {"what is unknown alone doesn't",
         false,
         {{"issue", "letsencrypt.org", false}, {"future", "x", false}},
         CAA_ALLOWED},
        {"critical and known is fine", false, {{"issue", "letsencrypt.org", true}}, CAA_ALLOWED},
        {"this account",
         false,
         {{"issue", "letsencrypt.org; accounturi=" ACCOUNT, false}},
         CAA_ALLOWED},
        {"another account",
         false,
         {{"issue", "letsencrypt.org; accounturi=" ACCOUNT "2", false}},
         CAA_OTHER_ACCOUNT},
        {"this challenge",
         false,
         {{"issue", "letsencrypt.org;validationmethods=dns-01,http-01", false}},
         CAA_ALLOWED},
        {"another challenge",
         false,
         {{"issue", "letsencrypt.org; validationmethods=dns-01", false}},
         CAA_OTHER_CHALLENGE},
        {"the better of two counts",
         false,
         {{"issue", "letsencrypt.org; validationmethods=dns-01", false},
          {"issue", "letsencrypt.org", false}},
         CAA_ALLOWED},
        {"parameters that nobody knows",
         false,
         {{"issue", "letsencrypt.org; x=y; z", false}},
         CAA_ALLOWED},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct caa_record records[4];
        struct str named;
        size_t n = 0;
        for (; n < 4 && cases[i].rows[n].tag; n++)
            records[n] = (struct caa_record){.is_critical = cases[i].rows[n].is_critical,
                                             .tag = str_of(cases[i].rows[n].tag),
                                             .value = str_of(cases[i].rows[n].value)};
        const struct caa_question q = {.domains = domains,
                                       .n_domains = ARRAY_LEN(domains),
                                       .is_wildcard = cases[i].is_wildcard,
                                       .account_url = STR(ACCOUNT),
                                       .challenges = http,
                                       .n_challenges = 1};
        enum caa_verdict verdict = caa_decide(records, n, &q, &named);
        if (verdict != cases[i].verdict)
            printf("# %s: %s\n", cases[i].what, caa_verdict_text(verdict));
        CHECK(verdict == cases[i].verdict);
    }
}

static void without_an_account_its_address_restricts_nobody_yet(void)
{
    const struct caa_record record = {.tag = STR("issue"),
                                      .value = STR("le.example; accounturi=" ACCOUNT)};
    const struct caa_question q = {.domains = domains, .n_domains = ARRAY_LEN(domains)};
    struct str named;
    CHECK(caa_decide(&record, 1, &q, &named) == CAA_ALLOWED);
    CHECK_STR(named, record.value);
}

static void records_are_read_from_bytes(void)
{
    static const struct {
        struct str data;
        const char *tag, *value; // NULL: malformed
        bool is_critical;
    } cases[] = {
        {STR_INIT("\x00\x05issueca.example"), "issue", "ca.example", false},
        {STR_INIT("\x80\x05issue;"), "issue", ";", true},
        {STR_INIT("\x00\x05issue"), "issue", "", false},
        {STR_INIT("\x7f\x01x\xff"), "x", "\xff", false},
        {STR_INIT(""), NULL, NULL, false},
        {STR_INIT("\x00"), NULL, NULL, false},
        {STR_INIT("\x00\x00issue"), NULL, NULL, false},
        {STR_INIT("\x00\x06issue"), NULL, NULL, false},
        {STR_INIT("\x00\x05iss;eca.example"), NULL, NULL, false},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct caa_record r;
        bool is_read = caa_read(cases[i].data, &r);
        CHECK(is_read == (cases[i].tag != NULL));
        if (!is_read)
            continue;
        CHECK_STR(r.tag, str_of(cases[i].tag));
        CHECK_STR(r.value, str_of(cases[i].value));
        CHECK(r.is_critical == cases[i].is_critical);
    }
}

TEST_MAIN(TEST(each_rule_of_the_rfcs_decides_as_it_says),
          TEST(without_an_account_its_address_restricts_nobody_yet),
          TEST(records_are_read_from_bytes))
