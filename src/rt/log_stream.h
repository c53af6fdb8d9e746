// SPDX-License-Identifier: Apache-2.0
// The thread of one log: takes lines out of the rings of all threads and gives them to the target.
// One that takes nothing holds up nobody else: lines wait in the rings, and what finds no room
// there is lost and counted. Private to the log.
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "rt/log_target.h"

struct log_stream {
    const char *name; // for people
    bool is_error_log;
    pthread_mutex_t lock; // guards wanted, taken_seq and direct_fd
    struct log_target wanted;
    _Atomic unsigned wanted_seq; // changes with wanted
    unsigned taken_seq;          // written by the log thread: the one of out
    int direct_fd;               // where lines go while no thread runs
    bool has_thread;             // the starter's
    pthread_t thread;
    struct log_ring *_Atomic rings; // owns; they live as long as the process
    _Atomic bool must_stop;
    _Atomic uint32_t sleeping; // futex: 1 while the log thread sleeps for good
    _Atomic uint64_t n_lost;
    _Atomic int told_error; // the one that was told last and isn't over; 0
    // The log thread's:
    struct log_output out;
    struct log_ring *resume_at; // the ring whose line out has a part of
    uint64_t n_told;            // of n_lost
    int64_t told_ms;
    bool has_told_error;
    bool has_left_out; // lines that are to be told later
};

void log_stream_start(struct log_stream *s, const struct log_sender *sender);
// Writes what the rings hold, then ends the thread; waits a bounded time for it.
void log_stream_stop(struct log_stream *s);
// After its end: what came in the meantime.
void log_stream_drain(struct log_stream *s);
void log_stream_set_target(struct log_stream *s, const struct log_target *target);
// From any thread, after each line.
void log_stream_wake(struct log_stream *s);
void log_stream_lose(struct log_stream *s, uint64_t n);
void log_stream_write_directly(struct log_stream *s, struct str line);

// The error log's own (log.c): a line without a limit on repeats; a line's form, and how many bytes
// of it come before the text.
#define LOG_OWN_LINE_BYTES 4096
void log_emit(enum log_level level, struct str text);
size_t log_put_line(enum log_level level, struct str text, struct writer *w);
