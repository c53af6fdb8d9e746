// SPDX-License-Identifier: Apache-2.0
// The files of the control socket, among themselves: connections (control.c), the commands that
// come on them (control_commands.c), the socket itself (control_listen.c).
#pragma once

#include "base/str.h"
#include "base/text.h"
#include "keeper/control.h"

#define CONTROL_REQUEST_MAX_BYTES 8192

enum control_conn_state {
    CONTROL_CONN_READING,
    CONTROL_CONN_WAITING, // for what `wait` says
    CONTROL_CONN_WRITING, // closed when all is written
    CONTROL_CONN_HELD,    // open until the keeper ends
};

struct control_conn {
    struct list_node node; // in control.conns
    int fd;                // owns
    enum control_conn_state state;
    enum control_wait wait;
    uint64_t number; // of the attempt or question waited for; 0: the attempt that comes next
    int64_t due_ms;  // 0: no deadline
    size_t in_bytes;
    char in[CONTROL_REQUEST_MAX_BYTES];
    struct text out;
    size_t out_sent;
    int out_fd; // owns: goes with the first byte; -1
};

// One more line, to go out with the next flush.
void control_conn_put(struct control_conn *conn, const json_t *j);
// Writes what it can. False: the peer is gone.
bool control_conn_flush(struct control_conn *conn);
// The last line. Takes over the reference.
void control_conn_finish(struct control_conn *conn, json_t *answer);
// The same with "ok": false.
void control_conn_refuse(struct control_conn *conn, const char *why);
// control_answer and the like end it. due_ms: until when; 0: no deadline.
void control_conn_wait(struct control_conn *conn, enum control_wait what, uint64_t number,
                       int64_t due_ms);

// Does what the request's line says: the connection is finished, held, or waits.
void control_command(struct keeper *k, struct control_conn *conn, struct str line);

void control_stop_listening(struct control *c);
