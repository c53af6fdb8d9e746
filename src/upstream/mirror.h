// SPDX-License-Identifier: Apache-2.0
// Copies of requests that go to another service, whose answers nobody sees: to try a new version
// with what really comes. A copy never holds up the original and never fails it: it is made of what
// the original's service reads, goes out when that is all there, and is left out when it is too
// large or too many are on their way.
#pragma once

#include "upstream/service_priv.h"

struct mirror {
    const struct handler *to; // borrows: a service of the same snapshot
    struct str name;
    uint32_t share; // of 100
    uint64_t body_max_bytes;
    int64_t timeout_ms;
    struct mirror_stats *stats; // borrows: of the service's shared state
};

// Of conf->mirror. On failure one error was added.
enum err mirror_build(const struct service_conf *conf, struct arena *mem, struct diags *diags,
                      struct mirror **ret) MUST_CHECK;

// The state of the original's service is known: from now on copies are counted there. m may be
// NULL.
void mirror_count(struct mirror *m, struct shared *service);

// Sends the copy, or (x has a body) lets it follow when the body was read. who: the original's
// service, for the trail. Never waits.
void mirror_begin(const struct mirror *m, struct str who, struct exchange *x);
