// SPDX-License-Identifier: Apache-2.0
// One prefix of paths in the place of another: forwards for requests, backwards for what answers
// say of paths (Location, Content-Location, Set-Cookie).
#pragma once

#include "http/exchange.h"

// Canonical prefixes of whole segments without a final slash; "" is the root.
struct path_map {
    struct str from; // the client's side
    struct str to;   // the server's side
};

// A prefix as settings have it, checked and made so. NULL, or what is wrong with it.
const char *path_map_prefix(struct str text, struct arena *mem, struct str *ret);

// True when path is the prefix or lies below it.
bool path_map_is_below(struct str path, struct str prefix);

// path, which lies below from, with to in its place: canonical, begins with '/'. ptr NULL: the
// arena is full, or the path can't be made canonical.
struct str path_map_swap(struct str path, struct str from, struct str to, const struct exchange *x);

// Corrects x->resp. ERR_LIMIT: the arena is full.
enum err path_map_back(const struct path_map *m, struct exchange *x) MUST_CHECK;
