// SPDX-License-Identifier: Apache-2.0
// The system's files that say how names become addresses, as texts: read by a process that may open
// files (the keeper), packed into bytes, and used by one that may not (the gate).
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/text.h"

#define DNS_RESOLV_CONF "/etc/resolv.conf"
#define DNS_HOSTS "/etc/hosts"

struct dns_files {
    struct str resolv_conf; // resolv.conf(5); at most 64 KiB
    struct str hosts;       // hosts(5); at most 1 MiB
};

// Reads both into mem; a file that isn't there is empty. False: *ret_why is a text for people about
// one of them (valid until the thread's next call), which is empty then.
bool dns_files_read(const char *resolv_conf, const char *hosts, struct arena *mem,
                    struct dns_files *ret, const char **ret_why);

void dns_files_pack(const struct dns_files *f, struct text *to);

// Borrows from bytes. False: they were not packed by this version.
bool dns_files_unpack(struct str bytes, struct dns_files *ret);
