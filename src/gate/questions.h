// SPDX-License-Identifier: Apache-2.0
// What the keeper asks of the gate: life signs (GATE_PING) and its status (GATE_ASK). All on the
// aux thread; the answers go out when every worker has had its part, or never when one of them
// hangs.
#pragma once

#include "gate/credentials.h"
#include "gate/crew.h"
#include "gate/status.h"

// Of each kind, at a time. More are not answered: the keeper asks again.
#define QUESTIONS_MAX 4

struct questions {
    int channel;                           // borrows: to the keeper
    struct crew *crew;                     // borrows; NULL before the first snapshot
    struct snapshot *in_force;             // shares; NULL before the first
    struct status_process process;         // borrows its texts
    const struct credentials *credentials; // borrows; NULL: none
    unsigned n_pings, n_asks;
};

void questions_ping(struct questions *q, uint64_t seq);
void questions_ask(struct questions *q, uint64_t seq);

// s is in force on all workers: takes over a ref, and gives up that of what was in force before.
void questions_in_force(struct questions *q, struct snapshot *s);
