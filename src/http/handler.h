// SPDX-License-Identifier: Apache-2.0
// A handler answers exchanges; a filter is a handler with another one behind it. Handlers are part
// of a snapshot: built once, immutable, shared by all exchanges of all workers.
#pragma once

#include "base/err.h"
#include "base/str.h"

struct exchange;
struct handler;

struct handler_type {
    const char *name; // "basic-auth": as in settings, logs, explain
    // Fills x->resp and returns ERR_OK. An error means that nothing can be answered any more (the
    // client is gone, the exchange was cancelled). May wait.
    enum err (*serve)(const struct handler *h, struct exchange *x);
    // Releases what isn't in the snapshot's arena; NULL: nothing.
    void (*fini)(struct handler *h);
    // One line for `explain`: what it would do to this exchange (req is filled, nothing is sent),
    // in x->mem; NULL: the name says it all.
    struct str (*explain)(const struct handler *h, struct exchange *x);
};

struct handler {
    const struct handler_type *type;
    const struct handler *next; // borrows: the one behind; NULL in the last: the service
    struct str name;            // as the user named it: "api-limit"
};

static inline enum err handler_serve(const struct handler *h, struct exchange *x)
{
    return h->type->serve(h, x);
}
