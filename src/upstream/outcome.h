// SPDX-License-Identifier: Apache-2.0
// How one try with a server ended, and sets of that: what settings call a failure.
#pragma once

#include "conf/conf.h"

#define OUTCOME_LIST(X)                                                                            \
    X(CONNECT, "connect")     /* no connection, or no TLS on it */                                 \
    X(CLOSED, "closed")       /* it was closed or reset before the whole head of an answer */      \
    X(TIMEOUT, "timeout")     /* no answer in time */                                              \
    X(MALFORMED, "malformed") /* an answer that is none */                                         \
    X(STATUS, NULL)           /* an answer; settings name its status */

enum outcome {
#define X(id, name) OUTCOME_##id,
    OUTCOME_LIST(X)
#undef X
};

#define OUTCOME_STATUS_MIN 400
#define OUTCOME_STATUS_MAX 599

// A value.
struct outcomes {
    uint32_t kinds;                                                        // 1 << enum outcome
    uint64_t statuses[(OUTCOME_STATUS_MAX - OUTCOME_STATUS_MIN) / 64 + 1]; // bits
};

// "connect", "timeout", …, "503", "500-599". False with one error in diags.
enum err outcomes_parse(const struct conf_texts *texts, struct diags *diags, struct outcomes *ret)
    MUST_CHECK;
// For a row's check_text.
enum err outcomes_check(const struct conf_text *text, struct diags *diags);

// status: only of OUTCOME_STATUS.
bool outcomes_have(const struct outcomes *set, enum outcome o, unsigned status);
