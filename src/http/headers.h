// SPDX-License-Identifier: Apache-2.0
// The header fields of one message: an ordered list in an exchange's arena. Names compare in any
// case; well-known ones by their number.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/writer.h"
#include "codec/field.h"

struct headers {
    struct field *items; // owns: in mem; a removed one has id FIELD_OTHER and an empty name
    uint32_t n, cap;
    uint64_t ids;      // FIELD_BIT of those that may be there: a quick "no"
    struct arena *mem; // borrows
};

void headers_init(struct headers *h, struct arena *mem);

// Takes over n parsed fields (copied, texts borrowed).
enum err headers_take(struct headers *h, const struct field *fields, size_t n) MUST_CHECK;

// Adds at the end. name and value are borrowed: they live as long as the exchange. ERR_LIMIT when
// the arena is full.
enum err headers_add(struct headers *h, enum field_id id, struct str value) MUST_CHECK;
enum err headers_add_named(struct headers *h, struct str name, struct str value) MUST_CHECK;

// Replaces all fields of that name by one.
enum err headers_set(struct headers *h, enum field_id id, struct str value) MUST_CHECK;
enum err headers_set_named(struct headers *h, struct str name, struct str value) MUST_CHECK;

// Returns how many were removed.
size_t headers_remove(struct headers *h, enum field_id id);
size_t headers_remove_named(struct headers *h, struct str name);
// Removes all of that name, and those with '_' in the place of '-'.
void headers_remove_twins(struct headers *h, struct str name);
// Removes this one, which is of h; a walk by headers_next goes on from it.
void headers_drop(struct headers *h, const struct field *f);

// The first field, or NULL. The named form takes known names too.
const struct field *headers_search(const struct headers *h, enum field_id id);
const struct field *headers_find_named(const struct headers *h, struct str name);
static inline const struct field *headers_find(const struct headers *h, enum field_id id)
{
    ASSERT(id != FIELD_OTHER);
    return (h->ids & FIELD_BIT(id)) != 0 ? headers_search(h, id) : NULL;
}

// The value of the first, or an empty one.
static inline struct str headers_get(const struct headers *h, enum field_id id)
{
    const struct field *f = headers_find(h, id);
    return f ? f->value : STR_NONE;
}

// All fields that are there: for (f = headers_next(h, NULL); f; f = headers_next(h, f)).
const struct field *headers_next(const struct headers *h, const struct field *after);

// Removes the hop-by-hop fields: Connection, what it names, Keep-Alive, Proxy-Connection, TE,
// Transfer-Encoding, Upgrade, HTTP2-Settings, Proxy-Authenticate, Proxy-Authorization (RFC
// 9110 7.6.1). What must never be removed so (Host, Content-Length, …, our own forwarding fields)
// is kept when Connection names it. Trailer is kept.
void headers_remove_hop_by_hop(struct headers *h);

// Writes "Name: value CRLF".
void headers_write_one(struct writer *w, struct str name, struct str value);
// Writes so each field whose id isn't in the set `skip`.
void headers_write(struct writer *w, const struct headers *h, uint64_t skip);
// How many bytes that are at most.
size_t headers_bytes(const struct headers *h);
