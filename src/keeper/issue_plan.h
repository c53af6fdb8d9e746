// SPDX-License-Identifier: Apache-2.0
// When a certificate is to be ordered: at once, in its renewal window, or again after a failure.
// Pure: what is known in, a time out.
#pragma once

#include "certs/store.h"

// What settings want of a certificate.
struct issue_need {
    struct str id;
    const struct str *names;
    size_t n_names;
    struct str issuer;    // its name in settings
    struct str directory; // that issuer's URL
};

// It was issued by the authority that need wants. Imports may not know the directory.
bool issue_is_from(const struct issue_need *need, const struct certs_meta *meta);

// The time of the next order, in s since 1970; in the past: now. stored: what the store has, or
// NULL. tries: what is known of orders that haven't led to a certificate, or NULL. *ret_why: for
// people.
int64_t issue_due_s(const struct issue_need *need, const struct certs_stored *stored,
                    const struct certs_meta *tries, int64_t now_s, const char **ret_why);

// How long to wait after the n-th failure in a row (from 1): a minute, and up to a day. Spread by
// id, so that many don't come at once.
int64_t issue_backoff_s(int64_t n_failures, struct str id);

// The moment within a certificate's renewal window, or at two thirds of its life, that is this
// certificate's own: the same at each call.
int64_t issue_renewal_s(const struct certs_stored *stored);
