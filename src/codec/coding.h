// SPDX-License-Identifier: Apache-2.0
// Content codings (RFC 9110 8.4.1): their names, what a client takes of them, what a body has.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define CODING_LIST(X)                                                                             \
    X(IDENTITY, "identity")                                                                        \
    X(GZIP, "gzip")                                                                                \
    X(DEFLATE, "deflate")                                                                          \
    X(BR, "br")                                                                                    \
    X(ZSTD, "zstd")

enum coding {
#define X(id, name) CODING_##id,
    CODING_LIST(X)
#undef X
};
#define CODING_ONE(id, name) +1
#define CODING_COUNT (0 CODING_LIST(CODING_ONE))

// By name in any case; x-gzip is gzip. False: none that is known here.
bool coding_find(struct str name, enum coding *ret);
struct str coding_name(enum coding c);

// --- Accept-Encoding (RFC 9110 12.5.3) ---

#define CODING_ITEMS_MAX 32    // in all fields of one message
#define CODING_WEIGHT_MAX 1000 // a weight is in thousandths: q=0.5 is 500

struct coding_accept {
    // 0: not acceptable. That of identity is 0 only where it is ruled out.
    uint16_t weights[CODING_COUNT];
    bool names_identity; // identity has a weight of its own, or that of "*"

    // Of coding_accept_add.
    uint16_t any_weight;
    bool has_any;
    bool is_named[CODING_COUNT];
    uint32_t n_items;
};

// Before the first field. Without any, nothing but identity is acceptable: a client that doesn't
// ask isn't known to unpack.
void coding_accept_init(struct coding_accept *a);
// The value of one field. False: it is malformed, or too much; then nothing of it counts.
bool coding_accept_add(struct coding_accept *a, struct str value);
// After the last.
void coding_accept_end(struct coding_accept *a);

// The coding for an answer: the heaviest that is acceptable, of equals the first of `ours`.
// CODING_IDENTITY: none of them, or the client would rather have none.
enum coding coding_choose(const struct coding_accept *a, const enum coding *ours, size_t n);

// --- Content-Encoding (RFC 9110 8.4) ---

// The codings of a body in the order in which they were applied, without identity. *ret_n of at
// most max. False: malformed, more than max, or one that isn't known here.
bool coding_parse_list(struct str value, enum coding *ret, size_t max, size_t *ret_n);
