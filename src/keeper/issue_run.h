// SPDX-License-Identifier: Apache-2.0
// One order from its beginning to the certificate in the store, blocking, on a thread of its own.
// What must outlive a sudden end of the process is written before the step that needs it: the new
// key and the order's address, so that the order is taken up again and none is placed twice.
#pragma once

#include <jansson.h>

#include "acme/acme.h"
#include "acme/dns_update.h"
#include "keeper/issue_plan.h"
#include "keeper/issue_proofs.h"

// An ACME authority as settings name it. Texts live as long as it is in use.
struct issue_issuer {
    struct str name;
    struct str directory; // URL
    const struct str *contacts;
    size_t n_contacts;
    enum acme_challenge_kind challenges[ACME_CHALLENGE_COUNT]; // best first
    size_t n_challenges;
    enum tls_key_kind key_kind;
    struct str profile, preferred_chain;
    struct str ca_pem; // of the authority's own TLS; empty: the system's
    struct str eab_kid, eab_key;
    struct str dns_hook; // a program: HOOK set|clear NAME TXT-NAME VALUE; empty: none
    struct dns_update_options dns_update; // server empty: none; no cancel
    struct str dns_resolver;              // empty: the system's
    const struct str *dns_servers;        // that must have the record; none: the zone's own
    size_t n_dns_servers;
    int64_t dns_wait_ms; // 0: DNS isn't looked at
};

enum issue_kind {
    ISSUE_ORDER,
    ISSUE_RENEWAL_INFO, // only asks when to renew
    ISSUE_REVOKE,       // and takes it out of the store
    // The issuer's account; without a need.
    ISSUE_ACCOUNT_SHOW,
    ISSUE_ACCOUNT_CONTACTS, // tells the authority those of settings
    ISSUE_ACCOUNT_ROLL_OVER,
    ISSUE_ACCOUNT_DEACTIVATE,
};

static inline bool issue_kind_is_account(enum issue_kind kind)
{
    return kind >= ISSUE_ACCOUNT_SHOW;
}

struct issue_job {
    enum issue_kind kind;
    enum acme_reason reason; // ISSUE_REVOKE
    const struct issue_issuer *issuer;
    struct issue_need need;
    struct certs_store *store;
    int orders; // the folder of orders under way, of certs/entry.h
    struct issue_proofs *proofs;
    pthread_mutex_t *accounts; // held while an account is looked up or made
    struct acme_cancel *cancel;
    void (*step)(void *arg, const char *text); // progress, for people; NULL: not wanted
    void *step_arg;
};

struct issue_outcome {
    enum acme_result result;
    char error[2048]; // for people
    bool is_passing;  // ACME_FAILED: another try may help
    bool is_renewal;  // ACME_DONE: there was one before
    json_t *account;  // owns: of ISSUE_ACCOUNT_SHOW, for who has asked; or NULL
};

void issue_run(const struct issue_job *job, struct issue_outcome *ret);

// What is known of an issuer's order that hasn't led to a certificate. ERR_NOT_FOUND: nothing.
enum err issue_order_get(int orders, struct str id, struct str issuer, struct arena *mem,
                         struct certs_meta *ret_meta, struct str *ret_key_pem) MUST_CHECK;

// Forgets it. One that isn't there is fine.
void issue_order_forget(int orders, struct str id, struct str issuer);
