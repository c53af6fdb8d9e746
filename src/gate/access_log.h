// SPDX-License-Identifier: Apache-2.0
// Access log lines: a format compiled once into steps, and a line written from an exchange. The
// format is part of a snapshot; the line goes into the worker's ring (rt/log.h).
#pragma once

#include "conf/conf.h"
#include "http/exchange.h"

struct access_log; // a compiled format
struct access_log_conf;

// check_text of the setting: the format string.
enum err access_log_check_format(const struct conf_text *format, struct diags *diags);

// NULL when the log is off. Errors were found by the check before.
struct access_log *access_log_build(const struct access_log_conf *conf, struct arena *mem);

// Writes x's line, with its end, into buf of n bytes; returns the length, or 0 when it doesn't fit.
// wall_ns: the time of the exchange's end.
size_t access_log_write(const struct access_log *log, const struct exchange *x, int64_t wall_ns,
                        char *buf, size_t n);
#define ACCESS_LOG_LINE_MAX_BYTES (16 * 1024)

// The fields that a format may name, as a Markdown table.
void access_log_print_fields(struct text *to);
