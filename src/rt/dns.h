// SPDX-License-Identifier: Apache-2.0
// Names to addresses, with their time to live, by c-ares on a loop (the gate's aux thread's): no
// call blocks a thread. Uses the system's resolv.conf and hosts file, read when it is made.
#pragma once

#include "base/deadline.h"
#include "base/err.h"
#include "base/str.h"
#include "codec/ip.h"

struct dns;

#define DNS_ADDRS_MAX 32

struct dns_answer {
    struct ip addrs[DNS_ADDRS_MAX]; // A and AAAA, in the resolver's order
    size_t n;
    uint32_t ttl_s; // the smallest
};

struct dns_options {
    const char *servers; // "127.0.0.1:5353,…" instead of the system's; NULL: the system's
    int64_t timeout_ms;  // of one try; 0: 2 000
    int tries;           // 0: 3
};

// For this thread's loop. NULL with a reason in *reterr when c-ares can't start.
struct dns *dns_new(const struct dns_options *options, const char **reterr);
void dns_free(struct dns *d);

// Resolves name. ERR_NOT_FOUND: it doesn't exist or has no address; ERR_TIMEOUT; ERR_UNAVAILABLE:
// no server answered rightly; ERR_CANCELLED. *ret_why gets a text for people in all failures.
// Waits.
enum err dns_resolve(struct dns *d, struct str name, struct deadline until, struct dns_answer *ret,
                     const char **ret_why) MUST_CHECK;
