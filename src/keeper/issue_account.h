// SPDX-License-Identifier: Apache-2.0
// The account at an issuer: kept with its key before it is registered, found again, changed and
// ended. Blocks, on a thread of issue's.
#pragma once

#include <pthread.h>

#include "keeper/issue_run.h"

struct issue_account {
    const struct issue_issuer *issuer; // borrows
    struct certs_store *store;         // borrows
    pthread_mutex_t *lock;             // borrows: held while an account is looked up or changed
    struct acme *acme;                 // borrows
    struct arena *mem;                 // borrows: holds secrets then
    struct acme_problem *problem;      // borrows: why it has failed
};

// The account that is kept, or another one, is in use by acme then. is_again: the one that is kept
// isn't known any more.
enum acme_result issue_account_use(const struct issue_account *a, bool is_again);

// The rest is for an account that is kept; ACCOUNT_DOES_NOT_EXIST: there is none.

// As the authority knows it now.
enum acme_result issue_account_fetch(const struct issue_account *a, struct acme_account *ret);
// Tells the authority the issuer's contacts.
enum acme_result issue_account_set_contacts(const struct issue_account *a);
// To a new key, which is kept before the authority hears of it: an end at any moment loses nothing.
enum acme_result issue_account_roll_over(const struct issue_account *a);
// At the authority, and out of the store. There is no way back.
enum acme_result issue_account_deactivate(const struct issue_account *a);

// What was told to the authority of an account that is kept: "mailto:a@b.example,mailto:…".
struct str issue_account_contacts(const struct issue_issuer *issuer, struct arena *mem);
