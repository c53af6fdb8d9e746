// SPDX-License-Identifier: Apache-2.0
// What the API tells of one thing, and its two forms as JSON: ours (api_forms.c) and Traefik's
// (api_traefik.c). Whoever gathers fills the structs; all texts are borrowed.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/text.h"

#define API_TEXTS_MAX 64 // what is beyond is left out

struct api_texts {
    const struct str *items;
    size_t n;
};

// What all things have: Traefik calls them NAME@PROVIDER.
struct api_thing {
    struct str name;
    struct str provider; // "file", "docker", "internal"
    struct place place;  // where it is configured
    struct str error;    // why it is off; empty: it is on
};

struct api_route {
    struct api_thing thing;
    struct str rule;
    int64_t priority;
    struct api_texts entrypoints;
    struct api_texts filters; // names, in order
    struct api_texts kinds;   // of them
    struct str service;
    struct str service_provider;
    struct str issuer;  // of its certificates; empty: none of ours
    bool is_tls;        // reached by TLS
    bool is_connection; // for connections, which aren't looked into
};

struct api_filter {
    struct api_thing thing;
    struct str kind; // "basic-auth"
    struct api_texts used_by;
};

struct api_server {
    struct str url;
    bool is_up;
    uint32_t weight;
};

enum api_service_kind {
    API_SERVICE_SERVERS,
    API_SERVICE_SPLIT,
    API_SERVICE_FAILOVER,
    API_SERVICE_INTERNAL,
};

struct api_member {
    struct str name;
    uint32_t weight;
};

struct api_service {
    struct api_thing thing;
    enum api_service_kind kind;
    const struct api_server *servers; // of SERVERS
    size_t n_servers;
    const struct api_member *members; // of SPLIT and FAILOVER
    size_t n_members;
    struct str detail; // members of a JSON object: all that is known of its servers; may be empty
    struct api_texts used_by;
    bool is_for_connections;
    bool keeps_host;
};

struct api_entry {
    struct str name;
    struct str listen; // ":443"
    uint16_t port;     // that it really has; 0: unknown
    bool is_tls, is_for_connections, has_http2;
    struct api_texts filters;
    uint64_t n_conns;
};

struct api_site {
    struct api_thing thing;
    struct api_texts names, entrypoints, filters, to;
    size_t n_routes;
    bool is_tls;
};

// --- ours ---

void api_put_route(const struct api_route *r, struct text *to);
void api_put_filter(const struct api_filter *f, struct text *to);
void api_put_service(const struct api_service *s, struct text *to);
void api_put_entry(const struct api_entry *e, struct text *to);
void api_put_site(const struct api_site *s, struct text *to);

// --- Traefik's ---

// "app@file"; names that say it already stay as they are. Appends it.
void api_put_traefik_name(struct str name, struct str provider, struct text *to);

// is_member: in a map of such names, so that name and provider are told by the key.
void api_put_traefik_router(const struct api_route *r, bool is_member, struct text *to);
void api_put_traefik_middleware(const struct api_filter *f, bool is_member, struct text *to);
void api_put_traefik_service(const struct api_service *s, bool is_member, struct text *to);
void api_put_traefik_entry(const struct api_entry *e, struct text *to);

struct api_counts {
    uint64_t total, errors;
};

struct api_overview {
    struct api_counts http_routes, http_services, filters, tcp_routes, tcp_services;
    bool has_access_log, has_metrics, has_tracing;
    struct api_texts providers;
};

void api_put_traefik_overview(const struct api_overview *o, struct text *to);
// started: when the proxy was, in ISO 8601; empty: unknown.
void api_put_traefik_version(struct str version, struct str started, struct text *to);
