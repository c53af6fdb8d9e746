// SPDX-License-Identifier: Apache-2.0
// Parsing the words behind a command by its rows.
#pragma once

#include "cli/command.h"

// CLI_OK, or CLI_USAGE after saying what is wrong.
int cli_parse(const struct cli_command *command, int argc, char **argv, struct cli_args *ret);
