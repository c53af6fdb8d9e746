// SPDX-License-Identifier: Apache-2.0
// The tree of a rule, for the files of this folder.
#pragma once

#include <stdint.h>

#include "base/map.h"
#include "codec/ip.h"
#include "http/regex.h"
#include "route/rule.h"

#define RULE_TEXT_MAX (16 * 1024)
#define RULE_NODES_MAX 1024
#define RULE_VALUES_MAX 256 // of one matcher
#define RULE_NESTING_MAX 32 // of parentheses and !: bounds every recursion over the tree

// id, name, fewest and most values. A matcher whose most is RULE_VALUES_MAX matches when any does.
#define RULE_MATCHER_LIST(X)                                                                       \
    X(HOST, "Host", 1, RULE_VALUES_MAX)                                                            \
    X(HOST_REGEXP, "HostRegexp", 1, RULE_VALUES_MAX)                                               \
    X(HOST_SNI, "HostSNI", 1, RULE_VALUES_MAX)                                                     \
    X(HOST_SNI_REGEXP, "HostSNIRegexp", 1, RULE_VALUES_MAX)                                        \
    X(PATH, "Path", 1, RULE_VALUES_MAX)                                                            \
    X(PATH_PREFIX, "PathPrefix", 1, RULE_VALUES_MAX)                                               \
    X(PATH_REGEXP, "PathRegexp", 1, RULE_VALUES_MAX)                                               \
    X(METHOD, "Method", 1, RULE_VALUES_MAX)                                                        \
    X(HEADER, "Header", 2, 2)                                                                      \
    X(HEADER_REGEXP, "HeaderRegexp", 2, 2)                                                         \
    X(QUERY, "Query", 1, 2)                                                                        \
    X(QUERY_REGEXP, "QueryRegexp", 1, 2)                                                           \
    X(CLIENT_IP, "ClientIP", 1, RULE_VALUES_MAX)                                                   \
    X(LABEL, "Label", 2, 2)                                                                        \
    X(LABEL_REGEX, "LabelRegex", 2, 2)

enum rule_kind {
    RULE_AND,
    RULE_OR,
    RULE_NOT,
#define X(id, name, min, max) RULE_##id,
    RULE_MATCHER_LIST(X)
#undef X
};

struct rule_value {
    struct str text;     // canonical; of a wildcard host what follows "*": ".example.com"
    bool is_wildcard;    // hosts
    bool is_any;         // HostSNI(`*`): no name is needed
    struct ip_net net;   // ClientIP
    struct regex *regex; // borrows: the rule's
};

struct rule_node {
    enum rule_kind kind;
    struct rule_node *first, *next; // children of AND, OR and NOT; the sibling
    struct str source;              // the slice of the rule's text
    struct str key;                 // Header, Query, Label: the name
    uint16_t field_id;              // Header: enum field_id of the name
    uint16_t n_values;
    struct rule_value *values; // any of them; Query(`k`): one empty value
};

struct rule_regex {
    struct regex *regex; // owns
    struct rule_regex *next;
};

struct rule {
    struct rule_node *root;
    struct str text;            // borrows
    struct rule_regex *regexes; // owns: for rule_fini
};

enum rule_verdict {
    RULE_NO,
    RULE_YES,
    RULE_BROKEN, // an expression gave up: nobody knows
};
bool rule_host_matches(const struct rule_value *v, struct str host);
enum rule_verdict rule_eval(const struct rule *r, const struct exchange *x);

// --- analysis (rule_hosts.c) ---

// The hosts that a request must have for the rule to match.
struct rule_hosts {
    bool is_any;
    size_t n;
    const struct rule_value **items; // in the arena
};
// False: the arena is full.
bool rule_hosts(const struct rule *r, struct arena *mem, struct rule_hosts *ret);

// True when the hosts that rule_hosts gives are all that the rule asks for.
bool rule_needs_only_host(const struct rule *r);

// True when every request that matches `narrow` is sure to match `wide` too. Errs on the side of
// false.
bool rule_implies(const struct rule *narrow, const struct rule *wide);

// True when the rule is sure to match nothing, such as Host(`a`) && Host(`b`). Errs on the side of
// false.
bool rule_is_impossible(const struct rule *r);
