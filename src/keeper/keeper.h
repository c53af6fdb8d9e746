// SPDX-License-Identifier: Apache-2.0
// The keeper: the control process. Holds the listening sockets, reads and checks the settings,
// starts the gate and starts another one when it dies. Parses nothing that a client sends.
#pragma once

#include "conf/node.h"
#include "keeper/load.h"

struct keeper_options {
    const char *path; // of the settings file; NULL: built by build()
    // Makes the tree of settings when there is no file (`sallyport proxy`); in mem of l.
    struct conf_node *(*build)(void *arg, struct loaded *l);
    void *arg;
    char **argv; // how the process was started: an upgrade executes the new binary so
};

// Runs until a signal or a command says stop. SIGHUP: reads the settings anew. SIGUSR1: opens log
// files anew. SIGTERM, SIGINT: drains and leaves; a second one: leaves at once. Returns the exit
// status.
int keeper_main(const struct keeper_options *options);
