// SPDX-License-Identifier: Apache-2.0
// Where the logs go: opened by the keeper, which may open files and ask for names; used by itself
// and by its gates.
#pragma once

#include <stdbool.h>

#include "base/diag.h"
#include "gate/protocol.h"
#include "gate/settings.h"
#include "rt/log.h"

// What settings want. Zeroed: both logs are off. May be moved.
struct logs {
    struct log_target targets[LOG_STREAMS]; // owns their descriptors
    char *paths[LOG_STREAMS];               // owns: of files, to be opened anew; NULL: no file
    unsigned repeats;
};

// Opens what s wants. False: told in diags, and nothing is open.
bool logs_open(const struct settings *s, struct diags *diags, struct logs *ret);

// From now on this process's own error log goes there.
void logs_use(const struct logs *l);

// Fills the message for a gate; returns the descriptor to send along (it stays l's), or -1.
int logs_message(const struct logs *l, unsigned stream, struct gate_log *ret);

// Opens files anew by their paths, as after a rotation. False: the log says why, and what couldn't
// be opened stays as it was.
bool logs_reopen(struct logs *l);

void logs_close(struct logs *l);
