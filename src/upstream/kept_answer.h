// SPDX-License-Identifier: Apache-2.0
// An answer that isn't the client's while another server may give a better one: kept in the
// exchange's memory until it is known whether one does.
#pragma once

#include "http/exchange.h"

#define KEPT_ANSWER_MAX_BYTES (16 * 1024) // of a body; a larger one isn't kept
#define KEPT_ANSWER_WAIT_MS 200           // for the rest of it: the next server is asked then

struct kept_answer {
    uint16_t status;
    struct str server_name;
    struct headers headers;
    struct body_bytes body;
    bool has_body;
};

// A copy of x's answer in x->mem, its body read to its end; NULL: it is too large, too slow, cut,
// or the memory is used up. The answer is to be dropped in any case. Waits.
struct kept_answer *kept_answer_take(struct exchange *x);

// x has that answer again; it has no other.
void kept_answer_give(struct kept_answer *k, struct exchange *x);
