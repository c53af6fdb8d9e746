// SPDX-License-Identifier: Apache-2.0
// Upgrade: the keeper executes another binary in its own place, with its listening sockets, its
// control socket and the gates that serve; the new one starts a gate of its own kind, and then the
// old gate is told to leave. When the new one can't, it executes the old binary again, and nothing
// has happened.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct keeper;

enum upgrade_state {
    UPGRADE_NONE,
    UPGRADE_VERSION, // the other binary is asked for its version
    UPGRADE_CHECK,   // and whether it likes the settings
    UPGRADE_READY,   // to be executed as soon as nothing else is going on
    UPGRADE_TAKING,  // this process image is the new one, and its gate hasn't served yet
};

struct upgrade {
    enum upgrade_state state;
    char binary[4096]; // the path to execute
    pid_t pid;         // of the trial; 0: none
    int out;           // owns: what the trial prints; -1
    int64_t due_ms;    // of the trial, or of the gate
    char text[4096];   // what it has printed
    size_t text_bytes;
    char version[64]; // of the other binary
    // While taking: the way back.
    int old_binary; // owns; -1
    char old_version[64];
    int settings_fd; // owns: in force before; -1
    uint64_t seq;    // of those
};

void upgrade_init(struct upgrade *u);
// Begins. False with a reason: it can't.
bool upgrade_begin(struct keeper *k, const char *binary, char *reterr, size_t n);
void upgrade_on_output(struct keeper *k);
// A child that is no gate has ended.
void upgrade_on_child(struct keeper *k, pid_t pid, int status);
// The keeper stops: gives up whatever is going on.
void upgrade_stop(struct keeper *k);
void upgrade_do_what_is_due(struct keeper *k, int64_t now_ms, int64_t *next_ms);

// Whether this process was executed by a keeper that upgrades: then its state is taken over.
enum upgrade_arrival {
    UPGRADE_NOT,
    UPGRADE_ARRIVED,  // settings are to be loaded, and a gate to be started
    UPGRADE_RETURNED, // the other binary couldn't: everything is as it was
    UPGRADE_BROKEN,   // told in the log
};
enum upgrade_arrival upgrade_arrive(struct keeper *k);
// The new gate serves; or it can't (does not return when the old binary can be executed).
void upgrade_succeeded(struct keeper *k);
void upgrade_failed(struct keeper *k, const char *why);
