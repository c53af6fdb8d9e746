// SPDX-License-Identifier: Apache-2.0
#include "acme/client.h"

#include <openssl/evp.h>

#include "acme/jose.h"
#include "base/mem.h"
#include "rt/clock.h"

#define REQUEST_TIMEOUT_MS 30000
#define POLL_FIRST_MS 1000
#define ANSWER_MAX_BYTES ((size_t)512 << 10)
#define OWN_MEM_BYTES ((size_t)2 << 20)
#define NONCE_TRIES 24 // an authority under load may refuse every second one

// --- a client ---

static bool copy_options(struct acme *a, const struct acme_options *o)
{
    a->options = *o;
    a->options.directory_url = arena_dup(&a->mem, o->directory_url);
    a->options.ca_pem = STR_NONE; // libcurl's handle has it
    a->options.proxy = STR_NONE;
    if (o->request_timeout_ms <= 0)
        a->options.request_timeout_ms = REQUEST_TIMEOUT_MS;
    if (o->poll_first_ms <= 0)
        a->options.poll_first_ms = POLL_FIRST_MS;
    if (o->answer_max_bytes == 0)
        a->options.answer_max_bytes = ANSWER_MAX_BYTES;
    return a->options.directory_url.ptr != NULL;
}

struct acme *acme_new(const struct acme_options *options, struct arena *mem,
                      struct acme_problem *reterr)
{
    struct acme *a = MEM_NEW(struct acme);
    const char *why = "there is no memory for it";
    arena_init(&a->mem, OWN_MEM_BYTES, NULL, 0);
    if (!copy_options(a, options) ||
        !acme_reach_init(&a->reach, a->options.directory_url, options->allow_http, &a->mem, &why)) {
        acme_problem_set(reterr, mem, ACME_PROBLEM_BAD_INPUT, "directory '" STR_FMT "': %s",
                         STR_ARG(str_first(options->directory_url, 256)), why);
        acme_free(a);
        return NULL;
    }
    if (options->send)
        return a;
    a->http = acme_http_new(&(struct acme_http_options){
        .ca_pem = options->ca_pem,
        .proxy = options->proxy,
        .timeout_ms = a->options.request_timeout_ms,
        .cancel = options->cancel,
        .reach = &a->reach,
    });
    a->options.send = acme_http_send;
    a->options.send_arg = a->http;
    if (a->http)
        return a;
    acme_problem_set(reterr, mem, ACME_PROBLEM_LOCAL, "libcurl can't start");
    acme_free(a);
    return NULL;
}

void acme_free(struct acme *a)
{
    if (!a)
        return;
    acme_http_free(a->http);
    EVP_PKEY_free(a->key);
    for (size_t i = 0; i < ACME_NONCES_MAX; i++)
        text_fini(&a->nonces[i]);
    text_fini(&a->account_text);
    arena_fini(&a->mem);
    mem_free(a);
}

void acme_account_use(struct acme *a, EVP_PKEY *key, struct str url)
{
    EVP_PKEY_up_ref(key);
    EVP_PKEY_free(a->key);
    a->key = key;
    a->account_text.len = 0;
    text_put(&a->account_text, url);
    a->account_url = text_str(&a->account_text);
}

enum acme_result acme_result_of(const struct acme_problem *p)
{
    if (p->kind == ACME_PROBLEM_CANCELLED)
        return ACME_CANCELLED;
    return p->kind == ACME_PROBLEM_RATE_LIMITED ? ACME_RATE_LIMITED : ACME_FAILED;
}

enum acme_result acme_pause(struct acme *a, int64_t wait_ms, struct arena *mem,
                            struct acme_problem *reterr)
{
    if (acme_cancel_wait(a->options.cancel, wait_ms))
        return ACME_DONE;
    return ACME_FAIL(reterr, mem, CANCELLED, "it was stopped");
}

// --- one request ---

void acme_reply_fini(struct acme_reply *r)
{
    json_decref(r->doc);
    acme_answer_fini(&r->answer);
    *r = (struct acme_reply){0};
}

// The oldest first: those that are kept long are refused.
static void keep_nonce(struct acme *a, struct str nonce)
{
    if (nonce.len == 0)
        return;
    if (a->n_nonces == ACME_NONCES_MAX) {
        struct text oldest = a->nonces[0];
        memmove(a->nonces, a->nonces + 1, (ACME_NONCES_MAX - 1) * sizeof a->nonces[0]);
        a->nonces[--a->n_nonces] = oldest;
    }
    struct text *t = &a->nonces[a->n_nonces++];
    t->len = 0;
    text_put(t, nonce);
}

static enum acme_result send_one(struct acme *a, const struct acme_request *r,
                                 struct acme_reply *ret, struct arena *mem,
                                 struct acme_problem *reterr)
{
    const char *why;
    *ret = (struct acme_reply){0};
    if (acme_cancel_is_set(a->options.cancel))
        return ACME_FAIL(reterr, mem, CANCELLED, "it was stopped");
    if (!acme_reach_check(&a->reach, str_of(r->url), &why))
        return ACME_FAIL(reterr, mem, FORBIDDEN_URL, "'%.256s': %s", r->url, why);
    if (!a->options.send(a->options.send_arg, r, &ret->answer, mem, reterr)) {
        acme_reply_fini(ret);
        return acme_result_of(reterr);
    }
    acme_head_parse(text_str(&ret->answer.head), clock_wall_s(), &ret->answer.fields);
    keep_nonce(a, ret->answer.fields.nonce);
    if (ret->answer.body.len > 0)
        ret->doc = acme_json_read(text_str(&ret->answer.body), &why);
    return ACME_DONE;
}

// 2xx, and JSON where it is wanted; else the problem.
static enum acme_result judge(const char *url, enum acme_want want, struct acme_reply *r,
                              struct arena *mem, struct acme_problem *reterr)
{
    const struct acme_answer *answer = &r->answer;
    if (answer->status >= 200 && answer->status < 300) {
        if (want == ACME_WANT_ANY || r->doc)
            return ACME_DONE;
        acme_problem_set(reterr, mem, ACME_PROBLEM_BAD_ANSWER, "%.256s: it is no JSON object", url);
    } else if (r->doc || answer->status == 429 || answer->status >= 500) {
        acme_problem_read(r->doc, answer->status, mem, reterr);
        reterr->retry_after_s = answer->fields.retry_after_s;
    } else {
        acme_problem_set(reterr, mem, ACME_PROBLEM_BAD_ANSWER, "%.256s: HTTP status %u", url,
                         answer->status);
        reterr->status = answer->status;
    }
    acme_reply_fini(r);
    return acme_result_of(reterr);
}

enum acme_result acme_get(struct acme *a, struct str url, struct acme_reply *ret, struct arena *mem,
                          struct acme_problem *reterr)
{
    struct text copy = {0};
    text_put(&copy, url);
    struct acme_request r = {
        .method = ACME_GET,
        .url = copy.ptr,
        .body_max_bytes = a->options.answer_max_bytes,
    };
    enum acme_result result = send_one(a, &r, ret, mem, reterr);
    if (result == ACME_DONE)
        result = judge(r.url, ACME_WANT_JSON, ret, mem, reterr);
    text_fini(&copy);
    return result;
}

enum acme_result acme_directory(struct acme *a, const struct acme_directory **ret,
                                struct arena *mem, struct acme_problem *reterr)
{
    struct acme_reply reply;
    *ret = &a->directory;
    if (a->has_directory)
        return ACME_DONE;
    enum acme_result result = acme_get(a, a->options.directory_url, &reply, mem, reterr);
    if (result != ACME_DONE)
        return result;
    a->has_directory = acme_directory_read(reply.doc, &a->mem, &a->directory);
    a->directory.has_clock = reply.answer.fields.date_s > 0;
    a->directory.clock_offset_s = clock_wall_s() - reply.answer.fields.date_s;
    acme_reply_fini(&reply);
    if (a->has_directory)
        return ACME_DONE;
    return ACME_FAIL(reterr, mem, BAD_ANSWER, STR_FMT ": it is no ACME directory",
                     STR_ARG(a->options.directory_url));
}

static enum acme_result fetch_nonce(struct acme *a, struct arena *mem, struct acme_problem *reterr)
{
    const struct acme_directory *d;
    struct acme_reply reply;
    enum acme_result result = acme_directory(a, &d, mem, reterr);
    if (result != ACME_DONE)
        return result;
    struct acme_request r = {.method = ACME_HEAD, .url = d->new_nonce.ptr, .body_max_bytes = 0};
    result = send_one(a, &r, &reply, mem, reterr);
    if (result == ACME_DONE)
        result = judge(r.url, ACME_WANT_ANY, &reply, mem, reterr);
    if (result != ACME_DONE)
        return result;
    acme_reply_fini(&reply);
    if (a->n_nonces == 0)
        return ACME_FAIL(reterr, mem, BAD_ANSWER, "%.256s: there is no nonce in the answer", r.url);
    return ACME_DONE;
}

static enum acme_result post_once(struct acme *a, const struct acme_post *post, const char *url,
                                  struct acme_reply *ret, struct arena *mem,
                                  struct acme_problem *reterr)
{
    EVP_PKEY *key = post->key ? post->key : a->key;
    struct text nonce = {0}, body = {0};
    enum acme_result result = a->n_nonces > 0 ? ACME_DONE : fetch_nonce(a, mem, reterr);
    if (result != ACME_DONE)
        return result;
    text_put(&nonce, text_str(&a->nonces[--a->n_nonces]));
    struct jose_header header = {
        .kid = post->sends_jwk ? STR_NONE : a->account_url,
        .nonce = text_str(&nonce),
        .url = str_of(url),
    };
    if (!jose_sign(key, &header, post->payload, &body)) {
        result = ACME_FAIL(reterr, mem, LOCAL, "OpenSSL can't sign with this key");
    } else {
        struct acme_request r = {
            .method = ACME_POST,
            .url = url,
            .body = text_str(&body),
            .body_max_bytes = a->options.answer_max_bytes,
        };
        result = send_one(a, &r, ret, mem, reterr);
        if (result == ACME_DONE)
            result = judge(url, post->want, ret, mem, reterr);
    }
    text_fini(&nonce);
    text_fini(&body);
    return result;
}

enum acme_result acme_post(struct acme *a, const struct acme_post *post, struct acme_reply *ret,
                           struct arena *mem, struct acme_problem *reterr)
{
    enum acme_result result = ACME_FAILED;
    *ret = (struct acme_reply){0};
    if (!post->key && (!a->key || a->account_url.len == 0))
        return ACME_FAIL(reterr, mem, ACCOUNT_DOES_NOT_EXIST, "no account is in use");
    struct text url = {0};
    text_put(&url, post->url);
    for (int i = 0; i < NONCE_TRIES; i++) {
        result = post_once(a, post, url.ptr, ret, mem, reterr);
        if (result != ACME_FAILED || reterr->kind != ACME_PROBLEM_BAD_NONCE)
            break; // RFC 8555 6.5: badNonce alone is repeated, with the nonce of that answer
    }
    text_fini(&url);
    return result;
}
