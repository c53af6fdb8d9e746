// SPDX-License-Identifier: Apache-2.0
// CAA records (RFC 8659, RFC 8657): whether an authority may sign for a name. Pure.
#pragma once

#include "acme/challenge.h"

struct caa_record {
    bool is_critical;
    struct str tag;   // letters and digits
    struct str value; // visible ASCII as a rule, but any bytes
};

// The data of a record, from a message. Borrows from data. False: it is malformed.
bool caa_read(struct str data, struct caa_record *ret) MUST_CHECK;

// Who wants to sign, for what.
struct caa_question {
    const struct str *domains; // that the authority goes by, of its directory
    size_t n_domains;          // 0: not known
    bool is_wildcard;
    struct str account_url;                     // empty: none yet
    const enum acme_challenge_kind *challenges; // that may be used
    size_t n_challenges;
};

#define CAA_VERDICT_LIST(X)                                                                        \
    X(ALLOWED, "it may sign")                                                                      \
    X(UNRESTRICTED, "nobody is kept from signing")                                                 \
    X(OTHERS, "only others may sign")                                                              \
    X(NOBODY, "nobody may sign")                                                                   \
    X(OTHER_ACCOUNT, "another account alone may be used")                                          \
    X(OTHER_CHALLENGE, "other kinds of challenges alone may be used")                              \
    X(CRITICAL, "a critical record says what no authority knows")

enum caa_verdict {
#define X(id, text) CAA_##id,
    CAA_VERDICT_LIST(X)
#undef X
};
const char *caa_verdict_text(enum caa_verdict verdict);

// Of the relevant set: all records of the first of the name and its parents that has any. The most
// favourable record counts. *ret_named: the value of one that doesn't help; or empty.
enum caa_verdict caa_decide(const struct caa_record *records, size_t n,
                            const struct caa_question *q, struct str *ret_named);
