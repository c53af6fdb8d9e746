// SPDX-License-Identifier: Apache-2.0
// The proofs that are to be in place for authorities: put by the threads that order, passed to the
// gate by the keeper's loop. Any thread; a thread that puts one waits until the gate has it.
#pragma once

#include <pthread.h>

#include "acme/challenge.h"
#include "base/list.h"
#include "base/text.h"

struct issue_proofs {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct list items;       // of struct proof; under lock, as the rest
    uint64_t version;        // counts up with each change; 0: there never was one
    uint64_t in_place;       // the gate's workers have this version
    bool is_stopped;         // nobody waits any more
    void (*wake)(void *arg); // tells the loop that the version is another
    void *arg;
};

void issue_proofs_init(struct issue_proofs *p, void (*wake)(void *arg), void *arg);
void issue_proofs_fini(struct issue_proofs *p);

// For http-01 and tls-alpn-01. False with a reason.
bool issue_proofs_put(struct issue_proofs *p, const struct acme_challenge *c, int64_t now_s,
                      struct text *why);
void issue_proofs_drop(struct issue_proofs *p, const struct acme_challenge *c);
// Waits until all that was put before is in place, at most wait_ms and not after a stop. False: it
// isn't.
bool issue_proofs_settle(struct issue_proofs *p, int64_t wait_ms);

// Ends all waiting for good.
void issue_proofs_stop(struct issue_proofs *p);

// For the loop: the set as it is (gate/challenges.h), a sealed memory file, the caller's; -1 with
// errno. *ret_version: which one it is.
int issue_proofs_pack(struct issue_proofs *p, uint64_t *ret_version);
uint64_t issue_proofs_version(struct issue_proofs *p);
void issue_proofs_are_in_place(struct issue_proofs *p, uint64_t version);
// The gate's workers have this version, or a later one.
bool issue_proofs_are_seen(struct issue_proofs *p, uint64_t version);
