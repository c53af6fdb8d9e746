// SPDX-License-Identifier: Apache-2.0
// nginx's file on its way into a draft: what the parts of the conversion share.
#pragma once

#include "dialect/nginx_words.h"

struct nginx {
    const struct dialect_input *in;
    struct draft *d;
    struct nginx_directive *root; // its directives are those of the file
    struct nginx_directive *http; // the block, or root where the file is what stands in it
    // By what makes them different: the services, and where filters are used.
    struct map services, filters; // struct conf_node
    // By name: struct nginx_directive.
    struct map upstreams;
    struct map taken;       // names of sites, in lower case: the server
    struct map redirectors; // servers that only lead to https, by their names in lower case
    struct map defaults;    // addresses: the server for hosts that nobody names there
    struct nginx_directive *any_redirector; // for all names; NULL
    size_t n_regex_routes;                  // of names that are expressions
    bool has_guards;                        // a location keeps somebody out
};

// One server block.
struct nginx_server {
    struct nginx *n;
    struct nginx_directive *block;
    const struct nginx_server_name *names;
    size_t n_names;
    struct str host;               // the first exact name, or empty
    struct conf_node *entrypoints; // names, as texts of a list
    bool has_tls, has_plain;       // at any of its ports
    struct conf_node *default_at;  // those of them where it answers for hosts that nobody names
    bool has_redirect;             // another server sends its plain requests to https
    struct str shown;              // for names of filters and services
    struct conf_node *site;        // NULL: its routes belong to no site
    bool is_in_site;               // what is being filled belongs to the site
};

enum nginx_match {
    NGINX_MATCH_PREFIX,
    NGINX_MATCH_EXACT,
    NGINX_MATCH_FIRM, // "^~": goes before expressions
    NGINX_MATCH_REGEX,
};

struct nginx_location {
    struct nginx_directive *block; // the server's own, for what no location takes
    enum nginx_match match;
    struct str text; // prefix, path or expression
    bool ignores_case;
    bool is_firm;                  // "^~" stands there, which counts among those beside it alone
    bool is_closed;                // what it does can't be said
    struct nginx_directive *outer; // the location that this one is in, or NULL
    struct str outer_text;         // its prefix
};

struct nginx_locations {
    struct nginx_location *items; // in the draft's arena
    size_t n, cap;
};

enum nginx_name_kind {
    NGINX_NAME_EXACT,
    NGINX_NAME_WILD, // "*.example.com"
    NGINX_NAME_TAIL, // "www.example.*"
    NGINX_NAME_REGEX,
};

struct nginx_server_name {
    enum nginx_name_kind kind;
    struct str text; // an expression without its '~', what stands before a '*' at the end
};

static inline bool nginx_is(const struct nginx_directive *d, const char *name)
{
    return str_eq(d->words[0].text, str_of(name));
}

// --- looking up (nginx.c) ---

// The first directive of this name in a block, or NULL. The others follow by `same`.
struct nginx_directive *nginx_get(const struct nginx_directive *block, const char *name);

// The block at or above this one that has directives of this name, from which nginx takes all of
// them; NULL: none has.
struct nginx_directive *nginx_level(struct nginx_directive *block, const char *name);

// The directive that holds here: the one of the nearest block, marked as done. NULL: none.
struct nginx_directive *nginx_setting(struct nginx_directive *block, const char *name);

// Whether a directive with "on" or "off" holds and is "on".
bool nginx_is_on(struct nginx_directive *block, const char *name);

// It, and all that is in it, has become something, or a note.
void nginx_mark_done(struct nginx_directive *block);

// --- words (nginx.c) ---

// Once for each directive, which it marks as done.
void nginx_note(struct nginx *n, struct nginx_directive *d, enum draft_fate fate, const char *fmt,
                ...) PRINTF(4, 5);

// "60", "5m" and "10m", "512k" as ours. A size is empty when it is none, or 0, which is no limit.
struct str nginx_time(struct nginx *n, struct str s);
struct str nginx_size(struct nginx *n, struct str s);

// "x_token" as "x-token"; "$http_x_token" as "header:x-token".
struct str nginx_field_name(struct nginx *n, struct str variable);
struct str nginx_field_key(struct nginx *n, struct str variable);

struct str nginx_lower(struct nginx *n, struct str s);

// Whether there is no variable in it.
bool nginx_is_plain(struct str s);

// --- filters ---

// The settings of a new filter of this kind, which the target (a site or route) uses.
struct conf_node *nginx_filter(struct nginx_server *s, struct conf_node *target, const char *kind,
                               struct place place);

// What a tree says, wherever it stands; in the draft's arena.
struct str nginx_shape(struct nginx *n, const struct conf_node *node);

// Filters of the target that stand at the same place and say the same as one that is there already
// are that one: so limits of one zone are one limit.
void nginx_share_filters(struct nginx *n, struct conf_node *target);

// What can't be carried over refuses: the target answers 503 to everything.
void nginx_close(struct nginx_server *s, struct conf_node *target, struct nginx_directive *d);

// Limits and who may pass (nginx_access.c); what changes requests and answers (nginx_filters.c).
// In the order in which nginx does them. True: nobody passes.
bool nginx_put_access(struct nginx_server *s, struct nginx_directive *block,
                      struct conf_node *target);
void nginx_put_filters(struct nginx_server *s, struct nginx_directive *block,
                       struct conf_node *target);
// Fields that servers get: behind all that looks at the client's own.
void nginx_put_request_fields(struct nginx_server *s, struct nginx_directive *block,
                              struct conf_node *target);

// --- services (nginx_upstream.c, nginx_proxy.c) ---

// To be called once, before the first is looked for.
void nginx_find_upstreams(struct nginx *n);
struct nginx_directive *nginx_upstream(const struct nginx *n, struct str name);
void nginx_put_upstream(struct nginx *n, struct nginx_directive *upstream, const char *scheme,
                        struct conf_node *service);
// HOST:PORT or unix:PATH as the URL of a server.
struct str nginx_url(struct nginx *n, const char *scheme, struct str address);

// proxy_pass and grpc_pass of a location. False: it has none.
bool nginx_put_proxy(struct nginx_server *s, const struct nginx_location *l,
                     struct conf_node *target);

// --- answers (nginx_answers.c) ---

// "return", and what "rewrite" and "if" make of requests, in the block itself. regex: of the
// location, whose groups are $1 …; empty: none. True: it answers everything.
bool nginx_put_answers(struct nginx_server *s, struct nginx_directive *block, struct str regex,
                       struct conf_node *target);

// Whether the server does nothing but send everybody to the same URL by https.
bool nginx_is_redirect_server(const struct nginx_directive *block);

// --- servers (nginx_listen.c, nginx_server.c, nginx_locations.c) ---

// "_" and its like, for which nobody asks.
static inline bool nginx_is_nobody(struct str name)
{
    return name.len == 0 || str_eq(name, STR("_")) || str_eq(name, STR("localhost")) ||
           str_starts(name, STR("$"));
}

// Who answers where for hosts that nobody names: the one that says "default_server", or the first
// without names.
void nginx_find_defaults(struct nginx *n);
// The entrypoints of a server.
void nginx_put_listens(struct nginx_server *s);

void nginx_put_servers(struct nginx *n);

// The part of a rule for the names of this kind, and that for a location (nginx_rules.c). False:
// one has both kinds of quotes, which rules can't have.
bool nginx_put_hosts(struct text *to, const struct nginx_server *s, enum nginx_name_kind kind);
bool nginx_put_rule(struct text *to, const struct nginx_locations *ls,
                    const struct nginx_location *l);

void nginx_put_locations(struct nginx_server *s);

// What is left: what isn't needed here, and what is lost (nginx_rest.c).
void nginx_note_rest(struct nginx *n);
