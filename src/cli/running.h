// SPDX-License-Identifier: Apache-2.0
// The running proxy's settings and state, for commands that otherwise work on a settings file.
#pragma once

#include <jansson.h>

#include "cli/command.h"
#include "keeper/load.h"

struct running {
    struct loaded loaded; // the settings in force; serve nothing here, only tell
    struct str mapping;   // owns: what their texts borrow from
    json_t *settings;     // owns: the answer that came with them: "seq", "source"
    json_t *status;       // owns: NULL when it can't be had
};

// Asks over the control socket. False after telling why it failed; running_fini is due either way.
bool running_get(const struct cli_args *args, struct running *ret) MUST_CHECK;
void running_fini(struct running *r);
