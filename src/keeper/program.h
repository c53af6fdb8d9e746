// SPDX-License-Identifier: Apache-2.0
// Runs a program of the user's, without a shell, and waits for its end. Any thread.
#pragma once

#include "acme/cancel.h"
#include "base/text.h"

#define PROGRAM_OUTPUT_MAX_BYTES 1024

struct program {
    char *const *argv;          // NULL-terminated; the first one is its path
    char *const *env;           // "NAME=VALUE" beside the usual ones, NULL-terminated; or NULL
    int64_t timeout_ms;         // then it is killed, with all that it has started
    int64_t last_ms;            // of that, how long it may go on once cancel is set
    struct acme_cancel *cancel; // borrows; NULL: never
};

// True: it has ended with 0. What it has printed, made one line without controls, is appended to
// output; or why it couldn't be started. Blocks.
bool program_run(const struct program *p, struct text *output);
