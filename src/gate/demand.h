// SPDX-License-Identifier: Apache-2.0
// Certificates on demand, at the door: which names they are for, and waiting for the keeper to get
// one. What the keeper has refused is remembered for a while, and how often it is asked is limited:
// strangers choose the names.
#pragma once

#include "base/map.h"
#include "gate/petitions.h"
#include "tls/store.h"

// Part of a snapshot.
struct demand_rules {
    const struct str *allow; // in lower case and A-labels, with "*."; n_allow 0: others decide
    size_t n_allow;
    struct map wildcards; // what follows "*." in names of sites that are served so
    int64_t wait_ms;
};

// A name that an authority may sign: labels of letters, digits and hyphens, two at least, the last
// one not a number. In lower case.
bool demand_is_name(struct str name);
bool demand_allows(const struct str *allow, size_t n, struct str name);

// The name has no certificate but may have one (or has one already: *ret_has).
bool demand_is_for(const struct demand_rules *r, const struct tls_store *store, struct str name,
                   bool *ret_has);

struct demand;

// For all workers. petitions: borrowed.
struct demand *demand_new(struct petitions *petitions);
// Accepts NULL.
void demand_free(struct demand *d);

// The keeper is asked for the name's certificate, and waited for. True: it is in the worker's store
// now, as far as the keeper knows. On a worker's fiber.
bool demand_wait(struct demand *d, const struct demand_rules *r, struct str name);

// The name's certificate is used. Tells the keeper now and then; doesn't wait.
void demand_note_use(struct demand *d, struct str name);
