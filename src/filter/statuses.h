// SPDX-License-Identifier: Apache-2.0
// Sets of status codes as settings have them: "404", "500-599".
#pragma once

#include "filter/common.h"

#define STATUSES_FIRST 400
#define STATUSES_N 200

struct statuses {
    bool has[STATUSES_N]; // from STATUSES_FIRST on
};

// Adds errors for what is no status from 400 to 599, or no range of them.
enum err statuses_parse(const struct conf_texts *texts, struct diags *diags, struct statuses *ret)
    MUST_CHECK;

static inline bool statuses_have(const struct statuses *s, unsigned status)
{
    return status >= STATUSES_FIRST && status < STATUSES_FIRST + STATUSES_N &&
           s->has[status - STATUSES_FIRST];
}
