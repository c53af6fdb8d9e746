// SPDX-License-Identifier: Apache-2.0
// Requests to an authority: nonces, signatures, problems. For the other files of this layer; users
// include acme/acme.h.
#pragma once

#include "acme/forms.h"

#define ACME_NONCES_MAX 8u

struct acme {
    struct arena mem; // owns: options' texts, directory, account
    struct acme_options options;
    struct acme_reach reach;
    struct acme_http *http; // owns; NULL: options.send is another's
    struct acme_directory directory;
    bool has_directory;
    EVP_PKEY *key;          // shares: the account's
    struct str account_url; // in a heap text of its own, so that it can change
    struct text account_text;
    struct text nonces[ACME_NONCES_MAX]; // newest last
    size_t n_nonces;
};

// An answer that was read: fields borrow from it.
struct acme_reply {
    struct acme_answer answer;
    json_t *doc; // owns; NULL: it is no JSON object
};
void acme_reply_fini(struct acme_reply *r);

// Where an answer's JSON is wanted.
enum acme_want {
    ACME_WANT_ANY,  // whatever it is
    ACME_WANT_JSON, // an object, or it is BAD_ANSWER
};

struct acme_post {
    struct str url;
    struct str payload; // empty: POST-as-GET (RFC 8555 6.3)
    EVP_PKEY *key;      // NULL: the account in use
    bool sends_jwk;     // the key itself instead of the account's URL
    enum acme_want want;
};

// On ACME_DONE the status is 2xx, and the caller ends ret with acme_reply_fini; else it is empty.
enum acme_result acme_get(struct acme *a, struct str url, struct acme_reply *ret, struct arena *mem,
                          struct acme_problem *reterr) MUST_CHECK;
enum acme_result acme_post(struct acme *a, const struct acme_post *post, struct acme_reply *ret,
                           struct arena *mem, struct acme_problem *reterr) MUST_CHECK;

// What a problem means for the caller of a public function.
enum acme_result acme_result_of(const struct acme_problem *p);

// acme_problem_set and its result.
#define ACME_FAIL(reterr, mem, kind, ...)                                                          \
    (acme_problem_set((reterr), (mem), ACME_PROBLEM_##kind, __VA_ARGS__), acme_result_of(reterr))

// Sleeps; ACME_CANCELLED with a problem.
enum acme_result acme_pause(struct acme *a, int64_t wait_ms, struct arena *mem,
                            struct acme_problem *reterr) MUST_CHECK;
