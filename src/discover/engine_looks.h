// SPDX-License-Identifier: Apache-2.0
// Looks at containers: many at once, each when something has happened to it, and again and again
// while the engine fails to tell of it, which holds up no other.
#pragma once

#include "discover/engine_http.h"
#include "discover/message.h"

struct engine_looks;

typedef void engine_say_fn(struct message m);

// api: the minor number of the version that is spoken. say takes what there is to tell.
struct engine_looks *engine_looks_new(struct engine_http *http, unsigned api, engine_say_fn *say);

// This one is to be looked at; and once more a little later, when it is early for what has
// happened. False: there are CONTAINERS_MAX already that are.
bool engine_looks_mark(struct engine_looks *l, struct str id, bool is_early) MUST_CHECK;

// The same for one that is in a list: engine_looks_n_listed counts those that nothing was said of.
bool engine_looks_mark_listed(struct engine_looks *l, struct str id) MUST_CHECK;
size_t engine_looks_n_listed(const struct engine_looks *l);

// Asks about those whose time has come, as many as may be asked about at once. Returns when to call
// next if nothing else happens (INT64_MAX: not at all).
int64_t engine_looks_begin(struct engine_looks *l);
