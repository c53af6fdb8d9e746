// SPDX-License-Identifier: Apache-2.0
// Every exchange of the worker, from its beginning to its end: stands between the worker's drivers
// and its application, and looks on.
#pragma once

#include "http/env.h"
#include "sim/sim.h"

// From now on, for the worker of these counters (which are part of its env).
void sim_audit_start(const struct http_stats *stats);
// The env that the counters are part of.
struct http_env *sim_env_of(const struct http_stats *stats);
// Looks at each exchange when the worker has decided what it is answered, p being its plan (NULL:
// it has none). Until the audit's end.
struct sim_plan;
typedef void sim_audit_fn(void *arg, const struct exchange *x, const struct sim_plan *p);
void sim_audit_look(sim_audit_fn *fn, void *arg);
// Exchanges that have begun and not ended.
uint32_t sim_audit_n_open(void);
// At the end: each has ended.
void sim_audit_end(void);
