// SPDX-License-Identifier: Apache-2.0
// What a keeper hands to the binary that it executes in its own place: a memory file with JSON that
// names descriptors, all of which stay open. Its form is kept from version to version: members may
// be added, none changes its meaning.
#pragma once

#include "keeper/keeper_priv.h"

#define HANDOVER_FORMAT 1
#define HANDOVER_VARIABLE "SALLYPORT_HANDOVER"

// Writes it and executes the binary: path, or (NULL) the descriptor old_binary. error: why the
// other binary is given back; NULL on the way there. Returns only on failure, with errno; then
// everything is as before.
void handover_execute(struct keeper *k, const char *path, int old_binary, const char *error);

// The one this process was executed with, or NULL; taken out of the environment. The caller's.
json_t *handover_receive(void);

// Listening sockets, control socket, gates as they were. False: it makes no sense.
bool handover_restore(struct keeper *k, const json_t *h, bool is_return);
