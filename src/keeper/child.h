// SPDX-License-Identifier: Apache-2.0
// A process of the keeper's, such as a gate, as it sees it: a child and a channel.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"

struct child {
    pid_t pid;   // 0: none
    int channel; // owns; -1: none
    int64_t started_ms;
};

// Starts this binary anew with a command that people don't give: "gate", "engine". False with
// errno.
bool child_start(struct child *c, const char *command);

// Sends one message (of gate/protocol.h) with a descriptor or -1.
enum err child_send(struct child *c, const void *message, size_t n, int fd) MUST_CHECK;

// Closes the channel; a process that lives takes that as the order to leave. Idempotent.
void child_hang_up(struct child *c);

void child_kill(struct child *c);
