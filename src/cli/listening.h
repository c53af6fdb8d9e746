// SPDX-License-Identifier: Apache-2.0
// Who listens at which TCP port of this machine, as /proc tells.
#pragma once

#include <sys/types.h>

#include "base/text.h"
#include "codec/ip.h"

struct listening_socket {
    struct ip address; // unspecified: all of the family
    uint16_t port;
    uint64_t inode;
    pid_t pid;     // 0: not known: another user's, or another namespace's
    char name[16]; // of that process; "" with pid 0
};

struct listening {
    struct listening_socket *items; // own
    size_t n, cap;
};

// Adds what a text like /proc/net/tcp or tcp6 says; lines that make no sense are left out.
void listening_read(struct listening *l, struct str text, bool is_ipv6);
// Both, with who has them as far as this user may know. False: /proc isn't there.
bool listening_look(struct listening *l);
void listening_fini(struct listening *l);

// Who has this port at this address, or at all of them; NULL: nobody.
const struct listening_socket *listening_find(const struct listening *l, const struct ip *address,
                                              uint16_t port);
