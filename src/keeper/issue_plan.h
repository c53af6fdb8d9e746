// SPDX-License-Identifier: Apache-2.0
// When a certificate is to be ordered, and from whom: at once, in its renewal window, or again
// after a failure. Pure: what is known in, a time out.
#pragma once

#include "certs/store.h"

#define ISSUE_SOURCES_MAX 8u // of one certificate

// An authority that may sign.
struct issue_source {
    struct str issuer;    // its name in settings
    struct str directory; // its URL
};

// What settings want of a certificate.
struct issue_need {
    struct str id;
    const struct str *names;
    size_t n_names;
    const struct issue_source *sources; // best first; 1 to ISSUE_SOURCES_MAX
    size_t n_sources;
};

// It was issued by that authority. Imports may not know the directory.
bool issue_is_from(const struct issue_source *source, const struct certs_meta *meta);
// Which of the sources has issued it; n_sources: none of them.
size_t issue_signer(const struct issue_need *need, const struct certs_meta *meta);
// An order for the same names: what came of it counts for the next one.
bool issue_has_names(const struct issue_need *need, const struct certs_meta *tries);

// When the next certificate is wanted, in s since 1970; in the past: now. stored: what the store
// has, or NULL. *ret_why: for people.
int64_t issue_due_s(const struct issue_need *need, const struct certs_stored *stored, int64_t now_s,
                    const char **ret_why);

// From when on an authority may be asked again. tries: what is known of its orders that haven't led
// to a certificate.
int64_t issue_again_s(struct str id, const struct certs_meta *tries);

// Whose turn it is, and when: the first one that may be asked when a certificate is wanted; else
// the first one to be so. ready_s: from when on each of n may be asked.
size_t issue_turn(int64_t due_s, const int64_t *ready_s, size_t n, int64_t now_s,
                  int64_t *ret_at_s);

// How long to wait after the n-th failure in a row (from 1): a minute, and up to a day. Spread by
// id, so that many don't come at once.
int64_t issue_backoff_s(int64_t n_failures, struct str id);

// The moment within a certificate's renewal window, or at two thirds of its life, that is this
// certificate's own: the same at each call.
int64_t issue_renewal_s(const struct certs_stored *stored);
