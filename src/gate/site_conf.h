// SPDX-License-Identifier: Apache-2.0
// The settings of sites, and of routes in them and without them.
#pragma once

#include "gate/certificate_conf.h"
#include "tls/tls_conf.h"

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

// TLS for the names in a free route's rule.
struct route_tls_conf {
    struct conf_texts issuer; // as site_tls_conf's
    struct tls_conf policy;   // over the entrypoint's, so, too
};

// A route that belongs to no site.
struct route_conf {
    struct conf_text match;
    struct conf_text name;
    uint32_t priority;
    struct conf_texts entrypoints;
    struct route_tls_conf tls;
    bool passthrough;
    struct conf_text disabled; // why; empty: it isn't
    struct conf_texts use;
    struct conf_texts to;
    struct conf_text strip, replace;
    struct place place;
};

extern const struct conf_section site_tls_section;
extern const struct conf_section route_tls_section;
extern const struct conf_section site_section;
extern const struct conf_section route_section; // free ones
