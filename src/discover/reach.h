// SPDX-License-Identifier: Apache-2.0
// Which address and which port of a container requests go to, and why none.
#pragma once

#include "discover/container.h"

// How the proxy stands to the containers.
struct reach {
    const struct container *const *all; // borrows: those that are known
    size_t n;
    const struct container *self; // borrows: the one that the proxy runs in; NULL: the machine
    struct str network;           // the setting; empty: none
};

// The id, or the beginning of one, of the container that this process may run in, from what
// /proc/self/cgroup, /proc/self/mountinfo and the host name say. Empty: it runs in none, it seems.
// Borrows from them.
struct str reach_own_id(struct str cgroup, struct str mountinfo, struct str host);

// label: what a label says of the network; empty: nothing. In this order: that network, one that
// the proxy is in, that of the settings, and any when the proxy runs on the machine itself. False:
// *ret_why (in mem) names the networks of both.
bool reach_address(const struct reach *r, const struct container *c, struct str label,
                   struct arena *mem, struct ip *ret, struct str *ret_why) MUST_CHECK;

// label: the port that a label says; empty: the only one that it exposes, or the lowest, and then
// *ret_note (in mem) says so. False: *ret_note says why there is none.
bool reach_port(const struct container *c, struct str label, struct arena *mem, uint16_t *ret,
                struct str *ret_note) MUST_CHECK;
