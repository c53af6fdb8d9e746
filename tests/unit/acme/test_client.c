// SPDX-License-Identifier: Apache-2.0
#include "acme/acme.h"

#include "unit/test.h"

// An authority of answers by path: each is given once, the last one of a path for ever.
struct answer {
    const char *path; // of https://ca.example
    unsigned status;
    const char *head, *body;
};

struct script {
    const struct answer *answers;
    size_t n;
    bool is_used[16];
    unsigned n_heads, n_posts;
};

static const struct answer *find(struct script *s, const char *path)
{
    const struct answer *found = NULL;
    for (size_t i = 0; i < s->n; i++) {
        if (strcmp(s->answers[i].path, path) != 0)
            continue;
        found = &s->answers[i];
        if (!s->is_used[i]) {
            s->is_used[i] = true;
            break;
        }
    }
    return found;
}

static bool answer(void *arg, const struct acme_request *r, struct acme_answer *ret,
                   struct arena *mem, struct acme_problem *reterr)
{
    struct script *s = arg;
    const struct answer *a = find(s, r->url + strlen("https://ca.example"));
    s->n_heads += r->method == ACME_HEAD;
    s->n_posts += r->method == ACME_POST;
    if (!a) {
        acme_problem_set(reterr, mem, ACME_PROBLEM_UNREACHABLE, "no answer for %s", r->url);
        return false;
    }
    ret->status = a->status;
    text_put(&ret->head, str_of(a->head));
    text_put(&ret->body, str_of(a->body));
    return true;
}

#define DIRECTORY                                                                                  \
    {                                                                                              \
        "/dir", 200, "",                                                                           \
            "{\"newNonce\":\"https://ca.example/nonce\",\"newAccount\":\"https://ca.example/"      \
            "acct\","                                                                              \
            "\"newOrder\":\"https://ca.example/order\",\"revokeCert\":\"https://ca.example/"       \
            "revoke\","                                                                            \
            "\"renewalInfo\":\"https://ca.example/ari\"}"                                          \
    }
#define NONCE                                                                                      \
    {                                                                                              \
        "/nonce", 200, "Replay-Nonce: n1\r\n", ""                                                  \
    }
#define ACCOUNT                                                                                    \
    {                                                                                              \
        "/acct", 201, "Location: https://ca.example/acct/1\r\nReplay-Nonce: n2\r\n",               \
            "{\"status\":\"valid\"}"                                                               \
    }
#define BAD_NONCE                                                                                  \
    {                                                                                              \
        "/acct", 400, "Replay-Nonce: n3\r\n", "{\"type\":\"urn:ietf:params:acme:error:badNonce\"}" \
    }

struct fixture {
    struct script script;
    struct arena mem;
    struct acme *client;
    struct acme_problem problem;
    EVP_PKEY *key;
};

static void begin(struct fixture *f, const struct answer *answers, size_t n)
{
    *f = (struct fixture){.script = {.answers = answers, .n = n}, .key = tls_key_new(TLS_KEY_P256)};
    struct acme_options options = {
        .directory_url = STR("https://ca.example/dir"),
        .send = answer,
        .send_arg = &f->script,
    };
    arena_init(&f->mem, ACME_MEM_BYTES, NULL, 0);
    f->client = acme_new(&options, &f->mem, &f->problem);
    CHECK(f->client != NULL);
}

static void end(struct fixture *f)
{
    acme_free(f->client);
    tls_key_free(f->key);
    arena_fini(&f->mem);
}

static enum acme_result open_account(struct fixture *f)
{
    struct acme_account account;
    struct acme_account_wish wish = {.agrees_terms = true};
    return acme_account_open(f->client, f->key, &wish, &f->mem, &account, &f->problem);
}

static void a_nonce_of_an_answer_is_used_for_the_next_request(void)
{
    static const struct answer answers[] = {DIRECTORY, NONCE, ACCOUNT};
    struct fixture f;
    begin(&f, answers, ARRAY_LEN(answers));
    CHECK_INT(open_account(&f), ACME_DONE);
    CHECK_INT(open_account(&f), ACME_DONE);
    CHECK_INT(f.script.n_heads, 1);
    CHECK_INT(f.script.n_posts, 2);
    end(&f);
}

static void a_bad_nonce_is_repeated_with_the_one_that_came_with_it(void)
{
    static const struct answer answers[] = {DIRECTORY, NONCE, BAD_NONCE, BAD_NONCE, ACCOUNT};
    struct fixture f;
    begin(&f, answers, ARRAY_LEN(answers));
    CHECK_INT(open_account(&f), ACME_DONE);
    CHECK_INT(f.script.n_posts, 3);
    CHECK_INT(f.script.n_heads, 1);
    end(&f);
}

static void bad_nonces_for_ever_come_to_an_end(void)
{
    static const struct answer answers[] = {DIRECTORY, NONCE, BAD_NONCE};
    struct fixture f;
    begin(&f, answers, ARRAY_LEN(answers));
    CHECK_INT(open_account(&f), ACME_FAILED);
    CHECK_INT(f.problem.kind, ACME_PROBLEM_BAD_NONCE);
    CHECK(f.script.n_posts < 100);
    end(&f);
}

static void answers_that_make_no_sense_are_told(void)
{
    static const struct {
        struct answer account;
        enum acme_result result;
        enum acme_problem_kind kind;
        int64_t retry_after_s;
    } cases[] = {
        {{"/acct", 429, "Retry-After: 90\r\n", "{}"},
         ACME_RATE_LIMITED,
         ACME_PROBLEM_RATE_LIMITED,
         90},
        {{"/acct", 403, "Retry-After: 7\r\n",
          "{\"type\":\"urn:ietf:params:acme:error:rateLimited\"}"},
         ACME_RATE_LIMITED,
         ACME_PROBLEM_RATE_LIMITED,
         7},
        {{"/acct", 503, "Retry-After: 5\r\n", "<html>busy</html>"},
         ACME_FAILED,
         ACME_PROBLEM_SERVER_INTERNAL,
         5},
        {{"/acct", 302, "Location: https://ca.example/other\r\n", ""},
         ACME_FAILED,
         ACME_PROBLEM_BAD_ANSWER,
         0},
        {{"/acct", 200, "", "<html>hello</html>"}, ACME_FAILED, ACME_PROBLEM_BAD_ANSWER, 0},
        {{"/acct", 201, "", "{\"status\":\"valid\"}"}, ACME_FAILED, ACME_PROBLEM_BAD_ANSWER, 0},
        {{"/acct", 201, "Location: https://ca.example/1\r\n", "{\"status\":9}"},
         ACME_FAILED,
         ACME_PROBLEM_BAD_ANSWER,
         0},
        {{"/acct", 200, "Location: https://ca.example/1\r\n", "{\"status\":\"deactivated\"}"},
         ACME_FAILED,
         ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST,
         0},
        {{"/acct", 0, "", ""}, ACME_FAILED, ACME_PROBLEM_BAD_ANSWER, 0},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct answer answers[] = {DIRECTORY, NONCE, cases[i].account};
        struct fixture f;
        begin(&f, answers, ARRAY_LEN(answers));
        CHECK_INT(open_account(&f), cases[i].result);
        CHECK_INT(f.problem.kind, cases[i].kind);
        CHECK_INT(f.problem.retry_after_s, cases[i].retry_after_s);
        end(&f);
    }
}

static void a_directory_that_points_inside_is_not_followed(void)
{
    static const struct answer answers[] = {
        {"/dir", 200, "",
         "{\"newNonce\":\"https://10.0.0.1/n\",\"newAccount\":\"file:///etc/passwd\","
         "\"newOrder\":\"https://ca.example/order\"}"}};
    struct fixture f;
    begin(&f, answers, ARRAY_LEN(answers));
    CHECK_INT(open_account(&f), ACME_FAILED);
    CHECK_INT(f.problem.kind, ACME_PROBLEM_FORBIDDEN_URL);
    CHECK_INT(f.script.n_heads + f.script.n_posts, 0);
    end(&f);
}

static void a_server_without_nonces_is_told(void)
{
    static const struct answer answers[] = {DIRECTORY, {"/nonce", 200, "", ""}};
    struct fixture f;
    begin(&f, answers, ARRAY_LEN(answers));
    CHECK_INT(open_account(&f), ACME_FAILED);
    CHECK_INT(f.problem.kind, ACME_PROBLEM_BAD_ANSWER);
    end(&f);
}

static void renewal_information_is_bounded(void)
{
    static const struct {
        const char *head;
        int64_t retry_after_s;
    } cases[] = {{"Retry-After: 3600\r\n", 3600},
                 {"Retry-After: 1\r\n", 60},
                 {"Retry-After: 99999999\r\n", 86400},
                 {"", 21600}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct answer answers[] = {
            DIRECTORY,
            {"/ari/AAAA.BBBB", 200, cases[i].head,
             "{\"suggestedWindow\":{\"start\":\"1994-11-06T08:49:37Z\","
             "\"end\":\"1994-11-07T08:49:37Z\"},\"explanationURL\":\"https://ca.example/why\"}"}};
        struct fixture f;
        struct acme_renewal r;
        begin(&f, answers, ARRAY_LEN(answers));
        CHECK_INT(acme_renewal_info(f.client, STR("AAAA.BBBB"), &f.mem, &r, &f.problem), ACME_DONE);
        CHECK_INT(r.start_s, 784111777);
        CHECK_INT(r.end_s - r.start_s, 86400);
        CHECK_INT(r.retry_after_s, cases[i].retry_after_s);
        CHECK_STR(r.explanation, STR("https://ca.example/why"));
        CHECK_INT(acme_renewal_info(f.client, STR("../../acct"), &f.mem, &r, &f.problem),
                  ACME_FAILED);
        CHECK_INT(f.problem.kind, ACME_PROBLEM_BAD_INPUT);
        end(&f);
    }
}

static void revoking_twice_is_no_failure(void)
{
    static const struct answer answers[] = {
        DIRECTORY,
        NONCE,
        {"/revoke", 400, "", "{\"type\":\"urn:ietf:params:acme:error:alreadyRevoked\"}"}};
    struct fixture f;
    begin(&f, answers, ARRAY_LEN(answers));
    CHECK_INT(acme_revoke(f.client, STR("der"), f.key, ACME_REASON_SUPERSEDED, &f.mem, &f.problem),
              ACME_DONE);
    end(&f);
}

static void without_an_account_nothing_is_sent(void)
{
    static const struct answer answers[] = {DIRECTORY, NONCE};
    struct fixture f;
    begin(&f, answers, ARRAY_LEN(answers));
    CHECK_INT(acme_account_deactivate(f.client, &f.mem, &f.problem), ACME_FAILED);
    CHECK_INT(f.problem.kind, ACME_PROBLEM_ACCOUNT_DOES_NOT_EXIST);
    CHECK_INT(f.script.n_posts, 0);
    end(&f);
}

static void a_directory_that_is_no_https_address_is_refused(void)
{
    static const char *const bad[] = {"", "ca.example", "http://ca.example/dir", "file:///x"};
    struct arena mem;
    arena_init(&mem, 8192, NULL, 0);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        struct acme_problem problem;
        struct acme_options options = {.directory_url = str_of(bad[i])};
        CHECK(acme_new(&options, &mem, &problem) == NULL);
        CHECK_INT(problem.kind, ACME_PROBLEM_BAD_INPUT);
    }
    arena_fini(&mem);
}

static void reasons_have_the_names_of_settings(void)
{
    enum acme_reason reason;
    CHECK(acme_reason_parse(STR("key-compromise"), &reason));
    CHECK_INT(reason, 1);
    CHECK(!acme_reason_parse(STR("ca-compromise"), &reason));
}

TEST_MAIN(TEST(a_nonce_of_an_answer_is_used_for_the_next_request),
          TEST(a_bad_nonce_is_repeated_with_the_one_that_came_with_it),
          TEST(bad_nonces_for_ever_come_to_an_end), TEST(answers_that_make_no_sense_are_told),
          TEST(a_directory_that_points_inside_is_not_followed),
          TEST(a_server_without_nonces_is_told), TEST(renewal_information_is_bounded),
          TEST(revoking_twice_is_no_failure), TEST(without_an_account_nothing_is_sent),
          TEST(a_directory_that_is_no_https_address_is_refused),
          TEST(reasons_have_the_names_of_settings))
