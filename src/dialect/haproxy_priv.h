// SPDX-License-Identifier: Apache-2.0
// What the files that convert HAProxy's configuration share.
#pragma once

#include "dialect/haproxy_cond.h"

#define HAPROXY_ROUTES_MAX 5000

struct haproxy_bind {
    struct str name; // of the entrypoint
    bool has_tls;
    unsigned port;
};

// A frontend, a backend, or both (listen).
struct haproxy_proxy {
    struct haproxy_section *s;
    bool is_tcp, has_front, has_back;
    struct haproxy_bind *binds;
    size_t n_binds, cap_binds;
    struct str service; // its servers; empty: there is none that can be used
    struct str host;    // what its servers get as Host; empty: the client's
    bool has_host;      // it is known: a route leads there
};

struct haproxy {
    const struct dialect_input *in;
    struct draft *d;
    struct haproxy_file file;
    struct haproxy_proxy *proxies;
    size_t n_proxies;
    struct map filters;  // what a filter does to its name (struct str)
    struct map services; // "SERVICE HOST": a copy of a service for another Host (struct str)
    struct map noted;    // "line fate": what was said
    struct conf_node **routes;
    size_t n_routes, cap_routes;
};

// --- lines (haproxy_lines.c) ---

// The last line of a proxy, or else of the defaults it is based on, that begins with these words
// (second may be NULL). All such lines are done with.
struct haproxy_line *haproxy_last(struct haproxy_section *s, const char *first, const char *second);

// "option NAME", unless "no option NAME" comes later.
struct haproxy_line *haproxy_option(struct haproxy_section *s, const char *name);

// The first section of a kind, by name; NULL.
struct haproxy_section *haproxy_section(struct haproxy *h, enum haproxy_section_kind kind,
                                        struct str name);

// A note about a line; the same fate is said once.
void haproxy_note(struct haproxy *h, struct haproxy_line *l, enum draft_fate fate, const char *fmt,
                  ...) PRINTF(4, 5);
// The same about a word of it.
void haproxy_note_word(struct haproxy *h, struct haproxy_line *l, enum draft_fate fate,
                       struct str word, const char *fmt, ...) PRINTF(5, 6);

// A number or time (us) under a key of a map of this section, inside the bounds of its row; when it
// has to be moved into them, that is noted.
void haproxy_set_number(struct haproxy *h, struct conf_node *map,
                        const struct conf_section *section, const char *key, uint64_t value,
                        struct haproxy_line *l);
void haproxy_set_time(struct haproxy *h, struct conf_node *map, const struct conf_section *section,
                      const char *key, struct str time, struct haproxy_line *l);

// What is left: lines that mean nothing here, and those that are lost.
void haproxy_judge_rest(struct haproxy *h);

// --- the parts ---

void haproxy_global(struct haproxy *h, struct haproxy_section *s);
void haproxy_resolvers(struct haproxy *h, struct haproxy_section *s);
void haproxy_logs(struct haproxy *h);

// Entrypoints of a frontend.
void haproxy_binds(struct haproxy *h, struct haproxy_proxy *p);

// The service of a backend.
void haproxy_backend(struct haproxy *h, struct haproxy_proxy *p);
// The servers of its service.
void haproxy_servers(struct haproxy *h, struct haproxy_proxy *p, struct conf_node *service);
void haproxy_health(struct haproxy *h, struct haproxy_proxy *p, struct conf_node *service);

// The routes of a frontend, in the order in which they are tried.
void haproxy_routes(struct haproxy *h, struct haproxy_proxy *p);
struct haproxy_proxy *haproxy_find_backend(struct haproxy *h, struct str name);

// "NAME:HASH" of a password in plain text. Empty: it can't be had.
struct str haproxy_user(struct haproxy *h, struct str name, struct str password);

// The name of the filter that does what key says; *ret is its map, to be filled, when it is new,
// else NULL.
struct str haproxy_filter(struct haproxy *h, struct str key, struct str wanted, struct place place,
                          struct conf_node **ret);
