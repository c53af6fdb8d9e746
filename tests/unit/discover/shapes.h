// SPDX-License-Identifier: Apache-2.0
// Containers for tests.
#pragma once

#include "base/attr.h"
#include "discover/container.h"

#define SHAPE_ID "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// "name=value" lines as labels, each cut in place; at most 32.
static inline struct container shape_with(const char *name, const char *labels, struct arena *mem)
{
    struct container c = {
        .id = STR(SHAPE_ID),
        .name = str_of(name),
        .image = STR("whoami:latest"),
        .network = STR("bridge"),
        .state = CONTAINER_RUNNING,
    };
    struct str line, rest = str_of(labels);
    c.labels = ARENA_ARRAY(mem, struct container_label, 32);
    while (rest.len > 0 && c.n_labels < 32) {
        str_cut(rest, '\n', &line, &rest);
        struct container_label *l = &c.labels[c.n_labels++];
        str_cut(line, '=', &l->name, &l->value);
    }
    c.networks = ARENA_ARRAY(mem, struct container_network, 2);
    c.networks[c.n_networks++] = (struct container_network){
        .name = STR("bridge"), .v4 = {.bytes = {172, 17, 0, 2}, .family = 4}};
    c.ports = ARENA_ARRAY(mem, struct container_port, 4);
    c.ports[c.n_ports++] = (struct container_port){.port = 80};
    return c;
}
