// SPDX-License-Identifier: Apache-2.0
// Internal services: names like `ping@internal`, which `to` of a route accepts, and behind which
// the gate answers by itself. A route leads there, or nothing does; filters apply in front as with
// any service. A new one is a row of INTERNAL_LIST and a file internal_NAME.c.
#pragma once

#include "http/handler.h"

#define INTERNAL_SUFFIX "@internal"

struct internal_type {
    struct handler handler; // what routes lead to; name: "ping@internal"
    const char *doc;        // what it answers: "…", for people
    bool is_private;        // not for everybody: `check` warns where nothing is in front
};

#define INTERNAL_LIST(X)                                                                           \
    X(api)                                                                                         \
    X(metrics)                                                                                     \
    X(ping)

#define X(name) extern const struct internal_type internal_##name;
INTERNAL_LIST(X)
#undef X

// Whether a name is for internal services, there or not.
bool internal_is_name(struct str name);

// The one of this name, or NULL.
const struct internal_type *internal_find(struct str name);

// All of them, in the order of the list; NULL-terminated.
extern const struct internal_type *const internal_types[];

// For serve functions, first of all: takes the exchange out of traces, and answers whatever isn't
// GET or HEAD with 405. False: it did.
bool internal_is_read(const struct handler *h, struct exchange *x);

// An answer of an internal service that has nothing to tell now: 503.
void internal_fail(const struct handler *h, struct exchange *x, const char *why);
