// SPDX-License-Identifier: Apache-2.0
// The listening sockets, which the keeper owns: at least one for each entrypoint and worker, all of
// an entrypoint on one address (SO_REUSEPORT). They outlive gates. While its entrypoint is there
// none is closed, even with fewer workers than before: connections wait in each of them.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "gate/snapshot.h"

struct listener {
    uint32_t id;        // never used again
    unsigned index;     // among those of its entrypoint; worker index % n_workers accepts
    int fd;             // owns
    pid_t sent_to;      // the gate that has it; 0: none
    bool is_in_force;   // by the settings in force
    bool is_wanted;     // by the settings planned last
    bool is_deferred;   // by these: connections come once data is there, as clients speak first
    struct str name;    // owns: of the entrypoint
    struct str address; // owns: as in the settings
};

struct listeners {
    struct listener *items; // owns
    size_t n, cap;
    uint32_t next_id;
};

// Opens what settings want and isn't open yet; marks what is wanted. On an error (told in diags)
// nothing is left open that wasn't before.
bool listeners_plan(struct listeners *l, const struct snapshot *s, unsigned n_workers,
                    struct diags *diags);

// The plan is in force: closes what it doesn't want; calls fn (may be NULL) with each first.
typedef void listeners_close_fn(void *arg, const struct listener *item);
void listeners_commit(struct listeners *l, listeners_close_fn *fn, void *arg);

// Takes the plan back: closes what it opened, but for sockets beside others that are in force:
// connections may wait there already, so they are in force now, too.
void listeners_cancel(struct listeners *l);

// Takes over a socket that listens already (after an upgrade).
void listeners_adopt(struct listeners *l, struct str name, struct str address, int fd, uint32_t id,
                     pid_t sent_to);

// This gate has ended: another one may get its pid.
void listeners_forget(struct listeners *l, pid_t pid);

// Listens, if it doesn't: a gate that was taken over could have shut the socket down, for all.
bool listeners_listen(const struct listener *item);

void listeners_close_all(struct listeners *l);
