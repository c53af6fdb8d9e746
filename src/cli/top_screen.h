// SPDX-License-Identifier: Apache-2.0
// What `sallyport top` shows, as lines of text. Pure.
#pragma once

#include "base/text.h"
#include "cli/top_model.h"

struct top_view {
    enum top_list list;
    enum top_sort by;
    size_t first; // rows that are scrolled away
    bool is_paused;
};

// The lines for a terminal of that size: no more of them than it has, none longer. Each ends with a
// line feed but the last.
void top_screen_put(const struct top_sample *before, const struct top_sample *after,
                    const struct top_view *view, size_t width, size_t height, struct text *to);

// Every list one behind the other, for scripts and people without a terminal.
void top_put_all(const struct top_sample *before, const struct top_sample *after, struct text *to);

// The same as one line of JSON.
json_t *top_json(const struct top_sample *before, const struct top_sample *after);
