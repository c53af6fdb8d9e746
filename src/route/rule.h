// SPDX-License-Identifier: Apache-2.0
// The rule language, Traefik v3's: Host(`a`) && (PathPrefix(`/api`) || !Method(`GET`)). Parsed and
// checked once into a compact tree in the snapshot's arena; matching allocates nothing.
#pragma once

#include <stdbool.h>

#include "base/arena.h"
#include "base/diag.h"
#include "http/exchange.h"

struct rule;

// NULL with errors (each with line and column inside the text: place is where the text starts).
// Matchers: Host, HostRegexp, Path, PathPrefix, PathRegexp, Method, Header, HeaderRegexp, Query,
// QueryRegexp, ClientIP. Host(`*.example.com`) takes exactly one more label, as does Traefik's; IDN
// names become A-labels.
struct rule *rule_parse(struct str text, struct place place, struct arena *mem,
                        struct diags *diags);

// The same for a rule about a connection, whose x->req.host is the server name of a ClientHello, or
// empty. Matchers: HostSNI, HostSNIRegexp, ClientIP. HostSNI(`*`) takes every connection, with or
// without a name.
struct rule *rule_parse_tcp(struct str text, struct place place, struct arena *mem,
                            struct diags *diags);

// The same for a rule about what has labels. Matchers: Label(`name`, `value`), LabelRegex(`name`,
// `expression`), of which any part of the value may match. A label that isn't there is empty.
struct rule *rule_parse_labels(struct str text, struct place place, struct arena *mem,
                               struct diags *diags);
// find gives the value of the label of this name; empty: there is none. An expression that gives up
// matches nothing, whatever stands around it.
typedef struct str rule_label_fn(void *arg, struct str name);
bool rule_matches_labels(const struct rule *r, rule_label_fn *find, void *arg);

// Whether the text is meant to be the one of a TCP route, right or wrong: it names HostSNI or
// HostSNIRegexp.
bool rule_is_tcp(struct str text);

// Whether a TCP rule can't be decided without knowing the server name.
bool rule_needs_name(const struct rule *r);

// Both a and b, as "(a) && (b)", which text says. a is only used, and may be in several rules: it
// holds nothing but what is in the arena (hosts, paths …). b becomes part of the new rule. NULL:
// the arena is full.
struct rule *rule_both(const struct rule *a, struct rule *b, struct str text, struct arena *mem);

// The host names of which a request must have one for the rule to match, as they are written in it:
// in lower case and A-labels, "*.example.com" with its star; in mem, a name perhaps twice. None:
// any name may do, or the arena is full.
size_t rule_names(const struct rule *r, struct arena *mem, struct str **ret);

// What isn't in the arena (compiled expressions). Accepts NULL.
void rule_fini(struct rule *r);

bool rule_matches(const struct rule *r, const struct exchange *x);

// Which part of the rule decided, for explain: "Method(`GET`) is false"; in mem.
struct str rule_why(const struct rule *r, const struct exchange *x, struct arena *mem);
