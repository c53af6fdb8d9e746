// SPDX-License-Identifier: Apache-2.0
// Asks before something can't be undone.
#pragma once

#include "cli/command.h"

// Whether the user agrees to "WHAT NAME?": only y and Y do, and the option --yes. Where nobody is
// there to ask, it is told.
bool agree(const struct cli_args *args, const char *what, const char *name);
// The exit status of a command that wasn't agreed to: fine, unless nobody could be asked.
int agree_status(void);
