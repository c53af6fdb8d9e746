// SPDX-License-Identifier: Apache-2.0
// What a command that takes long says meanwhile, on standard error: steps as lines, and on a
// terminal a line that counts the seconds.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool is_quiet;
    bool is_terminal;
    bool is_line_open;  // the counting line is shown
    const char *what;   // borrows: what is waited for; NULL: nothing to count
    int64_t started_ms; // when the wait began
};

// Begins to wait for what: "waiting for running exchanges".
void progress_start(struct progress *p, const char *what, bool is_quiet);
// A second has gone, or so.
void progress_tick(struct progress *p);
// A step that is worth a line of its own. Control characters are left out.
void progress_step(struct progress *p, const char *text);
// Takes the counting line away: before anything else is printed.
void progress_clear(struct progress *p);
// Milliseconds since the start.
int64_t progress_ms(const struct progress *p);
