// SPDX-License-Identifier: Apache-2.0
// Bans as the keeper has them: what gates say and people order, for all gates, in the log, and in a
// file of the state folder. On the keeper's loop.
#pragma once

#include <jansson.h>

#include "base/text.h"
#include "gate/ban_book.h"

struct keeper_bans {
    struct ban_book book;
    char *folder;        // owns: the state folder; NULL: not known yet
    bool is_known;       // the file is of no interest any more
    bool is_changed;     // since it was written
    int64_t write_at_ms; // while is_changed
    int64_t look_at_ms;  // when to look next whose ban has ended
    int64_t looked_s;    // and when that was, on the wall clock
};

void keeper_bans_init(struct keeper_bans *b);
// Writes what has changed.
void keeper_bans_fini(struct keeper_bans *b);

// Where they are kept from now on; reads what is there the first time. max: how many are kept.
void keeper_bans_use(struct keeper_bans *b, const char *folder, size_t max);

// Somebody is banned, by a gate or a person: kept and told in the log. False: it makes no sense.
bool keeper_bans_put(struct keeper_bans *b, const struct ban *ban);
// False: nobody was banned.
bool keeper_bans_remove(struct keeper_bans *b, const struct ip_net *net);

// A person's order. seconds: how long; by: their words. False with *ret_why.
bool keeper_bans_order(struct str net, int64_t seconds, struct str by, struct ban *ret,
                       const char **ret_why);

// All, as the gate wants them: a sealed memory file; -1 with errno.
int keeper_bans_pack(const struct keeper_bans *b);

// Those that hold now: network, since, until, times, by. The caller's.
json_t *keeper_bans_report(const struct keeper_bans *b);

// Tells of bans that have ended, and writes the file. *next_ms: lowered to when more is due.
void keeper_bans_do_what_is_due(struct keeper_bans *b, int64_t now_ms, int64_t *next_ms);

// What was written by the binary before this one (ban_file_write), instead of the file.
void keeper_bans_restore(struct keeper_bans *b, struct str text);
