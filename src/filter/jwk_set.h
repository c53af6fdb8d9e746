// SPDX-License-Identifier: Apache-2.0
// Keys that tokens are verified by: from a JWK set (RFC 7517 5), from PEM, from a secret. Immutable
// when it is made; shared by counting, by any thread.
#pragma once

#include "tls/jws.h"

#define JWK_SET_MAX 64 // keys of one

struct jwk_set;

// Of a JWK set, or a single JWK: the keys for signatures that are of a known kind; others are left
// out. takes_secrets: `oct` keys, too, which a server must never give out. NULL: it is none, or has
// no such key: *ret_why (static).
struct jwk_set *jwk_set_parse(struct str text, bool takes_secrets, const char **ret_why);
// A single key without a name; takes it over.
struct jwk_set *jwk_set_of(struct jws_key *key);

struct jwk_set *jwk_set_ref(struct jwk_set *set);
// Accepts NULL.
void jwk_set_unref(struct jwk_set *set);

size_t jwk_set_n(const struct jwk_set *set);

// The next key after *at (from 0) that may have signed: it fits alg, is for it if it says what it
// is for, and has this name. Keys without a name, and tokens without one, fit any. NULL: none is
// left.
const struct jws_key *jwk_set_next(const struct jwk_set *set, enum jws_alg alg, struct str kid,
                                   size_t *at);
