// SPDX-License-Identifier: Apache-2.0
#include "admin/metric.h"

#define FIRST_BIT 17 // of the first bound

static const int64_t bounds_ns[] = {
#define X(ns, text) ns,
    METRIC_BOUND_LIST(X)
#undef X
};

// Between a power of two and the next lies one bound.
unsigned metric_bucket_of(int64_t ns)
{
    if (ns <= bounds_ns[0])
        return 0;
    unsigned i = 63 - (unsigned)__builtin_clzll((uint64_t)ns) - FIRST_BIT;
    return i >= ARRAY_LEN(bounds_ns) ? METRIC_BUCKETS - 1 : i + (ns > bounds_ns[i]);
}
