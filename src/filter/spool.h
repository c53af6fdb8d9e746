// SPDX-License-Identifier: Apache-2.0
// Bytes of a body that wait for their reader: in pieces of the worker's pool, within a limit for
// all of the worker's spools.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/str.h"

struct http_env;
struct spool_piece;

// Zeroed but for env: empty.
struct spool {
    struct http_env *env;             // borrows: the worker's, whose spooled_bytes counts all
    struct spool_piece *first, *last; // owns
    size_t n_bytes;                   // that wait
    size_t n_lent;                    // of the first piece: freed with the next call
};

// Adds a copy. False: all spools of the worker would take more than limit_bytes; nothing is added.
bool spool_put(struct spool *s, struct str bytes, size_t limit_bytes);

// Lends the next bytes, valid until the next call of this or of spool_drop. Empty: none wait.
struct str spool_take(struct spool *s);

// Ends it. Accepts a zeroed one.
void spool_drop(struct spool *s);
