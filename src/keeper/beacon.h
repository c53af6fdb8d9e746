// SPDX-License-Identifier: Apache-2.0
// A secret answer at a secret path, for a short time: whoever gets it over a name's address has
// reached this proxy and no other. It goes the way of proofs for authorities. On the keeper's loop.
#pragma once

#include "keeper/issue_proofs.h"

#define BEACON_TOKEN_BYTES 43 // base64url of 32 bytes

struct beacon {
    char token[BEACON_TOKEN_BYTES + 1]; // "": it is out
    char body[BEACON_TOKEN_BYTES + 1];
    uint64_t version; // of the proofs that have it
    int64_t until_ms; // monotonic
};

// Lights it, or lets it burn on.
void beacon_light(struct beacon *b, struct issue_proofs *proofs, int64_t now_s, int64_t now_ms);
// Puts it out when its time is over. *next_ms: lowered to when it is.
void beacon_do_what_is_due(struct beacon *b, struct issue_proofs *proofs, int64_t now_ms,
                           int64_t *next_ms);
