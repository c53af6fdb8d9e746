// SPDX-License-Identifier: Apache-2.0
// The command line's entry.
#pragma once

// Runs the command that argv names; returns the process's exit status.
int cli_main(int argc, char **argv);
