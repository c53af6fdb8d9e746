// SPDX-License-Identifier: Apache-2.0
// The state of parsing a rule, for rule_parse.c (syntax) and rule_values.c (values).
#pragma once

#include "route/rule_priv.h"

struct rule_arg {
    struct str text; // decoded
    const char *at;  // in the rule's text, behind the opening quote
};

// What a rule is about.
enum rule_scope { RULE_OF_REQUESTS, RULE_OF_CONNECTIONS, RULE_OF_LABELS };

struct rule_parser {
    struct str text; // borrows
    struct place place;
    enum rule_scope scope;
    const char *at, *end;
    struct arena *mem;
    struct diags *diags; // never NULL
    struct rule *rule;
    struct rule_arg *args; // owns: RULE_VALUES_MAX, the values of the matcher at hand
    unsigned n_nodes, depth;
    bool has_failed; // a syntax error or a limit: parsing ends
};

// Where a byte of the rule's text stands.
struct place rule_place(const struct rule_parser *p, const char *at);

// Reports a full arena, once. Returns NULL.
void *rule_no_memory(struct rule_parser *p);

// Fills node's values from 1 to 256 arguments, as many as its kind takes. Errors go to p->diags.
void rule_values_fill(struct rule_parser *p, struct rule_node *node, const struct rule_arg *args,
                      unsigned n);
