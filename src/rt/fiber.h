// SPDX-License-Identifier: Apache-2.0
// Fibers: small stacks on which straight-line code runs and waits. A fiber belongs to the loop of
// the thread that started it, and between two waits it owns that thread. Each wait has a deadline
// and may be cancelled; code then unwinds by its ordinary error path.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/deadline.h"

struct fiber;
typedef void fiber_fn(void *arg);

// Why a wait ended.
enum fiber_wake {
    FIBER_READY,     // what was waited for has happened (or may have: check again)
    FIBER_EXPIRED,   // the deadline has passed
    FIBER_CANCELLED, // fiber_cancel; every further wait of this fiber ends so at once
};

// Bytes of a fiber's stack, guard page not counted. Large arrays on it are defects.
#define FIBER_STACK_BYTES (64 * 1024)

// Starts fn(arg) on a fiber. It runs for the first time later in this turn, never inside this
// call. Returns a handle that is valid until fn returns. NULL when the limit of fibers is
// reached (loop_options.fibers_max).
struct fiber *fiber_start(fiber_fn *fn, void *arg);

// Like fiber_start, but runs fn at once, up to its first wait, when called from a loop callback
// (not from a fiber: then as fiber_start). For the hot path: an event that starts an exchange.
// fn may have returned already, and the handle be invalid: it only tells that fn was started.
struct fiber *fiber_run(fiber_fn *fn, void *arg);

// The running fiber, or NULL in a loop callback.
struct fiber *fiber_self(void);

// Parks the running fiber until fiber_wake, the deadline (INT64_MAX: none) or cancellation. Waits.
enum fiber_wake fiber_wait(struct deadline until);

// Makes a parked fiber run later in this turn (FIBER_READY). No effect on one that doesn't wait.
// Same thread only.
void fiber_wake(struct fiber *f);

// Ends the current wait of f, and all later ones, with FIBER_CANCELLED. Same thread only.
// Idempotent.
void fiber_cancel(struct fiber *f);
// Also true while it is interrupted.
bool fiber_is_cancelled(const struct fiber *f);

// The same for a while: waits of f end as if it were cancelled, until whoever had it interrupted
// gets control again and lets it go on. Of several who have interrupted it, each has to. For time
// limits over code that waits for many things. Same thread only.
void fiber_interrupt(struct fiber *f);
bool fiber_is_interrupted(const struct fiber *f);
void fiber_resume(struct fiber *f);

// Gives way to the others of this loop: returns in the next turn. Waits.
void fiber_yield(void);

// Gives way when this fiber has worked for long in this turn (bounded work per turn); otherwise
// returns at once. cost: roughly bytes moved. May wait.
void fiber_give_way(uint32_t cost);

// Sleeps. Waits.
enum fiber_wake fiber_sleep(int64_t wait_ms);
