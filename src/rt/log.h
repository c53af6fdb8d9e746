// SPDX-License-Identifier: Apache-2.0
// The logs. A call formats into the thread's ring and never blocks; one thread per stream writes to
// the stream's target. Before log_start, and in tests, lines of the error log go out at once.
// Libraries don't log: processes, workers and owners of connections do.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "rt/addr.h"

#define LOG_LEVEL_LIST(X) X(ERROR, "error") X(WARN, "warn") X(INFO, "info") X(DEBUG, "debug")
enum log_level {
#define X(id, text) LOG_##id,
    LOG_LEVEL_LIST(X)
#undef X
};

enum log_format { LOG_TEXT, LOG_JSON };

#define LOG_STREAM_ERROR 0
#define LOG_STREAM_ACCESS 1
#define LOG_STREAMS 2

enum log_target_kind {
    LOG_TO_NOTHING,
    LOG_TO_FD,          // a file, pipe or terminal: lines as they are
    LOG_TO_SYSLOG_UNIX, // a local socket, of datagrams or else of a stream
    LOG_TO_SYSLOG_UDP,
    LOG_TO_SYSLOG_TCP,
    LOG_TO_JOURNAL, // journald's native protocol
};

// Where a stream goes. A value: it travels from keeper to gate.
struct log_target {
    enum log_target_kind kind;
    int fd;              // LOG_TO_FD
    uint32_t facility;   // RFC 5424 6.2.1, 0 to 23
    struct rt_addr addr; // of sockets
};

// Starts the log threads of this process. name is shown in each line ("keeper", "gate").
void log_start(const char *name, enum log_level level, enum log_format format);
// Writes what the rings hold, then ends the threads. Waits at most 3 s for a target that takes
// nothing. Other threads may go on to log: their lines go out at once.
void log_stop(void);
// A new target for a stream; its descriptor is owned from now on. The old one is closed when the
// line that is being written is done with. Not for several threads at once.
void log_set_target(unsigned stream, const struct log_target *target);
void log_set_level(enum log_level level, enum log_format format);
// How many warnings and errors of one kind (one call's format) each thread may log per
// LOG_REPEATS_MS; the rest is counted, and told by one line. 0, as at the start: no limit.
void log_set_repeats(unsigned lines_max);
#define LOG_REPEATS_MS 10000

static inline void log_set_output(unsigned stream, int fd)
{
    log_set_target(stream, &(struct log_target){.kind = LOG_TO_FD, .fd = fd});
}

bool log_is_on(enum log_level level);
COLD void log_line(enum log_level level, const char *fmt, ...) PRINTF(2, 3);
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

// Room for one line of an access log in this thread's ring: up to n bytes, to be filled and given
// to log_commit with what was used (the line's end included). NULL: no room (counted as lost).
char *log_reserve(unsigned stream, size_t n);
void log_commit(unsigned stream, size_t n_used);

// Why a log can't be written at present (errno), or 0. *ret_name: of the log, for people.
int log_trouble(unsigned stream, const char **ret_name);
// Lines lost since the start, because a ring was full or a target failed.
uint64_t log_lost(unsigned stream);
// The same of all streams.
uint64_t log_dropped(void);
