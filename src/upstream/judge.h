// SPDX-License-Identifier: Apache-2.0
// What it means for others how a request's tries end: whether the server is ejected, whether the
// service's breaker opens or closes, whether the request may be sent again. On the worker; nothing
// here waits.
#pragma once

#include "upstream/balance.h"

struct judge {
    const struct service *service; // borrows
    enum breaker_verdict breaker;  // what this request may do
    int64_t began_ms;              // the first try
    bool has_outcome;              // how the last try has ended:
    enum outcome outcome;
    unsigned status;  // of OUTCOME_STATUS
    int64_t ended_ms; // when
};

// A request begins. False: the breaker refuses it.
bool judge_begin(struct judge *j, const struct service *s, struct roster *r);
// In how many seconds a request that was refused is worth a try.
int64_t judge_retry_after_s(const struct judge *j);

// A try at server has ended so. health: the server's, as the service has it.
void judge_try(struct judge *j, struct pick *p, const struct roster *r, struct health_slot *health,
               struct str server, enum outcome o, unsigned status);

// Whether settings, time and budget let the request be sent again after its last try. What was
// sent costs from the budget.
bool judge_may_repeat(const struct judge *j, struct roster *r);

// The request has ended; not for one that was refused.
void judge_end(struct judge *j);
// The same when its client has gone meanwhile: nobody knows what would have come of it.
void judge_cancel(struct judge *j);
