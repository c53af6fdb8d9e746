// SPDX-License-Identifier: Apache-2.0
// The header fields of an answer that ACME uses. Pure.
#pragma once

#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define ACME_LINKS_MAX 16u
#define ACME_RETRY_AFTER_MAX_S ((int64_t)366 * 86400)

struct acme_head {
    struct str nonce;                      // base64url; empty: none
    struct str location;                   // visible ASCII; empty: none
    struct str content_type;               // without parameters
    int64_t retry_after_s;                 // 0: none; at least 1 otherwise
    int64_t date_s;                        // of the answer; 0: none
    struct str alternates[ACME_LINKS_MAX]; // rel=alternate
    size_t n_alternates;
    struct str terms; // rel=terms-of-service
};

// Borrows from raw: lines "Name: value". What makes no sense is left out.
void acme_head_parse(struct str raw, int64_t now_s, struct acme_head *ret);

// Takes the next link off a Link field (RFC 8288 3). False: the end, or malformed.
bool acme_link_next(struct str *rest, struct str *ret_url, struct str *ret_rel);

// Seconds, or an HTTP date (RFC 9110 10.2.3), as seconds from now: 1 to ACME_RETRY_AFTER_MAX_S.
enum err acme_retry_after(struct str value, int64_t now_s, int64_t *ret_s) MUST_CHECK;

// RFC 3339, as seconds since 1970.
enum err acme_time_parse(struct str s, int64_t *ret_s) MUST_CHECK;
