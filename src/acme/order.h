// SPDX-License-Identifier: Apache-2.0
// One run of acme_order_run, shared by its parts: order, proofs, chain.
#pragma once

#include "acme/client.h"
#include "base/deadline.h"

// What is known of a name over all orders of a run.
struct acme_name_state {
    unsigned offered; // BIT(enum acme_challenge_kind)
    unsigned failed;
    bool has_problem;
    struct acme_problem problem; // of the last failure
};

struct acme_run {
    struct acme *a;
    const struct acme_order_wish *wish;
    struct arena *mem;            // the caller's
    struct arena scratch;         // owns: emptied for each answer
    struct acme_problem *problem; // the caller's
    struct deadline until;
    struct acme_name_state *names; // of wish->names
    struct text order_url;         // owns; empty: there is none
    struct text thumbprint;        // owns
    bool is_resumed;
    bool omits_replaces;
};

// ACME_FAILED with *ret_again: another try may succeed, with the next kind of challenge.
enum acme_result acme_prove(struct acme_run *run, const struct acme_order_form *order,
                            bool *ret_again) MUST_CHECK;

// Reads the order's URL as it is now. Its values are in run->scratch until the next answer, its
// error in mem.
enum acme_result acme_order_fetch(struct acme_run *run, struct acme_order_form *ret,
                                  int64_t *ret_retry_after_s) MUST_CHECK;

// TIMEOUT when the run's time is over; `what` took too long.
enum acme_result acme_order_time(struct acme_run *run, const char *what) MUST_CHECK;

// Sleeps before the next question: longer each time, as long as the authority wants. *wait_ms is
// where to begin. TIMEOUT when the run's time would be over.
enum acme_result acme_order_pause(struct acme_run *run, int64_t *wait_ms, int64_t retry_after_s,
                                  const char *what) MUST_CHECK;

enum acme_result acme_chain_fetch(struct acme_run *run, struct str url,
                                  struct acme_certificate *ret) MUST_CHECK;

void acme_run_step(struct acme_run *run, enum acme_step step, struct str detail);
