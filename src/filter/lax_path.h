// SPDX-License-Identifier: Apache-2.0
// A path as generous servers may read it.
#pragma once

#include "base/arena.h"
#include "base/str.h"

// What a canonical path becomes where `\`, `%2F` and `%5C` separate segments, empty segments and
// parameters (`;` and what follows in its segment) don't count, and dot segments that come of it
// lead where they lead. path itself, where nothing of that is in it; ptr NULL: the arena is full.
struct str lax_path(struct str path, struct arena *mem);
