// SPDX-License-Identifier: Apache-2.0
#include "admin/metric.h"

#include "unit/test.h"

static void each_duration_has_the_first_bucket_that_holds_it(void)
{
    static const int64_t bounds[] = {
#define X(ns, text) ns,
        METRIC_BOUND_LIST(X)
#undef X
    };
    CHECK_INT(METRIC_BUCKETS, ARRAY_LEN(bounds) + 1);
    for (unsigned i = 0; i < ARRAY_LEN(bounds); i++) {
        CHECK_INT(metric_bucket_of(bounds[i] - 1), i);
        CHECK_INT(metric_bucket_of(bounds[i]), i);
        CHECK_INT(metric_bucket_of(bounds[i] + 1), i + 1);
        CHECK_INT(metric_bucket_of(bounds[i] + bounds[i] / 3), i + 1);
    }
    CHECK_INT(metric_bucket_of(0), 0);
    CHECK_INT(metric_bucket_of(-5), 0);
    CHECK_INT(metric_bucket_of(INT64_MAX), METRIC_BUCKETS - 1);
}

static void bounds_are_powers_of_two(void)
{
    double wanted = 1.0 / 4096;
#define X(ns, text)                                                                                \
    CHECK(strtod(text, NULL) == wanted);                                                           \
    CHECK_INT(ns, (int64_t)(wanted * 1e9));                                                        \
    wanted *= 2;
    METRIC_BOUND_LIST(X)
#undef X
}

TEST_MAIN(TEST(each_duration_has_the_first_bucket_that_holds_it), TEST(bounds_are_powers_of_two))
