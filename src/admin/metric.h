// SPDX-License-Identifier: Apache-2.0
// What a metric is: its row says all that scrapers and people are told of it.
#pragma once

#include "base/str.h"

// Name of the type in OpenMetrics, and in the text format, which has no "info".
#define METRIC_TYPE_LIST(X)                                                                        \
    X(COUNTER, "counter", "counter")                                                               \
    X(GAUGE, "gauge", "gauge")                                                                     \
    X(HISTOGRAM, "histogram", "histogram")                                                         \
    X(INFO, "info", "gauge")

enum metric_type {
#define X(id, name, text_name) METRIC_##id,
    METRIC_TYPE_LIST(X)
#undef X
};

struct metric {
    const char *name; // without "_total" of counters and "_info"; ends with "_" and the unit
    enum metric_type type;
    const char *unit;   // "seconds", "bytes"; "": none
    const char *labels; // for people: "route, service"; "": none
    const char *help;
};

struct metric_label {
    const char *name;
    struct str value; // UTF-8
};

// Histograms of durations: upper bounds in ns, rounded down, and in seconds as scrapers want them
// written. Powers of two: what a native histogram of schema 0 has as well.
#define METRIC_BOUND_LIST(X)                                                                       \
    X(244140, "0.000244140625")                                                                    \
    X(488281, "0.00048828125")                                                                     \
    X(976562, "0.0009765625")                                                                      \
    X(1953125, "0.001953125")                                                                      \
    X(3906250, "0.00390625")                                                                       \
    X(7812500, "0.0078125")                                                                        \
    X(15625000, "0.015625")                                                                        \
    X(31250000, "0.03125")                                                                         \
    X(62500000, "0.0625")                                                                          \
    X(125000000, "0.125")                                                                          \
    X(250000000, "0.25")                                                                           \
    X(500000000, "0.5")                                                                            \
    X(1000000000, "1.0")                                                                           \
    X(2000000000, "2.0")                                                                           \
    X(4000000000, "4.0")                                                                           \
    X(8000000000, "8.0")                                                                           \
    X(16000000000, "16.0")                                                                         \
    X(32000000000, "32.0")                                                                         \
    X(64000000000, "64.0")
#define METRIC_BOUND_ONE(ns, text) +1
#define METRIC_BUCKETS (1 METRIC_BOUND_LIST(METRIC_BOUND_ONE)) // with the one beyond all bounds

struct metric_histogram {
    uint64_t buckets[METRIC_BUCKETS]; // each on its own, not cumulated
    uint64_t sum_ns;
};

// The bucket for a duration: the first whose bound isn't below it.
unsigned metric_bucket_of(int64_t ns);
