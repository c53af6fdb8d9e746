// SPDX-License-Identifier: Apache-2.0
// A container as an engine (Docker, Podman) tells of it: the plain values that settings are made
// of, checked and bounded, in an arena of whoever asked. Environment variables aren't among them.
#pragma once

#include <stdint.h>

#include "base/arena.h"
#include "base/text.h"
#include "codec/ip.h"
#include "conf/node.h"

#define CONTAINERS_MAX 10000
#define CONTAINER_ID_MAX_BYTES 128
#define CONTAINER_NAME_MAX_BYTES 255
#define CONTAINER_IMAGE_MAX_BYTES 1024
#define CONTAINER_LABELS_MAX 1000
#define CONTAINER_LABELS_MAX_BYTES (48 * 1024) // names and values together
#define CONTAINER_NETWORKS_MAX 32
#define CONTAINER_NETWORK_MAX_BYTES 255
#define CONTAINER_PORTS_MAX 128 // the lowest ones

#define CONTAINER_STATE_LIST(X)                                                                    \
    X(CREATED, "created")                                                                          \
    X(RUNNING, "running")                                                                          \
    X(PAUSED, "paused")                                                                            \
    X(RESTARTING, "restarting")                                                                    \
    X(REMOVING, "removing")                                                                        \
    X(EXITED, "exited")                                                                            \
    X(DEAD, "dead")

enum container_state {
#define X(id, name) CONTAINER_##id,
    CONTAINER_STATE_LIST(X)
#undef X
};

#define CONTAINER_HEALTH_LIST(X)                                                                   \
    X(NONE, "none") /* nobody checks it */                                                         \
    X(STARTING, "starting")                                                                        \
    X(HEALTHY, "healthy")                                                                          \
    X(UNHEALTHY, "unhealthy")

enum container_health {
#define X(id, name) CONTAINER_HEALTH_##id,
    CONTAINER_HEALTH_LIST(X)
#undef X
};

// Name and value as written: UTF-8 without NUL; lower case counts where a reader says so.
struct container_label {
    struct str name, value;
};

// A network it is attached to, and its addresses there (family 0: none, as while it is stopped).
struct container_network {
    struct str name, id;
    struct ip v4, v6;
};

// A TCP port that it exposes or publishes.
struct container_port {
    uint16_t port;
    uint16_t host_port; // published there; 0: not
    struct ip host_ip;  // as written: 0.0.0.0 is every address
};

struct container {
    struct str id;    // hexadecimal
    struct str name;  // without the slash in front
    struct str image; // as it was asked for: "nginx:1.27"
    enum container_state state;
    enum container_health health;
    bool is_on_host;                // shares the machine's network: it has no address of its own
    struct str network;             // of HostConfig.NetworkMode: "bridge", "web", "container:ID"
    struct container_label *labels; // in the engine's order; each name once
    size_t n_labels;
    struct container_network *networks;
    size_t n_networks;
    struct container_port *ports; // by number, each once
    size_t n_ports;
};

const char *container_state_name(enum container_state state);
const char *container_health_name(enum container_health health);
// False: there is none of this name.
bool container_state_find(struct str name, enum container_state *ret) MUST_CHECK;
bool container_health_find(struct str name, enum container_health *ret) MUST_CHECK;

// Digits of an id, as an engine gives and takes them in paths.
bool container_is_id(struct str s);

// Whether requests can be sent there: it runs, and isn't known to be starting or unhealthy.
bool container_is_ready(const struct container *c);

// The label of this name, letters of either case being equal; NULL: there is none.
const struct container_label *container_label(const struct container *c, struct str name);

// NULL: within all bounds above, and all texts are what they are said to be; else why not.
const char *container_fault(const struct container *c);

// As the process that speaks with the engine tells the keeper of it: a map of scalars, lists and
// maps. container_unpack believes nothing; texts borrow from the nodes. False: malformed.
struct conf_node *container_pack(const struct container *c, struct arena *mem);
bool container_unpack(const struct conf_node *node, struct arena *mem, struct container *ret)
    MUST_CHECK;
