// SPDX-License-Identifier: Apache-2.0
// Names to addresses, with their time to live, by c-ares on a loop (the gate's aux thread's): no
// call blocks a thread, and none opens a file. Order: localhost, the hosts file, DNS.
#pragma once

#include "base/deadline.h"
#include "base/err.h"
#include "base/str.h"
#include "codec/ip.h"
#include "rt/dns_files.h"

struct dns;

#define DNS_ADDRS_MAX 32

struct dns_answer {
    struct ip addrs[DNS_ADDRS_MAX]; // A and AAAA, in the resolver's order
    size_t n;
    uint32_t ttl_s; // the smallest
};

struct dns_options {
    const struct dns_files *files; // the system's; NULL: nothing is known
    const char *servers;           // "127.0.0.1:5353,…" instead of those in files; NULL: those
    int64_t timeout_ms;            // of one try; 0: 2 000
    int tries;                     // 0: what files say, or 3
};

// For this thread's loop. NULL with a reason in *reterr when c-ares can't start.
struct dns *dns_new(const struct dns_options *options, const char **reterr);
void dns_free(struct dns *d);

// Other files from now on; options stay. Look-ups that run end as they began. False with a reason:
// nothing has changed. Borrows files for the call.
bool dns_use(struct dns *d, const struct dns_files *files, const char **reterr);

// Resolves name. ERR_NOT_FOUND: it doesn't exist or has no address; ERR_TIMEOUT; ERR_UNAVAILABLE:
// no server answered rightly; ERR_CANCELLED. *ret_why gets a text for people in all failures.
// Waits.
enum err dns_resolve(struct dns *d, struct str name, struct deadline until, struct dns_answer *ret,
                     const char **ret_why) MUST_CHECK;
