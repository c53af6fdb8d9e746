// SPDX-License-Identifier: Apache-2.0
// What gates are told that only the keeper knows, for their internal services: one JSON object in a
// sealed file. It is made at most every so often, whoever asks and however much.
#pragma once

#include <stdint.h>

#define INFORM_EVERY_MS 50

struct inform {
    int fd; // owns: what was told last; -1: nothing yet
    int64_t made_ms;
};

struct keeper;
struct gate;

void inform_init(struct inform *i);
void inform_fini(struct inform *i);

// Answers a gate's inquiry.
void inform_gate(struct keeper *k, struct gate *g, uint64_t seq);
