// SPDX-License-Identifier: Apache-2.0
// What a filter is: a name, a settings table, and how a handler is built from settings. One file
// per filter, complete; FILTER_LIST names them all.
#pragma once

#include "base/arena.h"
#include "base/diag.h"
#include "conf/conf.h"
#include "http/handler.h"

struct filter_states;
struct geo;
struct offload;

// Where filters get the services from that they ask by themselves (http/sub.h): the gate's.
struct filter_services {
    // The service that a text names ("auth"), or that is made of it where it is a URL
    // ("http://10.0.0.1:9091", as in `to`; the same URL is the same service). Lives as long as the
    // snapshot. NULL with an error at the text's place: there is no such service, it has an error,
    // or it isn't for requests.
    const struct handler *(*find)(struct filter_services *s, const struct conf_text *to);
};

// What filters may use while they are built; everything outlives the snapshot.
struct filter_env {
    struct arena *mem; // of the snapshot
    struct diags *diags;
    struct offload *offload;      // threads for slow work; NULL in `check` and `explain`
    struct filter_states *states; // what outlives snapshots; NULL there, too
    struct filter_services *services;
    const struct geo *geo; // where addresses belong; NULL: nobody knows
};

#define FILTER_RESERVED_MAX 32

struct filter_type {
    struct conf_choice_type choice; // key and settings table
    // A handler for one use of the filter in a chain, `next` behind it. settings: the section's
    // struct, lives in the snapshot. NULL with an error in env->diags.
    struct handler *(*build)(struct str name, const void *settings, const struct handler *next,
                             const struct filter_env *env);
    // Names of request fields that are this filter's alone to say: those of clients are dropped
    // everywhere. Returns how many. NULL: none.
    size_t (*reserved)(const void *settings, struct str ret[FILTER_RESERVED_MAX]);
    bool asks_who;  // keeps strangers out: what is behind it isn't for everybody
    bool is_preset; // `use: [KEY]` needs no entry under `filters`: all settings have defaults
};

// All of them, in the manual's order: filter_allow, …
#define FILTER_LIST(X)                                                                             \
    X(redirect)                                                                                    \
    X(headers)                                                                                     \
    X(security_headers)                                                                            \
    X(cors)                                                                                        \
    X(methods)                                                                                     \
    X(body_limit)                                                                                  \
    X(path_policy)                                                                                 \
    X(rewrite)                                                                                     \
    X(cookies)                                                                                     \
    X(maintenance)                                                                                 \
    X(try_later)                                                                                   \
    X(error_pages)                                                                                 \
    X(timeout)                                                                                     \
    X(respond)                                                                                     \
    X(strip_prefix)                                                                                \
    X(add_prefix)                                                                                  \
    X(replace_path)                                                                                \
    X(basic_auth)                                                                                  \
    X(forward_auth)                                                                                \
    X(jwt)                                                                                         \
    X(client_cert)                                                                                 \
    X(allow)                                                                                       \
    X(deny)                                                                                        \
    X(rate_limit)                                                                                  \
    X(compress)                                                                                    \
    X(concurrency)                                                                                 \
    X(decompress_request)                                                                          \
    X(buffer)                                                                                      \
    X(bandwidth)

#define X(name) extern const struct filter_type filter_##name;
FILTER_LIST(X)
#undef X

// The handler behind `strip` and `replace` of sites and routes: paths that begin with strip (whole
// segments) go on with replace (may be empty) in its place, others as they are. Locations and
// cookies are mapped on the way back. NULL with an error in env->diags.
struct handler *filter_prefix_mapping(const struct conf_text *strip,
                                      const struct conf_text *replace, const struct handler *next,
                                      const struct filter_env *env);

// Behind `redirect-to-https` of sites: the same URL by https at this port, but for requests that
// came by it. NULL with an error in env->diags.
struct handler *filter_to_https(uint16_t port, const struct handler *next,
                                const struct filter_env *env);

// Behind `hsts` of sites: adds Strict-Transport-Security with this value to answers over TLS whose
// certificate isn't the local CA's. NULL with an error in env->diags.
struct handler *filter_hsts(struct str value, const struct handler *next,
                            const struct filter_env *env);
