// SPDX-License-Identifier: Apache-2.0
// The settings of the system's resolver, resolv.conf(5). What isn't here (sortlist, options of the
// C library's own) is ignored, and so are lines that make no sense.
#pragma once

#include "codec/ip.h"

#define RESOLV_SERVERS_MAX 8 // the C library takes three
#define RESOLV_SEARCH_MAX 16
#define RESOLV_NDOTS_MAX 15
#define RESOLV_ATTEMPTS_MAX 5

struct resolv {
    struct ip servers[RESOLV_SERVERS_MAX];
    size_t n_servers;
    struct str search[RESOLV_SEARCH_MAX]; // borrows: domains to try behind a short name
    size_t n_search;
    unsigned ndots;    // names with so many dots are tried as they are first; default 1
    unsigned attempts; // 0: not set
    bool rotate;       // the servers take turns
};

struct resolv resolv_parse(struct str text);
