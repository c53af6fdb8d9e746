// SPDX-License-Identifier: Apache-2.0
// Settings out of Traefik's configuration: what its file provider says, as it is now, joined with
// what its static configuration has become.
#pragma once

#include "dialect/traefik_static.h"
#include "keeper/load.h"

// Reads a file of Traefik's, YAML or TOML by its name; in l's arena, and watched from now on. NULL
// with errors in l.
struct conf_node *keeper_traefik_read(struct loaded *l, struct str path);

// The settings for `sallyport traefik`: the root of st, with all that the file provider says. A
// router that can't be had is told as an error, and costs nothing else. NULL with errors in l.
struct conf_node *keeper_traefik_build(struct loaded *l, struct traefik_static *st);
