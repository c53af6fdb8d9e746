// SPDX-License-Identifier: Apache-2.0
// The output of a log stream: connects, writes, waits, tries again. Belongs to one thread.
#pragma once

#include "rt/log.h"
#include "rt/log_message.h"

// The longest texts; more is cut off. A datagram that every collector must take has 480 bytes, one
// that it should take 2048 (RFC 5426 3.2); over TCP 8192 should be taken (RFC 5425 4.3.1).
#define LOG_TEXT_MAX_UDP (2048 - LOG_MESSAGE_HEAD_BYTES)
#define LOG_TEXT_MAX_SYSLOG 8192
#define LOG_TEXT_MAX_JOURNAL (16 * 1024)

#define LOG_BATCH 64 // entries that one call may give

struct log_output {
    struct log_target target; // owns its descriptor
    struct log_sender sender;
    int fd;             // where to write to; a socket is owned; -1: none, or not connected
    bool is_stream;     // a socket of bytes
    bool must_ask;      // a write might block: a pipe or terminal that others use, too
    bool is_blocked;    // until fd takes more
    size_t n_sent;      // bytes of the next line, or of frame, that have gone out already
    size_t frame_bytes; // of the next line's frame, once a part of it has gone out
    unsigned n_good;    // writes since the last failure
    int error;          // errno of the failure that lasts; 0: none
    int64_t backoff_ms, retry_at_ms; // after a failure
    uint64_t n_lost;                 // lines that turned out to be lost, or can't be sent
    char frame[LOG_TEXT_MAX_JOURNAL + LOG_MESSAGE_HEAD_BYTES];
};

// Closes what the old target had; target's descriptor is o's. The first one is given to an output
// with fd -1, else zeroed. Nothing is connected before there are lines.
void log_output_set(struct log_output *o, const struct log_target *target);

// Writes lines in their order, and returns how many are done with. Fewer than n: the target takes
// no more now; the same lines are to be given again after log_output_wait. May wait a second for a
// connection.
size_t log_output_put(struct log_output *o, const struct log_entry *entries, size_t n) MUST_CHECK;

// Waits until it is worth to try again, at most wait_ms.
void log_output_wait(const struct log_output *o, int wait_ms);
// Try again at once: the last time before the end.
void log_output_hurry(struct log_output *o);

// Where it goes, for people: "udp 192.0.2.1:514".
struct str log_target_text(const struct log_target *t, char *buf, size_t n);
