// SPDX-License-Identifier: Apache-2.0
// Bodies that are read ahead of their reader: a request's before a server is asked, an answer's as
// fast as the server gives it.
#pragma once

#include "http/exchange.h"

struct ahead_limits {
    uint64_t body_bytes; // of this body
    size_t memory_bytes; // of this body in memory: the rest goes to the worker's file
    size_t all_bytes;    // of memory, of all that this worker has read ahead
};

enum ahead_read {
    AHEAD_WHOLE,
    AHEAD_PART,      // it is larger than its limit: the rest is read when the reader comes to it
    AHEAD_NO_ROOM,   // the same, but memory and file have no room for it
    AHEAD_BROKEN,    // the body failed: x->end and its detail tell why
    AHEAD_EXHAUSTED, // the exchange's memory is used up
};

// Reads x's request's body as far as the limits allow, and puts one in its place that gives what
// was read, and the rest. Waits for the client, and the disk.
enum ahead_read ahead_body_request(struct exchange *x, const struct ahead_limits *limits);

// Puts one in the place of x's answer's body that reads it on a fiber of its own, up to the limits
// ahead of its reader. False: the exchange's memory is used up.
bool ahead_body_answer(struct exchange *x, const struct ahead_limits *limits);

// How many fibers wait in such an answer's body for each other: for the checks of the simulation.
// 0 for every other body, and NULL.
unsigned ahead_body_n_waiting(const struct body *b);
