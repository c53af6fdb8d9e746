// SPDX-License-Identifier: Apache-2.0
#include "acme/problem.h"

#include "unit/test.h"

static struct arena mem;

static struct acme_problem read(const char *text, unsigned status)
{
    json_error_t error;
    struct acme_problem p;
    json_t *doc = json_loads(text, JSON_DECODE_ANY, &error);
    acme_problem_read(doc, status, &mem, &p);
    json_decref(doc);
    return p;
}

#define URN "urn:ietf:params:acme:error:"

static void each_case_has_a_next_step(void)
{
    static const struct {
        const char *doc;
        unsigned status;
        enum acme_challenge_kind challenge;
        enum acme_problem_kind kind;
        const char *says; // part of the next step
    } cases[] = {
        {"{\"type\":\"" URN "connection\",\"detail\":\"1.2.3.4: Connection refused\"}", 400,
         ACME_CHALLENGE_HTTP_01, ACME_PROBLEM_CONNECTION,
         "The connection to port 80 of www.example.com was refused"},
        {"{\"type\":\"" URN "connection\",\"detail\":\"Timeout during connect\"}", 400,
         ACME_CHALLENGE_HTTP_01, ACME_PROBLEM_CONNECTION,
         "couldn't reach port 80 of www.example.com"},
        {"{\"type\":\"" URN "connection\",\"detail\":\"Timeout during connect\"}", 400,
         ACME_CHALLENGE_TLS_ALPN_01, ACME_PROBLEM_CONNECTION, "port 443 of www.example.com"},
        {"{\"type\":\"" URN "dns\",\"detail\":\"DNS problem: NXDOMAIN looking up A\"}", 400,
         ACME_CHALLENGE_HTTP_01, ACME_PROBLEM_DNS, "www.example.com doesn't exist in public DNS"},
        {"{\"type\":\"" URN "dns\",\"detail\":\"no valid A records found\"}", 400,
         ACME_CHALLENGE_HTTP_01, ACME_PROBLEM_DNS, "has no address in public DNS"},
        {"{\"type\":\"" URN "dns\",\"detail\":\"DNS problem: SERVFAIL\"}", 400,
         ACME_CHALLENGE_TLS_ALPN_01, ACME_PROBLEM_DNS, "DNSSEC"},
        {"{\"type\":\"" URN "dns\",\"detail\":\"NXDOMAIN looking up TXT\"}", 400,
         ACME_CHALLENGE_DNS_01, ACME_PROBLEM_DNS, "TXT record at _acme-challenge.www.example.com"},
        {"{\"type\":\"" URN "caa\",\"detail\":\"CAA record forbids\"}", 403, ACME_CHALLENGE_HTTP_01,
         ACME_PROBLEM_CAA, "A CAA record of www.example.com"},
        {"{\"type\":\"" URN "unauthorized\",\"detail\":\"404\"}", 403, ACME_CHALLENGE_HTTP_01,
         ACME_PROBLEM_UNAUTHORIZED, "Something else answered on port 80"},
        {"{\"type\":\"" URN "rateLimited\",\"detail\":\"too many\"}", 429, ACME_CHALLENGE_NONE,
         ACME_PROBLEM_RATE_LIMITED, "A limit of the authority is reached"},
        {"{\"type\":\"about:blank\"}", 429, ACME_CHALLENGE_NONE, ACME_PROBLEM_RATE_LIMITED,
         "A limit"},
        {"{}", 503, ACME_CHALLENGE_NONE, ACME_PROBLEM_SERVER_INTERNAL, "trouble of its own"},
        {"{\"type\":\"" URN "fromTheFuture\",\"detail\":\"x\"}", 400, ACME_CHALLENGE_NONE,
         ACME_PROBLEM_OTHER, "own words"},
        {"{\"type\":7,\"detail\":{}}", 400, ACME_CHALLENGE_NONE, ACME_PROBLEM_OTHER, "own words"},
        {"[1]", 400, ACME_CHALLENGE_NONE, ACME_PROBLEM_OTHER, "own words"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct acme_problem p = read(cases[i].doc, cases[i].status);
        acme_problem_about(&p, STR("www.example.com"), cases[i].challenge, &mem);
        CHECK_INT(p.kind, cases[i].kind);
        CHECK_INT(p.status, cases[i].status);
        if (str_search(p.next_step, str_of(cases[i].says)) == STR_NPOS)
            CHECK_STR(p.next_step, str_of(cases[i].says));
        CHECK(p.detail.len > 0);
    }
    arena_reset(&mem);
}

static void every_kind_has_a_sentence(void)
{
    static const enum acme_problem_kind kinds[] = {
#define X(id, type, is_passing, next) ACME_PROBLEM_##id,
        ACME_PROBLEM_LIST(X)
#undef X
    };
    for (size_t i = 1; i < ARRAY_LEN(kinds); i++) {
        struct acme_problem p;
        acme_problem_set(&p, &mem, kinds[i], "detail %d", 7);
        CHECK(str_ends(p.next_step, STR(".")));
        CHECK(str_find(p.next_step, '%') == STR_NPOS);
        CHECK_STR(p.detail, STR("detail 7"));
    }
    arena_reset(&mem);
}

static void what_is_shown_is_one_line_without_controls(void)
{
    struct acme_problem p =
        read("{\"type\":\"" URN "malformed\",\"detail\":\"a\\r\\nb\\u001b[31mc\\u007f\"}", 400);
    CHECK_STR(p.detail, STR("a  b [31mc "));
    arena_reset(&mem);
}

static void names_of_a_compound_problem_are_kept(void)
{
    struct acme_problem p =
        read("{\"type\":\"" URN "malformed\",\"detail\":\"two\",\"subproblems\":["
             "{\"type\":\"" URN "rejectedIdentifier\",\"detail\":\"no\","
             "\"identifier\":{\"type\":\"dns\",\"value\":\"a.example\"}}, 5]}",
             403);
    CHECK_INT(p.n_subs, 2);
    CHECK_STR(p.subs[0].name, STR("a.example"));
    CHECK_INT(p.subs[0].kind, ACME_PROBLEM_REJECTED_IDENTIFIER);
    CHECK(str_search(p.subs[0].next_step, STR("for a.example")) != STR_NPOS);
    CHECK_INT(p.subs[1].kind, ACME_PROBLEM_OTHER);
    arena_reset(&mem);
}

static void an_address_to_open_is_part_of_the_detail(void)
{
    struct acme_problem p = read("{\"type\":\"" URN "userActionRequired\",\"detail\":\"Agree\","
                                 "\"instance\":\"https://ca.example/agree\"}",
                                 403);
    CHECK_STR(p.detail, STR("Agree: https://ca.example/agree"));
    arena_fini(&mem);
}

static void begin(void)
{
    arena_init(&mem, (size_t)1 << 20, NULL, 0);
}

TEST_MAIN(TEST(begin), TEST(each_case_has_a_next_step), TEST(every_kind_has_a_sentence),
          TEST(what_is_shown_is_one_line_without_controls),
          TEST(names_of_a_compound_problem_are_kept),
          TEST(an_address_to_open_is_part_of_the_detail))
