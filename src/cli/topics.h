// SPDX-License-Identifier: Apache-2.0
// What the manual tells beside commands and options: exit statuses, signals, files, variables,
// examples. One table for the page of the reference and for the manual page.
#pragma once

#include <stddef.h>

struct cli_topic_row {
    const char *name; // "SIGHUP"; Markdown without marks
    const char *doc;  // Markdown
};

struct cli_topic {
    const char *title;
    const char *name_title; // of the table's first column
    const struct cli_topic_row *rows;
    size_t n_rows;
};

#define CLI_TOPICS 5
extern const struct cli_topic cli_topics[CLI_TOPICS];
