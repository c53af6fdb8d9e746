// SPDX-License-Identifier: Apache-2.0
// All settings: the root of the tables. Each feature owns its own; this one has what belongs to no
// feature.
#pragma once

#include "conf/conf.h"
#include "filter/geo.h"
#include "gate/ban_conf.h"
#include "gate/demand_conf.h"
#include "gate/entrypoint_conf.h"
#include "gate/hooks_conf.h"
#include "gate/log_conf.h"
#include "gate/metrics_conf.h"
#include "gate/providers_conf.h"
#include "gate/site_conf.h"
#include "gate/tracing_conf.h"

struct control_conf {
    bool is_on;
    struct conf_text socket; // empty: control_default_path
};

#define SPOOL_FOLDER "/var/tmp" // by default

// The file for bodies that are read ahead; the keeper opens it.
struct spool_conf {
    bool is_on;
    struct conf_text folder;
    uint64_t max_bytes;
    struct place place;
};

struct resolver_conf {
    struct conf_texts servers; // empty: the system's
    int64_t timeout_ms;
};

struct filter_conf {
    struct conf_choice choice;
};

#define LISTS_FOLDER "/etc/sallyport/lists" // by default

struct settings {
    struct conf_text workers; // "auto" or a number
    struct conf_text user;    // of the gate, when started as root
    struct conf_text state;   // a folder; empty: the default of state_path
    struct conf_text lists;   // a folder: the keeper's (keeper/lists.h)
    unsigned sandbox;         // enum sandbox_mode
    uint32_t conns_max;
    int64_t drain_ms;
    struct control_conf control;
    struct log_conf log;
    struct access_log_conf access_log;
    struct resolver_conf resolver;
    struct spool_conf spool;
    struct conf_text email; // stands for an issuer when there is no other
    struct hooks_conf hooks;
    struct conf_map issuers;      // of issuer_conf
    struct conf_texts issuer;     // of sites that name none; none: the first of issuers
    struct demand_conf on_demand; // certificates for names that aren't known beforehand
    struct conf_file authorities; // that servers are verified against; by default the system's
    struct ban_conf ban;
    struct geo_conf geo;
    struct metrics_conf metrics;
    struct tracing_conf tracing;
    struct providers_conf providers;
    struct conf_map entrypoints; // of entrypoint_conf
    struct conf_map sites;       // of site_conf
    struct conf_map services;    // of service_conf
    struct conf_map filters;     // of filter_conf
    struct conf_list routes;     // of route_conf
};

extern const struct conf_section settings_section;
extern const struct conf_section filter_section;

// The number of workers that text asks for; n_cpus for "auto".
enum err workers_parse(const struct conf_text *text, unsigned n_cpus, struct diags *diags,
                       unsigned *ret) MUST_CHECK;
