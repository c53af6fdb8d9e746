// SPDX-License-Identifier: Apache-2.0
// What brings sites beside the settings file: the process that speaks with Docker, started anew
// whenever it ends, and the containers that it told of, which stay while it is away.
#pragma once

#include <jansson.h>

#include "keeper/child.h"
#include "keeper/containers.h"
#include "keeper/load.h"

enum providers_state {
    PROVIDERS_OFF,
    PROVIDERS_ASKING,    // the process has started and hasn't told of all containers yet
    PROVIDERS_FOLLOWING, // it tells of changes
    PROVIDERS_AWAY,      // the engine can't be reached: another process starts by and by
};

struct providers {
    enum providers_state state;
    struct child child;
    struct text order;   // what the process is started with
    struct str endpoint; // owns
    int64_t linger_ms;
    bool exposed_by_default;
    struct containers containers;
    int64_t restart_at_ms, backoff_ms;
    int64_t changed_at_ms; // what settings are made of, since they were made; 0: it hasn't
    int64_t rest_until_ms; // settings aren't made anew before
    int64_t since_ns;      // of the state; wall clock
    char engine[128], api[16];
    char why[MESSAGE_WHY_MAX_BYTES + 1]; // it is away
    unsigned n_beyond;
    struct checked checked; // routers of containers that were right in the last load
    struct text told;       // what is wrong with containers, a line each
    json_t *problems;       // owns: the same
};

void providers_init(struct providers *p);
// The process ends with its channel.
void providers_fini(struct providers *p);

// The loader's finder, whose arg is the struct providers: starts the process that settings want,
// or ends the one that they don't. When one is started for the first time and nothing is known,
// waits for what it tells, at most PROVIDERS_WAIT_MS.
#define PROVIDERS_WAIT_MS 3000
bool providers_find(void *arg, const struct settings *settings, const struct conf_node *docker,
                    struct arena *mem, struct found *ret);

// Settings that want no containers are in force.
void providers_off(struct providers *p);

// Logs what is wrong with containers and wasn't a load ago, and keeps it for the report.
void providers_tell(struct providers *p, const struct diags *told);

// Readable when providers_look is to be called; -1: never.
int providers_fd(const struct providers *p);
void providers_look(struct providers *p);

// Ends the process, and waits for its end; another one starts if this one goes on.
void providers_pause(struct providers *p);

// What is known of containers as a sealed file, for a keeper that takes over; -1: nothing is.
int providers_pack(const struct providers *p);
// Before settings are loaded: what the file says is known, until an engine tells more. The file
// stays the caller's.
void providers_adopt(struct providers *p, int fd);

// The process has ended.
void providers_ended(struct providers *p);

// True: settings are to be made anew. *next_ms: lowered to when there is more to do.
bool providers_do_what_is_due(struct providers *p, int64_t now_ms, int64_t *next_ms);

// Settings with what is known now are made, and were, which took so long.
void providers_taken(struct providers *p);
void providers_rest(struct providers *p, int64_t took_ms);

// For the status: null while there is none.
json_t *providers_report(const struct providers *p);
