// SPDX-License-Identifier: Apache-2.0
// Metrics as text for scrapers: Prometheus' text format 0.0.4 and OpenMetrics 1.0. Pure.
#pragma once

#include <stdint.h>

#include "admin/metric.h"
#include "base/text.h"

enum exposition_form {
    EXPOSITION_PROMETHEUS,
    EXPOSITION_OPENMETRICS,
};

struct exposition {
    enum exposition_form form;
    struct text *to; // borrows
};

// What an Accept field asks for: OpenMetrics only where it isn't liked less.
enum exposition_form exposition_choose(struct str accept);
struct str exposition_content_type(enum exposition_form form);

// In front of a metric's samples, once.
void exposition_head(struct exposition *e, const struct metric *m);
// One sample.
void exposition_count(struct exposition *e, const struct metric *m,
                      const struct metric_label *labels, size_t n_labels, uint64_t value);
// One sample in seconds.
void exposition_seconds(struct exposition *e, const struct metric *m,
                        const struct metric_label *labels, size_t n_labels, int64_t ns);
void exposition_histogram(struct exposition *e, const struct metric *m,
                          const struct metric_label *labels, size_t n_labels,
                          const struct metric_histogram *h);
// Behind the last.
void exposition_end(struct exposition *e);
