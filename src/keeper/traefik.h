// SPDX-License-Identifier: Apache-2.0
// Settings out of Traefik's configuration: what its file provider says and what containers' labels
// say, as they are now, joined with what its static configuration has become, or with a settings
// file of ours.
#pragma once

#include "dialect/traefik_static.h"
#include "keeper/load.h"

// What `sallyport traefik` is started with; in the arena of a struct loaded.
struct keeper_traefik {
    struct traefik_static st;
    struct traefik_source *files;
    size_t n_files;
};

// Reads a file of Traefik's, YAML or TOML by its name; in l's arena, and watched from now on. NULL
// with errors in l.
struct conf_node *keeper_traefik_read(struct loaded *l, struct str path);

// The settings for `sallyport traefik`: the root of t->st. What the file provider says is read into
// t, and joined when they are loaded. NULL with errors in l.
struct conf_node *keeper_traefik_build(struct loaded *l, struct keeper_traefik *t);

// Adds what files (of l->traefik, if there are any) and labels of containers say to root, whose
// nodes are copied where they change. found and join: NULL: without containers. A router that can't
// be had is told as an error, in `told` when it is a container's, and costs nothing else.
void keeper_traefik_join(struct loaded *l, const struct conf_resolver *resolver,
                         const struct found *found, const struct join *join, struct conf_node *root,
                         struct diags *told);
