// SPDX-License-Identifier: Apache-2.0
// Certificates from an authority by ACME (RFC 8555, RFC 8737, RFC 8738, RFC 9773): a blocking
// client for one thread. Values in, values out: it knows no file and no setting. What an authority
// sends is data, bounded and checked; docs/internals/acme.md says what is followed and what isn't.
//
// Every call puts its results, and the problem when it fails, into the arena that it is given.
#pragma once

#include <openssl/types.h>
#include <stdint.h>

#include "acme/cancel.h"
#include "acme/challenge.h"
#include "acme/http.h"
#include "acme/problem.h"
#include "base/arena.h"
#include "tls/x509.h"

enum acme_result {
    ACME_DONE,
    ACME_FAILED,       // the problem says why
    ACME_RATE_LIMITED, // the same; not before problem.retry_after_s
    ACME_CANCELLED,
};

struct acme;

#define ACME_MEM_BYTES ((size_t)4 << 20) // what a call's arena should allow

// --- the client and the directory ---

struct acme_options {
    struct str directory_url;
    struct str ca_pem; // instead of the system's authorities, for the ACME server's own TLS
    struct str proxy;  // "http://host:port" for all requests; empty: none
    bool allow_http;   // to loopback addresses: for tests
    int64_t request_timeout_ms; // of one request, whole; 0: 30 000
    int64_t poll_first_ms;      // first pause between two questions for a status; 0: 1 000
    size_t answer_max_bytes;    // 0: 512 KiB
    struct acme_cancel *cancel; // borrows; NULL: never
    acme_send_fn *send;         // NULL: libcurl; tests have others
    void *send_arg;
};

struct acme_profile {
    struct str name;
    struct str description;
};

struct acme_directory {
    struct str new_nonce, new_account, new_order;
    struct str revoke_cert, key_change, renewal_info; // empty: not offered
    struct str terms, website;                        // empty: none
    const struct str *caa;                            // what a CAA record must name, see RFC 8659
    size_t n_caa;
    const struct acme_profile *profiles;
    size_t n_profiles;
    bool needs_eab;
    bool has_clock;         // it tells the time:
    int64_t clock_offset_s; // how far this machine's clock is before the authority's
};

// NULL: an option makes no sense. Options are copied, but for what they borrow.
struct acme *acme_new(const struct acme_options *options, struct arena *mem,
                      struct acme_problem *reterr) MUST_CHECK;
void acme_free(struct acme *a); // NULL is allowed

// Fetched once, then remembered; other calls do it by themselves. Lives as long as a.
enum acme_result acme_directory(struct acme *a, const struct acme_directory **ret,
                                struct arena *mem, struct acme_problem *reterr) MUST_CHECK;

// --- the account ---

// P-256 (ES256), P-384 (ES384), RSA (RS256).
bool acme_account_key_fits(const EVP_PKEY *key);

struct acme_account_wish {
    const struct str *contacts; // email addresses, with or without "mailto:"
    size_t n_contacts;
    bool agrees_terms;
    bool only_existing; // found by its key, never made
    struct str eab_kid; // external account binding (RFC 8555 7.3.4); empty: none
    struct str eab_key; // the HMAC key as the authority gave it: base64url
};

#define ACME_STATUS_LIST(X)                                                                        \
    X(UNKNOWN, "")                                                                                 \
    X(PENDING, "pending")                                                                          \
    X(READY, "ready")                                                                              \
    X(PROCESSING, "processing")                                                                    \
    X(VALID, "valid")                                                                              \
    X(INVALID, "invalid")                                                                          \
    X(DEACTIVATED, "deactivated")                                                                  \
    X(EXPIRED, "expired")                                                                          \
    X(REVOKED, "revoked")

enum acme_status {
#define X(id, name) ACME_STATUS_##id,
    ACME_STATUS_LIST(X)
#undef X
};

// "valid".
const char *acme_status_text(enum acme_status status);

struct acme_account {
    struct str url; // to be kept with the key
    enum acme_status status;
    const struct str *contacts; // "mailto:…"
    size_t n_contacts;
    bool is_new; // made by this call
};

// From now on requests are signed by key for the account at url: no request is made. The client
// takes a reference of the key.
void acme_account_use(struct acme *a, EVP_PKEY *key, struct str url);

// Makes the account of key, or finds it (the same call at the authority); used from then on.
// ACCOUNT_DOES_NOT_EXIST: only_existing, and there is none.
enum acme_result acme_account_open(struct acme *a, EVP_PKEY *key,
                                   const struct acme_account_wish *wish, struct arena *mem,
                                   struct acme_account *ret, struct acme_problem *reterr)
    MUST_CHECK;

// What follows is for the account in use.
enum acme_result acme_account_fetch(struct acme *a, struct arena *mem, struct acme_account *ret,
                                    struct acme_problem *reterr) MUST_CHECK;
enum acme_result acme_account_set_contacts(struct acme *a, const struct str *contacts, size_t n,
                                           struct arena *mem, struct acme_account *ret,
                                           struct acme_problem *reterr) MUST_CHECK;
// To another key (RFC 8555 7.3.5), used from then on; the caller keeps the old one until it is
// done.
enum acme_result acme_account_change_key(struct acme *a, EVP_PKEY *key, struct arena *mem,
                                         struct acme_problem *reterr) MUST_CHECK;
enum acme_result acme_account_deactivate(struct acme *a, struct arena *mem,
                                         struct acme_problem *reterr) MUST_CHECK;

// --- certificates ---

#define ACME_STEP_LIST(X)                                                                          \
    X(ORDERED, "ordered")                                                                          \
    X(ALREADY_PROVEN, "already proven")                                                            \
    X(PRESENTED, "proof in place")                                                                 \
    X(ASKED, "waiting for the authority to look")                                                  \
    X(PROVEN, "proven")                                                                            \
    X(NOT_PROVEN, "not proven")                                                                    \
    X(FINALIZED, "waiting for the certificate")                                                    \
    X(DOWNLOADED, "certificate received")

enum acme_step {
#define X(id, text) ACME_STEP_##id,
    ACME_STEP_LIST(X)
#undef X
};
const char *acme_step_text(enum acme_step step);

// How proofs come into place; called on the thread of acme_order_run.
struct acme_solver {
    // True: it is (being) put in place. False, with a reason appended to why: this kind can't be
    // done, the next one is tried.
    bool (*present)(void *arg, const struct acme_challenge *c, struct text *why);
    // After all of an order were presented, before the authority is told: waits until they can be
    // seen. False with a reason: none of these will be. NULL: nothing to wait for.
    bool (*settle)(void *arg, const struct acme_challenge *const *c, size_t n, struct text *why);
    // Called once for each present that returned true, whatever happens.
    void (*clean_up)(void *arg, const struct acme_challenge *c);
    // Progress; ORDERED has the order's URL, which is to be stored before this returns, so that an
    // order can be taken up again; the others have a name, or nothing. NULL: not wanted.
    void (*step)(void *arg, enum acme_step step, struct str detail);
    void *arg;
};

#define ACME_NAMES_MAX 1000u

struct acme_order_wish {
    const struct str *names; // DNS in lower case, "*.example.com", or IP addresses; at least one
    size_t n_names;
    EVP_PKEY *key;               // of the certificate; borrows
    struct str order_url;        // an order to take up again; empty, or it is gone: a new one
    struct str profile;          // empty: the authority's default
    struct str replaces;         // tls_cert_ari_id of the certificate that is renewed; or empty
    struct str preferred_issuer; // common name of who signed the top of the chain; empty: any
    const enum acme_challenge_kind *challenges; // best first
    size_t n_challenges;
    const struct acme_solver *solver;
    int64_t timeout_ms; // of all of it; 0: 10 minutes
};

struct acme_certificate {
    struct str url;
    struct str chain_pem; // leaf first
    struct tls_cert_info leaf;
    struct str issuer_name; // of the top of the chain
    bool is_preferred;      // the wish named an issuer, and it is that one's
};

// Orders, proves, finalizes, downloads, checks. A name whose proof fails is tried with the next
// kind of challenge, in a new order (RFC 8555 7.1.6: the first one is dead then).
enum acme_result acme_order_run(struct acme *a, const struct acme_order_wish *wish,
                                struct arena *mem, struct acme_certificate *ret,
                                struct acme_problem *reterr) MUST_CHECK;

// RFC 5280 5.3.1; those that a subscriber may use.
#define ACME_REASON_LIST(X)                                                                        \
    X(UNSPECIFIED, "unspecified", 0)                                                               \
    X(KEY_COMPROMISE, "key-compromise", 1)                                                         \
    X(AFFILIATION_CHANGED, "affiliation-changed", 3)                                               \
    X(SUPERSEDED, "superseded", 4)                                                                 \
    X(CESSATION, "cessation-of-operation", 5)

enum acme_reason {
#define X(id, name, code) ACME_REASON_##id = code,
    ACME_REASON_LIST(X)
#undef X
};
bool acme_reason_parse(struct str name, enum acme_reason *ret);

// cert_key NULL: by the account in use; else by the certificate's own key, without an account.
// Done, too, when it was revoked before.
enum acme_result acme_revoke(struct acme *a, struct str cert_der, EVP_PKEY *cert_key,
                             enum acme_reason reason, struct arena *mem,
                             struct acme_problem *reterr) MUST_CHECK;

// --- renewal information (RFC 9773) ---

struct acme_renewal {
    int64_t start_s, end_s; // the window in which to renew, since 1970; start < end
    int64_t retry_after_s;  // when to ask again; 60 s to a day
    struct str explanation; // URL for people; or empty
};

// UNSUPPORTED: the authority has none.
enum acme_result acme_renewal_info(struct acme *a, struct str ari_id, struct arena *mem,
                                   struct acme_renewal *ret, struct acme_problem *reterr)
    MUST_CHECK;
