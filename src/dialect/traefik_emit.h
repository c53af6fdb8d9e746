// SPDX-License-Identifier: Apache-2.0
// From routes that were made to routes that are there: each router's are checked by themselves,
// with the filters and services that they need, before they come into the result.
#pragma once

#include "dialect/traefik_priv.h"

// The same as traefik_read, but what could be read is there even with errors: never NULL.
void *traefik_read_all(struct traefik_conv *c, const struct conf_section *section,
                       const struct traefik_refusal *refusals, struct conf_node *node,
                       bool *ret_is_fine);

// The filter that answers everything with this status; its name.
struct str traefik_answer(struct traefik_conv *c, const char *status, struct place place);

// Sets the route's issuer, unless another router has another one for a name of the rule.
void traefik_want_issuer(struct traefik_conv *c, struct str router, struct str rule,
                         const struct conf_text *resolver, struct conf_node *route);

// A route of the router at hand; owned by mem.
void traefik_hold_route(struct traefik_conv *c, struct conf_node *route);
// Checks what is held, and takes it into the result with all that it needs. False with errors;
// then it is still held.
bool traefik_accept(struct traefik_conv *c);
// Whether entrypoints alone can be put in force. False with errors.
bool traefik_check_entries(struct traefik_conv *c);
// Forgets what is held.
void traefik_drop(struct traefik_conv *c);

// Tells why the router is disabled: the first of the errors at hand, which is returned.
struct str traefik_tell_disabled(struct traefik_conv *c, struct str router,
                                 const struct conf_node *node);

bool traefik_is_tcp_entry(const struct traefik_conv *c, struct str name);
