// SPDX-License-Identifier: Apache-2.0
// What the files of Traefik's dialect share: things that have names, and how they are converted.
#pragma once

#include "base/map.h"
#include "dialect/traefik.h"
#include "dialect/traefik_tree.h"

enum traefik_state {
    TRAEFIK_NEW,
    TRAEFIK_BUSY, // is being converted: who asks for it again goes round
    TRAEFIK_DONE,
};

// A middleware, service or transport: what has a name, and is converted when a router needs it.
struct traefik_thing {
    struct str name; // "auth@docker"
    const struct traefik_source *source;
    struct conf_node *node;
    enum traefik_state state;
    struct str why; // it can't be had: the reason; empty: it can
    struct place why_place;
    // A middleware: the names of our filters, in order, and settings that go over the service's.
    struct str *filters;
    size_t n_filters, cap_filters;
    struct conf_node *overlay; // a map, or NULL
    struct str rule;           // of a TCP middleware: a condition of our rules
};

struct traefik_conv {
    struct arena *mem;
    const struct traefik_scope *scope;
    struct traefik_settings *ret;
    // Name in lower case, "auth@docker", to things.
    struct map middlewares, tcp_middlewares, services, tcp_services, transports, tcp_transports,
        options;
    struct map out_filters, out_services;   // our names to nodes of ours, all that were made
    struct map used_filters, used_services; // those of them that are in ret
    struct map issuers;                     // host names to the issuers that routers want
    struct map named_options;               // host names to the options of TLS that routers want
    struct map http_entries;                // names of entrypoints that HTTP routers name
    struct map routers;                     // names of routers that were seen
    // Of the thing or router at hand.
    struct conf_node *held; // routes that aren't checked yet; NULL: none
    struct diags *diags;
    const struct traefik_source *source;
};

// --- our settings ---

struct conf_node *traefik_map(struct traefik_conv *c, struct conf_node *map, const char *key,
                              struct place place);
struct conf_node *traefik_list(struct traefik_conv *c, struct conf_node *map, const char *key,
                               struct place place);
void traefik_set(struct traefik_conv *c, struct conf_node *map, const char *key, struct str text,
                 struct place place);
void traefik_set_bool(struct traefik_conv *c, struct conf_node *map, const char *key, bool value,
                      struct place place);
void traefik_set_uint(struct traefik_conv *c, struct conf_node *map, const char *key,
                      uint64_t value, struct place place);
// "250ms"
void traefik_set_ms(struct traefik_conv *c, struct conf_node *map, const char *key, int64_t ms,
                    struct place place);
// A list of texts; nothing where there are none.
void traefik_set_texts(struct traefik_conv *c, struct conf_node *map, const char *key,
                       const struct conf_texts *texts);
void traefik_push(struct traefik_conv *c, struct conf_node *list, struct str text,
                  struct place place);

// --- things ---

// Tells an error of the thing at hand. Returns false.
bool traefik_fail(struct traefik_conv *c, struct place place, const char *fmt, ...) PRINTF(3, 4);

// Fits node to the section and reads it. NULL with errors.
void *traefik_read(struct traefik_conv *c, const struct conf_section *section,
                   const struct traefik_refusal *refusals, struct conf_node *node);

// The thing that is called `name` from within a source: as it stands, or with "@" and the source's
// own provider behind it. NULL: there is none.
struct traefik_thing *traefik_find(struct traefik_conv *c, const struct map *things,
                                   struct str name);
// Makes of a thing what it is in our settings, once. False with an error: it can't be had.
typedef bool traefik_make_fn(struct traefik_conv *c, struct traefik_thing *t);
bool traefik_make(struct traefik_conv *c, struct traefik_thing *t, const char *kind,
                  struct place place, traefik_make_fn *make);

// Adds the children of a source's section to things, by name.
void traefik_collect(struct traefik_conv *c, const struct traefik_source *source,
                     const char *protocol, const char *kind, struct map *things);

// "auth" of "auth@file" where our own settings have it under this key; empty: they don't.
struct str traefik_own(const struct traefik_conv *c, const char *key, struct str name);

// False with an error where the thing at hand is a container's, which names no files of ours.
bool traefik_may_name_files(struct traefik_conv *c, struct place place);

// One of a list of addresses and networks; bits behind a prefix are taken off, as Go does. Names of
// lists and files, which ours may have, are errors. False with an error.
bool traefik_push_net(struct traefik_conv *c, struct conf_node *list, const struct conf_text *text);

// --- middlewares ---

// Whose address counts (ipStrategy).
struct traefik_strategy {
    uint32_t depth, v6_bits; // v6_bits 0: not said
    struct conf_texts excluded;
    struct place place;
};
extern const struct conf_section traefik_strategy_section;
#define TRAEFIK_STRATEGY_TEXT                                                                      \
    "one address counts everywhere, that of the connection or whom trusted proxies name: leave "   \
    "out depth and excludedIPs, and name the proxies in forwardedHeaders.trustedIPs of the "       \
    "entrypoint"

// A filter of ours for the middleware: `kind: {…}`. Returns the map.
struct conf_node *traefik_filter(struct traefik_conv *c, struct traefik_thing *t, const char *kind,
                                 struct place place);

// Adds the filters that stand for the middleware; overlay: a map that gets settings for its
// service. False with an error: it can't be had.
bool traefik_use(struct traefik_conv *c, const struct conf_text *name, struct conf_node *use,
                 struct conf_node *overlay);

// Where the kind of a middleware is named.
static inline struct place traefik_kind_place(const struct traefik_thing *t)
{
    return t->node->first->key_place;
}

struct traefik_middleware {
    const char *name;
    const struct conf_section *section; // NULL: it's never had
    const char *refusal;                // then: what to do
    bool (*convert)(struct traefik_conv *c, struct traefik_thing *t, const void *conf);
};

extern const struct traefik_middleware traefik_auth_middlewares[], traefik_header_middlewares[],
    traefik_path_middlewares[], traefik_limit_middlewares[], traefik_retry_middlewares[],
    traefik_answer_middlewares[];
extern const struct traefik_refusal traefik_middleware_refusals[];

// "(?:re)" as an expression that is found in the whole text, for what Go looks for anywhere.
struct str traefik_anywhere(struct traefik_conv *c, struct str regex);
// $1x and ${1} of Go in the form that our filters take; ptr NULL: it can't be had.
struct str traefik_replacement(struct traefik_conv *c, struct str text, unsigned shift);

// --- services ---

struct traefik_cookie_conf {
    bool is_on;
    struct conf_text name, same_site, path, domain;
    bool secure, http_only;
    uint32_t max_age_s;
    struct place place;
};

struct traefik_sticky_conf {
    bool is_on;
    struct traefik_cookie_conf cookie;
};

extern const struct conf_section traefik_sticky_section;

void traefik_put_sticky(struct traefik_conv *c, const struct traefik_sticky_conf *s,
                        struct conf_node *service);
// A loadBalancer, into a service of ours. False with an error: it can't be had.
bool traefik_put_pool(struct traefik_conv *c, struct conf_node *node, struct conf_node *service);

// The name of our service for Traefik's; overlay: settings of middlewares of this route, may be
// empty or NULL. Empty with an error.
struct str traefik_service(struct traefik_conv *c, const struct conf_text *name,
                           const struct conf_node *overlay, struct str route);
struct str traefik_tcp_service(struct traefik_conv *c, const struct conf_text *name);
// TLS and time-outs of a transport, into a service of ours.
bool traefik_transport(struct traefik_conv *c, const struct conf_text *name,
                       struct conf_node *service);

// --- routers ---

// Whether it is the first router of this name; else that is told.
bool traefik_is_first_router(struct traefik_conv *c, struct str name, const struct conf_node *node);

void traefik_routers(struct traefik_conv *c, const struct traefik_source *source);
void traefik_tcp_routers(struct traefik_conv *c, const struct traefik_source *source);

struct traefik_entry_http_conf {
    struct conf_texts middlewares;
    struct traefik_router_tls {
        bool is_on, passes; // passes: TCP alone
        struct conf_text options, resolver;
        struct conf_list domains; // of traefik_domain; HTTP alone
    } tls;
};

struct traefik_domain {
    struct conf_text main;
    struct conf_texts sans;
};

extern const struct conf_section traefik_router_tls_section, traefik_entry_http_section;

// An HTTP or TCP router; they differ in what their tls takes.
struct traefik_router_conf {
    struct conf_texts entries, middlewares;
    struct conf_text rule, syntax, service;
    uint32_t priority;
    struct traefik_router_tls tls;
};

#define TRAEFIK_ROUTER_ITEMS(tls_section)                                                          \
    ITEM_TEXTS(traefik_router_conf, entries, "entryPoints"),                                       \
        ITEM_TEXT(traefik_router_conf, rule, "rule"),                                              \
        ITEM_TEXT(traefik_router_conf, syntax, "ruleSyntax"),                                      \
        ITEM_TEXT(traefik_router_conf, service, "service"),                                        \
        ITEM_UINT(traefik_router_conf, priority, "priority"),                                      \
        ITEM_TEXTS(traefik_router_conf, middlewares, "middlewares"),                               \
        ITEM_SWITCHED(traefik_router_conf, tls, "tls", struct traefik_router_tls, is_on,           \
                      .section = &(tls_section), .def = "off")

// Options of TLS that are called default, for all entrypoints that speak it.
void traefik_default_options(struct traefik_conv *c);
// A router with TLS that has options by name, or the default ones.
struct traefik_options_use {
    struct str router, rule;
    const struct conf_text *name; // empty: the default ones
    struct place place;
    struct conf_node *route;
};

// Puts them into its route. False with an error: it can't have them.
bool traefik_tls_options(struct traefik_conv *c, const struct traefik_options_use *use);

// A problem to be told.
void traefik_problem(struct traefik_conv *c, struct str router, struct place place,
                     bool is_disabled, struct str text);
