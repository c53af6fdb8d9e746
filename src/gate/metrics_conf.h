// SPDX-License-Identifier: Apache-2.0
// The setting `metrics`.
#pragma once

#include "conf/conf.h"

// Name in settings.
#define METRICS_DURATIONS_LIST(X)                                                                  \
    X(ROUTE, "route")                                                                              \
    X(TOTAL, "total")

enum metrics_durations {
#define X(id, name) METRICS_DURATIONS_##id,
    METRICS_DURATIONS_LIST(X)
#undef X
};

struct metrics_conf {
    struct conf_text listen; // empty: no entrypoint of its own
    struct conf_texts from;
    unsigned durations; // enum metrics_durations
    struct place place;
};

extern const struct conf_section metrics_section;
