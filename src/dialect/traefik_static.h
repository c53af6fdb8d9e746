// SPDX-License-Identifier: Apache-2.0
// Traefik's static configuration (traefik.yml, flags, TRAEFIK_… variables) as settings of ours, and
// what its routers may name then.
#pragma once

#include "dialect/traefik.h"

struct traefik_static {
    struct conf_node *root; // our settings
    struct traefik_entry *entries;
    size_t n_entries;
    bool is_v2, has_api;
    bool skips_verify; // of servers with https:// that have no transport of their own
    // The file provider: one file or the files of a folder; empty: none.
    struct str file, directory;
    struct place file_place;
    struct str storage; // acme.json, as it was given; empty: there is no resolver
    struct place storage_place;
    bool has_docker;
    struct str default_rule; // of containers that have none; empty: the usual one
};

// tree: a map, is changed. is_flat: it comes from flags or variables. False with errors, each with
// the option's name and what to do.
bool traefik_static_convert(struct conf_node *tree, bool is_flat, struct arena *mem,
                            struct diags *diags, struct traefik_static *ret) MUST_CHECK;

// Flags and environment as trees: "--entrypoints.web.address=:80", "--api", "--name value"; letters
// of either case are equal. words: NULL-terminated. ret_file: the value of --configFile, or empty.
bool traefik_flags(char *const *words, struct conf_node *root, struct arena *mem,
                   struct diags *diags, struct str *ret_file) MUST_CHECK;
// "TRAEFIK_ENTRYPOINTS_WEB_ADDRESS=:80" of an environment; others are left alone.
bool traefik_environment(char *const *variables, struct conf_node *root, struct arena *mem,
                         struct diags *diags) MUST_CHECK;
