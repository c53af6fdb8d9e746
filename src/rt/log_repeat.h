// SPDX-License-Identifier: Apache-2.0
// Which lines of the error log are one too many. A kind is a call's format: its address. Each
// thread counts for itself, without a lock; the log thread tells what was left out.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

// Whether this thread may write a line of the kind. False: it was counted as left out. max: lines
// per LOG_REPEATS_MS.
bool log_repeats_allow(const char *kind, unsigned level, unsigned max, int64_t now_ms);

// Calls fn for what was left out and is to be told: LOG_REPEATS_MS after the first of them, or at
// once when it is the end. True: there is more to come. For the log thread alone.
typedef void log_repeats_fn(void *arg, const char *kind, unsigned level, uint64_t n_left_out);
bool log_repeats_sweep(int64_t now_ms, bool is_end, log_repeats_fn *fn, void *arg);

// The format as people read it: with "*" for what differs.
struct str log_repeats_name(const char *kind, char *buf, size_t n);
