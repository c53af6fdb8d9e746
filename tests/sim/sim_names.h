// SPDX-License-Identifier: Apache-2.0
// The resolver of the simulation: answers for the servers' names of a registry, which come late,
// change, and fail. In production it has a loop of its own; here the network brings its answers.
#pragma once

#include "sim/sim.h"
#include "upstream/registry.h"

#define SIM_NAMES_HOSTS_MAX 8

struct sim_names {
    int64_t first_max_ns; // the first answer to a name comes after this at most
    int64_t each_max_ns;  // others follow; 0: none
    uint32_t failure_percent;
    uint8_t hosts[SIM_NAMES_HOSTS_MAX]; // an answer has some of 10.0.0.N
    size_t n_hosts;

    struct upstream_registry *registry; // borrows
    struct inbox inbox;
    struct sim_name *all; // that are watched
};

void sim_names_start(struct sim_names *n, struct upstream_registry *r, struct rt_loop *loop);
void sim_names_stop(struct sim_names *n);
