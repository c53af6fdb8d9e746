// SPDX-License-Identifier: Apache-2.0
// The control socket: where commands reach the keeper. One request per connection, one line of
// JSON; the answer is lines of JSON, the last of which has "ok" (docs/internals/control.md).
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/list.h"

#include <jansson.h>

#define CONTROL_CONNS_MAX 32

struct keeper;
struct control_conn;

struct control {
    int fd;         // owns: listens; -1: off
    char path[108]; // of fd
    dev_t dev;      // of the socket's file, so that only our own is removed
    ino_t ino;
    int64_t accept_at_ms; // not before: no descriptor was free
    struct list conns;    // of struct control_conn
    unsigned n_conns;
};

// What the connections that wait are told.
enum control_wait {
    CONTROL_WAIT_RELOAD, // the attempt of this number has ended
    CONTROL_WAIT_STATUS, // the answer to the question of this number
    CONTROL_WAIT_UPGRADE,
    CONTROL_WAIT_CERT,   // the order of this number has ended
    CONTROL_WAIT_BEACON, // the gate answers with it
    CONTROL_WAIT_PAGE,   // the gate's answer to the question of this number
};

void control_init(struct control *c);
// Listens at path instead of where it did; empty: nowhere. False with a reason; then it listens
// where it did before.
bool control_listen(struct control *c, const char *path, char *reterr, size_t n);
// Takes over a socket that listens already (after an upgrade).
void control_adopt(struct control *c, int fd);
// Ends everything.
void control_fini(struct control *c);

// For poll: writes at most CONTROL_CONNS_MAX + 1 entries; and what came of them.
size_t control_poll(struct control *c, struct pollfd *fds);
void control_on_poll(struct keeper *k, const struct pollfd *fds, size_t n);
// Takes in who has connected so far; for whom there is no room is turned away. To be called before
// a child that has ended is waited for: afterwards nobody could tell that it was one.
void control_accept_all(struct control *c);
// Closes what is done or too slow. *next_ms: lowered to when more is due.
void control_do_what_is_due(struct keeper *k, int64_t now_ms, int64_t *next_ms);

// The connections that wait for the next attempt wait for this one.
void control_bind_reload(struct control *c, uint64_t attempt);
// Ends the waiting connections with an answer (a new reference; taken over).
void control_answer(struct control *c, enum control_wait what, uint64_t number, json_t *answer);
// The same to one of them, with a descriptor (borrowed).
void control_answer_file(struct control *c, enum control_wait what, uint64_t number, int fd,
                         json_t *answer);
// Whether anyone waits for it.
bool control_is_awaited(const struct control *c, enum control_wait what, uint64_t number);
// Ends all that wait for such a thing, of whatever number.
void control_refuse_all(struct control *c, enum control_wait what, const char *why);
// One more line for them.
void control_progress(struct control *c, enum control_wait what, uint64_t number, const char *fmt,
                      ...) PRINTF(4, 5);
// The gate's workers have other proofs: those who wait for the beacon may see it.
void control_beacon(struct keeper *k);
// The descriptor of the connection that waits for an upgrade, and a connection made of one. -1:
// none.
int control_upgrade_fd(const struct control *c);
void control_adopt_upgrade(struct control *c, int fd);
