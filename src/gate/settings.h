// SPDX-License-Identifier: Apache-2.0
// All settings: the root of the tables. Each feature owns its own; this one has what belongs to no
// feature: processes, logs, entrypoints, sites, routes.
#pragma once

#include "conf/conf.h"
#include "filter/geo.h"
#include "gate/ban_conf.h"
#include "gate/demand_conf.h"
#include "gate/hooks_conf.h"
#include "gate/log_conf.h"
#include "gate/metrics_conf.h"
#include "gate/providers_conf.h"
#include "gate/tracing_conf.h"
#include "tls/tls_conf.h"

struct control_conf {
    bool is_on;
    struct conf_text socket; // empty: control_default_path
};

struct resolver_conf {
    struct conf_texts servers; // empty: the system's
    int64_t timeout_ms;
};

// Where certificates come from: a PEM file, a pair of files, or a folder of them. Only the keeper
// reads them.
struct certificate_conf {
    struct conf_text cert, key;
    bool is_default;
    struct place place;
};

struct entry_tls_conf {
    bool is_on;
    struct conf_list certificates; // of certificate_conf
    bool strict_sni;
    int64_t handshake_ms;
    struct tls_conf policy;
};

struct site_tls_conf {
    bool is_on;
    struct conf_list certificates; // of certificate_conf
    struct conf_texts issuer;      // names of issuers, best first, or "local"; none: the default
    bool on_demand;                // of its wildcards: each name gets its own when asked for
    struct tls_conf policy;        // over the entrypoint's: snapshot_tls.c reads it again
};

struct hsts_conf {
    bool is_on;
    int64_t max_age_ms;
    bool subdomains, preload;
    struct place place;
};

// Who sends PROXY headers to an entrypoint.
struct proxy_in_conf {
    bool is_on;
    struct conf_nets from;
    unsigned others; // enum proxy_in_others
    int64_t timeout_ms;
    struct place place;
};

enum proxy_in_others {
    PROXY_IN_REFUSE,
    PROXY_IN_ACCEPT,
};

enum entrypoint_protocol {
    ENTRYPOINT_HTTP,
    ENTRYPOINT_TCP,
};

struct entrypoint_conf {
    struct conf_text listen;
    unsigned protocol; // enum entrypoint_protocol
    struct conf_texts use;
    struct entry_tls_conf tls;
    int64_t idle_ms, head_ms, body_idle_ms, tunnel_idle_ms, linger_ms;
    uint64_t body_min_rate;
    uint64_t body_max_bytes, line_max_bytes, head_max_bytes, exchange_mem_bytes;
    uint32_t fields_max, requests_max;
    bool http2, h2c;
    uint32_t http2_streams_max;
    unsigned encoded_slash;
    bool merge_slashes;
    struct proxy_in_conf proxy_protocol;
    struct conf_nets trusted_proxies;
    bool x_forwarded, x_real_ip, forwarded, request_id;
    struct conf_text via;
    struct place place;
};

enum encoded_slash {
    ENCODED_SLASH_KEEP,
    ENCODED_SLASH_DECODE,
    ENCODED_SLASH_REJECT,
};

// A route inside a site: for what the site's names are asked.
struct site_route_conf {
    struct conf_text match;
    struct conf_text name;
    uint32_t priority;
    struct conf_texts use;
    struct conf_texts to;
    struct conf_text strip, replace;
    struct place place;
};

struct site_conf {
    struct conf_texts aliases;
    struct conf_texts entrypoints;
    struct conf_texts use;
    struct conf_texts to; // a service's name, a URL, or URLs
    struct conf_text strip, replace;
    struct conf_list routes; // of site_route_conf
    struct site_tls_conf tls;
    bool redirect_to_https;
    struct hsts_conf hsts;
    struct place place;
};

// Certificates of the names in a free route's rule.
struct route_tls_conf {
    struct conf_texts issuer; // as site_tls_conf's
};

// A route that belongs to no site.
struct route_conf {
    struct conf_text match;
    struct conf_text name;
    uint32_t priority;
    struct conf_texts entrypoints;
    struct route_tls_conf tls;
    bool passthrough;
    struct conf_texts use;
    struct conf_texts to;
    struct conf_text strip, replace;
    struct place place;
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
extern const struct conf_section entrypoint_section;
extern const struct conf_section site_tls_section;
extern const struct conf_section site_section;
extern const struct conf_section route_section; // free ones
extern const struct conf_section filter_section;

// What "listen" says: "[HOST]:PORT"; an empty host is every address. ERR_SYNTAX with an error.
struct listen_addr {
    struct ip ip;  // family 0: every address, IPv4 and IPv6
    uint16_t port; // 0: the kernel chooses (tests)
};
enum err listen_parse(const struct conf_text *text, struct diags *diags, struct listen_addr *ret)
    MUST_CHECK;

// The number of workers that text asks for; n_cpus for "auto".
enum err workers_parse(const struct conf_text *text, unsigned n_cpus, struct diags *diags,
                       unsigned *ret) MUST_CHECK;
