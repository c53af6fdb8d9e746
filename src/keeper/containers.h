// SPDX-License-Identifier: Apache-2.0
// The containers that an engine has told of, as last heard: kept while the engine is away, and for
// a while after they have stopped.
#pragma once

#include "base/list.h"
#include "base/map.h"
#include "base/text.h"
#include "discover/message.h"

#define CONTAINERS_MAX_BYTES ((size_t)256 << 20) // of all that is said of them

struct known; // one of them

struct containers {
    struct list all;    // of struct known
    struct list away;   // those of them that don't run, by time
    struct map by_id;   // the same
    struct map by_name; // the same, but for those without a name
    size_t n;
    size_t n_bytes;
    unsigned listing;  // number of the list that is being told
    bool is_listing;   // and what isn't in it is gone at its end
    struct str own_id; // owns: of the container that the proxy runs in; empty: none
};

// What is said of the machine tells whether this is a container.
void containers_init(struct containers *c, struct str own_id);
void containers_fini(struct containers *c);

// Takes a message of the process that speaks with the engine, packed in bytes as well. True: what
// settings are made of has changed.
bool containers_take(struct containers *c, const struct message *m, struct str bytes,
                     int64_t now_ms);

// Forgets those that stopped longer than linger_ms ago. True: there were some. *next_ms: lowered to
// when there is more.
bool containers_forget(struct containers *c, int64_t linger_ms, int64_t now_ms, int64_t *next_ms);

// As bytes, and back from bytes that this wrote, into one that has none: for a keeper that takes
// over. What can't be read is left out.
void containers_pack(const struct containers *c, struct text *to);
void containers_unpack(struct containers *c, struct str bytes);

// All of them, those that are ready first, then by name: in mem.
const struct container *const *containers_list(const struct containers *c, struct arena *mem,
                                               size_t *ret_n);
// The one that the proxy runs in, among those; or NULL.
const struct container *containers_self(const struct containers *c,
                                        const struct container *const *list, size_t n);

// How many say something with labels that count.
size_t containers_n_labelled(const struct containers *c);

// Those of which nothing usable is said: name or id, and why.
typedef void containers_refused_fn(void *arg, struct str id, struct str why);
void containers_each_refused(const struct containers *c, containers_refused_fn *fn, void *arg);
