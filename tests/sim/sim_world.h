// SPDX-License-Identifier: Apache-2.0
// A worker in the simulation, with its servers and clients: made, run until it rests, checked.
#pragma once

#include "gate/worker.h"
#include "sim/sim.h"
#include "sim/sim_names.h"
#include "sim/sim_peer.h"
#include "sim/sim_sys.h"
#include "sim/sim_watch.h"

struct rt_loop;
struct upstream_checker;
struct upstream_registry;

struct world {
    struct rt_loop *loop;
    struct upstream_registry *registry;
    struct offload *offload;
    struct offload *disk;
    struct slots *slots; // in a file of sim_disk
    struct filter_states *states;
    struct worker *worker;
    struct upstream_checker *checker; // on the worker's loop: there is no other; NULL: none
    struct sim_listener *listener;    // of entrypoint "web"; the last one that was opened
    struct sim_listener *other;       // of entrypoint "other", if it was opened
    uint32_t listener_id, other_id;
    uint32_t n_settings, n_ids, n_equipped;
    int64_t busy_until_ns; // world_run doesn't end before
    bool is_leaving;       // no listening socket comes any more
    struct sim_names names;
    struct sim_watch watch;
};

// Settings of scenarios: one entrypoint "web" and its options, then the rest of the file.
// "a.example" goes to the server at port 81, "b.example" to those at 82 and 83.
#define WORLD_ENTRY "idle-timeout: 5s, head-timeout: 2s, body-timeout: 3s, tunnel-timeout: 8s"
#define WORLD_SERVICE                                                                              \
    "connect-timeout: 1s, answer-timeout: 4s, body-timeout: 2500ms, idle-timeout: 6s, "            \
    "skip-time: 0"
#define WORLD_YAML_WITH(entry_)                                                                    \
    "access-log: { path: '-', format: json }\n"                                                    \
    "entrypoints: { web: { listen: ':80', " WORLD_ENTRY entry_ " } }\n"                            \
    "services:\n"                                                                                  \
    "  a: { servers: ['http://10.0.0.1:81'], " WORLD_SERVICE " }\n"                                \
    "  b: { servers: ['http://10.0.0.1:82', 'http://10.0.0.1:83'], " WORLD_SERVICE " }\n"          \
    "sites: { a.example: { to: a }, b.example: { to: b } }\n"
#define WORLD_YAML WORLD_YAML_WITH("")
#define WORLD_H2_YAML WORLD_YAML_WITH(", h2c: yes")

// Limits of the worker that world_start makes; world_limits_init sets them wide.
struct world_limits {
    uint32_t conns_max, fibers_max;
    uint64_t spool_bytes;
};
extern struct world_limits world_limits;
void world_limits_init(void);

// Starts a simulation with a quiet network, and a worker with these settings.
void world_start(struct world *w, uint64_t seed, const char *yaml);
// From now on servers are checked as settings want it.
void world_check_servers(struct world *w);

// Puts other settings in force at a time, by mail as the gate does; from inside an event, too.
void world_reload_at(struct world *w, int64_t at_ns, const char *yaml);
// The same right behind the n-th event.
void world_reload_after(struct world *w, uint64_t n_steps, const char *yaml);
// Other certificates and keys of tickets, as a renewal brings them.
void world_equip_at(struct world *w, int64_t at_ns);
void world_equip_after(struct world *w, uint64_t n_steps);
void world_unlisten_at(struct world *w, int64_t at_ns);
// Listening sockets of "web" and "other" come, and go.
void world_listen_at(struct world *w, int64_t at_ns, bool is_other);
void world_unlisten_other_at(struct world *w, int64_t at_ns);
void world_abort_at(struct world *w, int64_t at_ns);
// Settings without the entrypoint, and then its listening socket goes, too.
void world_remove_after(struct world *w, uint64_t n_steps, const char *yaml);
#define WORLD_DRAIN_IDLE_MS 1000
void world_drain_at(struct world *w, int64_t at_ns);
void world_drain_idle_at(struct world *w, int64_t at_ns, int64_t idle_ms);
void world_drain_after(struct world *w, uint64_t n_steps);
void world_abort_after(struct world *w, uint64_t n_steps);

// Runs until all clients are done and the worker holds no connection. After limit_ns of virtual
// time it is wrong that it hasn't come to rest.
void world_run(struct world *w, int64_t limit_ns);

// Ends everything and checks that nothing is left. Then sim_end.
void world_end(struct world *w);

// Whether what came of p is possible at all, whatever has happened.
void world_check_plan(const struct sim_plan *p);
void world_check_plans(void);
