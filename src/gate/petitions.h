// SPDX-License-Identifier: Apache-2.0
// What workers ask of the keeper and wait for, each on its fiber: GATE_PETITION and its answer
// GATE_VERDICT. The same question of several fibers and workers goes out once, and no more than
// PETITIONS_MAX are under way.
#pragma once

#include "base/deadline.h"
#include "base/err.h"
#include "gate/protocol.h"
#include "rt/loop.h"

#define PETITIONS_MAX 256
// The keeper answers long before. One that didn't (another binary has taken its place) is asked
// anew.
#define PETITION_EXPIRES_MS (2 * GATE_PETITION_MAX_MS)

struct petitions;

// aux: this thread's loop, which sends. channel: borrowed.
struct petitions *petitions_new(struct rt_loop *aux, int channel);
// No worker is left. Accepts NULL.
void petitions_free(struct petitions *p);

// Asks, on a fiber of any worker. m's type and seq are set here. Waits. ERR_OK: *ret is the
// answer; ERR_TIMEOUT, ERR_CANCELLED; ERR_LIMIT: too many are under way.
enum err petitions_ask(struct petitions *p, struct gate_petition m, struct deadline until,
                       struct gate_verdict *ret) MUST_CHECK;

// The same without waiting for an answer. On any thread.
void petitions_tell(struct petitions *p, struct gate_petition m);

// On the aux loop: what was asked under a number (false: nothing), and the keeper's answer.
bool petitions_find(struct petitions *p, uint64_t seq, struct gate_petition *ret_asked);
void petitions_answer(struct petitions *p, const struct gate_verdict *m);
