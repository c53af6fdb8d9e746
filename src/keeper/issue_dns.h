// SPDX-License-Identifier: Apache-2.0
// Proofs for dns-01: a TXT record that the issuer's hook or a dynamic update puts in place, that
// all of the zone's servers have before the authority looks, and that is taken away. Blocks.
#pragma once

#include "keeper/issue_run.h"

struct issue_dns {
    const struct issue_issuer *issuer; // borrows
    struct acme_cancel *cancel;        // borrows
    struct arena *mem;                 // borrows: the run's
    struct issue_dns_record *records;  // in mem
    struct str resolver;               // in mem; empty: not looked for yet
};

// False with a reason: it can't be put there.
bool issue_dns_put(struct issue_dns *d, const struct acme_challenge *c, struct text *why);
// False with a reason: a server doesn't have it in time.
bool issue_dns_settle(struct issue_dns *d, struct text *why);
void issue_dns_clear(struct issue_dns *d, const struct acme_challenge *c);
