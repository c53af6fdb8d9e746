// SPDX-License-Identifier: Apache-2.0
// Certificates from authorities: what is wanted, what is due, orders on threads of their own, and
// what came of them. The keeper's loop calls these; none of them waits.
#pragma once

#include <jansson.h>

#include "keeper/issue_run.h"

struct issue;

// Which certificates come from which authorities.
struct issue_wish {
    const struct issue_issuer *issuers;
    size_t n_issuers;
    const struct issue_need *needs; // of those issuers, whose directories they needn't tell
    size_t n_needs;
};

// What becomes of orders, for the keeper: called by issue_look and issue_want.
struct issue_listener {
    // What issue_ask has started has ended; error NULL: well. account: what issue_ask_account was
    // asked to show, else NULL; borrowed.
    void (*on_end)(void *arg, uint64_t number, const char *error, json_t *account);
    // It has come so far.
    void (*on_step)(void *arg, uint64_t number, const char *text);
    // The store has another certificate of this id, or none any more.
    void (*on_change)(void *arg, struct str id);
    // A certificate was issued, after on_change. is_renewal: there was one before.
    void (*on_issued)(void *arg, const struct issue_need *need, struct str issuer, bool is_renewal);
    // Nobody issues one that settings want: told once until it is issued, at once where another try
    // doesn't help, else after some.
    void (*on_failed)(void *arg, const struct issue_need *need, const char *error);
    void *arg;
};

// The store is borrowed. NULL with a reason: nothing can be kept there.
struct issue *issue_new(struct certs_store *store, const struct issue_listener *listener,
                        const char **ret_why);
// Ends what is under way; orders are taken up again next time. Accepts NULL.
void issue_free(struct issue *i);

// From now on this is wanted; texts are copied. Orders that are under way go on.
void issue_want(struct issue *i, const struct issue_wish *wish, int64_t now_s);

// Readable when issue_look is to be called: an order has ended, or proofs have changed.
int issue_fd(const struct issue *i);
void issue_look(struct issue *i, int64_t now_s);
// Somebody else has changed the store: it is planned anew.
void issue_plan_anew(struct issue *i, struct str id, int64_t now_s);
void issue_plan_all_anew(struct issue *i, int64_t now_s);
// Starts what is due. *next_ms (monotonic): lowered to when more is.
void issue_do_what_is_due(struct issue *i, int64_t now_s, int64_t now_ms, int64_t *next_ms);

struct issue_proofs *issue_proofs_of(struct issue *i);

// Orders the certificate of an id (force: whatever its age), or revokes it. *ret_number is told to
// on_end; an order that runs already is joined. False with a reason: it isn't wanted by settings
// (what is revoked needn't be), isn't due, a limit is reached, or something else is done to it.
struct issue_order {
    struct str id;
    enum issue_kind kind; // ISSUE_ORDER or ISSUE_REVOKE
    enum acme_reason reason;
    bool force;
};
bool issue_ask(struct issue *i, const struct issue_order *o, int64_t now_s, uint64_t *ret_number,
               const char **ret_why);

// Orders a certificate that settings don't want, once: nobody renews it. The same as issue_ask.
struct issue_extra {
    struct str id;
    const struct str *names;
    size_t n_names;
    struct str issuer;                  // empty: the first one
    enum tls_key_kind key_kind;         // OTHER: the issuer's
    enum acme_challenge_kind challenge; // NONE: the issuer's
};
bool issue_ask_extra(struct issue *i, const struct issue_extra *x, int64_t now_s,
                     uint64_t *ret_number, const char **ret_why);

// Does something to the account at an issuer of the settings (an ISSUE_ACCOUNT_… kind). Orders that
// use it end before its key is changed, and begin after. The same as issue_ask.
bool issue_ask_account(struct issue *i, enum issue_kind kind, struct str issuer, int64_t now_s,
                       uint64_t *ret_number, const char **ret_why);

// The accounts that are kept, of issuers in the settings: issuer, directory, url, contact, created.
// The caller's.
json_t *issue_accounts(const struct issue *i);

// The id of what settings want that has this name, or is called so; empty: none.
struct str issue_find(const struct issue *i, struct str name);
// The store has what settings want of this id, and it isn't due for renewal before *ret_due_s.
bool issue_is_done(const struct issue *i, struct str id, int64_t now_s, int64_t *ret_due_s);
// The plan for an id: what the status says of it, and "next" ("order", "question": when to renew).
// NULL: settings don't want it. The caller's.
json_t *issue_show(const struct issue *i, struct str id, int64_t now_s);

// What is kept of orders that have led to nothing, for a certificate that won't be wanted any more.
void issue_forget_orders(struct issue *i, struct str id);

// For the status: of each certificate id, issuer (who is asked next), state ("ordering", "waiting",
// "due"), due, why, last_error, and for each of its issuers failures, not_before, last_failure,
// last_error. The caller's.
json_t *issue_report(const struct issue *i, int64_t now_s);
