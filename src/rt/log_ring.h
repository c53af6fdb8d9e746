// SPDX-License-Identifier: Apache-2.0
// A ring of lines between the thread that logs and the one that writes.
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "base/str.h"

#define LOG_LINE_MAX_BYTES (64 * 1024)

struct log_ring {
    char *data;            // owns
    _Atomic uint64_t head; // written by the thread that logs
    _Atomic uint64_t tail; // written by the one that writes
    uint64_t reserved_at;  // the former's: where the open reservation starts
    struct log_ring *next; // owns: all rings of a stream, newest first
};

// A line in a ring.
struct log_entry {
    struct str line;    // its end included
    uint16_t level;     // enum log_level
    uint16_t own_bytes; // of the line's beginning: time, level and process, which syslog has itself
};

struct log_ring *log_ring_new(void);

// For the thread that logs: room for a line of up to n bytes, or NULL. Then what was used of it.
char *log_ring_reserve(struct log_ring *r, size_t n);
void log_ring_commit(struct log_ring *r, size_t n_used, uint16_t level, uint16_t own_bytes);

// For the one that writes: up to max of the oldest lines, which stay until they are dropped.
size_t log_ring_peek(struct log_ring *r, struct log_entry *ret, size_t max);
void log_ring_drop(struct log_ring *r, size_t n);
