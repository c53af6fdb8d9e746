// SPDX-License-Identifier: Apache-2.0
// Points on the monotonic clock until which a wait may last. Every wait takes one.
#pragma once

#include <stdint.h>

#include "base/attr.h"

struct deadline {
    int64_t at_ms; // on the loop's monotonic clock
};

static inline struct deadline deadline_at(int64_t at_ms)
{
    return (struct deadline){at_ms};
}

static inline struct deadline deadline_min(struct deadline a, struct deadline b)
{
    return a.at_ms < b.at_ms ? a : b;
}
