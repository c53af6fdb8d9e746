// SPDX-License-Identifier: Apache-2.0
// All metrics: one table says what there is and prints the reference, and each row's function
// writes its samples from a report.
#pragma once

#include "admin/exposition.h"
#include "gate/insight.h"

// Writing them all, some kilobytes at a time. Borrows the report.
struct metrics_writer {
    struct exposition out;
    const struct report *report;
    bool has_durations; // of each route, not only of all
    size_t row;         // of the table
    size_t item;        // of what the row counts
};

// Adds the next piece. False: that was the last.
bool metrics_write(struct metrics_writer *w);

// A table for people, as Markdown.
void metrics_print_reference(struct text *to);
