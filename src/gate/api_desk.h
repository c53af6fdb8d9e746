// SPDX-License-Identifier: Apache-2.0
// The API for the keeper, whose control socket commands ask: GATE_API and GATE_PAGE. On the aux
// loop, a fiber for each question.
#pragma once

#include "gate/insight.h"
#include "gate/protocol.h"

#define API_DESK_MAX 8 // questions at a time; more aren't answered

struct api_desk {
    struct insight *insight; // borrows
    int channel;             // borrows
    unsigned n;
};

void api_desk_take(struct api_desk *d, const struct gate_api *m);
