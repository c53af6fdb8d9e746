// SPDX-License-Identifier: Apache-2.0
// What internal services know of the whole gate. A fiber of a worker asks; the aux thread gathers:
// a status from all workers (crew_visit), and what only the keeper knows (GATE_INQUIRY). Whoever
// asks meanwhile shares the next report. Reports don't change, so that fibers of all workers write
// their answers from them, a slice at a time.
#pragma once

#include <stdatomic.h>

#include "base/arena.h"
#include "base/deadline.h"
#include "base/err.h"
#include "base/str.h"
#include "gate/protocol.h"
#include "gate/status.h"

struct insight;
struct json;
struct questions;

// What was true at a moment. Shared: read only.
struct report {
    const struct status *status; // owns
    struct str keeper;        // owns: what the keeper told (a JSON object); empty: nothing in time
    const struct json *known; // the same, read; in mem; NULL: nothing
    struct arena mem;
    int64_t at_ns;                        // wall clock
    const struct status_process *process; // borrows: the gate's
    bool is_told;                         // the keeper has answered in time
    struct gate_knowledge facts;          // then
    struct tls_store *certs;              // shares: certificates that are in use; NULL: none
    _Atomic uint32_t refs;
    struct rt_mail mail; // to the aux loop, which frees it: no worker has time for so much
    struct insight *of;  // borrows: who has made it, and counts it; NULL: it is freed at once
};

#define INSIGHT_EVERY_MS 100       // at most so often something is gathered, whoever asks
#define INSIGHT_KEEPER_MAX_MS 2000 // then a report has nothing of the keeper's
#define INSIGHT_MAX_MS 10000       // a fair time for a fiber to wait
// What slow readers can hold up: each has some megabytes where there are thousands of sites.
#define INSIGHT_REPORTS_MAX 8 // at a time; for the next one it is waited
#define INSIGHT_USERS_MAX 64  // that wait for a report or have one; more are refused

// For the aux loop of this thread. channel, q: borrowed.
struct insight *insight_new(int channel, const struct questions *q);
// Nothing is under way. Accepts NULL.
void insight_free(struct insight *i);

// On a fiber of any worker; waits. The report was begun after the call. ERR_OK with a ref of the
// caller's; ERR_TIMEOUT, ERR_CANCELLED; ERR_LIMIT: too many wait or read, or i is NULL.
enum err insight_ask(struct insight *i, struct deadline until, const struct report **ret)
    MUST_CHECK;
// Fills r->known with what the keeper has told: bytes outlive r. Once.
void report_know(struct report *r, struct str told);
// Any thread. Accepts NULL.
void report_unref(const struct report *r);

// On the aux thread: the keeper's answer; fd stays the caller's.
void insight_take(struct insight *i, const struct gate_knowledge *m, int fd);

// The whole proxy ends, and no other gate takes over: on the aux thread; and on any, also for NULL.
void insight_set_ending(struct insight *i);
bool insight_is_ending(const struct insight *i);
