// SPDX-License-Identifier: Apache-2.0
// The directed scenarios, by file, and the random one.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "sim/sim_message.h"

struct scenario {
    const char *name;
    void (*run)(void);
};

#define SCENARIO(fn_)                                                                              \
    {                                                                                              \
#fn_, fn_                                                                                  \
    }

// Each up to one without a name.
extern const struct scenario exchange_scenarios[];
extern const struct scenario reset_scenarios[];
extern const struct scenario timeout_scenarios[];
extern const struct scenario reload_scenarios[];
extern const struct scenario bug_scenarios[];
extern const struct scenario drain_scenarios[];
extern const struct scenario tls_scenarios[];
extern const struct scenario h2_scenarios[];
extern const struct scenario https_scenarios[];
extern const struct scenario health_scenarios[];

// Kinds of exchanges that scenarios go through, all to a.example.
extern const struct sim_plan kinds[];
extern const char *const kind_names[];
extern const size_t n_kinds;

// Everything at once, as the seed has it.
void scenario_world(uint64_t seed);
// A service whose servers are in trouble.
void scenario_trouble(uint64_t seed);
