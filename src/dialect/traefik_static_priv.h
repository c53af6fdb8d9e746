// SPDX-License-Identifier: Apache-2.0
// What the files of Traefik's static configuration share.
#pragma once

#include "dialect/traefik_emit.h"
#include "dialect/traefik_static.h"

struct static_conv {
    struct traefik_conv out; // for its helpers alone
    struct traefik_static *ret;
    int64_t grace_ms;
};

bool static_fail(struct static_conv *s, struct place place, const char *fmt, ...) PRINTF(3, 4);
void *static_read(struct static_conv *s, const struct conf_section *section, struct conf_node *node,
                  bool *ret_is_fine);
// A route of our own at an entrypoint.
struct conf_node *static_route(struct static_conv *s, const char *match, struct str name,
                               struct str entry, struct place place);

extern const struct traefik_refusal traefik_static_refusals[];

// --- logs ---

struct traefik_log_conf {
    bool is_on;
    struct conf_text level, format, path;
    bool no_color;
};

struct traefik_access_conf {
    bool is_on;
    struct conf_text path, format;
    uint32_t buffering; // lines wait in rings in any case
};

extern const struct conf_section traefik_log_section, traefik_access_section;

void static_put_log(struct static_conv *s, const struct traefik_log_conf *l, struct place place);
void static_put_access(struct static_conv *s, const struct traefik_access_conf *a,
                       struct place place);

// --- providers ---

struct traefik_docker_tls {
    struct conf_text ca, cert, key;
    struct place place;
};

struct traefik_docker_conf {
    bool is_on;
    struct conf_text endpoint, network, rule, constraints;
    struct traefik_docker_tls tls;
    bool exposed, watch, is_swarm;
    struct place place;
};

struct traefik_file_conf {
    bool is_on;
    struct conf_text name, directory;
    bool watch, debug;
    struct place place;
};

struct traefik_providers_conf {
    struct traefik_docker_conf docker;
    struct traefik_file_conf file;
    struct conf_text throttle;
};

extern const struct conf_section traefik_providers_section;

void static_put_providers(struct static_conv *s, const struct traefik_providers_conf *p);

// --- entrypoints ---

struct traefik_trust_conf {
    bool is_insecure;
    struct conf_texts ips;
};

struct traefik_redirection_conf {
    struct conf_text to, scheme, priority;
    bool is_permanent;
};

struct traefik_redirections_conf {
    struct traefik_redirection_conf entry;
};

struct traefik_entry_all_http {
    struct traefik_redirections_conf redirections;
    struct traefik_entry_http_conf model;
    uint64_t head_max;
    bool sanitizes;
};

struct traefik_http2_conf {
    uint32_t streams;
};

struct traefik_transport_conf {
    int64_t accept_ms, grace_ms, read_ms, write_ms, idle_ms;
};

struct traefik_entry_transport {
    struct traefik_transport_conf life, responding;
    uint32_t requests;
};

struct traefik_entry_conf {
    struct conf_text address;
    bool is_default, reuses, acme;
    struct traefik_trust_conf forwarded, proxy;
    struct traefik_entry_all_http http;
    struct traefik_http2_conf http2;
    struct traefik_entry_transport transport;
};

extern const struct conf_section traefik_entry_section;

void static_add_entry(struct static_conv *s, struct str name, struct conf_node *node);
// Once all entrypoints are there.
void static_add_redirection(struct static_conv *s, struct str name, struct conf_node *node);

// --- certificates ---

struct traefik_resolver_conf;
void static_add_resolver(struct static_conv *s, struct str name, struct conf_node *node);
