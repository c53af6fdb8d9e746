// SPDX-License-Identifier: Apache-2.0
// Settings on their way to a gate, or in force there: all that the keeper keeps of them.
#pragma once

#include <stdint.h>

#include "keeper/listeners.h"
#include "keeper/load.h"
#include "keeper/logs.h"
#include "keeper/spool_file.h"
#include "keeper/wish.h"

struct offer {
    uint64_t seq;    // 0: none
    int settings_fd; // owns: a sealed memfd with the packed tree
    int gate_fd;     // owns: the same without what only the keeper needs, such as accounts' keys
    struct logs logs;
    struct wish *wish;        // owns: of certificates
    enum log_level log_level; // the keeper's own
    enum log_format log_format;
    int64_t drain_ms;
    unsigned n_workers;
    struct spool_file spool; // of each gate
    struct str fixed;        // owns: what a gate can't change in its life, as a text to compare
    char control_path[108];  // empty: off
    bool is_control_default; // nobody chose that path
};

#define NO_OFFER ((struct offer){.settings_fd = -1, .gate_fd = -1})

// Makes an offer of loaded settings: sockets are opened (listeners_plan), logs are opened, the tree
// is packed. False: told in l->diags, nothing is left open.
bool offer_prepare(struct loaded *l, uint64_t seq, struct listeners *listeners, struct offer *ret);

// The tree of the offer, typed and checked again. ret is to be ended by load_fini.
bool offer_load(const struct offer *o, struct loaded *ret);

// Whether a gate that serves old can be given new.
bool offer_fits(const struct offer *old, const struct offer *new);

// Accepts NO_OFFER, and leaves it.
void offer_fini(struct offer *o);
