// SPDX-License-Identifier: Apache-2.0
// What the files of basic-auth share: basic_auth.c (an exchange), basic_auth_conf.c (settings,
// building).
#pragma once

#include "base/map.h"
#include "filter/common.h"
#include "filter/rate_table.h"
#include "filter/states.h"

struct basic_auth_user_conf {
    struct conf_text user;
};

struct basic_auth_conf {
    struct conf_list users; // of basic_auth_user_conf
    struct conf_file users_file;
    struct conf_text realm, user_header;
    bool strip;
    uint64_t failures; // per second * 10^12; 0: any number
    uint32_t failures_burst;
    struct place place;
};

struct account {
    struct str name, hash;
};

// Wrong passwords by client; outlives snapshots.
struct guessers {
    struct filter_state base;
    struct rate_table *table;
};

struct basic_auth {
    struct filter_base base;
    const struct basic_auth_conf *conf; // borrows: the snapshot's
    struct map accounts;                // name → struct account in the snapshot's arena
    const struct account *slowest;      // its hash is checked for unknown users, to cost the same
    struct str challenge;
    struct offload *offload;   // borrows; NULL: hashes are computed in place
    struct guessers *guessers; // shares; NULL: any number of wrong passwords
    struct rate rate;
};

enum err basic_auth_serve(const struct handler *h, struct exchange *x) MUST_CHECK;
