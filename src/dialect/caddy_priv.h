// SPDX-License-Identifier: Apache-2.0
// A Caddyfile on its way into a draft: what the parts of the conversion share.
#pragma once

#include "dialect/caddy_words.h"
#include "filter/common.h"

#define CADDY_USE_MAX 32 // filters on one way
#define CADDY_DIRECTIVES_MAX 64

struct caddy {
    struct draft *d;
    struct caddy_line *root;
    struct str http_port, https_port;
    struct caddy_line *bind;    // addresses that all blocks listen to; NULL: all
    struct caddy_line *trusted; // proxies in front; NULL: clients' addresses are their connections'
    struct str directory;       // of the authority; empty: it isn't said
    bool is_local;              // the local CA signs
    bool needs_issuer;          // an authority signs for somebody
    bool redirects;             // plain requests for sites with TLS
    bool has_own_order;         // of directives, and it isn't understood
    uint8_t ranks[CADDY_DIRECTIVES_MAX]; // of directives, from 1 on
    struct map names;                    // hosts that have a site
    struct map plain;                    // hosts that have a block for plain requests
    struct map noted;                    // lines
};

// The hosts of a block that are reached in the same way.
struct caddy_site {
    struct caddy *c;
    struct caddy_line *block;
    bool is_tls;
    struct str shown; // for names of filters and services
};

// What is known of a request on its way through the directives.
struct caddy_state {
    struct str cond;   // a rule; empty: all requests
    struct str path;   // one that fits, in the request's own terms, or rewritten; empty: any
    struct str prefix; // was taken off the path
    bool is_rewritten; // the path isn't that of the request any more
    struct str use[CADDY_USE_MAX];
    size_t n_use;
};

enum caddy_fit { CADDY_PERHAPS, CADDY_NEVER, CADDY_ALWAYS };

// A directive's matcher, for the requests of a state.
struct caddy_cond {
    struct str rule; // empty: all requests
    struct str path; // the only one in it, in the request's own terms; empty: none, or several
    enum caddy_fit fit;
};

enum caddy_kind {
    CADDY_FILTER,
    CADDY_REWRITE, // only the first that fits counts
    CADDY_HANDLE,  // the same
    CADDY_ROUTE,
    CADDY_ANSWER,
    CADDY_REFUSED,  // what can't be had: nobody comes further
    CADDY_HARMLESS, // nobody misses it on the way of requests
};

// Once for each line.
void caddy_note(struct caddy *c, struct caddy_line *l, enum draft_fate fate, const char *fmt, ...)
    PRINTF(4, 5);

// Whether there is no placeholder in it.
bool caddy_is_plain(struct str s);

// --- matchers (caddy_match.c) ---

// How many words of a directive are its name and its matcher.
size_t caddy_args(const struct caddy_line *l);

// False: it can't be had.
bool caddy_match(struct caddy_site *s, const struct caddy_state *state, struct caddy_line *l,
                 struct caddy_cond *ret);

// The only path that a directive's matcher names; empty: none, or several. ret_is_alone: it has no
// other conditions.
struct str caddy_path(const struct caddy_line *l, bool *ret_is_alone);

// A network as rules take it. False: it is none.
bool caddy_network(struct caddy *c, struct str range, struct str *ret);
extern const char *const caddy_private[]; // NULL-terminated

// The expression of the only path_regexp in a directive's matcher, and its name or nothing.
bool caddy_path_regexp(const struct caddy_line *l, struct str *ret_name, struct str *ret_pattern);

// The text as an expression, in which '*' is what star says.
void caddy_put_escaped(struct text *to, struct str s, const char *star);

// --- order (caddy_order.c) ---

struct caddy_step {
    struct caddy_line *line;
    enum caddy_kind kind;
    const char *why; // of what becomes nothing
    size_t rank;     // 0: unknown, before all others
    struct str path; // the only one of its matcher
    bool has_matcher;
};

void caddy_order_init(struct caddy *c);
// The global option "order". False: it isn't understood.
bool caddy_put_order(struct caddy *c, const struct caddy_line *l);
void caddy_classify(const struct caddy *c, struct caddy_line *l, struct caddy_step *ret);
void caddy_sort(struct caddy_step *steps, size_t n);

// Whether a directive keeps somebody out.
bool caddy_is_guard(const struct caddy_line *l);

// --- handlers (caddy_filters.c, caddy_fields.c, caddy_paths.c, caddy_proxy.c) ---

// The settings of a new filter of a line.
struct conf_node *caddy_filter(struct caddy_site *s, struct caddy_line *l, const char *kind);
// Those of the filter that a line has.
struct conf_node *caddy_settings(struct caddy_site *s, const struct caddy_line *l);
// All of it is refused.
struct str caddy_refusal(struct caddy *c, struct place place);
// What stands behind the line is.
void caddy_refuse(struct caddy_site *s, struct caddy_line *l, const char *why);

// Makes the filter of a directive once: l->filter, which may be empty, or l->is_refused.
void caddy_put_filter(struct caddy_site *s, struct caddy_line *l);
void caddy_put_path(struct caddy_site *s, struct caddy_line *l);
// The path that a rewrite leads to, with a '*' where it goes on; empty: it isn't known.
struct str caddy_new_path(struct caddy *c, const struct caddy_line *l);
void caddy_put_headers(struct caddy_site *s, struct caddy_line *l, enum filter_side side);

// One change; from is the word with the field's name. False: it protects, and can't be had.
bool caddy_put_field(struct caddy_site *s, struct caddy_line *l, size_t from, enum filter_side side,
                     struct conf_node *fields);
// Fields that tell servers of the client in any case.
bool caddy_is_forwarding(struct str name);

// reverse_proxy: l->service, and l->filter where fields are changed; or l->is_refused.
void caddy_put_proxy(struct caddy_site *s, struct caddy_line *l);
// An upstream as a URL. False: it is none that can be had.
bool caddy_url(struct caddy *c, struct str upstream, bool is_tls, struct str *ret);

// --- routes (caddy_routes.c) ---

// What the block's directives do, as routes at the end of the list. top: the priority of the last.
void caddy_put_routes(struct caddy_site *s, struct conf_node *list, struct str hosts,
                      const struct conf_node *entrypoints, unsigned long top);

// --- entrypoints (caddy_entries.c) ---

// The entrypoints of a port, by what the block binds: their names at the end of list. False: there
// is none.
bool caddy_put_entries(struct caddy *c, const struct caddy_line *block, struct str port,
                       bool is_tls, struct conf_node *list);

// --- TLS (caddy_tls.c) ---

struct caddy_tls_how {
    bool is_local; // no authority signs for such names
    bool is_wild;
};

// The block's TLS as settings of a site. False: it protects in a way that can't be had.
bool caddy_put_tls(struct caddy *c, const struct caddy_line *block, const struct caddy_tls_how *how,
                   struct conf_node *tls);
bool caddy_is_local(struct str host);
// An issuer with this directory and address (either may be empty), made when there is none.
struct str caddy_issuer(struct caddy *c, struct str directory, struct str email,
                        struct place place);

// --- sites (caddy_sites.c) ---

void caddy_put_sites(struct caddy *c);
