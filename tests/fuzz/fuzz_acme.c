// SPDX-License-Identifier: Apache-2.0
// A hostile authority: the input is its answers, one after the other, separated by lines "%%"; each
// is a status, fields, an empty line, a body. Property: whatever it says, only allowed addresses
// are asked, each proof that was presented is cleaned up, a certificate that is taken belongs to
// the key and the names, and a failure is a problem that can be shown.
#include <stdlib.h>

#include "acme/acme.h"
#include "base/ascii.h"
#include "base/assert.h"
#include "base/num.h"

#define REQUESTS_MAX 20000u

// Of this test alone; certificates in the corpus are for it.
static const char key_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg8HrvpZ5yAwUe5egB\n"
                              "nhNyu3dZSYgCKOwllTOWgl43HhOhRANCAAQ9hARoLlEB1xKi+Y0y/8FfvZrdr6mZ\n"
                              "7wRmW/rJQqMmRD4u7GGmShJQiFTtpHyaLhyspLehDIOxbUGSWa7AGw5S\n"
                              "-----END PRIVATE KEY-----\n";

struct authority {
    struct str rest; // answers to come
    struct acme_reach reach;
    unsigned n_requests;
    int n_presented;
};

static void split_answer(struct str answer, struct acme_answer *ret)
{
    struct str status, line;
    uint64_t code = 0;
    str_cut(answer, '\n', &status, &answer);
    if (num_dec(str_trim(status), 999, &code) == ERR_OK)
        ret->status = (unsigned)code;
    while (answer.len > 0) {
        str_cut(answer, '\n', &line, &answer);
        if (line.len == 0)
            break;
        text_put(&ret->head, line);
        text_byte(&ret->head, '\n');
    }
    text_put(&ret->body, answer);
}

static bool give_answer(void *arg, const struct acme_request *r, struct acme_answer *ret,
                        struct arena *mem, struct acme_problem *reterr)
{
    struct authority *a = arg;
    const char *why;
    bool is_allowed = acme_reach_check(&a->reach, str_of(r->url), &why);
    ASSERT(is_allowed);
    ASSERT(str_istarts(str_of(r->url), STR("https://")));
    for (const char *at = r->url; *at; at++)
        ASSERT(ascii_is(*at, ASCII_TARGET));
    ASSERT(++a->n_requests < REQUESTS_MAX);
    if (a->rest.len == 0) {
        acme_problem_set(reterr, mem, ACME_PROBLEM_UNREACHABLE, "it has nothing more to say");
        return false;
    }
    size_t at = str_search(a->rest, STR("%%\n"));
    split_answer(str_first(a->rest, at), ret);
    a->rest = at == STR_NPOS ? STR_NONE : str_skip(a->rest, at + 3);
    return true;
}

static bool present(void *arg, const struct acme_challenge *c, struct text *why)
{
    struct authority *a = arg;
    if (c->kind == ACME_CHALLENGE_TLS_ALPN_01) {
        text_put(why, STR("not here"));
        return false;
    }
    for (size_t i = 0; i < c->key_authorization.len; i++)
        ASSERT(ascii_is(c->key_authorization.ptr[i], ASCII_TOKEN));
    ASSERT(str_find(c->token, '/') == STR_NPOS);
    a->n_presented++;
    return true;
}

static void clean_up(void *arg, const struct acme_challenge *c)
{
    (void)c;
    ((struct authority *)arg)->n_presented--;
}

static void check_problem(enum acme_result result, const struct acme_problem *p)
{
    if (result == ACME_DONE)
        return;
    ASSERT(p->kind != ACME_PROBLEM_NONE);
    ASSERT((result == ACME_RATE_LIMITED) == (p->kind == ACME_PROBLEM_RATE_LIMITED));
    ASSERT(p->retry_after_s >= 0 && p->retry_after_s <= ACME_RETRY_AFTER_MAX_S);
    for (size_t i = 0; i < p->detail.len; i++)
        ASSERT((uint8_t)p->detail.ptr[i] >= ' ' && p->detail.ptr[i] != 0x7f);
    ASSERT(p->n_subs <= ACME_NAMES_MAX);
}

static void check_certificate(const struct acme_certificate *c, const struct acme_order_wish *wish)
{
    const char *why;
    X509 *leaf = tls_cert_read(c->chain_pem, &why);
    ASSERT(leaf && tls_cert_has_key(leaf, wish->key));
    for (size_t i = 0; i < wish->n_names; i++)
        ASSERT(tls_cert_covers(&c->leaf, wish->names[i]));
    tls_cert_free(leaf);
}

static void run_order(struct acme *client, struct authority *a, EVP_PKEY *key, struct str order_url,
                      struct arena *mem)
{
    static const struct str names[] = {STR_INIT("a.example"), STR_INIT("*.a.example")};
    static const enum acme_challenge_kind kinds[] = {ACME_CHALLENGE_TLS_ALPN_01,
                                                     ACME_CHALLENGE_HTTP_01, ACME_CHALLENGE_DNS_01};
    struct acme_solver solver = {.present = present, .clean_up = clean_up, .arg = a};
    struct acme_certificate cert;
    struct acme_problem problem = {0};
    struct acme_order_wish wish = {
        .names = names,
        .n_names = ARRAY_LEN(names),
        .key = key,
        .order_url = order_url,
        .preferred_issuer = STR("a.example"),
        .replaces = STR("AAAA.BBBB"),
        .challenges = kinds,
        .n_challenges = ARRAY_LEN(kinds),
        .solver = &solver,
        .timeout_ms = 30,
    };
    enum acme_result result = acme_order_run(client, &wish, mem, &cert, &problem);
    ASSERT(a->n_presented == 0);
    check_problem(result, &problem);
    if (result == ACME_DONE)
        check_certificate(&cert, &wish);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *why;
    struct arena mem;
    struct acme_problem problem = {0};
    struct acme_account account;
    struct acme_renewal renewal;
    struct authority a = {.rest = str_from((const char *)data, size)};
    struct acme_options options = {
        .directory_url = STR("https://ca.example/dir"),
        .poll_first_ms = 1,
        .send = give_answer,
        .send_arg = &a,
    };
    struct acme_account_wish wish = {.agrees_terms = true};
    EVP_PKEY *key = tls_key_read(str_of(key_pem), &why);
    arena_init(&mem, ACME_MEM_BYTES, NULL, 0);
    bool is_reach = acme_reach_init(&a.reach, options.directory_url, false, &mem, &why);
    struct acme *client = acme_new(&options, &mem, &problem);
    ASSERT(is_reach && client);
    enum acme_result result = acme_account_open(client, key, &wish, &mem, &account, &problem);
    check_problem(result, &problem);
    if (result == ACME_DONE) {
        run_order(client, &a, key, STR_NONE, &mem);
        run_order(client, &a, key, STR("https://ca.example/o/left"), &mem);
        result = acme_renewal_info(client, STR("AAAA.BBBB"), &mem, &renewal, &problem);
        check_problem(result, &problem);
        ASSERT(result != ACME_DONE || renewal.start_s < renewal.end_s);
    }
    acme_free(client);
    tls_key_free(key);
    arena_fini(&mem);
    return 0;
}
