// SPDX-License-Identifier: Apache-2.0
// Which requests are sent again, and how many: `retries` of a service.
#pragma once

#include "upstream/outcome.h"

struct retries_conf {
    struct conf_texts on;    // of struct outcomes
    int64_t time_ms;         // no further try begins later than this after the first; 0: any time
    uint32_t budget_percent; // of the requests
    uint32_t budget_min;     // per second
    uint64_t body_max_bytes; // of a request, to be kept for another try
    struct place place;
};

extern const struct conf_section retries_section;

// --- the budget ---
//
// A share of the requests of the last seconds, and a few always, so that trying again can't
// multiply an outage, while all that a server had when it died may go to another at once. Of one
// service and worker; a function of time alone.

#define RETRY_BUDGET_S 10

struct retry_budget {
    int64_t at_s; // of the newest second
    struct {
        uint32_t n_requests, n_retries;
    } seconds[RETRY_BUDGET_S]; // by time modulo
    uint64_t n_requests, n_retries;
};

// A request begins.
void retry_budget_add(struct retry_budget *b, int64_t now_ms);

// Takes one retry, if there is one: percent of the requests, and min_per_s.
bool retry_budget_take(struct retry_budget *b, int64_t now_ms, uint32_t percent,
                       uint32_t min_per_s);
