// SPDX-License-Identifier: Apache-2.0
// The error log. A call formats into the thread's ring and never blocks; one log thread writes.
// Before log_start, and in tests, lines go to stderr at once. Libraries don't log: processes,
// workers and owners of connections do.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"

#define LOG_LEVEL_LIST(X) X(ERROR, "error") X(WARN, "warn") X(INFO, "info") X(DEBUG, "debug")
enum log_level {
#define X(id, text) LOG_##id,
    LOG_LEVEL_LIST(X)
#undef X
};

enum log_format { LOG_TEXT, LOG_JSON };

// Where a stream of lines goes. Streams: 0 is the error log; others are access logs.
#define LOG_STREAMS_MAX 16
#define LOG_STREAM_ERROR 0

// Starts the log thread for this process. name is shown in each line ("keeper", "gate").
void log_start(const char *name, enum log_level level, enum log_format format);
// Writes what the rings hold, then ends the thread. Waits at most 2 s for an output that takes
// nothing. Other threads may go on to log: their lines go to the output at once.
void log_stop(void);
// A new descriptor for a stream (owned from now on; the old one is closed).
void log_set_output(unsigned stream, int fd);
void log_set_level(enum log_level level, enum log_format format);

bool log_is_on(enum log_level level);
COLD void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

// Room for one line of an access log in this thread's ring: up to n bytes, to be filled and given
// to log_commit with what was used (the line's end included). NULL: no room (counted as dropped).
char *log_reserve(unsigned stream, size_t n);
void log_commit(unsigned stream, size_t n_used);

// Lines dropped because a ring was full or an output failed, since start.
uint64_t log_dropped(void);
