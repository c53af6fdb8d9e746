// SPDX-License-Identifier: Apache-2.0
// Traefik's dynamic configuration in our settings. Labels of containers and files become trees
// (traefik_tree.h, traefik_labels.h); here all of them together become routes, services and
// filters, since what one says may name what another has. A router that can't be had whole is
// disabled: where its rule is understood it keeps its place and answers 503, so that nothing behind
// it is reached in its stead; it is never served with less than it asks for.
#pragma once

#include "conf/node.h"

// Where routers are reached.
struct traefik_entry {
    struct str name;
    bool is_tls;     // speaks TLS
    bool is_tcp;     // is for TCP alone
    bool may_be_tcp; // isn't decided yet: TCP routers may have it for themselves
    bool is_default; // of routers that name none
    // Traefik's entryPoints.NAME.http, fitted to traefik_entry_http_section: what its routers have
    // in front; NULL: nothing.
    const struct conf_node *http;
};

// What routers may name, and who looks at the result.
struct traefik_scope {
    const struct traefik_entry *entries;
    size_t n_entries;
    // Our settings so far: issuers, filters and services in it can be named as `NAME@file`, and
    // entrypoints are those of the entries. Nothing is changed.
    const struct conf_node *root;
    bool is_v2;        // rules are of version 2 unless routers say otherwise
    bool has_api;      // api@internal may be named
    bool skips_verify; // servers with https:// aren't verified, unless a transport says otherwise
    // Whether a whole tree of settings can be put in force; adds errors. Called for each router by
    // itself.
    bool (*check)(void *arg, struct conf_node *root, struct diags *diags);
    void *arg;
};

// What one provider says: a map with `http`, `tcp`, `udp` and `tls`. Is changed.
struct traefik_source {
    struct str provider;    // "docker", "file"
    struct conf_node *root; // owned by the caller's arena
    bool is_flat;           // labels: see traefik_fit
    bool is_foreign;        // anybody's who may start containers: names no files of ours
};

struct traefik_problem {
    struct str router; // "web@docker"; empty: it concerns more than one
    struct place place;
    struct str text;  // ends without a full stop
    bool is_disabled; // the router; else it is only worth to be told
};

struct traefik_settings {
    struct conf_node *routes;       // a list
    struct conf_node *services;     // a map
    struct conf_node *filters;      // a map
    struct conf_node *certificates; // a list
    struct conf_node *tls;          // a map, for all entrypoints that speak TLS; NULL: nothing
    struct str *tcp_entries;        // entrypoints that TCP routers have for themselves
    size_t n_tcp_entries, cap_tcp_entries;
    struct traefik_problem *problems;
    size_t n_problems, cap_problems;
};

// All of ret is in mem, and borrows from the sources.
void traefik_convert(const struct traefik_scope *scope, const struct traefik_source *sources,
                     size_t n, struct arena *mem, struct traefik_settings *ret);

// Puts what was converted into settings: routes behind those that are there, certificates into the
// first entrypoint that speaks TLS. Takes the nodes.
void traefik_join(struct conf_node *root, struct traefik_settings *settings, struct arena *mem);
