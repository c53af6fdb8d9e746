// SPDX-License-Identifier: Apache-2.0
// The JSON forms of ACME (RFC 8555 7.1) as values. An authority's JSON is bounded in size, depth
// and numbers of things; a wrong type is as good as nothing.
#pragma once

#include <jansson.h>

#include "acme/acme.h"

#define ACME_JSON_DEPTH_MAX 16u

// NULL with *ret_why. The caller frees it (json_decref).
json_t *acme_json_read(struct str text, const char **ret_why);

// False: what must be there isn't, or mem has no room.
bool acme_directory_read(const json_t *doc, struct arena *mem, struct acme_directory *ret);
bool acme_account_read(const json_t *doc, struct arena *mem, struct acme_account *ret);

struct acme_order_form {
    enum acme_status status;
    const struct str *authorizations; // URLs
    size_t n_authorizations;
    struct str finalize;
    struct str certificate; // URL; empty: not yet
    bool has_error;
    struct acme_problem error;
};
bool acme_order_read(const json_t *doc, struct arena *mem, struct acme_order_form *ret);

#define ACME_CHALLENGES_MAX 16u

struct acme_challenge_form {
    enum acme_challenge_kind kind;
    enum acme_status status;
    struct str url;
    struct str token;
    bool has_error;
    struct acme_problem error;
};

struct acme_authorization_form {
    enum acme_status status;
    struct str name; // lower case
    bool is_ip;
    bool is_wildcard;
    struct acme_challenge_form challenges[ACME_CHALLENGES_MAX]; // of known kinds
    size_t n_challenges;
};
bool acme_authorization_read(const json_t *doc, struct arena *mem,
                             struct acme_authorization_form *ret);

// Times in order, a window that isn't absurd. retry_after_s isn't touched.
bool acme_renewal_read(const json_t *doc, struct arena *mem, struct acme_renewal *ret);
