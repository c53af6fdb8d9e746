// SPDX-License-Identifier: Apache-2.0
// Keys from a URL: fetched when they are first needed, again when they are old, and at once (now
// and then) when a token names one that isn't there. They outlive snapshots; the last good set
// stays while the URL is down. Shared by all workers.
#pragma once

#include "filter/jwk_set.h"
#include "filter/states.h"
#include "http/sub.h"

#define JWT_KEYS_RETRY_MS 1000 // after a failure, while there is no set at all
#define JWT_KEYS_RETRY_LATER_MS                                                                    \
    10000 // while there is one; and between two fetches for keys that
          // tokens name: anybody can name one
#define JWT_KEYS_TIMEOUT_MS 5000

struct jwt_keys;

// Where they are; part of a filter, so that it lives as long as the snapshot.
struct jwt_source {
    const struct handler *handler; // borrows: the service; NULL: no keys from a URL
    struct str authority, path, query;
    bool has_query;
    int64_t refresh_ms; // of keys this old a new set is fetched
    struct str who;     // "filter NAME": for the log
    struct jwt_keys *keys;
};

// The keys of this URL, with one more ref. On the thread that builds snapshots.
struct jwt_keys *jwt_keys_take(struct filter_states *states, struct str url);
void jwt_keys_drop(struct jwt_keys *keys);

enum jwt_keys_got {
    JWT_KEYS_GOT,
    JWT_KEYS_NONE, // nothing could be fetched so far
    JWT_KEYS_CANCELLED,
};

// The present set, with a ref in *ret, and its number in *generation. newer_than: a generation that
// doesn't have what is needed: a newer set is asked for, if the last time is long enough ago, and
// the present one given otherwise; 0: any will do. On an exchange's fiber; waits while a set is
// fetched that is needed.
enum jwt_keys_got jwt_keys_get(const struct jwt_source *source, struct exchange *x,
                               uint32_t newer_than, struct jwk_set **ret, uint32_t *ret_generation);
