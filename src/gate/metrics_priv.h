// SPDX-License-Identifier: Apache-2.0
// What the functions behind the table's rows share.
#pragma once

#include "gate/metrics.h"
#include "gate/metrics_list.h"

// Each writes the samples of one item; which those are is the row's business. False: there is no
// such item, nor one behind it.
typedef bool metrics_item_fn(struct metrics_writer *w, const struct metric *m, size_t item);
#define X(fn, name, type, unit, labels, help) metrics_item_fn metrics_put_##fn;
METRICS_LIST(X)
#undef X

#define METRICS_LABELS(...) ((const struct metric_label[]){__VA_ARGS__})
#define METRICS_LABEL(name_, value_)                                                               \
    {                                                                                              \
        .name = (name_), .value = (value_)                                                         \
    }

static inline void metrics_put(struct metrics_writer *w, const struct metric *m, uint64_t value)
{
    exposition_count(&w->out, m, NULL, 0, value);
}

static inline void metrics_put_by(struct metrics_writer *w, const struct metric *m,
                                  const char *label, struct str which, uint64_t value)
{
    exposition_count(&w->out, m, METRICS_LABELS(METRICS_LABEL(label, which)), 1, value);
}

static inline const struct http_stats *metrics_http(const struct metrics_writer *w)
{
    return &w->report->status->stats;
}
