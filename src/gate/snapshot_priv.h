// SPDX-License-Identifier: Apache-2.0
// Building a snapshot: shared by snapshot.c and snapshot_routes.c.
#pragma once

#include "gate/snapshot.h"

struct builder {
    struct snapshot *s;
    const struct snapshot_env *env;
    struct diags *diags;
    struct map names; // host names to the site that has them
    size_t routes_cap;
    const struct conf_node *root; // of the settings
    uint64_t tls_entries;         // entrypoints that speak TLS
    struct map policies;          // texts of what they say to struct tls_policy
    size_t policies_cap;
    const struct service_conf *inline_conf; // of the services made of URLs alone; NULL: none yet
};
    const struct tls_authorities *authorities; // of settings, for services

// Makes all routes of sites and of the list, in order, and their chains.
void snapshot_build_routes(struct builder *b);

// Policies of entrypoints, when the entries are there; and, when these and the sites are and were
// read without an error, of sites.
void snapshot_build_doors(struct builder *b);
void snapshot_build_site_policies(struct builder *b);

// Remembers a handler that must be ended with the snapshot.
void snapshot_remember(struct builder *b, struct handler_set *set, struct handler *h);
